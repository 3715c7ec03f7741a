"""Weighings as judging sees them: what each one said, on the time line of its vehicle.

Belongs here: the columns that the judge is given beside fixes. What a weighing comes to is decided
by `rules.overload`, how long it is believed by `rules.known_load`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from devices.batch import F64, I32, I64, Bool, WeighingBatch
from devices.describe import rfc3339
from geofence.interval import Details, Interval
from geofence.registry import StationRule

CARGO: Final = "overload_cargo"


@dataclass(frozen=True)
class Weighed:
    """One weighing of a known vehicle.

    time: microseconds since 1970-01-01 UTC. station: its code. lane: 0 unknown.
    gross_kg: as measured. tolerance: the fraction by which it may be too high.
    is_indicative: the station's calibration had ended.
    overload: the worst overload that it showed, None: the vehicle was not overloaded.
    """

    vehicle: int
    time: int
    station: str
    lane: int
    gross_kg: float
    tolerance: float
    is_indicative: bool
    overload: Interval | None

    @classmethod
    def of(
        cls,
        weighings: WeighingBatch,
        row: int,
        vehicle: int,
        station: StationRule,
        found: Sequence[Interval],
    ) -> "Weighed":
        """One row of a batch; found: what `judge_weighing` said of it."""
        time = int(weighings.time[row])
        return cls(
            vehicle=vehicle,
            time=time,
            station=station.code,
            lane=int(weighings.lane[row]),
            gross_kg=float(weighings.gross_kg[row]),
            tolerance=station.tolerance,
            is_indicative=not station.is_calibrated(time),
            overload=_worst(found),
        )

    @property
    def mass_kg(self) -> float:
        """The gross mass that the vehicle has at least, NaN: it is not overloaded."""
        return float("nan") if self.overload is None else self.gross_kg * (1.0 - self.tolerance)

    @cached_property
    def stretch_details(self) -> Details:
        """What the stretch of an overloaded vehicle says of the weighing that it began with."""
        assert self.overload is not None
        said = self.overload.details
        return {
            "overload_kind": self.overload.kind,
            "measured_kg": said["measured_kg"],
            "limit_kg": said["limit_kg"],
            "tolerance": said["tolerance"],
            "excess_percent": said["excess_percent"],
            "band": said["band"],
            "group": said["group"],
            "gross_kg": self.gross_kg,
            "weighed_at": self.weighed_at,
            "indicative": self.is_indicative,
        }

    @cached_property
    def weighed_at(self) -> str:
        """Its time, RFC 3339."""
        return rfc3339(self.time)


def _worst(found: Sequence[Interval]) -> Interval | None:
    """The greatest excess over the road's capacity, the first of equals; else that of the cargo."""
    road = [interval for interval in found if interval.kind != CARGO]
    return max(road or found, key=lambda i: _percent(i.details), default=None)


def _percent(details: Details) -> float:
    value = details["excess_percent"]
    assert isinstance(value, float)
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Loads:
    """Weighings in order of (vehicle, time), as columns of shape (n,).

    Of several of one vehicle at one time the last counts; their order is that of station, lane and
    mass, so that it is one of the set.
    mass_kg: as `Weighed.mass_kg`.
    """

    weighed: tuple[Weighed, ...]
    vehicle: I32
    time: I64
    mass_kg: F64

    @classmethod
    def of(cls, weighed: Iterable[Weighed]) -> "Loads":
        """The columns of weighings in any order; one that is there twice counts as once."""
        ordered = sorted(weighed, key=lambda w: (w.vehicle, w.time, w.station, w.lane, w.gross_kg))
        return cls._sorted(tuple(ordered))

    @classmethod
    def _sorted(cls, ordered: tuple[Weighed, ...]) -> "Loads":
        return cls(
            weighed=ordered,
            vehicle=np.array([w.vehicle for w in ordered], np.int32),
            time=np.array([w.time for w in ordered], np.int64),
            mass_kg=np.array([w.mass_kg for w in ordered], np.float64),
        )

    def __len__(self) -> int:
        return len(self.weighed)

    def take(self, kept: Bool) -> "Loads":
        """Those that are marked, shape (n,)."""
        if kept.all():
            return self
        rows: NDArray[np.intp] = np.flatnonzero(kept)
        return Loads(
            weighed=tuple(self.weighed[row] for row in rows.tolist()),
            vehicle=self.vehicle[rows],
            time=self.time[rows],
            mass_kg=self.mass_kg[rows],
        )

    def of_vehicles(self, first: int, last: int) -> "Loads":
        """Those of the vehicles from one id to another, both included."""
        if not len(self):
            return self
        begin, end = np.searchsorted(self.vehicle, [first, last + 1])
        chosen = np.zeros(len(self), np.bool_)
        chosen[begin:end] = True
        return self.take(chosen)

    def joined(self, others: "Loads") -> "Loads":
        """These and others."""
        if not len(others):
            return self
        return Loads.of([*self.weighed, *others.weighed]) if len(self) else others

    def last_at(self, vehicle: int, time: int) -> Weighed | None:
        """The one that counts of a vehicle at a time, None: there is none."""
        first, last = np.searchsorted(self.vehicle, [vehicle, vehicle + 1])
        row = first + int(np.searchsorted(self.time[first:last], time, side="right")) - 1
        return self.weighed[row] if row >= first and self.time[row] == time else None


NO_LOADS: Final = Loads.of(())
