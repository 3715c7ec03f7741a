"""The pure part of revisions: a plan, carried out on a list, gives what was wanted."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.interval import Interval
from storage.revisions import (
    Plan,
    Stored,
    facts,
    key_of,
    plan_reconciliation,
    plan_write,
    status_of,
)

BASE = Interval(
    kind="speeding",
    vehicle=1,
    subject="",
    profile="qcvn31",
    driver=-1,
    started=100,
    ended=200,
    distance_m=12.5,
    fixes=4,
    start=(106.0, 10.0),
    end=(106.1, 10.1),
    is_open=False,
    details={"max_speed_kmh": 91.5},
)


@st.composite
def intervals(draw) -> Interval:
    started = draw(st.integers(0, 8)) * 10
    return replace(
        BASE,
        kind=draw(st.sampled_from(["speeding", "banned_zone"])),
        vehicle=draw(st.integers(1, 2)),
        subject=draw(st.sampled_from(["", "z"])),
        started=started,
        ended=started + draw(st.integers(0, 3)) * 10,
        fixes=draw(st.integers(2, 3)),
        is_open=draw(st.booleans()),
        details={"max_speed_kmh": draw(st.sampled_from([80, 91.5]))},
    )


def sets(**options) -> st.SearchStrategy[list[Interval]]:
    return st.lists(intervals(), unique_by=key_of, **options)


def as_stored(wanted: list[Interval]) -> list[Stored]:
    return [Stored(number, 1, interval) for number, interval in enumerate(wanted)]


def carried_out(stored: list[Stored], plan) -> list[Interval]:
    now = {row.id: row.interval for row in stored}
    for row in plan.withdrawn:
        del now[row.id]
    now.update({row.id: new for row, new in [*plan.revised, *plan.updated]})
    return [*now.values(), *plan.inserted]


def as_set(found: list[Interval]) -> set[tuple[object, ...]]:
    return {(key_of(i), i.is_open, str(facts(i))) for i in found}


@given(sets(), sets())
@settings(max_examples=200, deadline=None)
def test_a_reconciliation_leaves_exactly_what_is_wanted(before, wanted):
    stored = as_stored(before)
    now = carried_out(stored, plan_reconciliation(stored, wanted))
    assert len(now) == len(wanted)
    assert as_set(now) == as_set(wanted)


@given(sets(), sets())
@settings(max_examples=200, deadline=None)
def test_writing_keeps_what_is_not_mentioned(before, wanted):
    stored = as_stored(before)
    plan = plan_write(stored, wanted)
    new = {key_of(interval) for interval in wanted}
    kept = [interval for interval in before if key_of(interval) not in new]
    assert not plan.withdrawn
    assert as_set(carried_out(stored, plan)) == as_set(wanted + kept)


@given(sets())
@settings(max_examples=100, deadline=None)
def test_what_is_so_already_is_left_alone(same):
    for plan in (plan_write, plan_reconciliation):
        done = plan(as_stored(same), same[::-1])
        assert done == Plan()


@given(sets(max_size=4), sets(max_size=4))
@settings(max_examples=200, deadline=None)
def test_only_what_was_open_changes_without_a_version(before, wanted):
    for plan in (plan_write, plan_reconciliation):
        done = plan(as_stored(before), wanted)
        for row, new in done.updated:
            assert row.interval.is_open or facts(row.interval) == facts(new)


def test_a_violation_whose_start_moved_is_the_same_one():
    moved = replace(BASE, started=150)
    elsewhere = replace(BASE, started=201, ended=300)
    plan = plan_reconciliation(as_stored([BASE]), [moved])
    assert (plan.revised, plan.inserted) == ([(Stored(0, 1, BASE), moved)], [])
    plan = plan_reconciliation(as_stored([BASE]), [elsewhere])
    assert (plan.withdrawn, plan.inserted) == ([Stored(0, 1, BASE)], [elsewhere])
    plan = plan_reconciliation(as_stored([BASE]), [replace(moved, subject="z")])
    assert len(plan.withdrawn) == len(plan.inserted) == 1


def test_of_two_intervals_with_one_key_the_later_holds():
    plan = plan_write([], [BASE, replace(BASE, fixes=9)])
    assert [interval.fixes for interval in plan.inserted] == [9]


def test_facts_do_not_differ_by_their_python_types():
    found: dict[str, Any] = {"max_speed_kmh": np.float32(91.5), "count": np.int32(3)}
    odd = replace(BASE, distance_m=np.float64(12.5), details={**found, "ratio": float("nan")})
    plain = replace(BASE, details={"ratio": None, "count": 3.0, "max_speed_kmh": 91.5})
    assert facts(odd) == facts(plain)


def test_status_says_whether_it_goes_on_and_whether_it_was_otherwise():
    assert status_of(replace(BASE, is_open=True), 3) == "open"
    assert status_of(BASE, 1) == "final"
    assert status_of(BASE, 2) == "revised"
