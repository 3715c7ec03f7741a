"""Timetables: which departure served which slot, on which day, and when nothing did."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.timetable import (
    assign,
    day_of,
    due_slots,
    judge_day,
    late_departures,
    shares,
    span_of,
)
from geofence.errors import RegistryError
from geofence.interval import Interval
from geofence.profile import shipped_profile
from geofence.registry import BEGINNING_US, END_US, Route, RouteSlot
from geofence.route_table import check_route
from tests.oracle import timetable as oracle

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = date(2026, 5, 4)
PROFILE = shipped_profile("qcvn31")
PATH = {"type": "LineString", "coordinates": [[106.0, 10.0], [106.1, 10.0]]}
MINUTE = 60_000_000


def us(clock, day=MONDAY, zone=HANOI):
    local = datetime.combine(day, datetime.strptime(clock, "%H:%M").time(), zone)  # noqa: DTZ007
    return round(local.timestamp()) * 1_000_000


def slots(*departs, direction="outbound", **values):
    return tuple(RouteSlot(direction, clock, **values) for clock in departs)


def route(*its_slots, **values):
    return Route(7, "R", 200.0, "A", "B", PATH, PATH, slots=its_slots, **values)


def trip(clock, vehicle=1, *, outcome="arrived", direction="outbound", day=MONDAY):
    at = clock if isinstance(clock, int) else us(clock, day)
    details = {"route_id": 7, "direction": direction, "outcome": outcome, "unseen_s": 0.0}
    start, end = (106.0, 10.0), (106.1, 10.0)
    return Interval(
        "route_trip", vehicle, "R", "qcvn31", 3, at, at + 30 * MINUTE, 9e3, 90, start, end,
        False, details,
    )  # fmt: skip


def judged(its_slots, trips, *, until=END_US, since=BEGINNING_US, day=MONDAY):
    return judge_day([route(*its_slots)], trips, day, PROFILE, HANOI, since, until)


def outcomes(its_slots, *departures, **known):
    runs = judged(its_slots, [trip(clock) for clock in departures], **known)
    return [run.outcome for run in runs]


times = st.lists(st.integers(0, 30), max_size=5).map(sorted)


@settings(max_examples=300, deadline=None)
@given(times, times, st.integers(0, 4), st.integers(0, 12))
def test_departures_are_assigned_as_by_the_oracle(due, left, early, within):
    assert assign(due, left, early, within) == oracle.assign(due, left, early, within)


@given(times, times)
def test_the_same_is_assigned_whenever_it_is_asked(due, left):
    found = assign(due, left, 3, 9)
    taken = [number for number in found if number is not None]
    assert taken == sorted(set(taken))
    assert assign(due, left, 3, 9) == found


def test_a_slot_that_nobody_runs_makes_no_other_departure_late():
    due = slots("06:00", "06:20", "06:40", "07:00")
    assert outcomes(due, "06:20", "06:41", "07:00") == ["not_run", "run", "run", "run"]


def test_two_departures_run_two_slots_though_the_first_is_nearer_to_the_second():
    runs = judged(slots("06:00", "06:30"), [trip("06:25"), trip("06:31", 2)])
    assert [run.outcome for run in runs] == ["late", "run"]
    (late,) = late_departures(runs)
    assert (late.kind, late.vehicle, late.subject, late.driver) == ("late_departure", 1, "R", 3)
    assert late.started == late.ended == us("06:25")
    assert late.details == {
        "route_id": 7, "direction": "outbound", "slot": "2026-05-04 06:00", "late_s": 1500.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("left", "outcome"),
    [(-901, "not_run"), (-900, "run"), (0, "run"), (900, "run"), (901, "late"), (7200, "late"),
     (7201, "not_run")],
)  # fmt: skip
def test_bounds_belong_to_what_is_early_on_time_and_late(left, outcome):
    at = us("08:00") + left * 1_000_000
    assert [run.outcome for run in judged(slots("08:00"), [trip(at)])] == [outcome]


def test_a_trip_that_turned_back_serves_no_slot_and_one_under_way_does():
    due = slots("08:00")
    assert judged(due, [trip("08:00", outcome="returned")])[0].outcome == "not_run"
    assert judged(due, [trip("08:00", outcome="under_way")])[0].outcome == "run"
    assert judged(due, [trip("08:00", outcome="broken_off")])[0].outcome == "run"
    assert judged(due, [trip("08:00", direction="inbound")])[0].outcome == "not_run"


def test_a_slot_is_not_run_only_when_no_departure_to_come_can_serve_it():
    due = slots("06:00", "12:00")
    assert outcomes(due, until=us("08:00")) == ["open", "open"]
    assert outcomes(due, until=us("08:00") + 1) == ["not_run", "open"]
    # A departure at 09:00 would serve 07:30, and leave that of 07:20 to 06:00.
    linked = slots("06:00", "07:30")
    assert outcomes(linked, "07:20", until=us("09:00")) == ["open", "run"]
    assert outcomes(linked, "07:20", "09:00", until=us("09:00")) == ["late", "late"]


@settings(max_examples=200, deadline=None)
@given(times, times, st.integers(0, 40))
def test_what_is_not_run_stays_so_whatever_comes_later(due, left, known):
    due = [f"{8 + k // 6:02d}:{k % 6}0" for k in due]
    base = us("08:00")
    departures = [base + k * 10 * MINUTE for k in left]
    until = base + known * 10 * MINUTE
    before = judged(slots(*due), [trip(at) for at in departures if at <= until], until=until)
    after = judged(slots(*due), [trip(at) for at in departures], until=until + 60 * MINUTE)
    for one, other in zip(before, after, strict=True):
        assert one.outcome != "not_run" or other.outcome == "not_run"


def test_slots_from_before_anything_is_known_are_left_out():
    due = slots("06:00", "07:00")
    assert outcomes(due, since=us("05:45") + 1) == ["not_run"]
    assert outcomes(due, since=us("05:45")) == ["not_run", "not_run"]


def test_slots_are_due_on_their_days_and_dates_while_their_version_is_in_force():
    tuesday = date(2026, 5, 5)
    due = [
        *slots("06:00", days=("mon", "wed")), *slots("07:00", valid_from=tuesday),
        *slots("08:00", valid_to=tuesday), *slots("09:00"),
    ]  # fmt: skip

    def clocks(day, *routes):
        return [slot.departs for slot in due_slots(routes, day, HANOI)]

    assert clocks(MONDAY, route(*due)) == ["06:00", "08:00", "09:00"]
    assert clocks(tuesday, route(*due)) == ["07:00", "09:00"]
    first = route(*slots("06:00", "12:00"), valid_to=us("12:00"))
    second = route(*slots("11:00", "12:00", "18:00"), version=2, valid_from=us("12:00"))
    assert clocks(MONDAY, second, first) == ["06:00", "12:00", "18:00"]


def test_a_departure_shortly_before_midnight_belongs_to_the_next_day():
    tuesday = date(2026, 5, 5)
    assert day_of(us("23:44"), PROFILE, HANOI) == MONDAY
    assert day_of(us("23:45"), PROFILE, HANOI) == tuesday
    for day in (MONDAY, tuesday):
        first, last = span_of(day, PROFILE, HANOI)
        assert day_of(first, PROFILE, HANOI) == day_of(last - 1, PROFILE, HANOI) == day
    night = slots("00:00", "23:40")
    left = [trip("23:50"), trip("23:40", 2)]
    assert [run.outcome for run in judged(night, left)] == ["not_run", "run"]
    assert [run.outcome for run in judged(night, left, day=tuesday)] == ["run", "not_run"]


def test_clocks_that_are_put_forward_have_their_slots_once():
    zone = ZoneInfo("Europe/Paris")
    day = date(2026, 3, 29)
    found = due_slots([route(*slots("01:30", "02:30", "03:30"))], day, zone)
    hours = [datetime.fromtimestamp(slot.at_us / 1e6, UTC).hour for slot in found]
    assert hours == [0, 1, 1]


def test_a_month_marks_slots_that_are_run_too_seldom():
    days = [date(2026, 5, number) for number in range(1, 11)]
    due = slots("06:00") + slots("12:00") + slots("06:00", direction="inbound")
    runs = []
    for number, day in enumerate(days):
        left = [trip("12:20", 2, day=day)]
        left += [trip("06:00", day=day)] if number < 7 else []
        left += [trip("06:00", 3, direction="inbound", day=day)] if number < 6 else []
        runs += judged(due, left, day=day, until=us("12:00", days[-1]))
    found = [
        (s.direction, s.departs, s.slots, s.run, s.late, s.not_run, s.open, s.share_pct,
         s.is_marked)
        for s in shares(runs, PROFILE)
    ]  # fmt: skip
    assert found == [
        ("outbound", "06:00", 10, 7, 0, 3, 0, 70.0, False),
        ("outbound", "12:00", 10, 10, 10, 0, 0, 100.0, False),
        ("inbound", "06:00", 10, 6, 0, 4, 0, 60.0, True),
    ]


def test_a_month_names_the_days_on_which_nobody_ran_a_slot():
    days = [MONDAY, date(2026, 5, 5)]
    runs = [run for day in days for run in judged(slots("06:00"), [trip("06:00")], day=day)]
    (one,) = shares(runs, PROFILE)
    assert (one.run, one.not_run_days) == (1, (days[1],))


def test_a_share_of_what_is_not_decided_is_none():
    (one,) = shares(judged(slots("06:00"), [], until=us("06:00")), PROFILE)
    assert (one.share_pct, one.is_marked, one.open) == (None, False, 1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"departs": "24:00"}, r"slots\[0\]\.departs: expected HH:MM"),
        ({"departs": "6:00"}, r"slots\[0\]\.departs: expected HH:MM"),
        ({"direction": "back"}, r"slots\[0\]\.direction: expected outbound or inbound"),
        ({"days": ()}, r"slots\[0\]\.days: expected some of mon"),
        ({"days": ("mon", "mon")}, r"slots\[0\]\.days"),
        ({"days": ("Monday",)}, r"slots\[0\]\.days"),
        ({"valid_from": MONDAY, "valid_to": MONDAY}, r"slots\[0\]\.valid_to: expected after"),
    ],
)
def test_slots_that_are_none_are_refused_with_their_place(wrong, said):
    with pytest.raises(RegistryError, match=said):
        check_route(route(replace(*slots("06:00"), **wrong)), ["A", "B"])
