"""Spans of driving: when they begin and end, whose they are, and that batches change nothing."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.geofence.fleet import MODES_CHANGE, START_US, batch_of
from tests.geofence.scene import fixes, of_kind
from tests.geofence.test_judge import check_against_oracle
from tests.geofence.test_judge_resumes import check_every_fix, check_late, check_partition

SEED = st.integers(0, 2**32 - 1)
GAPS_S = [10, 10, 10, 20, 29, 30, 31, 59, 60, 61, 119, 120, 121, 300, 900, 901]


@st.composite
def drives(draw):
    """A vehicle that drives and stands, with this driver, that or none, around midnight."""
    time = MODES_CHANGE - 1_000_000 * draw(st.sampled_from([0, 60, 100, 300, 900, 5_000]))
    x, found = 0, []
    for _ in range(draw(st.integers(1, 9))):
        speed = draw(st.sampled_from([float("nan"), 0, 3, 40, 40, 40]))
        driver = draw(st.sampled_from([-1, -1, 7, 7, 8]))
        gap = draw(st.sampled_from(GAPS_S))
        step = draw(st.sampled_from([0, 0, 1, 2]))
        for _ in range(draw(st.integers(1, 6))):
            if draw(st.booleans()):
                speed = draw(st.sampled_from([0, 40]))
            time += 1_000_000 * gap
            x += step
            found.append((time, x, 0, speed, driver))
            gap = draw(st.sampled_from([gap, gap, 10, 900, 1000]))
    return found


@settings(max_examples=400, deadline=None)
@given(drives())
def test_spans_are_those_of_the_oracle(motion):
    check_against_oracle("short_rests", batch_of({1: motion}))


@settings(max_examples=150, deadline=None)
@given(drives(), SEED, st.booleans())
def test_batches_and_lost_state_change_no_span(motion, seed, forgets):
    check_partition("short_rests", batch_of({1: motion}), seed, forgets=forgets)


@settings(max_examples=60, deadline=None)
@given(drives())
def test_driving_can_be_resumed_after_every_fix(motion):
    check_every_fix("short_rests", batch_of({1: motion}))


@settings(max_examples=150, deadline=None)
@given(drives(), SEED)
def test_late_fixes_change_no_span(motion, seed):
    check_late("short_rests", batch_of({1: motion}), seed)
