"""The limits of matched roads: the sign in the direction of travel, else the law's default.

Belongs here: what a match comes to for a vehicle at a time. Whether it binds beside zones is for
`locate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from devices.batch import F32, I32, I64, FixBatch
from geofence.hours import midnight_us
from geofence.profile import Profile
from geofence.registry import BEGINNING_US
from geofence.road_limits import Surroundings
from geofence.roads.matcher import Matched, RoadIndex


@dataclass(frozen=True, slots=True, eq=False)
class RoadTable:
    """Roads as a rulebook has them.

    begins: shape (k,), the instants from which on a row of default_kmh is in force.
    default_kmh: shape (k, surroundings, classes), NaN none.
    """

    index: RoadIndex
    begins: I64
    default_kmh: F32

    @classmethod
    def build(
        cls,
        index: RoadIndex,
        profiles: Sequence[Profile],
        classes: Sequence[str],
        timezone: ZoneInfo,
    ) -> "RoadTable":
        """profiles: one after another over all time, in order."""
        days: list[date | None] = []
        rows: list[list[list[float]]] = []
        for profile in profiles:
            for day in _changes(profile):
                tables = profile.road_limits_on(day or date.min)
                days.append(day)
                rows.append(
                    [
                        [tables.limit_kmh(s, name) if tables else np.nan for name in classes]
                        for s in Surroundings
                    ]
                )
        begins = [BEGINNING_US if day is None else midnight_us(day, timezone) for day in days]
        shape = (len(days), len(Surroundings), len(classes))
        return cls(index, np.array(begins, np.int64), np.array(rows, np.float32).reshape(shape))

    def limits(self, matched: Matched, fixes: FixBatch, vehicle_class: I32, at_least: F32) -> F32:
        """The limit of each fix's road, shape (n,), NaN none.

        vehicle_class: shape (n,). at_least: shape (n,), the confidence that a match must have.
        """
        network = self.index.network
        limit = np.full(len(fixes), np.nan, np.float32)
        on = np.flatnonzero((matched.edge >= 0) & (matched.confidence >= at_least))
        edge = network.edges[matched.edge[on]]
        way = network.ways[edge["row"]]
        signed = np.where(matched.is_backward[on], way["backward_kmh"], way["forward_kmh"])
        row = np.searchsorted(self.begins[1:], fixes.time[on], side="right")
        default = self.default_kmh[row, edge["surroundings"], vehicle_class[on]]
        limit[on] = np.where(np.isnan(signed), default, signed)
        return limit


def _changes(profile: Profile) -> list[date | None]:
    """The days within a profile's time on which another table comes into force, its first first."""
    first, last = profile.effective_from, profile.effective_to
    days = {day for t in profile.road_limits for day in (t.effective_from, t.effective_to) if day}
    inner = [d for d in days if (first is None or d > first) and (last is None or d < last)]
    return [first, *sorted(inner)]
