"""Fences of files: what they say comes through, and every wrong property is named at its place."""

import json
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from geofence.zone_table import check_zone
from hanhtrinh.offline.wrong_file import WrongFileError
from hanhtrinh.zone_import.reading import Naming, read_zone_file
from storage.bulk.problems import Problems
from tests.data_folder import real_data

SQUARE = [[[105.0, 21.0], [105.1, 21.0], [105.1, 21.1], [105.0, 21.1], [105.0, 21.0]]]
BOW_TIE = [[[105.0, 21.0], [105.1, 21.1], [105.1, 21.0], [105.0, 21.1], [105.0, 21.0]]]
UNITS = Naming("code", "fullName", "vn-", "watch")


def feature(coordinates=SQUARE, **properties):
    geometry = {"type": "Polygon", "coordinates": coordinates}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def read(file, features=None, naming=None, repair=False):
    """The zones of a file of features, one a line from line 2, and what is said of them."""
    if features is not None:
        lines = ",\n".join(json.dumps(one) for one in features)
        file.write_text('{"type": "FeatureCollection", "features": [\n' + lines + "\n]}")
    problems = Problems()
    found = read_zone_file(
        file, ZoneInfo("Asia/Ho_Chi_Minh"), problems, naming=naming, repair=repair
    )
    said = [f"{p.effect} {str(p).removeprefix(str(file))}" for p in problems]
    return found, said


def test_a_zone_has_what_its_feature_says(tmp_path):
    (found,), said = read(
        tmp_path / "z.geojson",
        [
            feature(
                id="z1", kind="banned", name="Phố cổ", operator="op", hours="Mo-Fr 06:00-09:00",
                classes=["bus"], min_gross_kg=2500, valid_to="2027-01-01",
            )
        ],
    )  # fmt: skip
    assert said == []
    assert (found.zone.code, found.zone.kind, found.zone.name) == ("z1", "banned", "Phố cổ")
    assert found.zone.weekly_hours[0] == ("mon", "06:00", "09:00")
    assert (found.zone.classes, found.zone.min_gross_kg) == (("bus",), 2500.0)
    assert (found.operator, found.place.row, found.place.column) == ("op", 2, "features[0]")


def test_everything_that_is_wrong_with_every_feature_is_named(tmp_path):
    wrong = feature(id="a b", kind="fence", max_stay_s=-1, speed=60)
    found, said = read(
        tmp_path / "z.geojson",
        [
            wrong,
            {"type": "Feature", "properties": {}},
            feature(id="good", kind="watch"),
            feature(id="a b", kind="watch"),
            feature(id="z3", kind="speed"),
            feature([[[105.0, 21.0], [105.1, 21.0], [105.0, 91.0]]], id="z4", kind="watch"),
        ],
    )
    assert [one.zone.code for one in found] == ["good"]
    expected = [
        "line 2, column features[0].properties.speed: expected one of id, kind",
        "line 2, column features[0].properties.kind: expected one of speed, banned",
        "line 2, column features[0].properties.max_stay_s: expected a number 0..1e+09",
        "line 3: features[1]: object missing required field `geometry`",
        "line 5, column features[3].properties.id: expected letters, digits, '.'",
        "line 6, column features[4].properties.speed_limit_kmh: expected km/h",
        "line 7, column features[5].geometry.coordinates[0][2]: expected lon -180..180",
    ]
    assert len(said) == len(expected)
    for line, begins in zip(said, expected, strict=True):
        assert line.startswith(f"refused : {begins}")


@pytest.mark.parametrize("repair", [False, True])
def test_a_crossing_ring_is_refused_or_on_request_mended_and_noted(repair, tmp_path):
    found, said = read(
        tmp_path / "z.geojson", [feature(BOW_TIE, id="z", kind="watch")], repair=repair
    )
    assert len(said) == 1
    assert "features[0].geometry.coordinates[0]: ring crosses itself at (105.05, 21.05)" in (
        said[0] if not repair else said[0].replace("coordinates: ", "coordinates[0]: ")
    )
    assert said[0].startswith("noted" if repair else "refused")
    assert [check_zone(one.zone).geometry.area for one in found] == (
        [pytest.approx(0.005)] if repair else []
    )


def test_a_file_of_somebody_else_is_read_by_the_names_it_has(tmp_path):
    found, said = read(
        tmp_path / "units.geojson",
        [
            feature(code="01", fullName="Thành phố Hà Nội", areaKm2=3359.84),
            feature(fullName="?"),
            feature(code="Hà Nội"),
        ],
        UNITS,
    )
    zone = found[0].zone
    assert len(found) == 1
    assert (zone.code, zone.kind, zone.name) == ("vn-01", "watch", "Thành phố Hà Nội")
    places = [line.split(": ", 3)[1:] for line in said]
    assert places == [
        ["line 3, column features[1].properties.code", "expected a text, got none"],
        [
            "line 4, column features[2].properties.code",
            "expected letters, digits, '.', '_', '-', 64 at most, got 'Hà Nội'",
        ],
    ]


def geoparquet(file, geometries, crs=None, **columns):
    column: dict[str, object] = {"encoding": "WKB", "geometry_types": []}
    if crs is not None:
        column["crs"] = {"id": {"authority": crs.split(":")[0], "code": crs.split(":")[1]}}
    geo = {"version": "1.0.0", "primary_column": "geom", "columns": {"geom": column}}
    table = pa.table({**columns, "geom": pa.array(geometries, pa.binary())})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), file)
    return file


def test_rows_of_geoparquet_are_features_and_named_by_row(tmp_path):
    square, tie = shapely.Polygon(SQUARE[0]).wkb, shapely.Polygon(BOW_TIE[0]).wkb
    file = geoparquet(
        tmp_path / "u.parquet", [square, None, tie], code=["1", "2", "3"], fullName=["a", "b", "c"]
    )
    (found,), said = read(file, naming=UNITS)
    assert found.zone.code == "vn-1"
    assert [line.split(" at (")[0] for line in said] == [
        "refused : row 2, column geom: expected a geometry in WKB",
        "refused : row 3, column geometry.coordinates[0]: ring crosses itself",
    ]


def test_geoparquet_in_another_projection_is_refused(tmp_path):
    file = geoparquet(tmp_path / "u.parquet", [shapely.Point(1, 1).wkb], crs="EPSG:3405")
    with pytest.raises(WrongFileError, match="expected places in WGS 84, got EPSG:3405"):
        read(file, naming=UNITS)
    (tmp_path / "no.parquet").write_bytes(b"PAR1")
    with pytest.raises(WrongFileError, match="expected Parquet"):
        read(tmp_path / "no.parquet", naming=UNITS)


@pytest.mark.data
def test_the_provinces_are_read_without_a_problem():
    found, said = read(real_data("vn_admin/provinces34_simplified.geojson"), naming=UNITS)
    assert (len(found), said) == (34, [])
    assert {one.zone.name for one in found} >= {"Thành phố Hà Nội", "Tỉnh Điện Biên"}
