"""Tampering: which fixes of which vehicles have something wrong with them, all at once.

Belongs here: the faults of scripts as arrays. Does not belong here: what a fault does to a fix
(fleet.py).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from devices.batch import F64, I32, I64, Bool
from simulators.casting import FleetOptions, Part
from simulators.hours import DAY_US, LOCAL_US
from simulators.truth import FaultKind

CLONE_DEG: Final = 0.4
"""How far east of a vehicle the device drives that has its identity: some 41 km."""

AHEAD_US: Final = 3_607_000_000
"""How far a wrong clock is ahead: no whole number of anybody's intervals, so that no right time
comes that was told before."""

AHEAD_FROM_US: Final = 4_000_000
AHEAD_FOR_US: Final = 60_000_000
AHEAD_EVERY_US: Final = 1_200_000_000
"""A clock goes wrong so soon after real time begins, for so long, and again after so long: each
time is an interval of its own (docs/rules.md, section 6). Never over midnight, which divides it."""

TIMELESS_US: Final = DAY_US
"""A fix without a place that is older when it arrives is judged by nothing (docs/rules.md, section
9): of a past that long the truth has no lost receiver, only the gap that it leaves."""

ARRIVES_US: Final = 3_600_000_000
"""The past that is sent has arrived within so long. No receiver is lost when it would depend on
that whether it is judged."""


class Tampering:
    """The faults of a fleet."""

    def __init__(self, parts: Sequence[Part], options: FleetOptions) -> None:
        self._live_us = options.start_us if options.live_us is None else options.live_us
        self._faults: dict[FaultKind, list[tuple[int, float, float, float, float]]] = {}
        for row, part in enumerate(parts):
            for fault in part.script.faults if part.script else ():
                self._faults.setdefault(fault.kind, []).append(
                    (row, part.drive.period_s, part.pace, fault.from_s, fault.to_s)
                )
        self.cloned: I32 = self.rows("cloned")
        self.unpowered: I32 = self.rows("no_power")
        self._ahead = self.rows("ahead")

    def rows(self, fault: FaultKind) -> I32:
        """The vehicles with such a fault, ascending."""
        return np.array(sorted({row for row, *_ in self._faults.get(fault, ())}), np.int32)

    def has(self, fault: FaultKind, row: I32, phase: F64, time: I64) -> Bool:
        """Which fixes, taken by vehicles at phases and times, have it. Shape of row."""
        if fault == "ahead":
            return np.asarray(self.ahead_us(row, time) != 0, np.bool_)
        found = np.zeros(len(row), np.bool_)
        for which, period, pace, begin, end in self._faults.get(fault, ()):
            mine = np.flatnonzero(row == which)
            within = phase[mine] % period
            has = (within > begin) & (within < end)
            if fault == "no_position":
                began = time[mine] - (within - begin) / pace * 1e6
                has &= np.abs(self._live_us - TIMELESS_US - began) > ARRIVES_US
            found[mine] |= has
        return found

    def is_lost(self, began_us: int) -> tuple[bool, bool]:
        """Whether receivers that would be lost from then on are, and whether that is judged."""
        until_us = self._live_us - TIMELESS_US
        return abs(until_us - began_us) > ARRIVES_US, began_us > until_us

    def ahead_us(self, row: I32, time: I64) -> I64:
        """How far the clocks of vehicles are ahead at times."""
        if not len(self._ahead):
            return np.zeros(len(row), np.int64)
        since = time - self._live_us - AHEAD_FROM_US
        within = since % AHEAD_EVERY_US
        began = time - within
        is_wrong = (since >= 0) & (within <= AHEAD_FOR_US)
        is_wrong &= (began + LOCAL_US) // DAY_US == (began + AHEAD_FOR_US + LOCAL_US) // DAY_US
        return np.where(is_wrong & np.isin(row, self._ahead), AHEAD_US, 0)

    def times_ahead(self, until_us: int) -> list[tuple[int, int]]:
        """When clocks are wrong, each time that begins before an instant."""
        first = self._live_us + AHEAD_FROM_US
        spans = [(at, at + AHEAD_FOR_US) for at in range(first, until_us, AHEAD_EVERY_US)]
        return [
            (began, ended)
            for began, ended in spans
            if (began + LOCAL_US) // DAY_US == (ended + LOCAL_US) // DAY_US
        ]
