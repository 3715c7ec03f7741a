"""`hanhtrinh judge`: what goes in, what comes out."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from hanhtrinh.offline import writing
from tests.hanhtrinh.judged import SLOW, box, collection, drive, feature, fixes, judge, lines, said
from tests.hanhtrinh.judged import zone as a_zone

SPEEDING = [
    "kind", "rule_profile", "vehicle", "driver", "started_at", "ended_at", "duration_s",
    "distance_m", "fixes", "start", "end", "max_speed_kmh", "mean_speed_kmh", "limit_kmh",
    "limit_source", "limit_zone", "max_excess_kmh", "band",
]  # fmt: skip


def test_speeding_has_these_fields(tmp_path):
    (line,) = lines(judge(tmp_path, fixes=fixes(drive()), zones=SLOW))
    assert list(line) == SPEEDING
    assert line == line | {
        "kind": "speeding", "rule_profile": "qcvn31", "vehicle": "29B1", "driver": None,
        "started_at": "2026-05-01T00:00:00.000Z", "ended_at": "2026-05-01T00:01:50.000Z",
        "duration_s": 110.0, "fixes": 12, "start": [105.5, 21.0], "max_speed_kmh": 70.0,
        "mean_speed_kmh": 70.0, "limit_kmh": 60.0, "limit_source": "zone", "limit_zone": "slow",
        "max_excess_kmh": 10.0, "band": "10_20",
    }  # fmt: skip
    assert line["distance_m"] == pytest.approx(110 * 70 / 3.6, abs=1)


def test_the_class_and_the_limit_of_a_vehicle_count(tmp_path):
    slow = fixes(drive(kmh=55))
    assert lines(judge(tmp_path, fixes=slow, zones=SLOW)) == []
    bus = "vehicle,class\n29B1,bus\nother,bus\n"
    assert len(lines(judge(tmp_path, fixes=slow, zones=SLOW, vehicles=bus))) == 1
    own = "vehicle,speed_limit_kmh,gross_kg,kerb_kg,cargo_kg,axles,kind\n29B1,40,,,,,\n"
    (line,) = lines(judge(tmp_path, fixes=slow, vehicles=own))
    assert (line["limit_kmh"], line["limit_source"]) == (40.0, "vehicle")


def test_the_profile_is_a_shipped_one_or_a_file(tmp_path):
    rows = fixes(drive(kmh=63))  # within the tolerance of tt09, over the limit of qcvn31
    assert lines(judge(tmp_path, "--profile", "tt09", fixes=rows, zones=SLOW)) == []
    assert len(lines(judge(tmp_path, "--profile", "qcvn31", fixes=rows, zones=SLOW))) == 1
    from importlib import resources

    shipped = resources.files("geofence").joinpath("profiles", "qcvn31.toml").read_text("utf-8")
    own = tmp_path / "own.toml"
    own.write_text(shipped.replace('id = "qcvn31"', 'id = "own"'), "utf-8")
    (line,) = lines(judge(tmp_path, "--profile", str(own), fixes=rows, zones=SLOW))
    assert line["rule_profile"] == "own"


def test_hours_are_those_of_the_timezone(tmp_path):
    zone = a_zone(id="z", kind="speed", speed_limit_kmh=60, hours="Fr 07:00-08:00")
    rows = fixes(drive())
    assert len(lines(judge(tmp_path, fixes=rows, zones=zone))) == 1
    assert lines(judge(tmp_path, "--timezone", "UTC", fixes=rows, zones=zone)) == []
    ran = judge(tmp_path, "--timezone", "Mars/Phobos", fixes=rows)
    assert ran.exit_code != 0
    assert "Mars/Phobos" in said(ran)


def test_validity_is_a_day_of_the_timezone_or_an_instant(tmp_path):
    def found(**validity):
        zone = a_zone(id="z", kind="speed", speed_limit_kmh=60, **validity)
        return len(lines(judge(tmp_path, fixes=fixes(drive()), zones=zone)))

    assert found(valid_from="2026-05-01", valid_to="2026-05-02") == 1
    assert found(valid_from="2026-05-02") == 0
    assert found(valid_from="2026-05-01T07:00:00+07:00") == 1
    assert found(valid_to="2026-05-01T00:00:00Z") == 0


def test_zones_of_other_kinds_and_visits_on_request(tmp_path):
    zones = collection(
        feature(box(), id="shut", kind="banned", hours="Mo-Fr 06:00-09:00"),
        feature(
            {"type": "Point", "coordinates": [105.5, 21.0]}, id=7, kind="watch", radius_m=900,
            max_stay_s=20,
        ),
        feature(
            {"type": "LineString", "coordinates": [[105.5, 20.9], [105.5, 21.5]]}, id="road",
            kind="stop", corridor_m=50,
        ),
    )  # fmt: skip
    rows = fixes(drive())
    found = [
        (line["kind"], line["zone"]) for line in lines(judge(tmp_path, fixes=rows, zones=zones))
    ]
    assert found == [("banned_zone", "shut"), ("zone_dwell", "7"), ("zone_entry", "7"),
                     ("zone_exit", "7")]  # fmt: skip
    more = lines(judge(tmp_path, "--visits", fixes=rows, zones=zones))
    assert sorted(line["zone"] for line in more if line["kind"] == "zone_visit") == [
        "7", "road", "shut",
    ]  # fmt: skip
    assert not any("zone_id" in line for line in more)


def test_drivers_are_named_as_in_the_file_and_unknown_ones_are_null(tmp_path):
    rows = [f"{row},{'0' if n < 12 else 'D1'}" for n, row in enumerate(drive() + drive("b"))]
    text = "vehicle,time,lat,lon,speed_kmh,driver\n" + "\n".join(rows) + "\n"
    found = lines(judge(tmp_path, fixes=text, zones=SLOW))
    assert [line["driver"] for line in found] == [None, "D1"]
    assert "driver_name" not in found[0]
    named = lines(judge(tmp_path, fixes=text, zones=SLOW, drivers="driver,name\nD1,Đỗ Văn A\n"))
    assert [(line["driver"], line["driver_name"]) for line in named] == [
        (None, None), ("D1", "Đỗ Văn A"),
    ]  # fmt: skip


def unix(text):
    return f"{datetime.fromisoformat(text).timestamp():.0f}"


def test_every_way_of_writing_the_same_positions_gives_the_same(tmp_path):
    text = fixes(drive(), drive("b"))
    expected = judge(tmp_path, fixes=text, zones=SLOW).stdout
    table = list(csv.DictReader(io.StringIO(text)))
    seconds = ["vehicle,time,lat,lon,speed_kmh"]
    seconds += [f"{r['vehicle']},{unix(r['time'])},{r['lat']},{r['lon']},{r['speed_kmh']}"
                for r in table]  # fmt: skip
    assert judge(tmp_path, fixes="\n".join(seconds), zones=SLOW).stdout == expected
    assert (
        judge(tmp_path, fixes="\ufeff" + text.replace("\n", "\r\n"), zones=SLOW).stdout == expected
    )

    def from_file(path, *options):
        return judge(tmp_path, "--fixes", str(path), *options, zones=SLOW).stdout

    packed = tmp_path / "fixes.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert from_file(packed) == expected
    parquet = tmp_path / "fixes.parquet"
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(io.BytesIO(text.encode())), parquet)
    assert from_file(parquet) == expected
    other = tmp_path / "other.csv"
    other.write_text(text.replace("vehicle,time,lat,lon,speed_kmh", "xe,luc,vi,kinh,v"))
    assert from_file(other, "--map", "vehicle=xe,time=luc,lat=vi,lon=kinh,speed=v") == expected


def test_every_form_carries_the_same(tmp_path):
    rows, zones = fixes(drive(), drive("b")), SLOW
    plain = lines(judge(tmp_path, fixes=rows, zones=zones))

    def written(form):
        out = tmp_path / f"out.{form}"
        ran = judge(tmp_path, "--format", form, "-o", str(out), fixes=rows, zones=zones)
        assert ran.exit_code == 0, ran.output
        assert ran.stdout == ""
        return out

    assert [json.loads(line) for line in written("jsonl").read_text().splitlines()] == plain
    geojson = json.loads(written("geojson").read_text())
    assert [f["properties"] for f in geojson["features"]] == plain
    assert geojson["features"][0]["geometry"] == {
        "type": "LineString", "coordinates": [plain[0]["start"], plain[0]["end"]],
    }  # fmt: skip
    flat = [
        {k: v for k, v in line.items() if k not in {"start", "end"}}
        | dict(zip(("start_lon", "start_lat"), line["start"], strict=True))
        | dict(zip(("end_lon", "end_lat"), line["end"], strict=True))
        for line in plain
    ]
    with written("csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    for row, line in zip(table, flat, strict=True):
        there = {name: "" if line.get(name) is None else str(line[name]) for name in row}
        assert row == there
    stored = pyarrow.parquet.read_table(written("parquet"))
    assert stored.schema.field("started_at").type == pa.timestamp("ms", "UTC")
    for row, line in zip(stored.to_pylist(), flat, strict=True):
        row["started_at"] = row["started_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        row["ended_at"] = row["ended_at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        assert {name: value for name, value in row.items() if name in line} == line
        assert {value for name, value in row.items() if name not in line} == {None}


def test_a_table_of_nothing_has_its_columns_all_the_same(tmp_path):
    out = tmp_path / "out.parquet"  # the name says the form
    assert judge(tmp_path, "-o", str(out), fixes=fixes(drive(kmh=20))).exit_code == 0
    stored = pyarrow.parquet.read_table(out)
    assert stored.num_rows == 0
    assert {"kind", "start_lon", "max_speed_kmh", "zone", "excess_percent"} <= set(
        stored.column_names
    )
    assert judge(tmp_path, "--format", "geojson", fixes=fixes(drive(kmh=20))).stdout.split() == [
        '{"type":', '"FeatureCollection",', '"features":', "[", "]}",
    ]  # fmt: skip


def test_lines_are_in_order_of_vehicle_start_and_kind(tmp_path):
    rows = fixes(drive("b", since_s=3600), drive("a", since_s=600), drive("b"), drive("10"))
    found = lines(judge(tmp_path, fixes=rows, zones=SLOW))
    keys = [(line["vehicle"], line["started_at"], line["kind"]) for line in found]
    assert [vehicle for vehicle, _, kind in keys if kind == "speeding"] == ["10", "a", "b", "b"]
    assert keys == sorted(keys)


def test_of_two_positions_of_one_time_the_first_counts(tmp_path):
    first, second = drive(kmh=70), drive(kmh=90)
    (line,) = lines(judge(tmp_path, fixes=fixes(first, second), zones=SLOW))
    assert (line["max_speed_kmh"], line["fixes"]) == (70.0, 12)


def test_standard_error_says_what_was_read(tmp_path):
    ran = judge(tmp_path, fixes=fixes(drive(), drive("b")), zones=SLOW)
    assert "24 positions of 2 vehicles: 2 lines" in said(ran)


def test_the_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    out.write_text("what was there")

    def fail(lines, stream):
        stream.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setitem(writing.FORMATS, "jsonl", fail)
    ran = judge(tmp_path, "-o", str(out), fixes=fixes(drive()), zones=SLOW)
    assert ran.exit_code == 1
    assert "no space left" in said(ran)
    assert out.read_text() == "what was there"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fixes.txt", "out.jsonl", "zones.geojson"]


def test_nothing_is_written_for_a_wrong_file(tmp_path):
    out = tmp_path / "out.jsonl"
    assert judge(tmp_path, "-o", str(out), fixes="vehicle,time,lat,lon\na,x,1,2\n").exit_code == 1
    assert not out.exists()
    assert judge(tmp_path, fixes="vehicle,time,lat,lon\na,x,1,2\n").stdout == ""


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--format", "xml"), 2, "--format: expected one of jsonl, csv, parquet, geojson"),
        (("--format", "parquet"), 2, "expected a file to write to"),
        (("--map", "vehicle"), 2, "--map: 'vehicle': expected name=column"),
        (("-o", "nowhere/out.jsonl"), 1, "expected a file in a folder that exists"),
        (("--profile", "none"), 2, "expected one of qcvn31, tt09 or a TOML file"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(tmp_path, options, code, says):
    ran = judge(tmp_path, *options, fixes=fixes(drive()))
    assert ran.exit_code == code
    assert says in said(ran)
