"""Trips as facts: from which fix to which they go, and how they end."""

import pytest

from geofence.registry import Route, VehicleRoute, VehicleRule
from tests.geofence.scene import START_US, fixes, of_kind
from tests.geofence.test_off_route import AB, EAST, ON_AB, ZONES, path


def trips(km, *, routes=(AB,), vehicle=ON_AB, gap_s=100, **columns):
    times = [gap_s * k for k in range(len(km))]
    batch = fixes(times, 60, lon=[EAST[k] for k in km], **columns)
    return of_kind(batch, "route_trip", zones=ZONES, routes=routes, vehicle=vehicle)


def seconds(trip):
    return (trip.started - START_US) / 1e6, (trip.ended - START_US) / 1e6


THERE = [0, 0, 0, 5, 10, 15, 20, 20]


def test_a_trip_goes_from_the_last_fix_in_one_terminal_to_the_first_in_the_other():
    (trip,) = trips(THERE, driver=[1, 1, 2, 3, 3, 3, 3, 3])
    assert seconds(trip) == (200, 600)
    assert (trip.subject, trip.driver, trip.fixes, trip.is_open) == ("AB", 2, 5, False)
    assert trip.distance_m == pytest.approx(20_000, rel=2e-3)
    assert (trip.start[0], trip.end[0]) == (EAST[0], EAST[20])
    assert trip.details == {
        "route_id": 1, "direction": "outbound", "outcome": "arrived", "unseen_s": 0.0,
    }  # fmt: skip


def test_the_way_back_is_a_trip_of_its_own():
    there, back = trips([*THERE, 15, 10, 5, 0, 0])
    assert (there.details["direction"], back.details["direction"]) == ("outbound", "inbound")
    assert seconds(back) == (700, 1_100)


def test_a_trip_that_comes_back_has_returned():
    (trip,) = trips([0, 0, 5, 10, 5, 0, 0])
    assert (trip.details["outcome"], seconds(trip)) == ("returned", (100, 500))


def test_a_trip_whose_registration_ends_is_broken_off_at_its_last_fix():
    ends = VehicleRule(1, routes=(VehicleRoute("AB", valid_to=START_US + 500_000_000),))
    (trip,) = trips(THERE, vehicle=ends)
    assert (trip.details["outcome"], seconds(trip), trip.is_open) == (
        "broken_off",
        (200, 400),
        False,
    )


def test_a_trip_that_goes_on_is_open():
    (trip,) = trips(THERE[:5])
    assert (trip.details["outcome"], trip.is_open, seconds(trip)) == ("under_way", True, (200, 400))


def test_a_route_with_one_terminal_arrives_where_it_left():
    ring = Route(4, "AB", 100.0, "A", "A", path(0, 20), path(20, 0))
    (trip,) = trips([0, 0, 5, 10, 5, 0, 0], routes=(ring,))
    assert trip.details["outcome"] == "arrived"


def test_steps_that_are_too_long_are_not_seen():
    (trip,) = trips(THERE, gap_s=121)
    assert trip.details["unseen_s"] == 484.0


def test_who_is_registered_for_nothing_makes_no_trips():
    assert trips(THERE, vehicle=VehicleRule(1)) == []
