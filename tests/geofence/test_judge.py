"""The judge says what the oracle says, however the fixes come."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.judge import Judge
from tests.geofence.agreement import by_key
from tests.geofence.fleet import (
    PROFILES,
    batch_of,
    fleets,
    oracle_of,
    rulebook,
    seeded_loads,
    seeded_motion,
    world,
)

RULEBOOKS = {name: rulebook(name) for name in PROFILES}
WORLDS = {name: world(name) for name in PROFILES}
PROFILE = st.sampled_from(sorted(PROFILES))


def unsettled(batch):
    return np.zeros(len(batch), np.bool_)


def check_against_oracle(profiles, batch, seed):
    loads = seeded_loads(batch, seed)
    judged = Judge(RULEBOOKS[profiles]).advance(batch, unsettled(batch), loads)
    quality, intervals = oracle_of(WORLDS[profiles], batch, loads)
    assert judged.quality.tolist() == quality.tolist()
    assert by_key(judged.intervals) == by_key(intervals)
    return judged


@settings(max_examples=60, deadline=None)
@given(PROFILE, fleets(), st.integers(0, 2**32 - 1))
def test_one_batch_is_judged_as_by_the_oracle(profiles, batch, seed):
    check_against_oracle(profiles, batch, seed)


@pytest.mark.parametrize("profiles", PROFILES)
@pytest.mark.parametrize("seed", range(2))
def test_a_long_drive_is_judged_as_by_the_oracle(profiles, seed):
    batch = batch_of({v: seeded_motion(100 * seed + v) for v in (1, 2, 3, 5)})
    judged = check_against_oracle(profiles, batch, seed)
    assert judged.intervals
