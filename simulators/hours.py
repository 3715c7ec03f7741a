"""Drivers who rest too little.

Belongs here: rosters that break the law, and what the driving of a roster adds up to. Does not
belong here: lawful rosters (roster.py).

The limits are written down here once more on purpose: the truth must not be computed by what is
scored with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Final

from simulators.drives import car_drive
from simulators.roster import Roster
from simulators.script import Script
from simulators.vehicles import CAR
from simulators.world import World

CONTINUOUS_S: Final = 4 * 3600.0
DAILY_S: Final = 10 * 3600.0
WEEKLY_S: Final = 48 * 3600.0
"""Law 36/2024, in force from 2025-01-01 (docs/rules.md, section 4)."""

WARNING_S: Final = 300.0
"""So long before a limit a warning is raised."""

LOCAL_US: Final = 7 * 3_600_000_000
"""How far the clocks of Viet Nam are ahead of UTC, the whole year."""

DAY_US: Final = 86_400_000_000
_MONDAY_US: Final = 4 * DAY_US
"""The first Monday of 1970, local time."""

ROAD: Final = "vong-bac"


def overtired(world: World) -> list[Script]:
    """A driver who goes on for over four hours, one who drives over ten a day, one over 48 a week.

    Each breaks the later limits too where he goes on for long enough.
    """
    drive = car_drive(world, CAR, ROAD)
    lap = drive.period_s
    short = int(3.7 * 3600 // lap)
    rosters = (
        Roster(laps=ceil(4.25 * 3600 / lap), blocks=1),
        Roster(laps=short, blocks=ceil(10.3 * 3600 / (short * lap))),
        Roster(laps=short, blocks=ceil(7.2 * 3600 / (short * lap))),
    )
    return [Script(CAR, drive, (), (0.0, 240.0), roster=roster) for roster in rosters]


@dataclass(frozen=True, slots=True)
class DrivingTime:
    """Driving over a limit, or the warning before it, up to when it is due.

    Instants are microseconds since 1970-01-01 UTC.
    """

    kind: str
    started: int
    ended: int
    driving_s: float


Span = tuple[int, int]
"""When driving began and ended: microseconds since 1970-01-01 UTC."""


def over_limits(
    spans: Sequence[Span], until_us: int | None = None, unsure_s: float = 0.0
) -> Iterator[DrivingTime]:
    """What one driver's spans, between any two of which he rests, add up to; ascending.

    unsure_s: what of a span that goes on at `until_us` may not be known yet.
    """

    def over(kind: str, limit_s: float, groups: Iterable[list[Span]]) -> Iterator[DrivingTime]:
        for group in groups:
            spare_s = unsure_s if group[-1][1] == until_us else 0.0
            yield from _over(kind, limit_s, group, spare_s)

    yield from over("continuous_driving", CONTINUOUS_S, ([span] for span in spans))
    days = [part for span in spans for part in _by_day(span)]
    for length_us, kind, limit_s in (
        (DAY_US, "daily_driving", DAILY_S),
        (7 * DAY_US, "weekly_driving", WEEKLY_S),
    ):
        numbered = ((_number(part, length_us), part) for part in days)
        groups = groupby(numbered, key=lambda pair: pair[0])
        yield from over(kind, limit_s, ([part for _, part in group] for _, group in groups))


def _over(
    kind: str, limit_s: float, spans: Sequence[Span], spare_s: float
) -> Iterator[DrivingTime]:
    driven_s = sum(ended - started for started, ended in spans) / 1e6
    warned_s = limit_s - WARNING_S
    if driven_s - spare_s >= warned_s:
        reached = _reached(spans, round(warned_s * 1e6))
        yield DrivingTime(f"{kind}_warning", spans[0][0], reached, warned_s)
    if driven_s - spare_s > limit_s:
        yield DrivingTime(kind, spans[0][0], spans[-1][1], driven_s)


def _reached(spans: Sequence[Span], driven_us: int) -> int:
    """When so much had been driven."""
    for started, ended in spans:
        if driven_us <= ended - started:
            return started + driven_us
        driven_us -= ended - started
    raise ValueError("spans: expected them to last as long as was driven")


def _number(span: Span, length_us: int) -> int:
    """Which local day or week a span begins in."""
    return (span[0] + LOCAL_US - _MONDAY_US) // length_us


def _by_day(span: Span) -> Iterator[Span]:
    """The parts of a span in each local day."""
    started, ended = span
    while started < ended:
        midnight = ((started + LOCAL_US) // DAY_US + 1) * DAY_US - LOCAL_US
        yield started, min(ended, midnight)
        started = midnight
