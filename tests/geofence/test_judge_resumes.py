"""Batches, lost state and late fixes change nothing: what is stored in the end is the same.

The tests keep what the database would: each vehicle's fixes with their quality and `needs_from`,
and the intervals by key.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.batch import FixBatch
from geofence.judge import Judge
from geofence.loads import Loads
from geofence.registry import END_US
from tests.geofence.agreement import Store, by_key
from tests.geofence.fleet import (
    AC_ENDS_US,
    PROFILES,
    START_US,
    batch_of,
    fleets,
    rulebook,
    seeded_loads,
    seeded_motion,
)

RULEBOOKS = {name: rulebook(name) for name in PROFILES}
PROFILE = st.sampled_from(sorted(PROFILES))
SEED = st.integers(0, 2**32 - 1)
LONG = [(name, seed) for seed, name in enumerate(sorted(PROFILES))]


def long_drive(seed):
    return batch_of({v: seeded_motion(100 * seed + v) for v in (1, 2, 3, 5)})


def at_once(profiles, batch, loads):
    """Quality and intervals of everything in one batch."""
    judged = Judge(RULEBOOKS[profiles]).advance(batch, np.zeros(len(batch), np.bool_), loads)
    return judged.quality, judged.needs_from, by_key(judged.intervals)


def batches(batch, random):
    """The rows of some batches, each vehicle's in order of time."""
    count = int(random.integers(1, 12))
    number = random.integers(0, count, len(batch))
    for vehicle in np.unique(batch.vehicle):
        own = batch.vehicle == vehicle
        number[own] = np.sort(number[own])
    return [np.flatnonzero(number == k) for k in range(count)]


def with_prefix(batch, rows, prefixes):
    """The rows with earlier, settled ones put before them: (fixes, settled, rows), sorted."""
    settled_rows = np.concatenate([np.zeros(0, np.int64), *prefixes])
    everything = np.concatenate([settled_rows, rows])
    settled = np.arange(len(everything)) < len(settled_rows)
    order = np.lexsort((batch.time[everything], batch.vehicle[everything]))
    return everything[order], settled[order]


def since(loads, begins):
    """The weighings of each vehicle since its instant; of vehicles without one all."""
    return Loads.of(w for w in loads.weighed if w.time >= begins.get(w.vehicle, w.time))


def check_partition(profiles, batch, seed, *, forgets):
    """Judge in batches; with `forgets`, some vehicles' state is lost before each of them."""
    random = np.random.default_rng(seed)
    loads = seeded_loads(batch, seed)
    begins: dict[int, int] = {}
    judge, store = Judge(RULEBOOKS[profiles]), Store()
    quality, needs_from = batch.quality.copy(), np.zeros(len(batch), np.int64)
    seen: dict[int, int] = {}
    for rows in batches(batch, random):
        prefixes = []
        for vehicle in np.unique(batch.vehicle[rows]).tolist():
            if forgets and vehicle in seen and random.random() < 0.5:
                judge.forget(np.array([vehicle], np.int32))
                own = (batch.vehicle == vehicle) & (batch.time <= batch.time[seen[vehicle]])
                own &= batch.time >= needs_from[seen[vehicle]]
                begins[vehicle] = needs_from[seen[vehicle]]
                prefixes.append(np.flatnonzero(own))
            seen[vehicle] = int(rows[batch.vehicle[rows] == vehicle][-1])
        taken, settled = with_prefix(batch, rows, prefixes)
        fixes = batch.take(taken).with_columns(quality=quality[taken])
        judged = judge.advance(fixes, settled, since(loads, begins))
        assert judged.quality[settled].tolist() == quality[taken[settled]].tolist()
        quality[taken] = judged.quality
        needs_from[taken[~settled]] = judged.needs_from[~settled]
        for vehicle in np.unique(batch.vehicle[rows]).tolist():
            # Earlier weighings may be given again where they do no harm.
            begins[vehicle] = needs_from[seen[vehicle]]
            if random.random() < 0.3:
                begins[vehicle] = np.iinfo(np.int64).min
        store.write(judged.intervals)
    expected_quality, _, expected = at_once(profiles, batch, loads)
    assert quality.tolist() == expected_quality.tolist()
    assert store.found == expected


