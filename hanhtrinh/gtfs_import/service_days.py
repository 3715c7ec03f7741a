"""On which days the trips of a service run: as few spans of weekdays and dates as say the same.

Belongs here: calendar.txt and calendar_dates.txt as what a timetable's slots can hold.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from geofence.hours import DAYS

DAY = timedelta(days=1)


class Span(NamedTuple):
    """Days of the week, within dates: the first, and the one after the last."""

    days: tuple[str, ...]
    first: date
    until: date

    def dates(self) -> set[date]:
        """The days on which it holds."""
        count = (self.until - self.first).days
        every = (self.first + at * DAY for at in range(count))
        return {day for day in every if DAYS[day.weekday()] in self.days}

    def later(self, days: int) -> "Span":
        """The same, some days later."""
        if not days:
            return self
        names = {DAYS[(DAYS.index(name) + days) % 7] for name in self.days}
        return Span(
            tuple(name for name in DAYS if name in names),
            self.first + days * DAY,
            self.until + days * DAY,
        )

    def meets(self, other: "Span") -> bool:
        """Whether there may be a day on which both hold."""
        return (
            self.first < other.until
            and other.first < self.until
            and not set(self.days).isdisjoint(other.days)
        )


def spans_of(weekly: Sequence[Span], added: Iterable[date], removed: Iterable[date]) -> list[Span]:
    """The spans of a service: its weekly ones, with some dates added and others removed."""
    off = set(removed)
    spans = [piece for span in weekly for piece in _without(span, off)]
    held = set().union(*(span.dates() for span in spans))
    return [*spans, *_of_dates(set(added) - held)]


def _without(span: Span, removed: set[date]) -> list[Span]:
    """A span cut at days that are not in it; pieces with no day left are dropped."""
    cuts = sorted(removed & span.dates())
    begins = [span.first, *(day + DAY for day in cuts)]
    ends = [*cuts, span.until]
    pieces = [Span(span.days, *piece) for piece in zip(begins, ends, strict=True)]
    return [piece for piece in pieces if piece.dates()]


def _of_dates(dates: set[date]) -> list[Span]:
    """Spans that hold on exactly these dates: runs of days, or a week with days left out."""
    if not dates:
        return []
    ordered = sorted(dates)
    breaks = [at + 1 for at, (one, other) in enumerate(pairwise(ordered)) if other - one > DAY]
    edges = [0, *breaks, len(ordered)]
    runs = [_run(ordered[begin:end]) for begin, end in pairwise(edges)]
    week = _run(ordered)
    regular = _without(week, week.dates() - dates)
    return min(runs, regular, key=len)


def _run(ordered: Sequence[date]) -> Span:
    names = {DAYS[day.weekday()] for day in ordered}
    days = tuple(name for name in DAYS if name in names)
    return Span(days, ordered[0], ordered[-1] + DAY)
