"""Driving round a weigh station: off the road before it, back on it behind it."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from geofence.errors import RegistryError
from geofence.judge import Judge
from geofence.profile import shipped_profile
from geofence.registry import StationRule, VehicleRule
from geofence.rulebook import Rulebook
from geofence.station_table import StationTable, checked_station
from tests.geofence.scene import METRES_NORTH, START_US, fixes

EAST = 1 / (111_195.0802335 * math.cos(math.radians(10.0)))
"""Degrees of longitude to a metre at 10 N."""

ROAD = {"type": "LineString", "coordinates": [[106.0, 10.0], [106.0, 10.3]]}
STATION = StationRule(1, "T1", 106.0, 10.0 + 10_000 * METRES_NORTH, approach=ROAD, corridor_m=50.0)
"""On a road to the north, 10 km from its beginning."""


def number(interval, name):
    return interval.details[name]


def avoided(places, *stations, vehicle=None, every_s=60, profile=None):
    """(station, first fix, last fix, left before, returned behind, driven) of a drive.

    places: (metres east of the road, metres north of its beginning).
    """
    batch = fixes(
        [every_s * k for k in range(len(places))], 60.0, metres=[p[1] for p in places],
        lon=[106.0 + p[0] * EAST for p in places],
    )  # fmt: skip
    profiles = [profile or shipped_profile()]
    stations = stations or (STATION,)
    book = Rulebook.build(profiles, [], [], [vehicle or VehicleRule(1)], stations=stations)
    judged = Judge(book).advance(batch, np.zeros(len(batch), np.bool_))
    return [
        (
            i.subject, (i.started - START_US) // (every_s * 1_000_000),
            (i.ended - START_US) // (every_s * 1_000_000), round(number(i, "left_before_m")),
            round(number(i, "returned_behind_m")), round(i.distance_m, -2),
        )
        for i in judged.intervals
        if i.kind == "station_avoided"
    ]  # fmt: skip


def detour(left=8_000, back=12_000, aside=(1_000, 1_000, 1_000)):
    """North on the road, aside from `left`, on the road again from `back`."""
    step = (back - left) / (len(aside) + 1)
    return [
        *((0, north) for north in (left - 2_000, left - 1_000, left)),
        *((east, left + step * (k + 1)) for k, east in enumerate(aside)),
        *((0, north) for north in (back, back + 1_000, back + 2_000)),
    ]


def test_who_leaves_the_road_before_the_station_and_comes_back_behind_it_avoids_it():
    assert avoided(detour()) == [("T1", 2, 6, 2_000, 2_000, 4_800)]


def test_who_drives_past_the_station_does_not():
    assert avoided([(0, north) for north in range(0, 20_000, 1_000)]) == []
    assert avoided(detour(aside=(30, 30, 30))) == []


def test_it_is_left_within_five_kilometres_and_reached_again_within_ten():
    assert avoided(detour(left=5_001))
    assert avoided(detour(left=4_990)) == []
    assert avoided(detour(back=19_990))
    assert avoided(detour(back=20_010)) == []
    assert avoided(detour(left=6_000, back=9_990)) == []  # behind is behind the station


def test_it_is_judged_in_the_direction_that_is_weighed():
    there = detour()
    both = replace(STATION, is_two_way=True)
    assert avoided(there[::-1]) == []
    assert avoided(there[::-1], both) == [("T1", 2, 6, 2_000, 2_000, 4_800)]
    assert avoided(there, both) == avoided(there)


def test_one_fix_off_the_road_or_back_on_it_is_a_stray_one():
    assert avoided(detour(aside=(200,))) == []
    assert avoided(detour(aside=(200, 200)))
    # The first fix that seems to be back is followed by one that is not.
    astray = [
        *detour()[:6],
        (0, 11_500),
        (1_000, 12_000),
        (1_000, 12_500),
        (0, 13_000),
        (0, 14_000),
    ]
    assert avoided(astray) == [("T1", 2, 9, 2_000, 3_000, 7_300)]
    assert avoided(detour()[:7]) == []


def test_a_station_that_was_closed_was_not_avoided():
    # START_US is a Wednesday, 05:13:20; the road is left two minutes later.
    for begins, ends, expected in (("05:00", "05:16", 1), ("05:00", "05:15", 0)):
        hours = (("wed", begins, ends),)
        station = replace(STATION, weekly_hours=hours)
        assert len(avoided(detour(), station)) == expected


CLOSED = replace(STATION, weekly_hours=())
ELSEWHERE = replace(
    STATION, lon=106.1,
    approach={"type": "LineString", "coordinates": [[106.1, 10.0], [106.1, 10.3]]},
)  # fmt: skip


@pytest.mark.parametrize("other", [CLOSED, ELSEWHERE, replace(STATION, approach=None)])
@pytest.mark.parametrize("changed", range(8))
def test_it_is_judged_by_the_road_and_the_hours_that_held_when_the_road_was_left(other, changed):
    # The road is left after fix 2, and fix 6 is the first that is back on it.
    change_us = START_US + 60_000_000 * changed
    found = [("T1", 2, 6, 2_000, 2_000, 4_800)]
    then, now = replace(STATION, valid_to=change_us), replace(other, valid_from=change_us)
    assert avoided(detour(), then, now) == (found if changed > 2 else [])
    then, now = replace(other, valid_to=change_us), replace(STATION, valid_from=change_us)
    assert avoided(detour(), then, now) == (found if changed <= 2 else [])


def test_a_change_of_what_nobody_watches_by_changes_nothing_on_the_way():
    for changed in range(8):
        change_us = START_US + 60_000_000 * changed
        then = replace(STATION, valid_to=change_us)
        now = replace(STATION, valid_from=change_us, tolerance=0.1, kind="wim")
        assert avoided(detour(), then, now) == avoided(detour())
        assert len(StationTable.build([then, now])) == 1


def test_only_goods_vehicles_are_to_stop_there():
    for rule, expected in (
        (VehicleRule(1, kind="rigid"), 1),
        (VehicleRule(1, kind="tractor_semi"), 1),
        (VehicleRule(1, kind="bus"), 0),
        (VehicleRule(1, kind="car"), 0),
    ):
        assert len(avoided(detour(), vehicle=rule)) == expected


def test_who_comes_back_after_more_than_two_hours_was_elsewhere():
    assert len(avoided(detour(), every_s=1_800)) == 1
    assert avoided(detour(), every_s=1_801) == []


def test_a_station_without_an_approach_is_not_watched():
    assert avoided(detour(), StationRule(1, "T1", STATION.lon, STATION.lat)) == []


@pytest.mark.parametrize(
    ("station", "expected"),
    [
        ({"approach": {"type": "Point", "coordinates": [106.0, 10.0]}}, "approach"),
        ({"approach": {"type": "LineString", "coordinates": [[106.0, 10.0]]}}, "approach"),
        ({"corridor_m": None}, "corridor_m: expected"),
        ({"corridor_m": -3.0}, "corridor_m: expected"),
        ({"lon": 106.1}, "expected a road within 50 m of the station"),
        ({"lon": math.nan}, "expected a place of the station"),
        ({"weekly_hours": (("wed", "8", "9"),)}, "weekly_hours"),
    ],
)
def test_an_approach_that_nothing_could_be_judged_by_is_refused(station, expected):
    values = {"approach": json.loads(json.dumps(ROAD)), "corridor_m": 50.0, **station}
    values = {"lon": STATION.lon, "lat": STATION.lat, **values}
    with pytest.raises(RegistryError, match="weigh station 'T9': ") as refused:
        checked_station(StationRule(9, "T9", **values))
    assert expected in str(refused.value)
