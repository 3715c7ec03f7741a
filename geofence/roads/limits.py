"""The limits of matched roads: the sign in the direction of travel, else the law's default.

Belongs here: what a match comes to for a vehicle at a time. Whether it binds beside zones is for
`locate`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from devices.batch import F32, I64, U8
from devices.compile import kernel
from geofence.hours import midnight_us
from geofence.profile import Profile
from geofence.registry import BEGINNING_US
from geofence.road_limits import Surroundings
from geofence.roads.matcher import RoadIndex


class Limits(NamedTuple):
    """The limits of e edges, for kernels.

    begins: shape (k,), the instants from which on a row of default_kmh is in force.
    default_kmh: shape (k, surroundings, classes), NaN none. signed_kmh: shape (e, 2), forward and
    backward, NaN no sign. surroundings: shape (e,).
    """

    begins: I64
    default_kmh: F32
    signed_kmh: F32
    surroundings: U8


@kernel
def edge_limit_kmh(
    limits: Limits, edge: int, is_backward: bool, time: int, vehicle_class: int
) -> float:
    """The limit of an edge for a class of vehicles at a time, NaN none."""
    limit = float(limits.signed_kmh[edge, 1 if is_backward else 0])
    if not math.isnan(limit):
        return limit
    row = 0
    while row + 1 < len(limits.begins) and limits.begins[row + 1] <= time:
        row += 1
    return float(limits.default_kmh[row, limits.surroundings[edge], vehicle_class])


@dataclass(frozen=True, slots=True, eq=False)
class RoadTable:
    """Roads as a rulebook has them.

    limits: of the index's edges.
    """

    index: RoadIndex
    limits: Limits

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
        edges = index.network.edges
        way = index.network.ways[edges["row"]]
        limits = Limits(
            np.array(begins, np.int64),
            np.array(rows, np.float32).reshape(shape),
            np.column_stack([way["forward_kmh"], way["backward_kmh"]]).astype(np.float32),
            edges["surroundings"].astype(np.uint8),
        )
        return cls(index, limits)


def _changes(profile: Profile) -> list[date | None]:
    """The days within a profile's time on which another table comes into force, its first first."""
    first, last = profile.effective_from, profile.effective_to
    days = {day for t in profile.road_limits for day in (t.effective_from, t.effective_to) if day}
    inner = [d for d in days if (first is None or d > first) and (last is None or d < last)]
    return [first, *sorted(inner)]
