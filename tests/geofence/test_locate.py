"""Locating fixes against a slow twin that asks one fix and one zone at a time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch
from geofence.errors import UnknownVehicleError
from geofence.hours import DAYS
from geofence.locate import LimitSource, locate
from geofence.profile import shipped_profile
from geofence.registry import Route, VehicleRoute, VehicleRule, Zone
from geofence.rulebook import Rulebook

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
HOUR_US = 3_600_000_000
MONDAY_US = int(datetime(2024, 5, 6, tzinfo=HANOI).timestamp()) * 1_000_000
ONE_VEHICLE = (VehicleRule(0),)
CLASSES = ("bus", "car", "truck_over_3_5t")


def square(west, south, size):
    east, north = west + size, south + size
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def book(zones=(), routes=(), vehicles=ONE_VEHICLE):
    return Rulebook.build([shipped_profile()], zones, routes, vehicles)


def at(vehicle, time, lon=105.5, lat=21.5):
    n = max(np.size(vehicle), np.size(time), np.size(lon))
    columns = {"vehicle": vehicle, "time": time, "lon": lon, "lat": lat}
    return FixBatch.blank(n, **{k: np.broadcast_to(v, n) for k, v in columns.items()})


def applies(zone, vehicle, time):
    """The slow twin of `zone_applies`."""
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
    local = local.astimezone(HANOI)
    clock, day = f"{local:%H:%M}", DAYS[local.weekday()]
    heavy = zone.min_gross_kg is None or (vehicle.gross_kg or 0.0) >= zone.min_gross_kg
    return (
        zone.valid_from <= time < zone.valid_to
        and (zone.classes is None or vehicle.vehicle_class in zone.classes)
        and heavy
        and (
            zone.weekly_hours is None
            or any(day == d and begin <= clock < end for d, begin, end in zone.weekly_hours)
        )
    )


def limit_at(zones, rows, vehicle, time):
    """The slow twin of the limit in force: (km/h, source, zone row)."""
    found = []
    for row in rows:
        zone = zones[row]
        limit = zone.speed_limits.get(vehicle.vehicle_class, zone.speed_limits.get("*"))
        if zone.kind == "speed" and limit is not None and applies(zone, vehicle, time):
            found.append((limit, row))
    if found:
        limit, row = min(found)
        return limit, LimitSource.ZONE, row
    if vehicle.speed_limit_kmh is not None:
        return vehicle.speed_limit_kmh, LimitSource.VEHICLE, -1
    return 80.0, LimitSource.PROFILE, -1


times = st.integers(MONDAY_US - 40 * HOUR_US, MONDAY_US + 200 * HOUR_US)
geometries = st.builds(
    square, st.sampled_from([105.0, 105.25]), st.sampled_from([21.0, 21.25]), st.just(0.5)
)
limits = st.dictionaries(st.sampled_from([*CLASSES, "*"]), st.sampled_from([40.0, 50.0, 60.0]))
hours = st.lists(
    st.tuples(st.sampled_from(DAYS), st.just("06:00"), st.sampled_from(["09:00", "24:00"])),
    max_size=4,
).map(tuple)


@st.composite
def zones(draw, number):
    begins = draw(st.one_of(st.just(None), times))
    speed_limits = draw(limits)
    kinds = ["banned", "watch", "terminal", "stop", *(["speed"] * 4 if speed_limits else [])]
    return Zone(
        id=number,
        code=f"Z{number}",
        kind=draw(st.sampled_from(kinds)),
        geometry=draw(geometries),
        operator_id=draw(st.sampled_from([None, None, 1, 2])),
        speed_limits=speed_limits,
        classes=draw(st.sampled_from([None, None, ("bus",), ("car", "bus")])),
        weekly_hours=draw(st.one_of(st.none(), hours)),
        min_gross_kg=draw(st.sampled_from([None, None, 10_000.0])),
        **({} if begins is None else {"valid_from": begins, "valid_to": begins + 90 * HOUR_US}),
    )


vehicles = st.builds(
    VehicleRule,
    id=st.just(0),
    vehicle_class=st.sampled_from(CLASSES),
    operator_id=st.sampled_from([None, 1, 2]),
    speed_limit_kmh=st.sampled_from([None, 70.0, 45.5]),
    gross_kg=st.sampled_from([None, 9_999.0, 10_000.0]),
)
places = st.tuples(
    st.sampled_from([104.9, 105.0, 105.1, 105.3, 105.5, 105.75]),
    st.sampled_from([21.0, 21.1, 21.3, 21.5, 21.9]),
)


def shows_to(zone, vehicle):
    shared = zone.operator_id is None or zone.kind in ("terminal", "stop")
    return shared or zone.operator_id == vehicle.operator_id


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_zones_and_limits_are_what_one_fix_and_one_zone_say(data):
    known = [data.draw(zones(number)) for number in range(data.draw(st.integers(0, 5)))]
    fleet = [
        VehicleRule(
            id=3 * number,
            vehicle_class=made.vehicle_class,
            operator_id=made.operator_id,
            speed_limit_kmh=made.speed_limit_kmh,
            gross_kg=made.gross_kg,
        )
        for number, made in enumerate(data.draw(st.lists(vehicles, min_size=1, max_size=3)))
    ]
    rows = st.tuples(st.sampled_from(fleet), times, places)
    chosen = data.draw(st.lists(rows, max_size=8))
    located = locate(
        book(known, vehicles=fleet),
        FixBatch.blank(
            len(chosen),
            vehicle=[vehicle.id for vehicle, _, _ in chosen],
            time=[time for _, time, _ in chosen],
            lon=[place[0] for _, _, place in chosen],
            lat=[place[1] for _, _, place in chosen],
        ),
    )
    for i, (vehicle, time, (lon, lat)) in enumerate(chosen):
        span = slice(located.zone_start[i], located.zone_start[i + 1])
        inside = [
            row
            for row, zone in enumerate(known)
            if shows_to(zone, vehicle) and _in_ring(zone.geometry["coordinates"][0], lon, lat)
        ]
        assert located.zone_row[span].tolist() == inside
        expected = [applies(known[row], vehicle, time) for row in inside]
        assert located.zone_applies[span].tolist() == expected
        limit, source, zone_row = limit_at(known, inside, vehicle, time)
        assert located.limit_kmh[i] == np.float32(limit)
        assert (located.limit_source[i], located.limit_zone[i]) == (source, zone_row)


def _in_ring(ring, lon, lat):
    (west, south), (east, north) = ring[0], ring[2]
    return west <= lon <= east and south <= lat <= north


def test_the_lowest_zone_wins_even_over_a_lower_limit_of_the_vehicle():
    known = [
        Zone(1, "A", "speed", square(105, 21, 1), speed_limits={"*": 60}),
        Zone(2, "B", "speed", square(105, 21, 1), speed_limits={"*": 50}),
    ]
    located = locate(book(known, vehicles=[VehicleRule(0, speed_limit_kmh=40)]), at(0, MONDAY_US))
    assert located.limit_kmh.tolist() == [50.0]
    assert located.limit_source.tolist() == [LimitSource.ZONE]
    assert located.limit_zone.tolist() == [1]
    outside = locate(
        book(known, vehicles=[VehicleRule(0, speed_limit_kmh=40)]), at(0, MONDAY_US, lon=100.0)
    )
    assert outside.limit_kmh.tolist() == [40.0]
    assert outside.limit_source.tolist() == [LimitSource.VEHICLE]


def test_a_lorry_ban_is_closed_in_its_hours_to_heavy_vehicles_only():
    ban = Zone(
        1, "CITY", "banned", square(105, 21, 1),
        weekly_hours=(("mon", "06:00", "09:00"),), min_gross_kg=10_000,
    )  # fmt: skip
    fleet = [VehicleRule(0, gross_kg=12_000), VehicleRule(1, gross_kg=3_000), VehicleRule(2)]
    rulebook = book([ban], vehicles=fleet)
    six, nine = MONDAY_US + 6 * HOUR_US, MONDAY_US + 9 * HOUR_US
    located = locate(rulebook, at([0, 0, 0, 0, 1, 2], [six - 1, six, nine - 1, nine, six, six]))
    assert located.zone_row.tolist() == [0] * 6
    assert located.zone_applies.tolist() == [False, True, True, False, False, False]


def test_vehicles_that_are_not_in_the_registry_are_named():
    rulebook = book(vehicles=[VehicleRule(1), VehicleRule(5)])
    with pytest.raises(UnknownVehicleError) as caught:
        locate(rulebook, at([1, 5, 3, -1, 6], MONDAY_US))
    assert caught.value.vehicles == (-1, 3, 6)
    assert str(caught.value) == "vehicle: expected one of the registry, got -1, 3, 6"


def test_no_fixes_have_no_place():
    located = locate(book(vehicles=()), FixBatch.empty())
    assert located.zone_start.tolist() == [0]


TERMINALS = tuple(
    Zone(n, code, "terminal", {"type": "Point", "coordinates": [lon, 21.0]}, radius_m=200)
    for n, (code, lon) in enumerate({"TA": 105.0, "TB": 105.5}.items())
)


def route(number, code, lat=21.0, **values):
    line = [[105.0, lat], [105.5, lat]]
    path = {"type": "LineString", "coordinates": line}
    back = {"type": "LineString", "coordinates": line[::-1]}
    return Route(number, code, 200, "TA", "TB", path, back, **values)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(times, places), min_size=1, max_size=12), st.randoms())
def test_a_fix_is_located_the_same_in_any_company(fixes, random):
    known = [
        Zone(1, "A", "speed", square(105, 21, 0.5), speed_limits={"*": 60}),
        Zone(2, "B", "banned", square(105.25, 21, 0.5), weekly_hours=(("mon", "06:00", "09:00"),)),
        *TERMINALS,
    ]
    fleet = [VehicleRule(0, routes=(VehicleRoute("R"),))]
    rulebook = book(known, [route(1, "R")], fleet)
    batch = at(
        0, [t for t, _ in fixes], [p[0] for _, p in fixes], np.array([p[1] for _, p in fixes])
    )
    together = locate(rulebook, batch)
    order = list(range(len(fixes)))
    random.shuffle(order)
    for i in order:
        alone = locate(rulebook, batch.take(np.array([i])))
        span = slice(together.zone_start[i], together.zone_start[i + 1])
        assert alone.zone_row.tolist() == together.zone_row[span].tolist()
        assert alone.zone_applies.tolist() == together.zone_applies[span].tolist()
        assert alone.limit_kmh[0] == together.limit_kmh[i]
