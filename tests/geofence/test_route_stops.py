"""Stops on fixed routes: where a bus may stand, and which announced stops its trip came by."""

import numpy as np
import pytest

from geofence.registry import Route, RouteStop, VehicleRoute, VehicleRule, Zone
from tests.geofence.scene import METRES_NORTH, fixes, found, of_kind

LENGTH_M = 10_000
BUS = VehicleRule(1, routes=(VehicleRoute("AB"),))


def place(metres):
    return [106.0, 10.0 + metres * METRES_NORTH]


def terminal(number, code, metres):
    shape = {"type": "Point", "coordinates": place(metres)}
    return Zone(number, code, "terminal", shape, radius_m=300.0)


def line(*metres):
    return {"type": "LineString", "coordinates": [place(m) for m in metres]}


ZONES = [terminal(1, "A", 0), terminal(2, "B", LENGTH_M), terminal(3, "C", 7_000)]


def stop(seq, metres, *, compulsory=True, direction="outbound"):
    lon, lat = place(metres)
    name = f"km {metres / 1000:g}"
    return RouteStop(direction, seq, lon, lat, name=name, compulsory=compulsory)


def rules(*stops, terminal_b="B", vehicle=BUS, more=()):
    path, back = line(0, LENGTH_M), line(LENGTH_M, 0)
    route = Route(7, "AB", 200.0, "A", terminal_b, path, back, stops=stops)
    return {"zones": ZONES, "routes": [route, *more], "vehicle": vehicle}


def trip(*metres, step_s=60, speed=30, **columns):
    """Fixes at the places: two in A before and two in B behind, one every `step_s`."""
    way = [-100, 0, *metres, LENGTH_M, LENGTH_M + 100]
    return fixes(step_s * np.arange(len(way)), speed, metres=way, **columns)


ALONG = [1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_500, 8_500, 9_500]
"""A bus that passes by everything, with a fix at most 1,500 m from the next."""


def seqs(batch, kind, *stops, **more):
    return [i.details["stop_seqs"] for i in of_kind(batch, kind, **rules(*stops, **more))]


def test_a_trip_past_all_its_stops_misses_none():
    stops = [stop(k, 1_000 * k) for k in range(1, 6)]
    assert seqs(trip(*ALONG), "missed_stop", *stops) == []
    assert seqs(trip(*ALONG), "wrong_order", *stops) == []


def test_a_stop_is_missed_where_the_bus_did_not_come_within_its_radius():
    def off(metres):
        way = [-100, 0, *ALONG, LENGTH_M, LENGTH_M + 100]
        lon = [106.0 if m < 100 or m > 9_000 else 106.0 + metres * METRES_NORTH for m in way]
        return fixes(60 * np.arange(len(way)), 30, metres=way, lon=lon)

    assert seqs(off(150), "missed_stop", stop(1, 4_000)) == []
    assert seqs(off(155), "missed_stop", stop(1, 4_000)) == ["1"]


def test_a_stop_between_two_fixes_is_passed_if_they_are_joined():
    def drive(gap_s):
        times = [0, 60, 120, 120 + gap_s, 220 + gap_s, 320 + gap_s]
        return fixes(times, 30, metres=[-100, 0, 3_000, 5_000, LENGTH_M, LENGTH_M + 100])

    assert seqs(drive(120), "missed_stop", stop(1, 4_000)) == []
    (missed,) = of_kind(drive(121), "missed_stop", **rules(stop(1, 4_000)))
    assert missed.details["unseen_s"] == 121


def test_what_is_said_of_missed_stops():
    stops = (stop(3, 4_000), stop(1, 1_000), stop(2, 3_000))
    drive = trip(1_000, 9_000, step_s=200, driver=7)
    (missed,) = of_kind(drive, "missed_stop", **rules(*stops))
    assert missed.details == {
        "route_id": 7, "direction": "outbound", "stops": 2, "stop_seqs": "2 3",
        "stop_names": "km 3; km 4", "unseen_s": 600,
    }  # fmt: skip
    assert (missed.subject, missed.driver, missed.fixes, missed.is_open) == ("AB", 7, 2, False)
    assert missed.duration_s == 200
    assert missed.distance_m == pytest.approx(8_000, rel=1e-6)


def test_stops_that_need_not_be_visited_are_not_missed():
    stops = (
        stop(1, 2_000, compulsory=False), stop(2, 200), stop(3, LENGTH_M - 299),
        stop(4, 3_000, direction="inbound"),
    )  # fmt: skip
    assert seqs(trip(1_000, 9_000, step_s=200), "missed_stop", *stops) == []


def test_stops_are_judged_when_the_other_terminal_is_reached():
    drive = trip(1_000, 9_000, step_s=200)
    before = drive.take(np.arange(len(drive) - 1))  # one fix in B is no visit yet
    assert seqs(before, "missed_stop", stop(1, 4_000)) == []
    back = fixes(60 * np.arange(6), 30, metres=[-100, 0, 3_000, 3_000, 0, -100])
    assert seqs(back, "missed_stop", stop(1, 4_000)) == []


def test_the_way_back_to_the_only_terminal_of_a_ring_is_a_trip():
    ring = fixes(60 * np.arange(7), 30, metres=[-100, 0, 1_000, 3_000, 1_000, 0, -100])
    stops = (stop(1, 3_000), stop(2, 4_000))
    assert seqs(ring, "missed_stop", *stops, terminal_b="A") == ["2"]


