"""Spans of driving: when they begin and end, whose they are, and that batches change nothing."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.judge import Judge
from geofence.profile import shipped_profile
from geofence.registry import VehicleRule
from geofence.rulebook import Rulebook
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


def spans(batch, **rules):
    """(driver, started_s, ended_s, is_open) of the spans, in order of time."""
    return [
        (i.driver, (i.started - START_US) / 1e6, (i.ended - START_US) / 1e6, i.is_open)
        for i in of_kind(batch, "driving", **rules)
    ]


def test_driving_begins_at_the_first_of_two_fast_fixes_and_a_single_one_is_none():
    speeds = [0, 40, 0, 40, 40, 40]
    assert spans(fixes(range(0, 60, 10), speeds, driver=7)) == [(7, 30, 50, True)]


def test_a_short_stop_belongs_to_it_and_a_rest_ends_it_where_the_stop_began():
    times, speeds = [0, 10, 20, 30, 919, 920], [40, 40, 0, 0, 40, 40]
    assert spans(fixes(times, speeds)) == [(-1, 0, 920, True)]
    times[-2:] = [920, 930]
    assert spans(fixes(times, speeds)) == [(-1, 0, 20, False), (-1, 920, 930, True)]


def test_an_open_span_ends_where_the_vehicle_came_to_stand():
    drive = fixes([0, 10, 20, 500], [40, 40, 0, 0])
    (span,) = of_kind(drive, "driving")
    assert (span.duration_s, span.fixes, span.details["is_moving"]) == (20, 3, False)
    (span,) = of_kind(drive.take(np.arange(3)), "driving")
    assert (span.duration_s, span.details["is_moving"]) == (20, True)


def test_one_fast_fix_ends_no_rest():
    drive = fixes([0, 10, 20, 30, 500, 920], [40, 40, 0, 0, 40, 0])
    assert spans(drive) == [(-1, 0, 20, False)]


def test_a_long_gap_at_one_place_is_a_rest_and_elsewhere_was_driven_unseen():
    times = [0, 10, 1_000, 1_010]
    there = fixes(times, 40, metres=[0, 100, 599, 700])
    assert spans(there) == [(-1, 0, 10, False), (-1, 1_000, 1_010, True)]
    (span,) = of_kind(fixes(times, 40, metres=[0, 100, 601, 700]), "driving")
    assert (span.duration_s, span.details["unseen_s"]) == (1_010, 990)
    parked = fixes([0, 1_000, 1_010], 0, metres=[0, 501, 501])
    assert spans(parked) == [(-1, 0, 1_000, True)]


def test_nobody_drove_unseen_for_more_than_a_day():
    for gap_s, expected in ((86_400, 86_400), (86_401, 0)):
        found = of_kind(fixes([0, gap_s], 0, metres=[0, 50_000]), "driving")
        assert sum(i.duration_s for i in found) == expected


def test_a_driver_drives_up_to_the_first_fix_of_the_next():
    drive = fixes(range(0, 60, 10), 40, driver=[7, 7, 7, 8, 8, 8])
    assert spans(drive) == [(7, 0, 30, False), (8, 30, 50, True)]


def test_who_takes_over_at_a_stop_drives_from_where_it_ends():
    drive = fixes(range(0, 70, 10), [40, 40, 0, 0, 0, 40, 40], driver=[7, 7, 7, 7, 8, 8, 8])
    assert spans(drive) == [(7, 0, 20, False), (8, 50, 60, True)]


def test_a_driver_who_is_not_reported_for_a_short_time_drove_on():
    drivers = [7, 7, -1, -1, 7, 7]
    assert spans(fixes([0, 10, 20, 30, 40, 50], 40, driver=drivers)) == [(7, 0, 50, True)]
    assert spans(fixes([0, 10, 20, 30, 919, 920], 40, driver=drivers)) == [(7, 0, 920, True)]
    assert spans(fixes([0, 10, 20, 30, 920, 930], 40, driver=drivers)) == [
        (7, 0, 20, False), (-1, 20, 920, False), (7, 920, 930, True),
    ]  # fmt: skip


def test_while_it_is_not_known_whether_he_did_it_is_nobodys():
    assert spans(fixes(range(0, 60, 10), 40, driver=[7, 7, 7, -1, -1, -1])) == [(7, 0, 30, True)]
    another = fixes(range(0, 60, 10), 40, driver=[7, 7, 7, -1, -1, 8])
    assert spans(another) == [(7, 0, 30, False), (-1, 30, 50, False)]


def test_a_span_that_only_goes_on_is_not_reported_while_that_is_wanted():
    drive = fixes(range(0, 90, 10), [40, 40, 40, 40, 40, 0, 0, 40, 40])
    judge = Judge(Rulebook.build([shipped_profile()], (), (), [VehicleRule(1)]))

    def reported(first, last):
        batch = drive.take(np.arange(first, last))
        found = judge.advance(batch, np.zeros(len(batch), np.bool_)).intervals
        return [(i.ended - START_US) / 1e6 for i in found if i.kind == "driving"]

    def be_quiet(until_s):
        until = np.array([START_US + until_s * 1_000_000])
        judge.be_quiet_on_driving(np.array([1], np.int32), until)

    assert reported(0, 2) == [10]
    be_quiet(40)
    assert reported(2, 4) == []
    assert reported(4, 5) == [40]  # it is time
    be_quiet(1_000)
    assert reported(5, 6) == []
    assert reported(6, 7) == [50]  # it came to stand
    assert reported(7, 8) == []
    assert reported(8, 9) == [80]  # it drives on
    be_quiet(-1)
    judge.forget(np.array([1], np.int32))
    assert reported(0, 2) == [10]


def midnight_drive(times_s, speed=40.0, **columns):
    midnight = datetime(2023, 11, 17, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")).timestamp()
    return fixes(np.array(times_s) + midnight - START_US / 1e6, speed, **columns)


def test_midnight_cuts_a_span_between_two_fixes():
    drive = midnight_drive([-20, -10, 30, 40], metres=[0, 100, 500, 600])
    before, after = of_kind(drive, "driving")
    assert (before.duration_s, before.fixes, before.is_open) == (20, 2, False)
    assert before.ended == after.started
    assert before.distance_m == pytest.approx(200, rel=1e-6)
    assert before.end == after.start == pytest.approx((106, 10 + 200 / 111_195.08))
    assert (after.duration_s, after.fixes, after.is_open) == (40, 2, True)
    assert (before.details["continues"], after.details["continues"]) == (False, True)


def test_a_rest_over_midnight_belongs_to_neither_day_and_a_stop_to_both():
    assert len(of_kind(midnight_drive([-80, -70, -60, -50, 840, 850], [40, 40, 0, 0, 40, 40]),
                       "driving")) == 2  # fmt: skip
    drive = midnight_drive([-80, -70, -60, -50, 830, 839], [40, 40, 0, 0, 40, 40])
    before, after = of_kind(drive, "driving")
    assert (before.duration_s, after.duration_s) == (80, 839)
    still = drive.take(np.arange(5))
    (span,) = of_kind(still, "driving")
    assert (span.duration_s, span.is_open) == (20, True)


@settings(max_examples=60, deadline=None)
@given(drives())
def test_spans_are_those_of_the_oracle(motion):
    check_against_oracle("short_rests", batch_of({1: motion}), 0)


@settings(max_examples=50, deadline=None)
@given(drives(), SEED, st.booleans())
def test_batches_and_lost_state_change_no_span(motion, seed, forgets):
    check_partition("short_rests", batch_of({1: motion}), seed, forgets=forgets)


@settings(max_examples=40, deadline=None)
@given(drives())
def test_driving_can_be_resumed_after_every_fix(motion):
    check_every_fix("short_rests", batch_of({1: motion}))


@settings(max_examples=50, deadline=None)
@given(drives(), SEED)
def test_late_fixes_change_no_span(motion, seed):
    check_late("short_rests", batch_of({1: motion}), seed)
