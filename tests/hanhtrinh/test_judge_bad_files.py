"""What `hanhtrinh judge` says of a wrong file: which, where in it, and what was expected."""

import json
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet
import pytest

from hanhtrinh.offline.routes import PROPERTIES as OF_ROUTES
from hanhtrinh.offline.routes import read_routes
from hanhtrinh.offline.wrong_file import WrongFileError
from hanhtrinh.offline.zones import PROPERTIES as OF_ZONES
from hanhtrinh.offline.zones import read_zones
from tests.hanhtrinh.judged import box, collection, drive, feature, fixes, judge, lines, said

HERE = ZoneInfo("Asia/Ho_Chi_Minh")
GOOD = fixes(drive())
LINE = {"type": "LineString", "coordinates": [[105.5, 21.0], [105.5, 21.2]]}
POINT = {"type": "Point", "coordinates": [105.5, 21.1]}
ENDS = [
    feature(POINT, route="r", terminal="a", radius_m=100),
    feature(POINT, route="r", terminal="b", radius_m=100),
]


def expect(ran, *says):
    assert ran.exit_code == 1, ran.output
    assert "Traceback" not in ran.output
    assert ran.stdout == ""
    for text in says:
        assert text in said(ran), said(ran)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "fixes.txt: "),
        ("vehicle,time,lat\n", "line 1: expected a column lon (or --map), got vehicle, time, lat"),
        (GOOD + "a,yesterday,21,105,\n", "line 14, column time: expected RFC 3339 with an offset"),
        (GOOD + "a,2026-05-01T00:00:00,21,105,\n", "column time: expected RFC 3339 with an offset"),
        (
            GOOD + "a,1970-01-02T00:00:00Z,21,105,\n",
            "column time: expected an instant of the years",
        ),
        (GOOD + "a,2026-05-01T00:00:00Z,x,105,\n", "column lat: expected a number, got 'x'"),
        (GOOD + "a,2026-05-01T00:00:00Z,1,105,v\n", "column speed_kmh: expected a number, got 'v'"),
        (GOOD + ",2026-05-01T00:00:00Z,21,105,\n", "line 14, column vehicle: expected a name"),
        (GOOD + "a,2026-05-01T00:00:00Z\n", "line 14: expected 5 columns, got 2"),
        (b"\xff\xfe\x00", "fixes.txt: "),
    ],
)
def test_positions(tmp_path, content, says):
    expect(judge(tmp_path, fixes=content), "fixes.txt", says)


def test_positions_of_parquet_and_of_a_file_that_is_not_there(tmp_path):
    table = pa.table(
        {"vehicle": ["a", "a"], "time": [1.8e9, 1.8e9], "lat": [1.0, None], "lon": [1.0, 1]}
    )
    pyarrow.parquet.write_table(table, tmp_path / "fixes.parquet")
    ran = judge(tmp_path, "--fixes", str(tmp_path / "fixes.parquet"))
    expect(ran, "fixes.parquet: row 2, column lat: expected a number, got None")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no PAR1")
    expect(judge(tmp_path, "--fixes", str(tmp_path / "bad.parquet")), "bad.parquet: ")
    expect(judge(tmp_path, "--fixes", "nowhere.csv"), "nowhere.csv", "expected a CSV or Parquet")


def test_bad_positions_are_left_out_on_request_and_counted(tmp_path):
    content = GOOD.replace("70\n", "70\na,x,21,105,\n", 1) + "a,y,21,105,\n"
    ran = judge(tmp_path, "--skip-bad", fixes=content)
    assert ran.exit_code == 0
    assert "left out: line 3: time: expected RFC 3339" in said(ran)
    assert "left out: 2 rows" in said(ran)
    assert "12 positions of 1 vehicles" in said(ran)


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("vehicles", "plate\nx\n", "line 1: expected a column vehicle, got plate"),
        ("vehicles", "", "line 1: expected a column vehicle, got an empty file"),
        ("vehicles", "vehicle,colour\na,red\n", "line 1, column 'colour': expected one of"),
        ("vehicles", "vehicle,vehicle\na,b\n", "line 1, column vehicle: expected once"),
        ("vehicles", "vehicle,gross_kg\na,heavy\n", "line 2, column gross_kg: expected a number"),
        ("vehicles", "vehicle,axles\na,2.5\n", "line 2, column axles: expected a whole number"),
        ("vehicles", "vehicle,speed_limit_kmh\na,900\n", "expected a number 5..200, got '900'"),
        ("vehicles", "vehicle,kind\na,\nb,boat\n", "line 3, column kind: expected one of rigid"),
        ("vehicles", "vehicle\na\na\n", "line 3, column vehicle: expected every vehicle once"),
        ("vehicles", "vehicle,axles\na,2,3\n", "line 2: expected 2 cells, got 3"),
        ("vehicles", 'vehicle\n"a\n', "expected CSV: "),
        ("vehicles", "vehicle,routes\na,r9\n", "expected routes of --routes, got 'r9'"),
        ("vehicles", b"vehicle\na\n\xff\n", "line 3: expected UTF-8, got the byte 0xff"),
        ("drivers", "driver\nd\n", "line 1: expected a column name"),
        ("drivers", "driver,name\n,n\n", "line 2, column driver: expected a name, got ''"),
        ("drivers", "driver,name\nd,n\nd,m\n", "line 3, column driver: expected every driver once"),
        ("stations", "station,tolerance\ns,2\n", "column tolerance: expected a number 0..0.5"),
        ("weighings", '{"time": 1}\n', "line 1: expected weighings as JSON lines: "),
        ("weighings", '{"time": 1777593600, "gross_kg": 1}\n{"a\n', "line 2: expected weighings"),
        ("weighings", "plate,gross_kg\na,1\n", "expected weighings as CSV: "),
        (
            "weighings", "time,gross_kg\n1777593600,1\n1777593600,heavy\n",
            "line 3: expected weighings as CSV: ",
        ),
        ("roads", "nothing", "expected a name that ends in one of"),
    ],
)  # fmt: skip
def test_tables(tmp_path, kind, content, says):
    expect(judge(tmp_path, fixes=GOOD, **{kind: content}), f"{kind}.txt: ", says)