@settings(max_examples=50, deadline=None)
@given(PROFILE, fleets(), SEED)
def test_any_partition_into_batches_gives_the_same(profiles, batch, seed):
    check_partition(profiles, batch, seed, forgets=False)


@settings(max_examples=60, deadline=None)
@given(PROFILE, fleets(), SEED)
def test_a_forgotten_vehicle_goes_on_from_its_stored_fixes(profiles, batch, seed):
    check_partition(profiles, batch, seed, forgets=True)


@pytest.mark.parametrize(("profiles", "seed"), LONG)
def test_a_long_drive_may_be_forgotten_at_any_time(profiles, seed):
    for again in range(3):
        check_partition(profiles, long_drive(seed), 1_000 * seed + again, forgets=True)


def check_every_fix(profiles, batch, seed=0):
    """Resume one vehicle after each of its fixes."""
    loads = seeded_loads(batch, seed)
    quality, needs_from, expected = at_once(profiles, batch, loads)
    for last in range(len(batch) - 1):
        prefix = np.flatnonzero((batch.time >= needs_from[last]) & (batch.time <= batch.time[last]))
        rest = np.arange(last + 1, len(batch))
        taken, settled = with_prefix(batch, rest, [prefix])
        known = np.where(settled, quality[taken], batch.quality[taken])
        fixes = batch.take(taken).with_columns(quality=known)
        own = loads.take(loads.time >= needs_from[last])
        judged = Judge(RULEBOOKS[profiles]).advance(fixes, settled, own)
        assert judged.quality.tolist() == quality[taken].tolist()
        assert (judged.needs_from[~settled] >= needs_from[last]).all()
        later = by_key(judged.intervals)
        assert later.items() <= expected.items()
        # Complete: what is missing was closed before, so it started before and is not pending.
        for key in expected.keys() - later.keys():
            assert key[3] <= batch.time[last]
            assert key not in judged.pending


@pytest.mark.parametrize(("profiles", "seed"), LONG)
def test_every_single_fix_can_be_resumed_after(profiles, seed):
    check_every_fix(profiles, batch_of({3: seeded_motion(7_000 + seed, 150)}), seed)


@pytest.mark.parametrize(("profiles", "seed"), LONG)
def test_every_single_fix_far_from_all_zones_can_be_resumed_after(profiles, seed):
    check_every_fix(profiles, batch_of({1: seeded_motion(8_000 + seed, 150, shift=50)}), seed)


@pytest.mark.parametrize("profiles", PROFILES)
def test_a_run_that_began_when_the_registration_for_another_route_ended_can_be_resumed(profiles):
    # A, B, and on towards C until the registration for AC ends: off AB from then on. That it was
    # not off before is known from the visit to A, though the trip on AB began at B.
    there, on = range(4, 27, 2), [30, 31, 32, 33, 34, 35, 36, 35, 36, 35, 36, 35, 36, 35, 36]
    cells = [1, 2, 1, 2, *there, 27, 28, 27, 28, *on]
    first_us = AC_ENDS_US - 26 * 40_000_000
    motion = [(first_us + 40_000_000 * k, x, 0, 40.0, 7) for k, x in enumerate(cells)]
    batch = batch_of({3: motion})
    _, _, expected = at_once(profiles, batch, seeded_loads(batch, 0))
    assert ("off_route", 3, "AB", AC_ENDS_US) in expected
    check_every_fix(profiles, batch)


def late_fixes(batch, random):
    """Rows that come late: some single ones, or a whole stretch."""
    late = random.random(len(batch)) < random.choice([0.03, 0.2])
    first, last = np.sort(random.integers(0, len(batch), 2))
    if random.random() < 0.5:
        late[first:last] = True
    return late


