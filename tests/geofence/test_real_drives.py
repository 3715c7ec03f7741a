"""Real drives: lorries with their own speed, and a day of buses, judged by both programs."""

import csv
import gzip
import json
from datetime import UTC, datetime

import numpy as np
import pytest

from devices.batch import FixBatch, Quality
from geofence.judge import Judge
from geofence.profile import shipped_profile
from geofence.registry import VehicleRule, Zone
from geofence.rulebook import Rulebook
from tests.data_folder import real_data
from tests.geofence.agreement import by_key
from tests.geofence.fleet import oracle_of
from tests.oracle.world import World

pytestmark = pytest.mark.data

LORRY_TRIPS = ["vehicle1-trip1", "vehicle1-trip2", "vehicle2-trip1"]


def us(text):
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1_000_000)


def unique(rows):
    """A batch of (vehicle, time, lon, lat, speed), sorted, the first of equal times kept."""
    first: dict[tuple[int, int], tuple[float, ...]] = {}
    for row in rows:
        first.setdefault(row[:2], row)
    columns = zip(*sorted(first.values()), strict=True)
    vehicle, time, lon, lat, speed = (np.array(column) for column in columns)
    return FixBatch.blank(
        len(time), vehicle=vehicle, time=time, received=time, lon=lon, lat=lat, speed_kmh=speed
    )


def lorries():
    rows = []
    for number, name in enumerate(LORRY_TRIPS):
        events = json.loads(real_data(f"hgv_myanmar/{name}.json").read_text())
        for event in events:
            if event["type"] == "vehicle-position":
                where = event["ev"]["pos"]
                place = where["latlon"]
                rows.append(
                    (number, us(where["posTime"]), place["lng"], place["lat"], where["speed"])
                )
    return unique(rows)


def buses(vehicles):
    path = real_data("capmetro/2016-02-07.csv.gz")
    rows = []
    known: dict[str, int] = {}
    with gzip.open(path, "rt") as lines:
        for line in csv.DictReader(lines):
            number = known.setdefault(line["vehicle_id"], len(known))
            lon, lat = float(line["longitude"]), float(line["latitude"])
            if number < vehicles and (lon, lat) != (0.0, 0.0):
                kmh = float(line["speed"]) * 3.6  # metres a second in this file
                rows.append((number, us(line["timestamp"]), lon, lat, kmh))
    return unique(rows)


def around(batch, **fields):
    """A zone around half of a vehicle's fixes."""
    own = batch.take(batch.vehicle == 0)
    west, east = np.quantile(own.lon, [0.25, 0.75]).tolist()
    south, north = np.quantile(own.lat, [0.1, 0.9]).tolist()
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return Zone(geometry={"type": "Polygon", "coordinates": [ring]}, **fields)


def check(batch, profile):
    zones = [
        around(batch, id=1, code="slow", kind="speed", speed_limits={"*": 40.0}),
        around(batch, id=2, code="watched", kind="watch", max_stay_s=600.0),
        around(batch, id=3, code="shut", kind="banned", weekly_hours=(("sun", "06:00", "20:00"),)),
    ]
    vehicles = [VehicleRule(int(v)) for v in np.unique(batch.vehicle)]
    judge = Judge(Rulebook.build([shipped_profile(profile)], zones, [], vehicles))
    judged = judge.advance(batch, np.zeros(len(batch), np.bool_))
    world = World([shipped_profile(profile)], zones, [], {v.id: v for v in vehicles})
    quality, intervals = oracle_of(world, batch)
    assert judged.quality.tolist() == quality.tolist()
    assert by_key(judged.intervals) == by_key(intervals)
    return judged


@pytest.mark.parametrize("profile", ["qcvn31", "tt09"])
def test_lorry_trips_are_judged_as_by_the_oracle(profile):
    batch = lorries()
    judged = check(batch, profile)
    kinds = {interval.kind for interval in judged.intervals}
    assert {"speeding", "zone_visit", "zone_entry"} <= kinds
    assert "slow" in {i.details.get("limit_zone") for i in judged.intervals}
    jumps = (judged.quality & Quality.JUMP) != 0
    assert jumps.mean() < 0.01


@pytest.mark.parametrize("profile", ["qcvn31", "tt09"])
def test_a_day_of_buses_is_judged_as_by_the_oracle(profile):
    batch = buses(12)
    judged = check(batch, profile)
    assert len(batch) > 3_000
    assert {"data_gap", "zone_visit"} <= {interval.kind for interval in judged.intervals}