def test_a_stop_visited_only_after_a_later_one_is_out_of_order():
    drive = trip(1_000, 4_000, 5_000, 4_000, 3_000, 2_000, 5_000, 8_000)
    stops = (stop(1, 1_000), stop(2, 2_000), stop(3, 7_000))
    assert seqs(drive, "wrong_order", *stops) == []
    away = [(106.0, m) for m in (-100, 0, 1_000)]
    away += [(106.01, 1_000), (106.01, 5_000), (106.0, 5_000), (106.0, 3_000), (106.01, 3_000)]
    away += [(106.01, 9_000), (106.0, LENGTH_M), (106.0, LENGTH_M + 100)]
    around = fixes(
        90 * np.arange(len(away)), 30, lon=[p[0] for p in away], metres=[p[1] for p in away]
    )
    stops = (stop(1, 1_000), stop(2, 3_000), stop(3, 5_000))
    assert seqs(around, "wrong_order", *stops) == ["2"]
    assert seqs(around, "missed_stop", *stops) == []


def test_a_stop_that_is_passed_early_and_again_in_its_turn_is_in_order():
    drive = trip(4_000, 5_000, 4_000, 3_000, 2_000, 1_000, 5_000, 8_000)
    stops = (stop(1, 1_000), stop(2, 4_000))
    assert seqs(drive, "wrong_order", *stops) == []


def standing(at_m, for_s, *, speed=0, **columns):
    """A trip that stands at a place: slow from 200 s on, the first fast fix at 200 s + `for_s`."""
    times = [0, 60, 120, 200, 240, 200 + for_s, 210 + for_s, 400 + for_s, 460 + for_s]
    way = [-100, 0, 2_500, at_m, at_m, at_m + 10, at_m + 60, LENGTH_M, LENGTH_M + 100]
    speeds = [30, 30, 30, speed, speed, 30, 30, 30, 30]
    return fixes(times, speeds, metres=way, **columns)


def test_three_minutes_far_from_every_stop_are_an_unscheduled_stop():
    assert found(standing(3_000, 179), "unscheduled_stop", **rules()) == []
    assert found(standing(3_000, 180), "unscheduled_stop", **rules()) == [(200, 380, False)]


def test_at_most_the_stop_speed_is_standing():
    assert found(standing(3_000, 200, speed=3), "unscheduled_stop", **rules()) != []
    assert found(standing(3_000, 200, speed=3.5), "unscheduled_stop", **rules()) == []


def test_a_vehicle_may_stand_near_announced_stops_of_its_direction():
    optional = stop(1, 3_149, compulsory=False)
    assert found(standing(3_000, 200), "unscheduled_stop", **rules(optional)) == []
    assert found(standing(3_000, 200), "unscheduled_stop", **rules(stop(1, 3_151))) != []
    other_way = stop(1, 3_000, direction="inbound")
    assert found(standing(3_000, 200), "unscheduled_stop", **rules(other_way)) != []


def test_a_vehicle_may_stand_in_any_terminal():
    assert found(standing(6_701, 200), "unscheduled_stop", **rules()) == []
    assert found(standing(6_690, 200), "unscheduled_stop", **rules()) != []


def test_a_vehicle_on_no_trip_stops_where_it_likes():
    drive = standing(3_000, 300)
    assert found(drive.take(np.arange(2, len(drive))), "unscheduled_stop", **rules()) == []


def test_a_stop_is_open_until_two_fast_fixes_or_the_end_of_the_trip():
    drive = standing(3_000, 300)
    until = {
        at: found(drive.take(np.arange(at)), "unscheduled_stop", **rules()) for at in (5, 6, 7, 8)
    }
    # Fixes count once it is certain that they belong to the trip, so the first fast one is in.
    assert until == {5: [], 6: [(200, 500, True)], 7: [(200, 500, False)], 8: [(200, 500, False)]}


def test_what_is_said_of_an_unscheduled_stop():
    (one,) = of_kind(standing(3_000, 300, driver=7), "unscheduled_stop", **rules())
    assert (one.subject, one.driver, one.fixes) == ("AB", 7, 3)
    assert one.start == pytest.approx(tuple(place(3_000)))
    assert one.details["direction"] == "outbound"
    assert one.details["along_m"] == pytest.approx(3_000, rel=1e-3)
    assert one.distance_m == pytest.approx(10, rel=1e-3)


def test_a_single_fast_fix_does_not_end_a_stop():
    speeds = [30, 30, 30, 0, 0, 30, 0, 30, 30, 30, 30]
    way = [-100, 0, 2_500, 3_000, 3_000, 3_010, 3_010, 3_010, 3_500, LENGTH_M, LENGTH_M]
    drive = fixes(60 * np.arange(11), speeds, metres=way)
    assert found(drive, "unscheduled_stop", **rules()) == [(180, 420, False)]


def test_on_trips_of_two_routes_the_stops_of_both_count():
    stops = (stop(1, 3_100),)
    other = Route(8, "AC", 200.0, "A", "C", line(0, 7_000), line(7_000, 0), stops=stops)
    both = VehicleRule(1, routes=(VehicleRoute("AB"), VehicleRoute("AC")))
    near = rules(vehicle=both, more=[other])
    assert found(standing(3_000, 300), "unscheduled_stop", **near) == []
    far = of_kind(standing(2_700, 300), "unscheduled_stop", **near)
    assert [one.subject for one in far] == ["AB", "AC"]
