"""Leaving a route: trips, directions, bounds, and what is reported."""

from dataclasses import replace

import pytest

from geofence.profile import shipped_profile
from geofence.registry import Route, VehicleRoute, VehicleRule, Zone
from tests.geofence.scene import fixes, found, of_kind

DEGREE_M = 109_505.9  # of longitude at 10 N
EAST = [106.0 + 1_000 * k / DEGREE_M for k in range(30)]  # a kilometre apart


def terminal(number, code, km):
    return Zone(
        number, code, "terminal", {"type": "Point", "coordinates": [EAST[km], 10.0]}, radius_m=400.0
    )


def path(*km):
    return {"type": "LineString", "coordinates": [[EAST[k], 10.0] for k in km]}


ZONES = [terminal(1, "A", 0), terminal(2, "B", 20), terminal(3, "C", 29)]
AB = Route(1, "AB", 100.0, "A", "B", path(0, 20), path(20, 0))
AC = Route(2, "AC", 100.0, "A", "C", path(0, 29), path(29, 0))
ON_AB = VehicleRule(1, routes=(VehicleRoute("AB"),))


def drive(km, metres, gap_s=60, **columns):
    """Fixes every `gap_s` at kilometres of the path, `metres` north of it."""
    times = [gap_s * k for k in range(len(km))]
    return fixes(times, 60, lon=[EAST[k] for k in km], metres=metres, **columns)


def off(batch, routes=(AB,), vehicle=ON_AB, **rules):
    return found(batch, "off_route", zones=ZONES, routes=routes, vehicle=vehicle, **rules)


def test_a_run_off_the_path_is_reported_with_its_place_on_it():
    km = [0, 0, 1, 2, 3, 4, 5, 6, 7]
    metres = [0, 0, 0, 150, 300, 200, 150, 0, 0]
    batch = drive(km, metres, driver=[1, 1, 1, 2, 3, 3, 3, 3, 3])
    (run,) = of_kind(batch, "off_route", zones=ZONES, routes=(AB,), vehicle=ON_AB)
    assert (run.fixes, run.driver, run.subject, run.is_open) == (4, 2, "AB", False)
    assert run.duration_s == 180.0
    assert run.details["direction"] == "outbound"
    assert run.details["max_offset_m"] == pytest.approx(300.0, rel=1e-3)
    assert run.details["left_at_m"] == pytest.approx(2_000.0, rel=2e-3)
    assert run.details["returned_at_m"] == pytest.approx(5_000.0, rel=2e-3)
    assert run.distance_m == pytest.approx(3_020.0, rel=2e-2)


def test_off_the_path_before_any_terminal_is_no_trip():
    assert off(drive([2, 3, 4, 5], 300)) == []


def test_fixes_between_leaving_and_its_confirmation_count():
    batch = drive([0, 0, 1, 2, 3, 4], [0, 0, 500, 500, 0, 0], gap_s=120)
    assert off(batch) == [(240, 360, False)]


def test_fixes_of_a_visit_do_not_count_though_it_is_confirmed_later():
    # C lies off the path of AB, B does not; the first fix in a terminal belongs to the visit.
    km, metres = [0, 0, 1, 2, 20, 20, 20], [0, 0, 300, 300, 300, 300, 300]
    assert off(drive(km, metres, gap_s=480)) == [(960, 1440, False)]


def test_a_fix_in_a_terminal_that_is_no_visit_belongs_to_the_trip():
    km, metres = [0, 0, 18, 20, 21, 22], [0, 0, 300, 300, 300, 300]
    assert off(drive(km, metres, gap_s=600)) == [(1200, 3000, True)]


def test_an_open_run_counts_only_fixes_that_are_sure_to_belong_to_the_trip():
    km, metres = [0, 0, 17, 18, 20], [0, 0, 300, 300, 300]
    assert off(drive(km, metres, gap_s=600)) == [(1200, 1800, True)]


def test_exactly_the_shortest_duration_and_fewest_fixes_count():
    metres = [0, 0, 0, 300, 300, 0, 0]
    km = [0, 0, 1, 2, 3, 4, 5]
    assert off(drive(km, metres, gap_s=120)) == [(360, 480, False)]
    assert off(drive(km, metres, gap_s=119.9)) == []
    once = [0, 0, 0, 300, 0, 0, 0]
    assert off(drive(km, once, gap_s=600)) == []
    three = shipped_profile()
    three = replace(three, values={**three.values, "off_route.min_fixes": 3})
    assert off(drive(km, metres, gap_s=120), profile=three) == []


def test_a_gap_over_the_maximum_divides_a_run():
    km, metres = [0, 0, 1, 2, 3, 4], [0, 0, 300, 300, 300, 300]
    lon = [EAST[k] for k in km]
    together = fixes([0, 60, 200, 400, 1_300, 1_500], 60, lon=lon, metres=metres)
    assert off(together) == [(200, 1_500, True)]
    apart = fixes([0, 60, 200, 400, 1_301, 1_501], 60, lon=lon, metres=metres)
    assert off(apart) == [(200, 400, False), (1_301, 1_501, True)]


def test_the_terminal_left_gives_the_direction_and_the_path():
    north = {
        "type": "LineString",
        "coordinates": [[EAST[20], 10.0], [EAST[10], 10.02], [EAST[0], 10.0]],
    }
    route = replace(AB, inbound=north)
    there = drive([0, 0, 5, 10, 15, 20, 20], 0, gap_s=300)
    back = drive([20, 20, 15, 10, 5, 0, 0], 0, gap_s=300)
    assert off(there, routes=(route,)) == []
    (run,) = of_kind(back, "off_route", zones=ZONES, routes=(route,), vehicle=ON_AB)
    assert run.details["direction"] == "inbound"
    assert (run.fixes, run.duration_s) == (3, 600.0)


def test_on_the_way_of_one_of_two_routes_is_off_none():
    both = VehicleRule(1, routes=(VehicleRoute("AB"), VehicleRoute("AC")))
    to_c = drive([0, 0, 10, 22, 25, 27, 29, 29], 0, gap_s=600)
    assert off(to_c, routes=(AB, AC), vehicle=both) == []
    assert off(to_c, routes=(AB, AC)) == [(1800, 4200, True)]
    at_c = drive([0, 0, 29, 29, 29, 28, 27], 0, gap_s=850)
    assert off(at_c, routes=(AB, AC), vehicle=both) == []
    aside = drive([0, 0, 10, 12, 14, 16], [0, 0, 300, 300, 0, 0], gap_s=600)
    runs = of_kind(aside, "off_route", zones=ZONES, routes=(AB, AC), vehicle=both)
    assert [run.subject for run in runs] == ["AB", "AC"]


def test_a_vehicle_registered_later_is_on_no_trip_before():
    from tests.geofence.scene import START_US

    later = VehicleRule(1, routes=(VehicleRoute("AB", valid_from=START_US + 1_000_000_000),))
    batch = drive([0, 0, 1, 2, 3, 4], [0, 0, 300, 300, 300, 300], gap_s=300)
    assert off(batch, vehicle=later) == []
