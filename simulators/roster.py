"""Rosters: when a vehicle is driven and when it rests, day after day.

Belongs here: the way from the clock on the wall to the phase of a drive, and back. Does not belong
here: where the drive leads.

A vehicle goes round its drive some laps, rests at its beginning, goes round again: these are its
blocks. After the last block of a day it stands until the day is over. A phase of a vehicle goes on
over all laps and stands still while it rests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import F64, I32, Bool

DAY_S: Final = 86_400.0

SHORT_BREAK_S: Final = 1200.0
"""Between two blocks: over the 15 minutes that the law calls a rest, however it is sampled."""

BLOCK_S: Final = 3.5 * 3600
"""The longest that a lawful driver goes without a rest: the law allows four hours."""

SHIFT_S: Final = 6.75 * 3600
"""And the longest that he drives in a day: seven such days stay under 48 hours a week."""

_ROUNDED: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Roster:
    """A vehicle's day: `blocks` of `laps` laps each, every one followed by a rest of `rest_s`.

    cycle_s: after so long it begins anew. shifts: drivers who share the blocks, one after the
    other.
    """

    laps: int
    blocks: int
    rest_s: float = SHORT_BREAK_S
    cycle_s: float = DAY_S
    shifts: int = 1

    def at_work_s(self, lap_s: float) -> float:
        """From the beginning of the day to the end of its last block, at so much a lap."""
        return self.blocks * self.laps * lap_s + (self.blocks - 1) * self.rest_s


def lawful(lap_s: float, shifts: int = 1) -> Roster:
    """A roster of drivers who rest as the law wants. lap_s: what a lap takes on the wall's clock.

    A lap that is longer than a block must have its rests within itself.
    """
    if lap_s > BLOCK_S:
        return Roster(laps=1, blocks=1, cycle_s=max(DAY_S, lap_s + SHORT_BREAK_S))
    laps = int(BLOCK_S // lap_s)
    blocks = max(int(SHIFT_S // (laps * lap_s)), 1)
    return Roster(laps, blocks * shifts, shifts=shifts)


def without_rest(lap_s: float) -> Roster:
    """The drive again and again."""
    return Roster(laps=1, blocks=1, rest_s=0.0, cycle_s=lap_s)


class Rosters:
    """The rosters of a fleet.

    lap_s: the period of each vehicle's drive; pace: how fast its clock runs. Times are seconds on
    the wall's clock since the vehicle began the first block of its first day.
    """

    def __init__(self, rosters: Sequence[Roster], lap_s: F64, pace: F64) -> None:
        self._pace = pace
        self._block_phase: F64 = np.array([float(r.laps) for r in rosters]) * lap_s
        self._blocks: F64 = np.array([float(r.blocks) for r in rosters])
        self._of_shift: F64 = np.array([float(r.blocks // r.shifts) for r in rosters])
        driven_s = self._block_phase / pace
        self._driven_s: F64 = driven_s
        self._block_s: F64 = driven_s + np.array([r.rest_s for r in rosters])
        self._cycle_s: F64 = np.array([r.cycle_s for r in rosters])
        pairs = zip(rosters, (lap_s / pace).tolist(), strict=True)
        if any(roster.cycle_s < roster.at_work_s(lap) - 1e-6 for roster, lap in pairs):
            raise ValueError("roster: expected all of a day's blocks within its cycle")

    def phases(self, row: I32, seconds: F64) -> tuple[F64, Bool, I32]:
        """(phase, whether it rests, which shift's driver is in it) of vehicles at times."""
        blocks, block_s = self._blocks[row], self._block_s[row]
        cycle = np.floor(seconds / self._cycle_s[row])
        within = seconds - cycle * self._cycle_s[row]
        block = np.minimum(np.floor(within / block_s), blocks - 1)
        driven = (within - block * block_s) * self._pace[row]
        whole = self._block_phase[row]
        phase = (cycle * blocks + block) * whole + np.minimum(driven, whole)
        shift = np.floor(block / self._of_shift[row]).astype(np.int32)
        return phase, driven >= whole, shift

    def times(self, row: I32, phase: F64) -> F64:
        """When vehicles come to phases; where one is at the end of a rest, then."""
        block, part = self._block(row, phase)
        return self._began(row, block) + part * self._driven_s[row]

    def block_ends(self, row: I32, phase: F64) -> F64:
        """When vehicles end the blocks in which they come to phases."""
        block, _ = self._block(row, phase)
        return self._began(row, block) + self._driven_s[row]

    def _block(self, row: I32, phase: F64) -> tuple[F64, F64]:
        """Which block a phase lies in, and how far, 0..1. An end that is rounded is a beginning."""
        blocks = phase / self._block_phase[row]
        block = np.floor(blocks + _ROUNDED)
        return block, np.maximum(blocks - block, 0.0)

    def _began(self, row: I32, block: F64) -> F64:
        cycle = np.floor(block / self._blocks[row])
        of_day = block - cycle * self._blocks[row]
        return cycle * self._cycle_s[row] + of_day * self._block_s[row]
