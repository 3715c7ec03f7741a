"""Days of services: whatever calendar and exceptions say, the spans hold on exactly those days."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.hours import DAYS
from hanhtrinh.gtfs_import.service_days import Span, spans_of

FIRST = date(2026, 1, 1)
day = st.integers(0, 60).map(lambda days: FIRST + timedelta(days))


@st.composite
def weekly_spans(draw):
    first, last = sorted((draw(day), draw(day)))
    days = tuple(name for name in DAYS if draw(st.booleans()))
    return Span(days or DAYS, first, last + timedelta(1))


def dates(spans):
    return set().union(*(span.dates() for span in spans))


@settings(deadline=None, max_examples=50)
@given(st.lists(weekly_spans(), max_size=1), st.sets(day), st.sets(day))
def test_spans_hold_on_the_weekly_days_less_those_removed_and_on_those_added(weekly, on, off):
    spans = spans_of(weekly, on, off)
    assert dates(spans) == (dates(weekly) - off) | (on - (dates(weekly) - off))
    assert sum(len(span.dates()) for span in spans) == len(dates(spans))


@settings(deadline=None, max_examples=50)
@given(weekly_spans(), st.integers(0, 9))
def test_a_later_span_holds_on_the_days_that_come_later(span, days):
    assert span.later(days).dates() == {on + timedelta(days) for on in span.dates()}


@settings(deadline=None, max_examples=50)
@given(weekly_spans(), weekly_spans())
def test_spans_that_share_a_day_are_said_to_meet(one, other):
    assert one.meets(other) or not one.dates() & other.dates()


def test_a_term_of_weekdays_given_by_dates_alone_is_one_span_cut_at_the_holiday():
    term = [FIRST + timedelta(days) for days in range(90)]
    weekdays = {on for on in term if on.weekday() < 5 and on != date(2026, 2, 17)}
    spans = spans_of([], weekdays, [])
    assert [(s.days, str(s.first), str(s.until)) for s in spans] == [
        (DAYS[:5], "2026-01-01", "2026-02-17"),
        (DAYS[:5], "2026-02-18", "2026-04-01"),
    ]