def zones(**properties):
    given = {"id": "z", "kind": "watch"} | properties
    return collection(feature(box(), **{k: v for k, v in given.items() if v is not None}))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "line 1: expected a GeoJSON FeatureCollection: expected `object`"),
        ("{\n  nonsense", "line 2, column 3: expected a GeoJSON FeatureCollection: "),
        ('{"type": "Feature"}', "line 1: expected a GeoJSON FeatureCollection: invalid value"),
        ('{"type": "FeatureCollection",\n"features": [\n{"type": "Feature"}]}', "line 3: "),
        (zones(knd=1), "features[0].properties.knd: expected one of id, kind, "),
        (zones(id=None), "properties.id: expected a text, got none"),
        (zones(kind="fence"), "properties.kind: expected one of speed, banned,"),
        (zones(kind="speed"), "properties.speed_limit_kmh: expected km/h, as the kind is speed"),
        (zones(speed_limit_kmh=500), "speed_limit_kmh: expected a number 5..200, or an object"),
        (zones(speed_limit_kmh={"bus": "x"}), "by vehicle class, got {'bus': 'x'}"),
        (zones(classes="bus"), "properties.classes: expected a list of vehicle classes, got 'bus'"),
        (zones(hours="Mo-Fr 6-9"), "properties.hours: expected opening hours like"),
        (zones(hours="Mo-Fr,PH 06:00-09:00"), "public holidays cannot be part of it"),
        (zones(valid_from="soon"), "properties.valid_from: expected a day or RFC 3339"),
        (zones(valid_from="2026-01-01T00:00:00"), "expected a day or RFC 3339 with an offset"),
        (zones(valid_from="2026-02-01", valid_to="2026-01-01"), "instant after valid_from"),
        (zones(radius_m=50), "properties.radius_m: expected none with a Polygon, got 50"),
        (zones(max_stay_s=-1), "properties.max_stay_s: expected a number 0..1e+09, got -1"),
        (zones(overrides_road="yes"), "overrides_road: expected true or false, got"),
        (collection(feature(POINT, id="z", kind="stop")), "radius_m: expected metres over 0"),
        (collection(feature({"type": "Cube"}, id="z", kind="stop")), "geometry.type: expected"),
        (
            collection(feature({"type": "Polygon", "coordinates": [[[21, 105], [21, 106], [22, 106],
             [21, 105]]]}, id="z", kind="stop")),
            "features[0].geometry.coordinates[0][0]: expected [lon, lat], got [lat, lon]",
        ),
        (
            collection(*[feature(box(), id="z", kind="stop")] * 2),
            "features[1].properties.id: expected once, or for times that do not overlap",
        ),
    ],
)  # fmt: skip
def test_zones(tmp_path, content, says):
    expect(judge(tmp_path, fixes=GOOD, zones=content), "zones.", "line ", says)


