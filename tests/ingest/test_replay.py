"""Replay: what is in the file is what the broker is given, row by row."""

import asyncio
import gzip
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.batch import Input, inputs_states
from ingest.errors import ReplayError
from ingest.replay import ReplayOptions, replay, running_latest
from ingest.replay_columns import ColumnMap
from ingest.replay_rows import BadRow, read_rows
from mqtt.options import BrokerOptions
from tests.data_folder import real_data
from tests.simulators.listener import listening

PLAIN = ColumnMap.parse("vehicle=v,time=t,lat=lat,lon=lon,speed=s:mps")
T = 1_577_836_800  # 2020-01-01T00:00:00Z
YEAR_9999 = 253_402_300_800_000_000


def rows_of(path, columns=PLAIN):
    parts = list(read_rows(path, columns))
    fixes = [
        fix for part in parts for fix in zip(part.vehicles, part.fixes.time.tolist(), strict=True)
    ]
    return fixes, [bad for part in parts for bad in part.bad]


def a_csv(folder: Path, *lines: str) -> Path:
    path = folder / "fixes.csv"
    path.write_text("\n".join(("v,t,lat,lon,s", *lines)) + "\n")
    return path


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-(2**61), 2**61)), min_size=1))
def test_no_row_overtakes_another_of_its_vehicle_however_far_apart_times_are(rows):
    latest: dict[str, int] = {}
    slow = []
    for vehicle, time in rows:
        latest[vehicle] = max(time, latest.get(vehicle, time))
        slow.append(latest[vehicle])
    vehicles, times = zip(*rows, strict=True)
    assert running_latest(vehicles, np.array(times, np.int64)).tolist() == slow


