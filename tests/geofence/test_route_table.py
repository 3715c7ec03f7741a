"""Which route a vehicle is on at which time, and in which of its slots."""

import numpy as np

from geofence.profile import shipped_profile
from geofence.registry import END_US, Route, VehicleRoute, VehicleRule, Zone
from geofence.route_table import route_in_force
from geofence.rulebook import Rulebook

HOUR_US = 3_600_000_000
CHANGE = 1_700_000_000_000_000

TERMINALS = [
    Zone(number, code, "terminal", {"type": "Point", "coordinates": [lon, 21.0]}, radius_m=300.0)
    for number, code, lon in ((1, "TA", 105.0), (2, "TB", 105.5))
]


def route(number, code, lat=21.0, **values):
    line = [[105.0, lat], [105.5, lat]]
    path = {"type": "LineString", "coordinates": line}
    back = {"type": "LineString", "coordinates": line[::-1]}
    return Route(number, code, 200, "TA", "TB", path, back, **values)


def book(routes, *vehicles):
    return Rulebook.build([shipped_profile()], TERMINALS, routes, vehicles)


def in_force(rulebook, vehicle, time, slots=2):
    table = rulebook.route_table
    return [
        route_in_force(
            vehicle, slot, time, table.period_start, table.period_route, table.period_slot,
            table.period_from, table.period_to,
        )
        for slot in range(slots)
    ]  # fmt: skip


def test_the_version_of_a_route_in_force_at_the_time_counts():
    end = CHANGE + 10 * HOUR_US
    routes = [
        route(1, "R", version=1, valid_to=CHANGE),
        route(2, "R", lat=21.1, version=2, valid_from=CHANGE),
        route(3, "S"),
    ]
    registered = (
        VehicleRoute("R", valid_to=end),
        VehicleRoute("S", valid_from=end),
        VehicleRoute("T"),
    )
    rulebook = book(routes, VehicleRule(7, routes=registered))
    found = [in_force(rulebook, 7, time) for time in (CHANGE - 1, CHANGE, end - 1, end)]
    assert found == [[0, -1], [1, -1], [1, -1], [2, -1]]
    assert rulebook.warnings == ("vehicle 7: route 'T' is not in the registry",)


def test_vehicles_have_a_slot_for_each_route_that_they_are_on_at_one_time():
    registered = tuple(VehicleRoute(code, valid_to=END_US) for code in ("R1", "R2", "R3"))
    routes = [route(n, f"R{n}") for n in (1, 2, 3)]
    rulebook = book(routes, VehicleRule(0), VehicleRule(2, routes=registered))
    assert rulebook.route_table.slots_of_vehicles().tolist() == [0, 0, 3]
    assert in_force(rulebook, 0, CHANGE) == [-1, -1]
    assert in_force(rulebook, 2, CHANGE, 3) == [0, 1, 2]


def test_no_vehicles_have_no_slots():
    assert book([route(1, "R")]).route_table.slots_of_vehicles().dtype == np.int32
