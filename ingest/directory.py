"""Who is who: identities that messages carry, resolved to vehicles, drivers and stations in time.

A directory is an immutable picture of the registry; a change of the registry makes a new one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from devices.batch import I32, I64, UNKNOWN
from storage.registry import RegistrySnapshot


class Tenure(NamedTuple):
    """A name means this vehicle from `valid_from` (inclusive) to `valid_to` (exclusive).

    Both in microseconds since 1970-01-01 UTC; int64's ends stand for "always".
    """

    name: str
    vehicle: int
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class TimedNames:
    """Names whose meaning changes in time (a device moves to another vehicle, a plate is sold)."""

    rows: Mapping[str, int]
    start: I64
    vehicle: I32
    valid_from: I64
    valid_to: I64

    @classmethod
    def of(cls, tenures: Iterable[Tenure]) -> Self:
        """Index tenures by name. Where two of one name overlap, the later beginning wins."""
        ordered = sorted(tenures, key=lambda t: (t.name, t.valid_from))
        rows: dict[str, int] = {}
        start: list[int] = []
        for at, tenure in enumerate(ordered):
            if tenure.name not in rows:
                rows[tenure.name] = len(start)
                start.append(at)
        start.append(len(ordered))
        return cls(
            rows,
            np.array(start, np.int64),
            np.array([t.vehicle for t in ordered], np.int32),
            np.array([t.valid_from for t in ordered], np.int64),
            np.array([t.valid_to for t in ordered], np.int64),
        )

    def rows_of(self, names: Sequence[str]) -> I32:
        """Row of each name, -1 for an unknown one."""
        find = self.rows.get
        return np.fromiter((find(name, UNKNOWN) for name in names), np.int32, len(names))

    def vehicles(self, rows: I32, time: I64) -> I32:
        """The vehicle that each row's name means at each time, -1 where none; shapes (n,)."""
        found = np.full(rows.shape, UNKNOWN, np.int32)
        known = rows >= 0
        first = self.start[np.where(known, rows, 0)]
        count = np.where(known, self.start[np.where(known, rows + 1, 0)] - first, 0)
        for step in range(int(count.max(initial=0))):
            has = np.flatnonzero(count > step)
            at = first[has] + step
            holds = (self.valid_from[at] <= time[has]) & (time[has] < self.valid_to[at])
            found[has[holds]] = self.vehicle[at[holds]]
        return found


@dataclass(frozen=True, slots=True)
class Directory:
    """Devices and plates in time, drivers by licence, stations by code."""

    devices: TimedNames
    plates: TimedNames
    stations: Mapping[str, int]
    """Station code -> registry id."""


def directory_of(snapshot: RegistrySnapshot) -> Directory:
    """The directory that a picture of the registry gives."""
    return Directory(
        devices=TimedNames.of(Tenure(*row) for row in snapshot.devices),
        plates=TimedNames.of(Tenure(*row) for row in snapshot.plates),
        stations={station.code: station.id for station in snapshot.stations},
    )