@pytest.mark.parametrize("unit", ["s", "ms", "us", "auto"])
@pytest.mark.parametrize("number", ["1e13", "1e16", "-1e305", "9223372036854775807"])
def test_an_instant_that_no_calendar_has_is_refused(tmp_path, unit, number):
    columns = ColumnMap.parse(f"vehicle=v,time=t:{unit},lat=lat,lon=lon")
    path = a_csv(tmp_path, f"a,{number},21,105,0", "b,1577836800,21,105,0")
    fixes, bad = rows_of(path, columns)
    assert all(abs(time) < YEAR_9999 for _, time in fixes), fixes
    assert {name for name, _ in fixes} >= {"b"}
    assert len(fixes) + len(bad) == 2


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-01T00:00:00Z", "2020-01-01T07:00:00+07:00", "2020-01-01 00:00:00.000+00:00",
        "1577836800", "1577836800.0", "1577836800000", "1577836800000000",
    ],
)  # fmt: skip
def test_an_instant_is_understood_however_it_is_written(tmp_path, text):
    assert rows_of(a_csv(tmp_path, f"a,{text},21,105,0")) == ([("a", T * 1_000_000)], [])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,yesterday,21,105,0", "time: expected RFC 3339"),
        ("a,2020-01-01T00:00:00,21,105,0", "time: expected RFC 3339 with an offset"),
        (",1577836800,21,105,0", "vehicle: expected a name"),
        ("a/b,1577836800,21,105,0", "vehicle: expected a name without / + #"),
        ("a,1577836800,,105,0", "lat: expected a number"),
        ("a,1577836800,21,nan,0", "lon: expected a number"),
        ("a,1577836800,21,105,fast", "speed: expected a number, got 'fast'"),
        ("a,1577836800,21,105,0,9", "expected 5 columns, got 6"),
        ("", "vehicle: expected a name"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_others_go_on(tmp_path, line, reason):
    good = "a,1577836800,21,105,0"
    fixes, bad = rows_of(a_csv(tmp_path, good, line, good))
    assert [v for v, _ in fixes] == ["a", "a"]
    assert [b.line for b in bad] == [3]
    assert reason in bad[0].reason


@pytest.mark.parametrize("odd", ["", "1577836800", "2020-01-01T07:00:00.5+07:00", "x"])
def test_a_time_is_the_same_whatever_stands_in_the_other_rows(tmp_path, odd):
    times = ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.123456Z", "2020-01-01T07:00+07:00"]
    expected = [T * 1_000_000, T * 1_000_000 + 123_456, T * 1_000_000]
    alone, _ = rows_of(a_csv(tmp_path, *(f"a,{time},21,105,0" for time in times)))
    assert [time for _, time in alone] == expected
    beside, _ = rows_of(a_csv(tmp_path, *(f"a,{t},21,105,0" for t in [*times, odd])))
    assert [time for _, time in beside][:3] == expected


def test_ignition_is_on_off_or_not_known(tmp_path):
    columns = ColumnMap.parse("vehicle=v,time=t,lat=lat,lon=lon,ignition=s")
    lines = [f"a,{T + n},21,105,{state}" for n, state in enumerate(["1", "false", "", "maybe"])]
    (rows,) = read_rows(a_csv(tmp_path, *lines), columns)
    states = [inputs_states(word) for word in rows.fixes.inputs.tolist()]
    assert states == [{Input.IGNITION: True}, {Input.IGNITION: False}, {}]
    assert rows.bad == [BadRow(5, "ignition: expected 1, 0 or nothing, got 'maybe'", "s")]


def test_lines_are_counted_right_across_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.replay_rows.BLOCK_BYTES", 200)
    rng = np.random.default_rng(1)
    kinds = rng.choice(3, 300, p=[0.8, 0.1, 0.1]).tolist()
    lines = [["a,1577836800,21,105,0", "a,x,21,105,0", "a,1577836800,21,105,0,9"][k] for k in kinds]
    fixes, bad = rows_of(a_csv(tmp_path, *lines))
    assert len(fixes) == kinds.count(0)
    assert sorted(b.line for b in bad) == [n + 2 for n, k in enumerate(kinds) if k]
    assert all(("columns" in b.reason) == (kinds[b.line - 2] == 2) for b in bad)


@pytest.mark.parametrize(
    ("unit", "kmh"),
    [("kmh", 10.0), ("mps", 36.0), ("mph", 16.09344), ("knots", 18.52), ("2.5", 25.0)],
)
def test_speeds_are_converted_to_kmh(tmp_path, unit, kmh):
    columns = ColumnMap.parse(f"vehicle=v,time=t,lat=lat,lon=lon,speed=s:{unit}")
    (rows,) = read_rows(a_csv(tmp_path, "a,1577836800,21,105,10", "a,1577836801,21,105,"), columns)
    assert rows.fixes.speed_kmh[0] == pytest.approx(kmh)
    assert np.isnan(rows.fixes.speed_kmh[1])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("vehicle=v,time=t,lat=lat", "missing lon"),
        ("vehicle=v,time=t,lat=lat,lon=lon,colour=c", "'colour': expected one of"),
        ("vehicle=v,time=t,lat=lat,lon=lon,speed=s:furlongs", "speed: expected one of kmh"),
        ("vehicle=v,time=t:weeks,lat=lat,lon=lon", "time: expected one of auto"),
        ("vehicle=v,vehicle=w,time=t,lat=lat,lon=lon", "vehicle: given twice"),
        ("vehicle,time=t,lat=lat,lon=lon", "expected name=column"),
    ],
)
def test_a_wrong_map_says_what_was_expected(text, reason):
    with pytest.raises(ReplayError, match=reason):
        ColumnMap.parse(text)


def test_a_missing_column_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(ReplayError, match="no column 'cab'; it has 'v', 't'"):
        rows_of(a_csv(tmp_path), ColumnMap.parse("vehicle=cab,time=t,lat=lat,lon=lon"))
    with pytest.raises(ReplayError, match="expected a CSV or Parquet file"):
        rows_of(tmp_path / "nothing.csv")


def test_parquet_with_scaled_integers_and_timestamps(tmp_path):
    path = tmp_path / "fixes.parquet"
    table = pa.table(
        {
            "v": pa.array(["a", None, "b"]).dictionary_encode(),
            "t": pa.array([T, T, None], pa.timestamp("s", "UTC")),
            "lat": pa.array([2_102_345, 1, 1], pa.int32()),
            "lon": pa.array([10_512_345, 1, 1], pa.int32()),
        }
    )
    pyarrow.parquet.write_table(table, path)
    columns = ColumnMap.parse("vehicle=v,time=t,lat=lat:1e-5,lon=lon:1e-5")
    (rows,) = read_rows(path, columns)
    assert rows.vehicles == ["a"]
    assert rows.fixes.time.tolist() == [T * 1_000_000]
    assert rows.fixes.lat[0] == pytest.approx(21.02345)
    assert [bad.line for bad in rows.bad] == [2, 3]
    assert rows.bad[1] == BadRow(3, "time: missing", "t")


def published(broker, options):
    device = broker.device
    bad: list[BadRow] = []

    async def run():
        async with listening(broker) as heard:
            report = await replay(
                ReplayOptions(
                    broker=BrokerOptions(
                        broker.host, broker.mqtt_port, device.username, device.password
                    ),
                    **options,
                ),
                on_bad=bad.append,
            )  # fmt: skip
            await heard.at_least(report.messages)
            return report, heard

    report, heard = asyncio.run(run())
    assert len(bad) == report.bad_rows
    return report, heard


