"""Limits of roads of files."""

from typer.testing import CliRunner

from hanhtrinh.cli import app
from tests.hanhtrinh.judged import box, collection, drive, feature, fixes, judge, lines, said

LINE = {"type": "LineString", "coordinates": [[105.5, 20.9], [105.5, 21.5]]}
ROADS = collection(feature(LINE, id=1, highway="primary", maxspeed=60))


def limits(ran):
    return [(line["limit_kmh"], line["limit_source"]) for line in lines(ran)]


def test_the_limit_of_a_road_counts_as_a_map_and_as_a_file_made_of_it(tmp_path):
    rows = fixes(drive(kmh=70, fixes=30))
    assert limits(judge(tmp_path, fixes=rows, roads=ROADS)) == [(60.0, "road")]
    made = tmp_path / "roads.npz"
    done = CliRunner().invoke(
        app, ["roads", "import", str(tmp_path / "roads.geojson"), "-o", str(made)]
    )
    assert done.exit_code == 0, done.output
    assert limits(judge(tmp_path, "--roads", str(made), fixes=rows)) == [(60.0, "road")]
    assert limits(judge(tmp_path, fixes=rows)) == []


def test_a_zone_may_override_the_road(tmp_path):
    rows = fixes(drive(kmh=70, fixes=30))
    for overrides, expected in ((True, []), (False, [(60.0, "road")])):
        zones = collection(
            feature(box(), id="z", kind="speed", speed_limit_kmh=100, overrides_road=overrides)
        )
        assert limits(judge(tmp_path, fixes=rows, roads=ROADS, zones=zones)) == expected


def test_values_of_a_map_that_mean_nothing_are_named(tmp_path):
    roads = collection(feature(LINE, id=1, highway="primary", maxspeed="fast"))
    ran = judge(tmp_path, fixes=fixes(drive()), roads=roads)
    assert ran.exit_code == 0
    assert "way 1: maxspeed: expected" in said(ran)


def test_a_file_that_is_none_is_refused(tmp_path):
    made = tmp_path / "roads.npz"
    made.write_bytes(b"PK")
    ran = judge(tmp_path, "--roads", str(made), fixes=fixes(drive()))
    assert ran.exit_code == 1
    assert "roads.npz: expected a file of hanhtrinh roads import" in said(ran)
    ran = judge(tmp_path, "--roads", "nowhere.npz", fixes=fixes(drive()))
    assert "nowhere.npz: expected a file of roads, there is none" in said(ran)
