"""Real drives of lorries as a file: the command says what the oracle says."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from devices.rounding import on_grid
from geofence.profile import shipped_profile
from geofence.registry import VehicleRule, Zone
from tests.data_folder import real_data
from tests.hanhtrinh.judged import box, collection, feature, judge, lines
from tests.oracle.driving_time import driving_time
from tests.oracle.judge import judge as oracle
from tests.oracle.world import Fix, World

TRIPS = ["vehicle1-trip1", "vehicle1-trip2", "vehicle2-trip1"]


def us(text):
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1_000_000)


def events():
    """(vehicle, time, lat, lon, speed) as the devices sent them: in the order of arrival."""
    found = []
    for trip in TRIPS:
        for event in json.loads(real_data(f"hgv_myanmar/{trip}.json").read_text()):
            if event["type"] == "vehicle-position":
                where = event["ev"]["pos"]
                place = where["latlon"]
                found.append((trip, where["posTime"], place["lat"], place["lng"], where["speed"]))
    return found


def world_of(rows):
    """Zones around half of what was driven: as a file, and as the oracle knows them."""
    lat, lon = (np.array([row[at] for row in rows]) for at in (2, 3))
    west, east = np.quantile(lon, [0.25, 0.75]).tolist()
    south, north = np.quantile(lat, [0.1, 0.9]).tolist()
    shape = box(west, south, east, north)
    file = collection(
        feature(shape, id="slow", kind="speed", speed_limit_kmh=40),
        feature(shape, id="watched", kind="watch", max_stay_s=600),
        feature(shape, id="shut", kind="banned", hours="Mo-Su 20:00-06:00"),
    )
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    zones = [
        Zone(0, "slow", "speed", shape, speed_limits={"*": 40.0}),
        Zone(1, "watched", "watch", shape, max_stay_s=600.0),
        Zone(2, "shut", "banned", shape, weekly_hours=tuple((d, "20:00", "06:00") for d in days)),
    ]
    return file, zones


def said_by_oracle(rows, zones, profile, timezone):
    """(vehicle, interval) for everything but visits."""
    vehicles = {number: VehicleRule(number) for number in range(len(TRIPS))}
    world = World([shipped_profile(profile)], zones, [], vehicles, timezone)
    found = []
    for number, trip in enumerate(TRIPS):
        first: dict[int, Fix] = {}
        for vehicle, when, lat, lon, speed in rows:
            if vehicle == trip:
                kmh = float(np.float32(speed))
                kept_lon, kept_lat = on_grid(np.array([lon, lat])).tolist()
                first.setdefault(us(when), Fix(us(when), kept_lon, kept_lat, kmh))
        found += [
            (trip, interval)
            for interval in oracle(world, vehicles[number], [first[t] for t in sorted(first)])
            if interval.kind not in ("zone_visit", "route_trip")
        ]
    spans = [interval for _, interval in found if interval.kind == "driving"]
    driven = [i for i in driving_time(world, spans) if not i.kind.endswith("_warning")]
    named = [(TRIPS[interval.vehicle], interval) for interval in driven]
    return [pair for pair in found if pair[1].kind != "driving"] + named


def facts(trip, interval):
    zone = {"zone": interval.subject} if interval.subject else {}
    details = {k: v for k, v in interval.details.items() if k != "zone_id"}
    instants = {
        name: datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="milliseconds")
        for name, us in (("started_at", interval.started), ("ended_at", interval.ended))
    }
    return {
        "kind": interval.kind, "rule_profile": interval.profile, "vehicle": trip, "driver": None,
        "duration_s": (interval.ended - interval.started) / 1e6,
        "distance_m": interval.distance_m, "fixes": interval.fixes,
        "start": list(interval.start), "end": list(interval.end),
        **{name: text.replace("+00:00", "Z") for name, text in instants.items()},
        **zone, **details,
    }  # fmt: skip


def about(line):
    """What a line must be about: numbers as far as lines write them."""

    def plain(value):
        if isinstance(value, float):
            return pytest.approx(value, abs=0.001)
        return pytest.approx(value, abs=1e-7) if isinstance(value, list) else value

    return {name: plain(value) for name, value in line.items()}


@pytest.mark.data
@pytest.mark.parametrize(
    ("profile", "timezone"), [("qcvn31", "Asia/Ho_Chi_Minh"), ("tt09", "Asia/Yangon")]
)
def test_lorries_are_judged_as_by_the_oracle(tmp_path, profile, timezone):
    rows = events()
    zone_file, zones = world_of(rows)
    text = "vehicle,time,lat,lon,speed_kmh\n" + "".join(
        f"{vehicle},{when},{lat!r},{lon!r},{speed}\n" for vehicle, when, lat, lon, speed in rows
    )
    found = lines(
        judge(tmp_path, "--profile", profile, "--timezone", timezone, fixes=text, zones=zone_file)
    )
    expected = [facts(*each) for each in said_by_oracle(rows, zones, profile, timezone)]
    expected.sort(key=lambda f: (f["vehicle"], f["started_at"], f["kind"]))
    for line, fact in zip(found, expected, strict=True):
        assert line == about(fact)
    assert {"speeding", "banned_zone", "zone_entry"} <= {line["kind"] for line in found}
    assert any(line.get("limit_zone") == "slow" for line in found)
