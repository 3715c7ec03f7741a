"""Weigh stations: what their scales read when the fleet's lorries pass.

Belongs here: times and masses of weighings. Does not belong here: verdicts about them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import F64, I32, I64, WeighingBatch
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
    """A vehicle that passes a station once in every period of its drive.

    first_us: the first time after the fleet's start; period_us: to each next one.
    axle_kg: what its axles bear.
    """

    vehicle: SimulatedVehicle
    station: StationRule
    first_us: int
    period_us: int
    axle_kg: F64
    speed_kmh: float


class Weighbridges:
    """All passages of a fleet, and the weighings that they make."""

    def __init__(self, passages: Sequence[Passage], seed: int) -> None:
        self._passages = tuple(passages)
        self._seed = seed
        self._first: I64 = np.array([p.first_us for p in passages], np.int64)
        self._period: I64 = np.array([p.period_us for p in passages], np.int64)

    def between(self, from_us: int, to_us: int) -> WeighingBatch:
        """The weighings of from_us <= time < to_us, in order of time."""
        if not self._passages:
            return WeighingBatch.empty()
        begin = np.maximum(-((self._first - from_us) // self._period), 0)
        end = np.maximum(-((self._first - to_us) // self._period), 0)
        count = end - begin
        row = np.repeat(np.arange(len(self._passages), dtype=np.int32), count)
        turn = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + begin[row]
        time = self._first[row] + turn * self._period[row]
        order = np.argsort(time, kind="stable")
        return self._batch(row[order], turn[order], time[order])

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
