"""The truth: what was planned, when it really happened, and when a rule must have found it.

Belongs here: planned violations as values. Does not belong here: how they are brought about
(violators.py), when they are committed (plan.py), and the file that keeps them (truth_file.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from devices.batch import I64

WARNINGS: Final = tuple(f"{kind}_warning" for kind in (
    "continuous_driving", "daily_driving", "weekly_driving",
))  # fmt: skip
"""What is raised before a driving time is over its limit: no violations, but planned as well."""

LONG_KINDS: Final = (
    "late_departure", "not_run", "continuous_driving", "daily_driving", "weekly_driving",
    *WARNINGS, "moved_unseen", "clock_wrong",
)  # fmt: skip
"""Kinds that take longer than a quarter of an hour, or that no past can show: a clock that is ahead
of what was stored is behind that of the server."""

KINDS: Final = (
    "speeding", "zone_entry", "zone_exit", "zone_dwell", "banned_zone", "crossing",
    "off_route", "unscheduled_stop", "missed_stop", "wrong_order", "late_departure", "not_run",
    "continuous_driving", "daily_driving", "weekly_driving", *WARNINGS,
    "data_gap", "moved_unseen", "gps_lost", "power_cut", "clock_wrong", "cloned_device",
    "overload_gross", "overload_axle", "overload_cargo",
    "overloaded_stretch", "bridge_limit", "station_avoided",
)  # fmt: skip
"""Every kind that is planned, in the order of docs/rules.md."""

MAP_KINDS: Final = ("bridge_limit",)
"""Those that are planned only where the map with the signs is known (`World.signs`)."""

QUICK_KINDS: Final = tuple(kind for kind in KINDS if kind not in LONG_KINDS)
"""Those that a fleet commits within a quarter of an hour."""

FaultKind = Literal["silent", "no_position", "no_power", "cloned", "ahead"]
"""What is wrong with a tracker: it sends nothing; it does not know where it is; it runs on its own
battery; another device has its identity; its clock is ahead."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One planned violation, without the noise and the sampling that a judge has to bear.

    vehicle: number of the vehicle in the fleet, from 1; 0, without plate and ident: none, as of a
    departure that nobody drives. ident: its tracker's. started, ended:
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
    shown_by: the fixes that count: None: those that rules see; else those with that fault.
    details: of the planned violations that come of it.
    """

    kind: str
    subject: str
    from_s: float
    to_s: float
    at_least_s: float = 0.0
    at_least_fixes: int = 1
    after_fixes: int = 0
    shown_by: FaultKind | None = None
    details: Mapping[str, float] = field(default_factory=dict)

    def is_known(self, ended: int, fix_times: I64) -> bool | None:
        """Whether fixes taken at these times (ascending) suffice to report it.

        None: later fixes may. fix_times: from the beginning of the stretch on.
        """
        last = int(np.searchsorted(fix_times, ended, side="left"))
        inside = fix_times[: np.searchsorted(fix_times, ended, side="right")]
        after = len(fix_times) - last
        span = int(inside[-1] - inside[0]) if len(inside) else 0
        if len(inside) < self.at_least_fixes or span < self.at_least_s * 1e6:
            return False if after > 0 else None
        return True if after >= self.after_fixes else None


def count_by_kind(planned: Iterable[Planned]) -> dict[str, int]:
    """How many of each kind, in the order of KINDS; kinds that do not occur are absent."""
    counts = Counter(each.kind for each in planned)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}
