"""Planned and found violations are matched one to one, the best pair first."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scoring import Spread, Violation, as_json, fits, match, preference, score

S = 1_000_000
PLAN = Violation("speeding", "29C10001", "", 100 * S, 160 * S)
FOUND = replace(PLAN, seen=170 * S)


@st.composite
def violations(draw, subjects):
    started = draw(st.integers(0, 40))
    return Violation(
        kind=draw(st.sampled_from(["speeding", "zone_entry"])),
        vehicle=draw(st.sampled_from(["29C10001", "29C10002"])),
        subject=draw(st.sampled_from(subjects)),
        started=started,
        ended=started + draw(st.integers(0, 20)),
        seen=100,
    )


plans = st.lists(violations(["", "A", "B"]), max_size=12)
finds = st.lists(violations(["A", "B"]), max_size=12)


def slow_match(planned, found, slack_us):
    """Again and again the best pair of all that are left."""
    left_planned, left_found = set(range(len(planned))), set(range(len(found)))
    matches = []
    while pairs := [
        (preference(planned[row], found[other]), row, other)
        for row in left_planned
        for other in left_found
        if fits(planned[row], found[other], slack_us)
    ]:
        _, row, other = min(pairs)
        left_planned.remove(row)
        left_found.remove(other)
        matches.append((row, other))
    return sorted(matches)


@given(planned=plans, found=finds, slack=st.integers(0, 5))
def test_the_best_pair_is_matched_first_and_none_twice(planned, found, slack):
    matches = match(planned, found, slack)
    assert matches == slow_match(planned, found, slack)
    assert len({row for row, _ in matches}) == len({other for _, other in matches}) == len(matches)


@given(planned=plans, found=finds, slack=st.integers(0, 5))
def test_what_is_missed_or_false_has_nothing_left_that_fits(planned, found, slack):
    result = score(planned, found, slack)
    assert not any(fits(plan, got, slack) for plan in result.missed for got in result.false)
    assert sum(one.planned for one in result.kinds.values()) == len(planned)
    assert sum(one.found for one in result.kinds.values()) == len(found)
    matched = sum(one.matched for one in result.kinds.values())
    assert matched == len(planned) - len(result.missed) == len(found) - len(result.false)
    assert result.is_perfect == (matched == len(planned) == len(found))


@given(planned=plans)
def test_what_is_found_as_planned_is_perfect(planned):
    found = [replace(plan, subject=plan.subject or "A", seen=plan.ended) for plan in planned]
    result = score(planned, found)
    assert result.is_perfect
    assert all(one.recall == one.precision == 1.0 for one in result.kinds.values())


@pytest.mark.parametrize(
    "other",
    [
        replace(FOUND, kind="off_route"),
        replace(FOUND, vehicle="29C10002"),
        replace(FOUND, started=172 * S, ended=200 * S),
        replace(FOUND, started=10 * S, ended=88 * S),
    ],
)
def test_another_kind_vehicle_or_time_is_no_match(other):
    result = score([PLAN], [other], 10 * S)
    assert (result.missed, result.false) == ([PLAN], [other])


def test_a_subject_counts_where_the_plan_gives_one():
    somewhere = replace(FOUND, subject="A")
    assert match([PLAN], [somewhere]) == [(0, 0)]
    assert match([replace(PLAN, subject="B")], [somewhere]) == []


def test_an_instant_is_found_within_the_slack_alone():
    entry = replace(PLAN, kind="zone_entry", ended=PLAN.started)
    late = replace(entry, started=109 * S, ended=109 * S, seen=110 * S)
    assert match([entry], [late], 10 * S) == [(0, 0)]
    assert match([entry], [late], 8 * S) == []


def test_errors_are_absolute_and_a_delay_keeps_its_sign():
    plans = [PLAN, replace(PLAN, started=300 * S, ended=400 * S)]
    found = [
        replace(FOUND, started=96 * S, ended=161 * S, seen=150 * S),
        replace(FOUND, started=306 * S, ended=398 * S, seen=405 * S),
    ]
    one = score(plans, found, 10 * S).kinds["speeding"]
    assert one.start_error == Spread(5.0, 6.0)
    assert one.end_error == Spread(1.5, 2.0)
    assert one.delay == Spread(-2.0, -11.0)
    assert as_json(score(plans, found, 10 * S))["speeding"]["start_error"] == {
        "median_s": 5.0, "largest_s": 6.0,
    }  # fmt: skip


def test_a_kind_that_was_not_planned_has_no_recall_and_one_not_found_no_precision():
    result = score([PLAN], [replace(FOUND, kind="data_gap")])
    assert result.kinds["data_gap"].recall is None
    assert result.kinds["data_gap"].precision == 0.0
    assert result.kinds["speeding"].recall == 0.0
    assert result.kinds["speeding"].precision is None
    assert result.kinds["speeding"].delay is None


def test_what_is_stamped_on_arrival_may_be_found_as_late_as_the_server_is_behind():
    ahead = replace(PLAN, kind="clock_wrong")
    late = replace(ahead, started=ahead.started + 300 * S, ended=ahead.ended + 300 * S)
    assert fits(ahead, late, 0)
    assert not fits(late, ahead, 0)
    assert not fits(ahead, replace(late, started=ahead.ended + 901 * S, ended=ahead.ended * 9), 0)
    assert not fits(PLAN, replace(late, kind=PLAN.kind), 0)
