"""The plan: which violations a fleet has committed, as the fixes sent suffice to show them.

Belongs here: from stretches of drives and from rosters to planned violations in time. Does not
belong here: how a drive breaks a rule (violators.py and its neighbours).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Final

import numpy as np

from devices.batch import I64
from geofence.registry import Direction
from simulators.casting import Part
from simulators.fleet import Fleet
from simulators.hours import Span, over_limits
from simulators.script import runs_where
from simulators.timetables import slots_not_run
from simulators.truth import FaultKind, Planned, Stretch

BEHIND_US: Final = 3_600_000_000
"""Fixes that show a violation come within so long of its end: no planned silence is longer."""

DIRECTIONS: Final[tuple[Direction, ...]] = ("outbound", "inbound")

CLOCK: Final = Stretch("clock_wrong", "", 0.0, 0.0, 0.0, 3, shown_by="ahead")


@dataclass(frozen=True, slots=True)
class Sampling:
    """That trackers took fixes in from_us <= time < to_us, one every `interval_s`."""

    from_us: int
    to_us: int
    interval_s: int


class Plan:
    """What was planned and can be known, growing with the fixes that are sent."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._known: list[Planned] = []
        self._next: dict[tuple[int, int], int] = {}
        self._lost = set(fleet.tampering.rows("no_position").tolist())
        self._moves = {
            row: np.array(runs_where(part.drive, lambda _lon, _lat, speed_kmh: speed_kmh > 3.0))
            for row, part in enumerate(fleet.parts)
            if _is_of_hours(part)
        }

    def known(self, sampled: Sequence[Sampling]) -> list[Planned]:
        """The violations that fixes so taken suffice to show; in no order.

        sampled: in order of time, of the whole run so far: each time at least as much as before.
        What goes on longer has the end that is planned for it.
        """
        until_us = sampled[-1].to_us if sampled else self._fleet.options.start_us
        for row, part in enumerate(self._fleet.parts[: self._fleet.offenders]):
            assert part.script is not None
            for which, stretch in enumerate(part.script.stretches):
                self._advance(row, which, stretch, until_us, sampled)
        for row in self._fleet.tampering.rows("ahead").tolist():
            self._advance_clock(row, until_us, sampled)
        unsure_s = 2.0 * sampled[-1].interval_s if sampled else 0.0
        return [*self._known, *self._driving(until_us, unsure_s), *self._not_run(until_us)]

    def _advance(
        self, row: int, which: int, stretch: Stretch, until_us: int, sampled: Sequence[Sampling]
    ) -> None:
        """Go on to the first time that the stretch is driven of which nothing can be said yet."""
        turn = self._next.get((row, which), 0)
        while (span := self._driven(row, stretch, turn))[0] < until_us:
            is_known: bool | None = False
            if span[0] >= self._fleet.options.start_us and self._can_be(row, stretch, span[0]):
                times = self._times(row, stretch.shown_by, span, sampled)
                is_known = stretch.is_known(span[1], times)
            if is_known and stretch.kind == "crossing":
                is_known = self._is_crossed(row, stretch, span[0], sampled)
            if is_known is None:
                break
            if is_known:
                self._known.append(self._plan(row, stretch, *span))
            turn += 1
        self._next[row, which] = turn

    def _can_be(self, row: int, stretch: Stretch, began_us: int) -> bool:
        """Whether a stretch that comes of a lost receiver comes of it, and is judged, at a time."""
        if row not in self._lost:
            return True
        is_lost, is_judged = self._fleet.tampering.is_lost(began_us)
        return is_lost and (is_judged or stretch.shown_by is None)

    def _advance_clock(self, row: int, until_us: int, sampled: Sequence[Sampling]) -> None:
        spans = self._fleet.tampering.times_ahead(until_us)
        turn = self._next.get((row, -1), 0)
        for span in spans[turn:]:
            is_known = CLOCK.is_known(span[1], self._times(row, "ahead", span, sampled))
            if is_known is None and until_us <= span[1]:
                break
            if is_known:
                self._known.append(self._plan(row, CLOCK, *span))
            turn += 1
        self._next[row, -1] = turn

    def _driven(self, row: int, stretch: Stretch, turn: int) -> tuple[int, int]:
        """When the stretch is driven for the turn-th time: a rest ends it."""
        fleet = self._fleet
        rows = np.array([row], np.int32)
        lap = turn * fleet.parts[row].drive.period_s
        began = int(fleet.times(rows, np.array([lap + stretch.from_s]))[0])
        rests = int(fleet.block_ends(rows, np.array([lap + stretch.from_s]))[0])
        lasts_us = round((stretch.to_s - stretch.from_s) / fleet.parts[row].pace * 1e6)
        return began, min(began + lasts_us, rests)

    def _times(
        self,
        row: int,
        fault: FaultKind | None,
        span: tuple[int, int],
        sampled: Sequence[Sampling],
    ) -> I64:
        """The fixes from the beginning of a span on to some time behind its end."""
        parts = [
            self._fleet.fix_times(
                row,
                (max(each.from_us, span[0]), min(each.to_us, span[1] + BEHIND_US)),
                each.interval_s,
                fault,
            )
            for each in sampled
            if each.to_us > span[0] and each.from_us < span[1] + BEHIND_US
        ]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _is_crossed(
        self, row: int, stretch: Stretch, at_us: int, sampled: Sequence[Sampling]
    ) -> bool:
        """Whether the fixes around a crossing all lie outside the zone that is crossed."""
        around = (at_us - 2_000_000, at_us + 2_000_000)
        times = self._times(row, None, around, sampled)
        fixes = self._fleet.sample(np.full(len(times), row, np.int32), times)
        is_near = times < around[1]
        inside = self._fleet.world.inside(stretch.subject, fixes.lon, fixes.lat)
        return not (inside & is_near).any()

    def _not_run(self, until_us: int) -> Iterator[Planned]:
        """Slots of timetables that nobody drives."""
        fleet = self._fleet
        span = (fleet.options.start_us, until_us)
        for route in filter(lambda route: route.slots, fleet.world.routes):
            for which, direction in enumerate(DIRECTIONS):
                left = [
                    at
                    for row, part in enumerate(fleet.parts)
                    if part.script and part.script.departs_s and part.script.route == route.code
                    for at in self._laps(row, part.script.departs_s[which], until_us)
                ]
                for at in slots_not_run(route, direction, left, span):
                    yield Planned("not_run", 0, "", "", route.code, at, at)

    def _laps(self, row: int, phase_s: float, until_us: int) -> Iterator[int]:
        """When a vehicle comes to a phase of its drive, lap after lap, before then."""
        fleet, lap_s = self._fleet, self._fleet.parts[row].drive.period_s
        rows = np.array([row], np.int32)
        times = (int(fleet.times(rows, np.array([turn * lap_s + phase_s]))[0]) for turn in count())
        return takewhile(lambda at: at < until_us, times)

    def _driving(self, until_us: int, unsure_s: float) -> Iterator[Planned]:
        """Driving times over a limit, of those whose rosters break them.

        unsure_s: fixes may show so much less of what still goes on.
        """
        for row in self._moves:
            for time in over_limits(self._spans(row, until_us), until_us, unsure_s):
                details = {"driving_s": round(time.driving_s)}
                stretch = Stretch(time.kind, "", 0.0, 0.0, details=details)
                yield self._plan(row, stretch, time.started, time.ended)

    def _spans(self, row: int, until_us: int) -> list[Span]:
        """When the vehicle was driven, block after block, as far as is known by then."""
        fleet = self._fleet
        part, moves = fleet.parts[row], self._moves[row]
        lap_s = part.drive.period_s
        spans: list[Span] = []
        for block in range(1 << 30):
            first = block * part.roster.laps
            laps = range(first, first + part.roster.laps)
            moved = [
                (lap * lap_s + begin, lap * lap_s + end) for lap in laps for begin, end in moves
            ]
            rows = np.full(len(moved), row, np.int32)
            begins = fleet.times(rows, np.array([begin for begin, _ in moved]))
            ends = fleet.times(rows, np.array([end for _, end in moved]))
            seen = (begins < until_us) & (ends > fleet.options.start_us)
            if seen.any():
                started = max(int(begins[seen][0]), fleet.options.start_us)
                spans.append((started, min(int(ends[seen][-1]), until_us)))
            if begins[0] >= until_us:
                return spans
        return spans

    def _plan(self, row: int, stretch: Stretch, started: int, ended: int) -> Planned:
        vehicle = self._fleet.vehicles[row]
        return Planned(
            kind=stretch.kind,
            vehicle=row + 1,
            plate=vehicle.plate,
            ident=vehicle.ident,
            subject=stretch.subject,
            started=started,
            ended=ended,
            details=stretch.details,
        )


def _is_of_hours(part: Part) -> bool:
    """Whether the part is one whose driving time is to be added up."""
    script = part.script
    return script is not None and script.roster is not None and not script.by_the_clock