def check_late(profiles, batch, seed):
    """Judge what comes in time, then judge again from a mark before what comes late."""
    random = np.random.default_rng(seed)
    late = late_fixes(batch, random)
    in_time = np.flatnonzero(~late)
    loads = seeded_loads(batch, seed)
    late_loads = random.random(len(loads)) < random.choice([0.0, 0.5])
    judge, store = Judge(RULEBOOKS[profiles]), Store()
    quality, needs_from = batch.quality.copy(), np.zeros(len(batch), np.int64)
    known = loads.take(~late_loads)
    judged = judge.advance(batch.take(in_time), np.zeros(len(in_time), np.bool_), known)
    quality[in_time], needs_from[in_time] = judged.quality, judged.needs_from
    store.write(judged.intervals)
    came_late = [*batch.vehicle[late], *loads.vehicle[late_loads]]
    for vehicle in np.unique(np.array(came_late, np.int32)).tolist():
        own = batch.vehicle == vehicle
        own_loads = loads.vehicle == vehicle
        earliest = min(*batch.time[own & late], *loads.time[own_loads & late_loads], END_US, END_US)
        marks = np.flatnonzero(own & ~late & (batch.time < earliest))
        judge.forget(np.array([vehicle], np.int32))
        mark = marks[random.integers(0, len(marks))] if len(marks) else None
        after = batch.time[mark] if mark is not None else np.iinfo(np.int64).min
        start = needs_from[mark] if mark is not None else after
        taken = np.flatnonzero(own & (batch.time >= start))
        fixes = batch.take(taken).with_columns(quality=quality[taken])
        replayed = loads.take(own_loads & (loads.time >= start))
        judged = judge.advance(fixes, batch.time[taken] <= after, replayed)
        quality[taken] = judged.quality
        store.reconcile(vehicle, after, judged)
    expected_quality, _, expected = at_once(profiles, batch, loads)
    assert quality.tolist() == expected_quality.tolist()
    assert store.found == expected


@settings(max_examples=60, deadline=None)
@given(PROFILE, fleets(), SEED)
def test_late_fixes_end_as_if_they_had_come_in_time(profiles, batch, seed):
    if len(batch):
        check_late(profiles, batch, seed)


@pytest.mark.parametrize(("profiles", "seed"), LONG)
def test_late_fixes_of_a_long_drive_end_as_if_they_had_come_in_time(profiles, seed):
    for again in range(3):
        check_late(profiles, long_drive(seed), 1_000 * seed + again)


@pytest.mark.parametrize("profiles", PROFILES)
def test_judging_a_stretch_anew_from_a_mark_gives_its_stored_quality(profiles):
    batch = long_drive(3)
    loads = seeded_loads(batch, 3)
    quality, needs_from, _ = at_once(profiles, batch, loads)
    random = np.random.default_rng(5)
    for mark in random.integers(0, len(batch), 40).tolist():
        own = batch.vehicle == batch.vehicle[mark]
        taken = np.flatnonzero(own & (batch.time >= needs_from[mark]))
        fixes = batch.take(taken).with_columns(quality=quality[taken])
        own_loads = loads.take(loads.time >= needs_from[mark])
        judged = Judge(RULEBOOKS[profiles]).advance(fixes, taken <= mark, own_loads)
        assert judged.quality.tolist() == quality[taken].tolist()


def test_an_empty_batch_changes_nothing():
    judged = Judge(RULEBOOKS["qcvn31"]).advance(FixBatch.empty(), np.zeros(0, np.bool_))
    assert len(judged.quality) == len(judged.needs_from) == 0
    assert judged.intervals == []


def test_a_trip_that_has_departed_is_pending_before_a_fix_is_known_to_belong_to_it():
    at_a = [610, 620, 1620, 2620, 3620, 4620, 4630, 4640]
    motion = [(START_US + 67_000_000_000 + at * 1_000_000, 0, 0, math.nan, -1) for at in at_a]
    for seed in range(30):
        check_late("short_rests", batch_of({1: motion}), seed)
