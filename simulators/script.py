"""Scripts: the parts that offenders have in the plan.

Belongs here: what a script is, and finding the stretches of a drive in which something holds. Does
not belong here: the scripts themselves (violators.py and its neighbours).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from devices.batch import F64, Bool
from simulators.motion import Drive
from simulators.roster import Roster
from simulators.truth import FaultKind, Stretch
from simulators.vehicles import Make

RESOLUTION_S: Final = 0.1

REST_S: Final = 480.0
"""How long the drivers of short drives rest where they begin: the later they may join."""

CONFIRM: Final = 2
"""Fixes that a visit's beginning and its end take to be believed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Phases of a drive (s) over which something is wrong with the tracker."""

    kind: FaultKind
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Script:
    """A vehicle's part in the plan.

    begins_s: (earliest, latest) phase of the drive at which it may join, before its first stretch.
    load_kg: its axles' masses, where it is not loaded as the law wants; overload: the kind of it.
    roster: None: a lawful one; then every driving time over a limit is planned.
    codecs: those that can show it; None: all.
    by_the_clock: its drive keeps to local midnight, so there can be but one of it.
    departs_s: the phases at which it leaves its route's first terminal and its second.
    """

    make: Make
    drive: Drive
    stretches: tuple[Stretch, ...]
    begins_s: tuple[float, float]
    route: str | None = None
    faults: tuple[Fault, ...] = ()
    load_kg: tuple[float, ...] = field(default=())
    overload: str = ""
    roster: Roster | None = None
    codecs: frozenset[str] | None = None
    by_the_clock: bool = False
    departs_s: tuple[float, ...] = ()


def runs_where(drive: Drive, holds: Callable[[F64, F64, F64], Bool]) -> list[tuple[float, float]]:
    """The phases (from, to) over which holds(lon, lat, speed_kmh) is true along the drive."""
    phase = np.arange(0.0, drive.period_s, RESOLUTION_S)
    lon, lat, speed, _ = drive.sample(phase)
    return [(float(phase[b]), float(phase[e])) for b, e in runs_of(holds(lon, lat, speed))]


def runs_of(true: Bool) -> list[tuple[int, int]]:
    """The first and the last row of every run of rows that are true."""
    edged = np.concatenate(([False], true, [False]))
    begins, ends = np.flatnonzero(edged[1:] & ~edged[:-1]), np.flatnonzero(~edged[1:] & edged[:-1])
    return list(zip(begins.tolist(), (ends - 1).tolist(), strict=True))


def before(stretches: Sequence[Stretch]) -> tuple[float, float]:
    """Join long before the first stretch, or just a minute before it."""
    first = min(stretch.from_s for stretch in stretches)
    return max(0.0, first - 1800.0), max(0.0, first - 60.0)