def test_the_line_of_a_wrong_property_is_named(tmp_path):
    text = json.dumps(collection(*zones()["features"], *zones(kind="fence")["features"]), indent=1)
    number = [n for n, line in enumerate(text.splitlines(), 1) if '"kind": "fence"' in line]
    expect(judge(tmp_path, fixes=GOOD, zones=text), f"line {number[0]}, column features[1]")


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ([feature(LINE, direction="outbound")], "properties.route: expected a text, got none"),
        ([feature(LINE, route="r")], "properties.direction: expected one of outbound, inbound"),
        ([feature(LINE, route="r", direction="outbound")], "corridor_m: expected metres"),
        (
            [feature(LINE, route="r", direction="outbound", corridor_m=50)],
            "properties.terminal_a: expected the id of a terminal zone, or a feature with",
        ),
        (
            [feature(LINE, route="r", direction="inbound", corridor_m=50), *ENDS],
            "expected an outbound path of route 'r', got none",
        ),
        (
            [feature(LINE, route="r", direction="outbound", corridor_m=50)] * 2,
            "features[1].properties.direction: expected one path to a direction",
        ),
        (
            [feature(LINE, route="r", direction="outbound", corridor_m=50),
             feature(LINE, route="r", direction="inbound", corridor_m=60)],
            "features[1].properties.corridor_m: expected 50 as at features[0], got 60",
        ),
        ([*ENDS, ENDS[0]], "expected a zone id of its own, got 'r:a' twice"),
        ([feature(POINT, route="r", direction="outbound")], "properties.seq: expected the stop's"),
        ([feature(box(), route="r", direction="outbound")], "geometry: expected a LineString"),
        ([feature(LINE, route="r", colour=1)], "properties.colour: expected one of route, name"),
    ],
)  # fmt: skip
def test_routes(tmp_path, features, says):
    expect(judge(tmp_path, fixes=GOOD, routes=collection(*features)), "routes.geojson: line ", says)


def test_roads_of_geojson(tmp_path):
    broken = collection(feature({"type": "Point", "coordinates": [1, 2]}, highway="primary"))
    expect(judge(tmp_path, fixes=GOOD, roads=broken), "roads.geojson: features[0]", "LineString")


ODD = [
    None, True, "", "x", -1, 0, 10**400, 1e308, [], [1], {}, {"": 1}, "0001-01-01", "9999-12-31",
]  # fmt: skip


def answer(read, folder, features):
    """What is said of features; "" if there is nothing wrong with them."""
    file = folder / "given.geojson"
    file.write_text(json.dumps(collection(*features)))
    try:
        list(read(file))
    except WrongFileError as error:
        wrong = str(error)
    else:
        return ""
    assert wrong.startswith(f"{file}: line 1, column features["), wrong
    return wrong


def route_file(file):
    return read_routes(file, HERE, [])[0]


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_whatever_a_property_holds_there_is_an_answer(tmp_path, value):
    for name in OF_ZONES:
        given = {"id": "z", "kind": "speed", "speed_limit_kmh": 50} | {name: value}
        wrong = answer(lambda f: read_zones(f, HERE), tmp_path, [feature(box(), **given)])
        assert not wrong or f".properties.{name}" in wrong
    path = {"route": "r", "direction": "outbound", "corridor_m": 50}
    stop = feature(POINT, route="r", direction="outbound", seq=1)
    good = [feature(LINE, **path), *ENDS, stop]
    assert answer(route_file, tmp_path, good) == ""
    for name in OF_ROUTES:
        for at, old in enumerate(good):
            changed = feature(old["geometry"], **old["properties"] | {name: value})
            answer(route_file, tmp_path, [*good[:at], changed, *good[at + 1 :]])


@pytest.mark.parametrize(
    "geometry",
    [None, {}, [], 1, {"type": "Polygon"}, {"type": "Point", "coordinates": [10**400, 1]}],
    ids=lambda geometry: repr(geometry)[:20],
)
def test_whatever_the_geometry_is_there_is_an_answer(tmp_path, geometry):
    zone = {"id": "z", "kind": "stop", "radius_m": 1}
    stop = {"route": "r", "direction": "outbound", "seq": 1}
    for kind, properties in (("zones", zone), ("routes", stop)):
        ran = judge(tmp_path, fixes=GOOD, **{kind: collection(feature(geometry, **properties))})
        expect(ran, f"{kind}.geojson: line 1")


@pytest.mark.parametrize(
    ("content", "says"),
    [("\nid = x", "at line 2, column 6"), ("", "effective_from"), (b"\xff", "utf-8")],
)  # fmt: skip
def test_profiles(tmp_path, content, says):
    own = tmp_path / "own.toml"
    own.write_bytes(content if isinstance(content, bytes) else content.encode())
    expect(judge(tmp_path, "--profile", str(own), fixes=GOOD), "own.toml: ", says)


def test_a_good_file_beside_them(tmp_path):
    assert lines(judge(tmp_path, fixes=GOOD, zones=zones(name="x", min_gross_kg=5))) == []


def test_no_positions_are_no_mistake(tmp_path):
    header = "vehicle,time,lat,lon\n"
    assert lines(judge(tmp_path, fixes=header, zones=zones())) == []
    assert lines(judge(tmp_path, fixes=header, vehicles="vehicle\na\n")) == []
