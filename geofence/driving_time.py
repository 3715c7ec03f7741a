"""Driving time: what spans of driving add up to. docs/rules.md, section 4.

Kinds `continuous_driving`, `daily_driving`, `weekly_driving`, each with a `..._warning` before it.

Belongs here: sums over the spans of one driver, in whatever vehicles, or of one vehicle whose
driver nobody knows. The spans are found by `rules.driving`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Final

import numpy as np

from devices.describe import rfc3339
from geofence.hours import DAY_US, local_at_us, midnight_us
from geofence.interval import Details, Interval
from geofence.rulebook import Rulebook
from geofence.rules.driving import KIND as SPAN_KIND

CONTINUOUS: Final = "continuous_driving"
DAILY: Final = "daily_driving"
WEEKLY: Final = "weekly_driving"
KINDS: Final = (CONTINUOUS, DAILY, WEEKLY)
WARNINGS: Final = tuple(f"{kind}_warning" for kind in KINDS)

NEVER_US: Final = int(np.iinfo(np.int64).max)

_KEYS: Final = {CONTINUOUS: "continuous_s", DAILY: "daily_s", WEEKLY: "weekly_s"}
_THURSDAY: Final = 3
"""Days from Monday to 1970-01-01."""


@dataclass(frozen=True, slots=True)
class DrivingJudgement:
    """What spans add up to.

    intervals: violations and warnings, by kind and start.
    quiet_until: if the spans that are open only go on, nothing changes before one of them ends at
        this instant or later; NEVER_US: none is open.
    """

    intervals: list[Interval]
    quiet_until: int


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a day is judged by; limits in microseconds by kind."""

    profile: str
    rest_us: int
    warning_us: int
    limits_us: dict[str, int]


