"""Weigh stations: what their scales read when the fleet's lorries pass.

Belongs here: times and masses of weighings. Does not belong here: verdicts about them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from devices.batch import F64, I32, I64, Bool, WeighingBatch
from geofence.registry import StationRule
from simulators.drives import WEIGH_STAY_S
from simulators.motion import Drive
from simulators.vehicles import SimulatedVehicle

NOISE: Final = 0.004
"""Standard deviation of a scale's reading, as a fraction: a verified scale."""

DRIVES_OFF_S: Final = 2.0
"""How soon a vehicle leaves the scale once it has read it: before its next fix but one."""

AXLES_TO_BUMPERS_M: Final = 3.0


def weigh_phase(drive: Drive, station: StationRule) -> float:
    """The phase at which a drive past the station is weighed there."""
    phase = drive.when(drive.line.nearest_m(station.lon, station.lat))
    return phase + WEIGH_STAY_S - DRIVES_OFF_S if station.kind == "static" else phase


@dataclass(frozen=True, slots=True)
class Passage:
    """A vehicle that passes a station once in every lap of its drive.

    row: of the vehicle in the fleet. phase_s: of its drive, there. axle_kg: what its axles bear.
    """

    row: int
    vehicle: SimulatedVehicle
    station: StationRule
    phase_s: float
    axle_kg: F64
    speed_kmh: float


class Clock(Protocol):
    """When vehicles of a fleet are where."""

    def phases(self, row: I32, time: I64) -> tuple[F64, Bool, I32]: ...

    def times(self, row: I32, phase: F64) -> I64: ...


class Weighbridges:
    """All passages of a fleet, and the weighings that they make."""

    def __init__(
        self, passages: Sequence[Passage], clock: Clock, lap_s: Mapping[int, float], seed: int
    ) -> None:
        """lap_s: the period of each vehicle's drive, by its row."""
        self._passages = tuple(passages)
        self._clock = clock
        self._seed = seed
        self._row: I32 = np.array([p.row for p in passages], np.int32)
        self._phase: F64 = np.array([p.phase_s for p in passages])
        self._lap: F64 = np.array([lap_s[p.row] for p in passages])

    def between(self, from_us: int, to_us: int) -> WeighingBatch:
        """The weighings of from_us <= time < to_us, in order of time."""
        if not self._passages:
            return WeighingBatch.empty()
        # A lap more at either end, and then by the clock: what is passed is passed once.
        begin = self._laps(from_us) - 1
        count = self._laps(to_us) + 2 - begin
        which = np.repeat(np.arange(len(self._passages), dtype=np.int32), count)
        turn = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count) + begin[which]
        time = self._clock.times(self._row[which], self._phase[which] + turn * self._lap[which])
        chosen = np.flatnonzero((time >= from_us) & (time < to_us))
        order = chosen[np.argsort(time[chosen], kind="stable")]
        return self._batch(which[order], turn[order], time[order])

    def _laps(self, time_us: int) -> I64:
        """How many laps each has begun behind its station."""
        time = np.full(len(self._row), time_us, np.int64)
        phase, _, _ = self._clock.phases(self._row, time)
        return np.floor((phase - self._phase) / self._lap).astype(np.int64)

    def _batch(self, row: I32, turn: I64, time: I64) -> WeighingBatch:
        passages = [self._passages[i] for i in row.tolist()]
        if not passages:
            return WeighingBatch.empty()
        axles = [
            self._reading(passage, which, int(again))
            for passage, which, again in zip(passages, row.tolist(), turn, strict=True)
        ]
        spacings = [np.array([np.nan, *p.vehicle.make.spacings_m]) for p in passages]
        n = len(passages)
        return WeighingBatch(
            station=tuple(p.station.code for p in passages),
            plate=tuple(p.vehicle.plate for p in passages),
            time=time,
            received=time.copy(),
            lane=np.ones(n, np.int16),
            gross_kg=np.array([a.sum() for a in axles]),
            speed_kmh=np.array([p.speed_kmh for p in passages], np.float32),
            length_m=np.array(
                [sum(p.vehicle.make.spacings_m) + AXLES_TO_BUMPERS_M for p in passages], np.float32
            ),
            axle_start=np.concatenate(([0], np.cumsum([len(a) for a in axles]))).astype(np.int64),
            axle_kg=np.concatenate(axles),
            axle_spacing_m=np.concatenate(spacings),
        )

    def _reading(self, passage: Passage, which: int, turn: int) -> F64:
        """Axle masses to ten kilograms, as a scale prints them; the same for the same seed."""
        noise = np.random.default_rng((self._seed, which, turn)).normal(
            1, NOISE, passage.axle_kg.shape
        )
        return np.asarray(np.round(passage.axle_kg * noise, -1), np.float64)
