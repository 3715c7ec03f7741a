"""Signs for heavy vehicles: passed on roads and between fixes, as the oracle says."""

import numpy as np
import pytest

from geofence.judge import Judge
from geofence.loads import Loads
from geofence.profile import shipped_profile
from geofence.registry import VehicleRule
from geofence.roads.matcher import RoadIndex, RoadMatcher
from tests.geofence.agreement import by_key
from tests.geofence.fleet import seeded_loads, weighed
from tests.geofence.roads.drives import batch_of, cruise, doubtful, seeded
from tests.geofence.roads.town import INDEX, NETWORK, START_US, network_of, rulebook, signed
from tests.oracle.bridge_limit import OnRoad, bridge_limits
from tests.oracle.world import Fix, World

VEHICLE = VehicleRule(1)
KINDS = [cruise, seeded, doubtful]


def on_roads(batch, book, network):
    """Where the matcher says that each fix is, by its time."""
    speed = batch.speed_kmh.astype(np.float64)
    matcher = RoadMatcher(book.roads.index, book.params)
    matched = matcher.advance(batch, speed, np.zeros(len(batch), np.int32))
    strokes = network.edges["stroke"]
    return {
        int(batch.time[i]): OnRoad(
            int(strokes[matched.edge[i]]) if matched.edge[i] >= 0 else None,
            float(matched.place_m[i]), float(matched.road_confidence[i]),
        )
        for i in range(len(batch))
    }  # fmt: skip


def judged(batch, loads, book):
    found = Judge(book).advance(batch, np.zeros(len(batch), np.bool_), loads)
    clean = batch.take(found.quality & 29 == 0)
    return clean, [i for i in found.intervals if i.kind == "bridge_limit"]


def expected(batch, loads, book, network):
    fixes = [
        Fix(int(batch.time[i]), float(batch.lon[i]), float(batch.lat[i]), float(batch.speed_kmh[i]))
        for i in range(len(batch))
    ]
    world = World(list(book.profiles), [], [], {1: VEHICLE})
    roads = on_roads(batch, book, network)
    return bridge_limits(world, VEHICLE, fixes, loads.weighed, roads, network)


@pytest.mark.parametrize("profile", ["qcvn31", "tt09"])
def test_signs_are_passed_as_the_oracle_says(profile):
    book = rulebook(profiles=[shipped_profile(profile)])
    found = 0
    for seed in range(120):
        batch = batch_of(KINDS[seed % 3](np.random.default_rng(seed), 4))
        loads = seeded_loads(batch, seed)
        clean, intervals = judged(batch, loads, book)
        if len(clean) == len(batch) and not np.isnan(batch.speed_kmh).any():
            assert by_key(intervals) == by_key(expected(clean, loads, book, NETWORK))
            found += len(intervals)
    assert found > 20


BRIDGE = network_of(
    [
        (signed(1, 60.0), [(0, 0), (1000, 0)]),
        (signed(2, 60.0, max_weight_kg=8_000.0), [(1000, 0), (1040, 0)]),
        (signed(3, 60.0), [(1040, 0), (2000, 0)]),
        (signed(4, 60.0, max_weight_kg=13_000.0), [(2000, 0), (3000, 0)]),
    ]
)
BRIDGE_BOOK = rulebook(index=RoadIndex.build(BRIDGE))


def drive(first=0, last=3000, every=160):
    """East along the road, a fix every 10 s."""
    places = range(first, last, every) if last > first else range(first, last, -every)
    return batch_of([(START_US + k * 10_000_000, x, 1, 57.6, np.nan) for k, x in enumerate(places)])


def found(batch, *loads):
    """(way, first fix, last fix, is_open) of each interval."""
    _, intervals = judged(batch, Loads.of(loads), BRIDGE_BOOK)
    return [
        (
            int(i.subject), (i.started - START_US) // 10_000_000,
            (i.ended - START_US) // 10_000_000, i.is_open,
        )
        for i in sorted(intervals, key=lambda i: i.started)
    ]  # fmt: skip


def test_a_bridge_between_two_fixes_is_passed():
    # Fixes 6 and 7 are at 960 and 1120 m, the bridge begins at 1000.
    assert found(drive(), weighed(1, START_US, 12_000.0)) == [(2, 6, 7, False)]


def test_a_road_is_passed_from_the_fix_before_it_to_the_last_one_known():
    assert found(drive(), weighed(1, START_US, 15_000.0)) == [(2, 6, 7, False), (4, 12, 18, True)]


def test_the_way_back_passes_the_bridge_too():
    back = drive(1600, 0)
    assert found(back, weighed(1, START_US, 12_000.0)) == [(2, 3, 4, False)]


def test_a_sign_binds_who_is_over_it_once_the_tolerance_is_taken_off():
    at_limit = weighed(1, START_US, 8_000.0)
    assert found(drive(), at_limit) == []
    assert found(drive(), weighed(1, START_US, 8_001.0)) == [(2, 6, 7, False)]
    assert found(drive(), weighed(1, START_US, 8_400.0, tolerance=0.05)) == []


def test_who_is_not_known_to_be_overloaded_passes_no_sign():
    assert found(drive()) == []
    assert found(drive(), weighed(1, START_US)) == []
    # Weighed behind the bridge.
    assert found(drive(), weighed(1, START_US + 69_000_000, 12_000.0)) == []


def test_a_fix_near_the_end_of_a_bridge_is_not_on_it():
    to_the_bridge = drive(1010 - 160 * 6, 1011)
    assert found(to_the_bridge, weighed(1, START_US, 12_000.0)) == []
    onto_it = drive(1020 - 160 * 6, 1021)
    assert found(onto_it, weighed(1, START_US, 12_000.0)) == [(2, 5, 6, True)]


def test_the_details_say_what_was_measured_where_and_what_the_sign_says():
    load = weighed(1, START_US - 5_000_000, 12_000.0, indicative=True)
    _, (interval,) = judged(drive(), Loads.of([load]), BRIDGE_BOOK)
    assert interval.subject == "2"
    assert interval.details == {
        "measured_kg": 12_000.0, "limit_kg": 8_000.0, "tolerance": 0.0, "excess_percent": 50.0,
        "station": "T1", "weighed_at": "2023-11-14T22:13:15.000Z", "indicative": True,
    }  # fmt: skip


def test_the_town_has_signs():
    assert set(INDEX.posted.way.tolist()) == {2, 4, 9, 10, 12, 13}