class DrivingTime:
    """Adds up driving under one rulebook."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._timezone = rulebook.timezone
        self._longest_rest_us = max(_us(p.number("driving.rest_s")) for p in rulebook.profiles)
        self._days: dict[int, _Rules] = {}
        self._midnights: dict[int, int] = {}

    def window_from(self, started: int) -> int:
        """The Monday from which spans must be known where one that starts at an instant changes.

        That of the rest before it, for a driving may go on from there.
        """
        monday = _monday(self._day(started - self._longest_rest_us))
        if monday not in self._midnights:
            self._midnights[monday] = midnight_us(_date(monday), self._timezone)
        return self._midnights[monday]

    def judge(self, spans: Iterable[Interval]) -> DrivingJudgement:
        """Judge all spans of one driver, or of one vehicle without one, of whole weeks.

        spans: of kind `driving`, in any order; of two vehicles they may overlap. A driving that
        goes on over the first or last of the weeks must be there as a whole.
        """
        ordered = sorted(spans, key=lambda span: (span.started, span.vehicle))
        if not ordered:
            return DrivingJudgement([], NEVER_US)
        days = [self._day(span.started) for span in ordered]
        found: list[Interval] = []
        quiet_until = _when_order_may_change(ordered)
        for kind, day, group in self._groups(ordered, days):
            rules = self._rules(day)
            limit_us = rules.limits_us.get(kind)
            if limit_us is not None:
                intervals, quiet = _judge_group(kind, rules, limit_us, group)
                found += intervals
                quiet_until = min(quiet_until, quiet)
        return DrivingJudgement(found, quiet_until)

    def _groups(
        self, spans: Sequence[Interval], days: Sequence[int]
    ) -> Iterable[tuple[str, int, list[Interval]]]:
        """(kind, the day whose rules count, the spans that are added up)."""
        numbered = list(zip(days, spans, strict=True))
        for day, group in self._without_rest(numbered):
            yield CONTINUOUS, day, group
        for day, members in groupby(numbered, key=lambda pair: pair[0]):
            yield DAILY, day, [span for _, span in members]
        for monday, members in groupby(numbered, key=lambda pair: _monday(pair[0])):
            yield WEEKLY, monday, [span for _, span in members]

    def _without_rest(
        self, spans: Sequence[tuple[int, Interval]]
    ) -> Iterable[tuple[int, list[Interval]]]:
        """Spans with no rest between them, by the rules of the day on which the first begins."""
        group: list[Interval] = []
        first_day = until = 0
        for day, span in spans:
            if group and span.started - until >= self._rules(first_day).rest_us:
                yield first_day, group
                group = []
            if not group:
                first_day, until = day, span.ended
            group.append(span)
            until = max(until, span.ended)
        yield first_day, group

    def _day(self, instant: int) -> int:
        return local_at_us(instant, self._timezone) // DAY_US

    def _rules(self, day: int) -> _Rules:
        """What counts on a local day, in days since 1970-01-01; profiles change at midnight."""
        if day not in self._days:
            local = _date(day)
            profile = self._rulebook.profile_at(midnight_us(local, self._timezone))
            table = profile.driving_limits_on(local)
            limits = table.limits if table else {}
            self._days[day] = _Rules(
                profile.id,
                _us(profile.number("driving.rest_s")),
                _us(profile.number("driving.warning_s")),
                {kind: _us(limits[key].limit_s) for kind, key in _KEYS.items() if key in limits},
            )
        return self._days[day]


def _us(seconds: float) -> int:
    return round(seconds * 1e6)


def _date(day: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + day)


def _monday(day: int) -> int:
    return day - (day + _THURSDAY) % 7


def _when_order_may_change(spans: Sequence[Interval]) -> int:
    """A span that goes on towards one that began later changes what lies between them at once."""
    newest = spans[-1].started
    ends = [span.ended for span in spans if span.is_open and span.ended < newest]
    return min(ends, default=NEVER_US)


def _judge_group(
    kind: str, rules: _Rules, limit_us: int, spans: Sequence[Interval]
) -> tuple[list[Interval], int]:
    """Violation and warning of spans that are added up, and until when nothing changes."""
    driven_us, until = _driven(spans)
    warned_us = max(1, limit_us - rules.warning_us)
    found: list[Interval] = []
    if driven_us > limit_us:
        found.append(_violation(kind, rules, limit_us, driven_us, spans))
    if driven_us >= warned_us:
        found.append(_warning(kind, rules, limit_us, warned_us, spans))
    # One in a stop counts like one that moves: if it drives on, the stop was driving.
    if not any(span.is_open for span in spans):
        return found, NEVER_US
    if driven_us > limit_us:
        return found, until
    next_us = limit_us + 1 if driven_us >= warned_us else warned_us
    return found, until + next_us - driven_us


def _driven(spans: Sequence[Interval]) -> tuple[int, int]:
    """Microseconds that any of the spans covers, and the end of the last."""
    driven, until = 0, spans[0].started
    for span in spans:
        driven += max(0, span.ended - max(until, span.started))
        until = max(until, span.ended)
    return driven, until


def _reached(spans: Sequence[Interval], amount_us: int) -> int:
    """The instant at which the spans have covered this much; they do."""
    driven, until = 0, spans[0].started
    for span in spans:
        begins = max(until, span.started)
        adds = max(0, span.ended - begins)
        if driven + adds >= amount_us:
            return begins + amount_us - driven
        driven, until = driven + adds, max(until, span.ended)
    raise AssertionError(f"expected spans of at least {amount_us} us")


def _violation(
    kind: str, rules: _Rules, limit_us: int, driven_us: int, spans: Sequence[Interval]
) -> Interval:
    # What an open span has driven is known in its vehicle's state only; its times are everywhere.
    over = [span for span in spans if not span.is_open]
    last = max(spans, key=lambda span: span.ended)
    unseen_s = sum(_number(span, "unseen_s") for span in spans)
    details: Details = {
        "driving_s": driven_us / 1e6,
        "unseen_s": min(unseen_s, driven_us / 1e6),
        "limit_s": limit_us / 1e6,
        "over_at": rfc3339(_reached(spans, limit_us)),
        "vehicles": len({span.vehicle for span in spans}),
    }
    return Interval(
        kind=kind,
        vehicle=spans[0].vehicle,
        subject="",
        profile=rules.profile,
        driver=spans[0].driver,
        started=spans[0].started,
        ended=last.ended,
        distance_m=sum(span.distance_m for span in over),
        fixes=sum(span.fixes for span in over),
        start=spans[0].start,
        end=last.end,
        is_open=any(span.is_open for span in spans),
        details=details,
    )


def _warning(
    kind: str, rules: _Rules, limit_us: int, warned_us: int, spans: Sequence[Interval]
) -> Interval:
    """It says that the time came; what is driven afterwards does not change it."""
    warned_at = _reached(spans, warned_us)
    details: Details = {
        "driving_s": warned_us / 1e6,
        "limit_s": limit_us / 1e6,
        "left_s": (limit_us - warned_us) / 1e6,
        "vehicles": len({span.vehicle for span in spans if span.started < warned_at}),
    }
    return Interval(
        kind=f"{kind}_warning",
        vehicle=spans[0].vehicle,
        subject="",
        profile=rules.profile,
        driver=spans[0].driver,
        started=spans[0].started,
        ended=warned_at,
        distance_m=0.0,
        fixes=0,
        start=spans[0].start,
        end=spans[0].start,
        is_open=False,
        details=details,
    )


def _number(span: Interval, name: str) -> float:
    value = span.details[name]
    assert isinstance(value, (int, float))
    return float(value)


def subject_of(span: Interval) -> tuple[int, int]:
    """Whose driving a span is: (driver, -1), or (-1, vehicle) where nobody knows the driver."""
    assert span.kind == SPAN_KIND
    return (span.driver, -1) if span.driver >= 0 else (-1, span.vehicle)


def judge_drivers(rulebook: Rulebook, spans: Iterable[Interval]) -> list[Interval]:
    """What all spans of many drivers and vehicles add up to."""
    by_subject: dict[tuple[int, int], list[Interval]] = {}
    for span in spans:
        by_subject.setdefault(subject_of(span), []).append(span)
    judge = DrivingTime(rulebook)
    return [found for own in by_subject.values() for found in judge.judge(own).intervals]
