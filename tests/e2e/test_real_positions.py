"""Recorded positions through broker, worker, database and API: what goes in can be read back."""

import csv
import gzip
import json
import math
from collections import Counter
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from devices.rounding import on_grid
from geofence.profile import shipped_profile
from tests.data_folder import real_data
from tests.e2e.system import journey, register_fleet, replay_file
from tests.oracle.cleaning import clean
from tests.oracle.world import Fix, World

pytestmark = [pytest.mark.integration, pytest.mark.data]

OLD = ["late"]  # every recorded fix arrives years after it was taken


def write(path, header, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def expected_quality(rows):
    """(time, quality) of a vehicle's (time_us, lon, lat, speed) rows, the first of each time."""
    first: dict[int, tuple[Any, ...]] = {}
    for row in rows:
        first.setdefault(row[0], row)
    rows = [row for _, row in sorted(first.items())]
    places = on_grid(np.array([(lon, lat) for _, lon, lat, _ in rows]).reshape(-1, 2)).tolist()
    fixes = [
        Fix(time, lon, lat, speed)
        for (time, _, _, speed), (lon, lat) in zip(rows, places, strict=True)
    ]
    for fix in fixes:
        if (fix.lon, fix.lat) == (0.0, 0.0):
            fix.quality.add("no_position")
    world = World([shipped_profile("qcvn31")], [], [], {})
    clean(world, [fix for fix in fixes if "no_position" not in fix.quality])
    return [(fix.time, sorted([*fix.quality, *OLD])) for fix in fixes]


def run_through(system, file, columns, rows):
    """Replay a file of (vehicle, time_us, lon, lat, speed_kmh) rows and read it all back."""
    by_vehicle = {
        name: [row[1:] for row in group]
        for name, group in groupby(sorted(rows, key=lambda r: r[0]), key=lambda r: r[0])
    }
    vehicles, token = register_fleet(system.dsn, by_vehicle)
    worker = system.start_worker()
    report = replay_file(system, file, columns)
    assert report.published == Counter(row[0] for row in rows)
    assert not report.bad_rows
    system.until_committed(len(rows), worker)
    assert system.ask("SELECT reason, count(*) FROM quarantine GROUP BY 1") == []
    repeats = dict(system.ask("SELECT vehicle_id, sum(repeats) FROM repeat_counts GROUP BY 1"))
    with system.api(token) as client:
        for name, sent in by_vehicle.items():
            fixes = journey(client, vehicles[name], sent[0][0])
            wanted = expected_quality(sent)
            # None lost, none twice, each with the bits that the plain program finds.
            found = [(micros(fix["time"]), sorted(fix["quality"])) for fix in fixes]
            assert found == wanted, name
            # What a broker sends twice because the machine was slow counts, too.
        assert repeats.get(vehicles[name], 0) >= len(sent) - len(wanted), name
    return vehicles


def micros(text):
    return round(datetime.fromisoformat(text).timestamp() * 1e6)


def test_ten_minutes_of_taxis(system, tmp_path):
    with gzip.open(real_data("cabspotting/day_2008-05-21.csv.gz"), "rt") as lines:
        day = [row for row in csv.DictReader(lines) if 1211371200 <= int(row["t"]) < 1211371800]
    rows = [
        (r["cab"], int(r["t"]) * 10**6, float(r["lon"]), float(r["lat"]), math.nan) for r in day
    ]
    file = write(tmp_path / "taxis.csv", ["cab", "t", "lat", "lon"],
                 [(r["cab"], r["t"], r["lat"], r["lon"]) for r in day])  # fmt: skip
    assert len(rows) > 1_500
    run_through(system, file, "vehicle=cab,time=t:s,lat=lat,lon=lon", rows)


def test_buses_out_of_order_with_positions_at_null_island(system, tmp_path):
    with gzip.open(real_data("capmetro/2017-04-18.csv.gz"), "rt") as lines:
        day = list(csv.DictReader(lines))
    day = day[33_000:37_000]  # two vehicles had no position then
    rows = [
        (
            r["vehicle_id"],
            micros(r["timestamp"]),
            float(r["longitude"]),
            float(r["latitude"]),
            float(np.float32(float(r["speed"]) * 3.6)),
        )
        for r in day
    ]
    latest: dict[str, int] = {}
    out_of_order = 0
    for vehicle, time, *_ in rows:
        out_of_order += time < latest.get(vehicle, time)
        latest[vehicle] = max(time, latest.get(vehicle, time))
    assert out_of_order > 500
    assert sum(row[2:4] == (0.0, 0.0) for row in rows) > 10
    header = ["vehicle_id", "timestamp", "latitude", "longitude", "speed"]
    file = write(tmp_path / "buses.csv", header, [[r[name] for name in header] for r in day])
    run_through(
        system, file,
        "vehicle=vehicle_id,time=timestamp,lat=latitude,lon=longitude,speed=speed:mps", rows,
    )  # fmt: skip


def test_lorries_whose_data_came_late(system, tmp_path):
    rows = []
    for trip in ("vehicle1-trip1", "vehicle1-trip2", "vehicle2-trip1"):
        for event in json.loads(real_data(f"hgv_myanmar/{trip}.json").read_text()):
            body = event["ev"]
            position = body.get("pos")
            if event["type"] == "vehicle-position" and position is not None:
                where = position["latlon"]
                rows.append(
                    (
                        trip.partition("-")[0],
                        micros(body["ts"]),
                        where["lng"],
                        where["lat"],
                        float(np.float32(position["speed"])),
                        micros(body["receivedTs"]),
                    )
                )
    rows.sort(key=lambda row: row[5])  # in the order in which the server got them
    file = write(
        tmp_path / "lorries.csv", ["vehicle", "time", "lon", "lat", "speed"],
        [(v, t / 1e6, lon, lat, speed) for v, t, lon, lat, speed, _ in rows],
    )  # fmt: skip
    columns = "vehicle=vehicle,time=time:s,lat=lat,lon=lon,speed=speed"
    run_through(system, file, columns, [row[:5] for row in rows])
