"""The truth: what was planned, when it really happened, and when a rule must have found it.

Belongs here: planned violations as values. Does not belong here: how they are brought about
(violators.py), and the file that keeps them (truth_file.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from devices.batch import I64

KINDS = (
    "speeding", "zone_entry", "zone_exit", "zone_dwell", "banned_zone", "off_route", "data_gap",
    "overload_gross", "overload_axle", "overload_cargo",
    "overloaded_stretch",
)  # fmt: skip
"""Every kind that is planned, in the order of docs/rules.md."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned violation, without the noise and the sampling that a judge has to bear.

    vehicle: number of the vehicle in the fleet, from 1. ident: its tracker's. started, ended:
    microseconds since 1970-01-01 UTC. details: what of the plan makes it one, with units in names.
    """

    kind: str
    vehicle: int
    plate: str
    ident: str
    subject: str
    started: int
    ended: int
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A planned violation as phases (s) of a drive, and when a judge can know of it.

    at_least_s, at_least_fixes: the rule reports the run once its fixes span so much; a stretch
        that the end of the feed cuts short earlier is no violation.
    after_fixes: fixes behind the end of the stretch without which it cannot be reported.
    details: of the planned violations that come of it.
    """

    kind: str
    subject: str
    from_s: float
    to_s: float
    at_least_s: float = 0.0
    at_least_fixes: int = 1
    after_fixes: int = 0
    details: Mapping[str, float] = field(default_factory=dict)

    def is_known(self, started: int, ended: int, fix_times: I64) -> bool:
        """Whether fixes taken at these times (ascending) suffice to report it."""
        first, last = np.searchsorted(fix_times, (started, ended), side="left")
        inside = fix_times[first : np.searchsorted(fix_times, ended, side="right")]
        if len(inside) < self.at_least_fixes or len(fix_times) - last < self.after_fixes:
            return False
        span = int(inside[-1] - inside[0]) if len(inside) else 0
        return span >= self.at_least_s * 1e6


def count_by_kind(planned: Iterable[Planned]) -> dict[str, int]:
    """How many of each kind, in the order of KINDS; kinds that do not occur are absent."""
    counts = Counter(each.kind for each in planned)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}
