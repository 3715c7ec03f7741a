"""The filter: the same as its slow twin, whatever the batches, and right where a person is sure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch
from geofence.parameters import PROFILE_DTYPE
from geofence.roads.matcher import RoadMatcher
from tests.geofence.roads.drives import batch_of, drives, seeded
from tests.geofence.roads.town import INDEX, NETWORK, PROFILE, START_US, rulebook, way_of
from tests.geofence.roads.twin import Twin, fixes_of

PARAMS = rulebook().params
TWIN = Twin(NETWORK, PROFILE)


def match(batch, matcher=None):
    return (matcher or RoadMatcher(INDEX, PARAMS)).advance(
        batch, batch.speed_kmh.astype(np.float64), np.zeros(len(batch), np.int32)
    )


def same(one, other):
    return (
        one.edge.tolist() == other.edge.tolist()
        and one.is_backward.tolist() == other.is_backward.tolist()
        and one.confidence.tolist() == other.confidence.tolist()
    )


@settings(max_examples=40, deadline=None)
@given(drives())
def test_the_filter_says_what_its_slow_twin_says(rows):
    batch = batch_of(rows)
    matched, fixes = match(batch), fixes_of(batch)
    for i in range(len(fixes)):
        (edge, back, confidence, at_m, on_road), margin = TWIN.decide(fixes[: i + 1])
        assert matched.confidence[i] == pytest.approx(confidence, abs=1e-5)
        if margin > 1e-6:
            assert (matched.edge[i], matched.is_backward[i]) == (edge, back)
            assert matched.place_m[i] == pytest.approx(at_m, abs=1e-3)
            assert matched.road_confidence[i] == pytest.approx(on_road, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(drives(legs=8), drives(legs=8), st.integers(0, 2**32 - 1))
def test_batches_and_other_vehicles_make_no_difference(rows, others, seed):
    batch = FixBatch.concat([batch_of(rows), batch_of(others, vehicle=4)])
    whole, random = match(batch), np.random.default_rng(seed)
    number = np.empty(len(batch), np.int64)
    for vehicle in (1, 4):
        own = batch.vehicle == vehicle
        number[own] = np.sort(random.integers(0, 5, own.sum()))
    matcher = RoadMatcher(INDEX, PARAMS)
    for k in range(5):
        part = np.flatnonzero(number == k)
        found = match(batch.take(part), matcher)
        assert found.edge.tolist() == whole.edge[part].tolist()
        assert found.confidence.tolist() == whole.confidence[part].tolist()
        assert found.place_m.tolist() == whole.place_m[part].tolist()
        assert found.road_confidence.tolist() == whole.road_confidence[part].tolist()


@settings(max_examples=40, deadline=None)
@given(drives(legs=8))
def test_fixes_since_the_memory_begins_give_the_same_match_again(rows):
    batch = batch_of(rows)
    whole = match(batch)
    starts = RoadMatcher(INDEX, PARAMS).memory_from(batch.time)
    for i in range(len(batch)):
        rest = np.flatnonzero(batch.time >= starts[i])
        again = match(batch.take(rest))
        # Exact from this fix on: later ones remember no more than is left.
        later = rest >= i
        assert again.edge[later].tolist() == whole.edge[rest[later]].tolist()
        assert again.confidence[later].tolist() == whole.confidence[rest[later]].tolist()
        assert again.place_m[later].tolist() == whole.place_m[rest[later]].tolist()
        ours, theirs = again.road_confidence[later], whole.road_confidence[rest[later]]
        assert ours.tolist() == theirs.tolist()


def test_a_forgotten_vehicle_begins_anew():
    batch = batch_of(seeded(np.random.default_rng(3), 8))
    matcher = RoadMatcher(INDEX, PARAMS)
    first = match(batch, matcher)
    matcher.forget(np.array([1, 900], np.int32))
    assert same(first, match(batch, matcher))


def test_the_memory_is_one_to_two_spans_long():
    matcher = RoadMatcher(INDEX, PARAMS)
    span = int(PARAMS["roads_memory_us"][0])
    times = START_US + np.arange(0, 3 * span, span // 7)
    ages = times - matcher.memory_from(times)
    assert ages.min() >= span
    assert ages.max() < 2 * span
    earliest = np.iinfo(np.int64).min
    assert matcher.memory_from(np.array([earliest, earliest + 5])).tolist() == [earliest] * 2


def drive(points, *, kmh=60.0, heading=np.nan, every_s=10):
    return batch_of([(START_US + k * every_s * 1_000_000, *p, kmh, heading) for k, p in
                     enumerate(points)])  # fmt: skip


def test_a_drive_along_a_road_stays_on_it_over_crossings():
    matched = match(drive([(x, 2) for x in range(100, 1900, 160)], heading=90.0))
    assert set(way_of(matched)[1:].tolist()) == {1}
    assert (matched.confidence[1:] > 0.9).all()


def test_the_road_before_decides_between_parallel_roads():
    # Midway between both roads nothing but where it came from speaks for either.
    there = [(x, -2) for x in range(0, 500, 100)] + [(x, 7.5) for x in range(500, 700, 100)]
    assert set(way_of(match(drive(there)))[2:].tolist()) == {1}
    there = [(x, 17) for x in range(0, 500, 100)] + [(x, 7.5) for x in range(500, 700, 100)]
    assert set(way_of(match(drive(there)))[2:].tolist()) == {2}


def test_between_parallel_roads_with_no_past_there_is_little_confidence():
    assert match(drive([(600, 7.4)])).confidence[0] < 0.8


def test_one_way_carriageways_are_told_apart_by_the_direction_of_travel():
    east = match(drive([(x, -306) for x in range(100, 900, 150)], heading=90.0))
    west = match(drive([(x, -306) for x in range(900, 100, -150)], heading=270.0))
    assert set(way_of(east).tolist()) == {6}
    assert set(way_of(west).tolist()) == {7}


def test_without_a_heading_the_places_tell_the_direction():
    there = [(x, 30) for x in range(2050, 2900, 150)]
    assert not match(drive(there)).is_backward[2:].any()
    assert match(drive(there[::-1])).is_backward[2:].all()


def test_far_from_every_road_there_is_none():
    matched = match(drive([(600, 150), (620, 150)]))
    assert matched.edge.tolist() == [-1, -1]
    assert matched.confidence.tolist() == [0.0, 0.0]


def test_a_long_silence_makes_the_road_before_forgotten():
    rows = [(START_US + k * 10_000_000, 100 * k, -2, 36.0, np.nan) for k in range(5)]
    later = START_US + 40_000_000 + 121_000_000
    silent = match(batch_of([*rows, (later, 600, 7.4, 36.0, np.nan)]))
    alone = match(batch_of([(later, 600, 7.4, 36.0, np.nan)]))
    assert silent.confidence[-1] == alone.confidence[-1]


def test_no_fixes_have_no_roads():
    assert len(match(FixBatch.empty()).edge) == 0


def test_the_memory_of_profiles_is_the_longest():
    params = np.concatenate([PARAMS, PARAMS]).astype(PROFILE_DTYPE)
    params["roads_memory_us"][1] *= 3
    matcher = RoadMatcher(INDEX, params)
    time = np.array([START_US])
    assert matcher.memory_from(time) < RoadMatcher(INDEX, PARAMS).memory_from(time)