def written(heard, name):
    return [json.loads(p) for topic, p in heard if topic == f"gsht/v1/json/{name}"]


@pytest.mark.integration
@pytest.mark.parametrize("speedup", [None, 100.0])
def test_each_vehicle_s_rows_are_published_in_the_order_of_the_file(broker, tmp_path, speedup):
    lines = [f"a,{T + n},21,105,{n}" for n in (0, 10, 5, 20)]
    lines += [f"b,{T + n},21,105,{n}" for n in (1, 2, 3)]
    path = a_csv(tmp_path, *lines, "b,never,21,105,0")
    report, heard = published(broker, {"file": path, "columns": PLAIN, "speedup": speedup})
    assert report.published == {"a": 4, "b": 3}
    assert report.bad_rows == 1
    assert [fix["speed_kmh"] / 3.6 for fix in written(heard, "a")] == pytest.approx([0, 10, 5, 20])
    if speedup is not None:
        # Side by side: b is over before a's second fix is due.
        order = [topic[-1] for topic, _ in heard]
        assert order == list("abbbaaa")
        assert report.seconds >= 0.15


@pytest.mark.integration
def test_drivers_travel_with_their_fixes_in_a_timed_replay(broker, tmp_path):
    path = tmp_path / "fixes.csv"
    path.write_text("v,t,lat,lon,d\n" + "".join(
        f"{'ab'[n % 2]},{T + 60 - n // 2},21,105,{('x', 'y', '')[n % 3]}\n" for n in range(30)
    ))  # fmt: skip
    columns = ColumnMap.parse("vehicle=v,time=t,lat=lat,lon=lon,driver=d")
    _, heard = published(broker, {"file": path, "columns": columns, "speedup": 1000.0})
    for name in "ab":
        rows = [n for n in range(30) if "ab"[n % 2] == name]
        drivers = [fix.get("driver", "") for fix in written(heard, name)]
        assert drivers == [("x", "y", "")[n % 3] for n in rows]


@pytest.mark.integration
@pytest.mark.data
def test_a_quarter_of_an_hour_of_taxis_is_published_whole(broker, tmp_path):
    expected: Counter[str] = Counter()
    path = tmp_path / "taxis.csv.gz"
    source = real_data("cabspotting/day_2008-05-21.csv.gz")
    with gzip.open(source, "rt") as day, gzip.open(path, "wt") as part:
        part.write(next(day))
        for line in day:
            cab, time, _ = line.split(",", 2)
            if int(time) < 1_211_353_200 + 900:
                part.write(line)
                expected[cab] += 1
    columns = ColumnMap.parse("vehicle=cab,time=t,lat=lat,lon=lon")
    report, heard = published(broker, {"file": path, "columns": columns})
    assert report.published == expected
    assert Counter(topic.rsplit("/", 1)[1] for topic, _ in heard) == expected


@pytest.mark.data
@pytest.mark.parametrize(("day", "unit"), [("2015-03-07", "mph"), ("2016-02-07", "mps")])
def test_every_row_of_a_bus_file_is_a_fix(day, unit):
    path = real_data(f"capmetro/{day}.csv.gz")
    columns = ColumnMap.parse(
        f"vehicle=vehicle_id,time=timestamp,lat=latitude,lon=longitude,speed=speed:{unit}"
    )
    fixes, bad = rows_of(path, columns)
    with gzip.open(path, "rt") as file:
        assert len(fixes) == sum(1 for _ in file) - 1
    assert bad == []


@pytest.mark.integration
def test_a_broker_that_is_not_there_is_a_replay_error(tmp_path):
    options = ReplayOptions(a_csv(tmp_path, "a,1577836800,21,105,0"), PLAIN, BrokerOptions(port=1))
    with pytest.raises(ReplayError, match=r"broker 127\.0\.0\.1:1"):
        asyncio.run(replay(options))


@pytest.mark.parametrize("speedup", [None, 60.0])
def test_what_is_wrong_with_the_file_is_said_though_no_broker_is_there(tmp_path, speedup):
    options = ReplayOptions(tmp_path / "nothing.csv", PLAIN, BrokerOptions(port=1), speedup)
    with pytest.raises(ReplayError, match=r"nothing\.csv': expected a CSV or Parquet file"):
        asyncio.run(replay(options))
