"""Weighings of files."""

import json

import pytest

from hanhtrinh.offline import weighings
from tests.hanhtrinh.judged import collection, drive, feature, fixes, judge, lines, said

WEIGHING = {
    "station": "QL5", "time": "2026-05-01T00:00:30Z", "plate": "29C-123.45", "gross_kg": 31_500,
    "axles": [{"kg": 7_000}, {"kg": 12_500, "spacing_m": 3.9}, {"kg": 12_000, "spacing_m": 1.3}],
}  # fmt: skip
VEHICLES = "vehicle,kind,kerb_kg,cargo_kg\n29C12345,rigid,10000,14000\n"


def overloads(tmp_path, *records, **files):
    text = "".join(json.dumps(record) + "\n" for record in records)
    rows = fixes(drive("29C 123.45", kmh=20), drive("b", kmh=20))
    return judge(tmp_path, fixes=rows, weighings=text, **files)


def test_overloads_have_these_fields(tmp_path):
    found = lines(overloads(tmp_path, WEIGHING))
    kinds = ["overload_axle", "overload_gross", "overloaded_stretch"]
    assert [line["kind"] for line in found] == kinds
    axle, gross, _ = found
    assert gross == gross | {
        "vehicle": "29C 123.45", "driver": None, "station": "QL5", "measured_kg": 31_500.0,
        "limit_kg": 24_000.0, "excess_percent": 31.25, "band": "20_50", "group": "gross",
        "started_at": "2026-05-01T00:00:30.000Z", "ended_at": "2026-05-01T00:00:30.000Z",
        "duration_s": 0.0, "distance_m": 0.0, "fixes": 0, "start": None, "end": None,
    }  # fmt: skip
    assert axle["group"] == "tandem"
    assert axle["excess_percent"] == pytest.approx(
        100 * (24_500 - axle["limit_kg"]) / axle["limit_kg"], abs=0.001
    )


def test_the_registry_gives_kind_and_cargo(tmp_path):
    found = lines(overloads(tmp_path, WEIGHING, vehicles=VEHICLES))
    # It is the same vehicle however the plate is written: that of the positions.
    assert {line["vehicle"] for line in found} == {"29C 123.45"}
    assert {line["kind"] for line in found} >= {"overload_cargo", "overload_gross"}
    alone = judge(
        tmp_path, fixes=fixes(drive("b", kmh=20)), weighings=json.dumps(WEIGHING), vehicles=VEHICLES
    )
    cargo = {line["kind"]: line for line in lines(alone)}["overload_cargo"]
    assert (cargo["vehicle"], cargo["measured_kg"], cargo["band"]) == (
        "29C12345",
        21_500.0,
        "50_100",
    )


def test_a_station_has_a_place_and_a_tolerance_if_a_file_says_so(tmp_path):
    stations = "station,lon,lat,kind,tolerance\nQL5,105.9,20.9,wim,0.3\nother,,,,\n"
    assert lines(overloads(tmp_path, WEIGHING, stations=stations)) == []
    stations = stations.replace("0.3", "0")
    found = lines(overloads(tmp_path, WEIGHING, stations=stations))
    axle, gross, stretch = found
    assert axle["start"] == gross["start"] == [105.9, 20.9]
    assert axle["station_kind"] == gross["station_kind"] == "wim"
    assert stretch["station"] == "QL5"


def test_plates_of_no_vehicle_are_named_and_not_judged(tmp_path):
    ran = overloads(tmp_path, WEIGHING | {"plate": "30A99999"}, WEIGHING | {"plate": ""})
    assert lines(ran) == []
    assert "weighed but not known: 30A99999, unread" in said(ran)


def test_json_lines_and_csv_say_the_same(tmp_path, monkeypatch):
    times = [f"2026-05-01T00:{minute:02}:00Z" for minute in range(40)]
    records = [WEIGHING | {"time": time} for time in times]
    expected = overloads(tmp_path, *records).stdout
    header = (
        "station,time,plate,gross_kg,axle1_kg,axle2_kg,axle2_spacing_m,axle3_kg,axle3_spacing_m"
    )
    rows = [f'QL5,{time},"29C-123.45",31500,7000,12500,3.9,12000,1.3' for time in times]
    for size in (200_000, 100):
        monkeypatch.setattr(weighings, "PIECE_CHARACTERS", size)
        ran = judge(
            tmp_path, fixes=fixes(drive("29C 123.45", kmh=20)), weighings="\n".join([header, *rows])
        )
        assert ran.stdout == expected
        bad = [*rows, "QL5,2026-05-01T00:00:00Z,x,heavy,,,,,"]
        ran = judge(
            tmp_path, fixes=fixes(drive(kmh=20)), weighings="\n".join([header, *bad]) + "\n"
        )
        assert "weighings.txt: line 42: " in said(ran)


ROADS = collection(
    feature(
        {"type": "LineString", "coordinates": [[105.5, 20.9], [105.5, 21.02]]},
        id=1, highway="primary",
    ),
    feature(
        {"type": "LineString", "coordinates": [[105.5, 21.02], [105.5, 21.021]]},
        id=2, highway="primary", maxweight="18",
    ),
    feature(
        {"type": "LineString", "coordinates": [[105.5, 21.021], [105.5, 21.5]]},
        id=3, highway="primary",
    ),
)  # fmt: skip


def test_the_way_of_an_overloaded_vehicle_is_drawn_with_the_bridges_that_do_not_bear_it(tmp_path):
    rows = fixes(drive("29C 123.45", kmh=54, fixes=30))
    again = WEIGHING | {"time": "2026-05-01T00:04:25Z", "gross_kg": 9_000, "axles": []}
    text = "".join(json.dumps(record) + "\n" for record in (again, WEIGHING, again))
    found = lines(judge(tmp_path, fixes=rows, weighings=text, roads=ROADS))
    by_kind = {line["kind"]: line for line in found}
    assert sorted(by_kind) == [
        "bridge_limit", "overload_axle", "overload_gross", "overloaded_stretch"
    ]  # fmt: skip
    stretch = by_kind["overloaded_stretch"]
    assert stretch == stretch | {
        "station": "QL5", "started_at": "2026-05-01T00:00:30.000Z",
        "ended_at": "2026-05-01T00:04:20.000Z", "fixes": 24, "overload_kind": "overload_axle",
        "group": "tandem", "gross_kg": 31_500.0, "weighed_at": "2026-05-01T00:00:30.000Z",
    }  # fmt: skip
    assert stretch["distance_m"] == pytest.approx(23 * 150, abs=2)
    bridge = by_kind["bridge_limit"]
    assert bridge == bridge | {
        "road": "2", "station": "QL5", "measured_kg": 31_500.0, "limit_kg": 18_000.0,
        "excess_percent": 75.0,
    }  # fmt: skip
    assert bridge["duration_s"] == 10 * (bridge["fixes"] - 1)


def test_columns_have_the_road_that_a_sign_stands_at(tmp_path):
    rows = fixes(drive("29C 123.45", kmh=54, fixes=30))
    ran = judge(
        tmp_path, "--format", "csv", fixes=rows, weighings=json.dumps(WEIGHING), roads=ROADS
    )
    header, *rest = ran.stdout.splitlines()
    at = header.split(",").index("road")
    assert [row.split(",")[at] for row in rest if row.startswith("bridge_limit")] == ["2"]


def stations(**cells):
    """A file of one station at 21.01 N on the road of `drive`, with these cells."""
    line = json.dumps({"type": "LineString", "coordinates": [[105.5, 20.9], [105.5, 21.1]]})
    row = {"station": "QL5", "lon": 105.5, "lat": 21.01, "approach": line, "corridor_m": 50}
    row |= cells
    quoted = [str(cell).replace('"', '""') for cell in row.values()]
    return ",".join(row) + "\n" + ",".join(f'"{cell}"' for cell in quoted) + "\n"


def round_the_station():
    """North at 150 m every 10 s, aside between 600 m and 1800 m; the station is at 1112 m."""
    rows = drive("29C12345", kmh=54, fixes=24)
    return fixes(
        [row.replace("105.5,", "105.503,") if 4 <= n <= 12 else row for n, row in enumerate(rows)]
    )


def test_who_drives_round_a_station_is_found(tmp_path):
    (found,) = lines(judge(tmp_path, fixes=round_the_station(), stations=stations()))
    assert found == found | {
        "kind": "station_avoided", "station": "QL5", "vehicle": "29C12345", "fixes": 11,
        "started_at": "2026-05-01T00:00:30.000Z", "ended_at": "2026-05-01T00:02:10.000Z",
    }  # fmt: skip
    assert found["left_before_m"] == pytest.approx(1_112 - 450, abs=2)
    assert found["returned_behind_m"] == pytest.approx(1_950 - 1_112, abs=2)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"hours": "Mo-Su 06:00-08:00"}, 1),
        ({"hours": "Mo-Su 08:00-20:00"}, 0),
        ({"two_way": 1}, 1),
        ({"approach": ""}, 0),
    ],
)
def test_an_open_station_with_an_approach_may_be_avoided(tmp_path, cells, expected):
    ran = judge(tmp_path, fixes=round_the_station(), stations=stations(**cells))
    assert len(lines(ran)) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"approach": "by the river"}, "line 2, column approach: expected a GeoJSON LineString"),
        ({"corridor_m": ""}, "line 2, column approach: weigh station 'QL5': corridor_m: expected"),
        ({"corridor_m": 0}, "line 2, column corridor_m: expected a number 1..10000"),
        ({"lat": 30}, "expected a road within 50 m of the station, got one that comes no nearer"),
        ({"lon": ""}, "expected a place of the station, there is none"),
        ({"hours": "sometimes"}, "line 2, column hours: expected opening hours like"),
        ({"two_way": "yes"}, "line 2, column two_way: expected one of 0, 1"),
    ],
)
def test_a_station_that_could_not_be_watched_is_refused(tmp_path, cells, expected):
    ran = judge(tmp_path, fixes=round_the_station(), stations=stations(**cells))
    assert ran.exit_code == 1
    assert f"stations.txt: {expected}" in said(ran) or expected in said(ran)
