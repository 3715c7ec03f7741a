"""How a vehicle moves: polylines on the sphere, and timed drives along them.

Belongs here: geometry of a way, speed profiles with bounded acceleration, and sampling of a drive
at any phase. Does not belong here: which vehicle drives where, noise, time of day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import F64

EARTH_RADIUS_M: Final = 6_371_008.8

ACCELERATION_MPS2: Final = 0.8
"""What a loaded bus or lorry does without spilling its passengers."""

BRAKING_MPS2: Final = 1.1

GRID_M: Final = 10.0
"""Spacing of a drive's knots. Between knots the acceleration is constant."""

CREEP_MPS: Final = 1.5
"""The slowest that a corner makes anybody go; only halts bring a vehicle to a stand."""

# Turn angle in degrees from which a corner is taken at no more than so many km/h.
CORNERS_KMH: Final = ((20.0, 60.0), (40.0, 45.0), (60.0, 32.0), (85.0, 20.0), (130.0, 9.0))


def distances_m(lon: F64, lat: F64) -> F64:
    """Great-circle length of each step of a polyline, shape (n - 1,)."""
    lon_r, lat_r = np.radians(lon), np.radians(lat)
    half = (
        np.sin(np.diff(lat_r) / 2) ** 2
        + np.cos(lat_r[:-1]) * np.cos(lat_r[1:]) * np.sin(np.diff(lon_r) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half)), np.float64)


@dataclass(frozen=True, slots=True)
class Line:
    """A polyline: vertices in degrees, shape (k,), and how far along it each lies."""

    lon: F64
    lat: F64
    along_m: F64
    heading: F64
    """Degrees from north of each segment, shape (k - 1,)."""

    @classmethod
    def of(cls, points: Sequence[Sequence[float]]) -> "Line":
        """The line through (lon, lat) points; points that repeat the one before are left out."""
        array = np.asarray(points, np.float64)
        keep = np.concatenate(([True], np.any(np.diff(array, axis=0) != 0.0, axis=1)))
        lon, lat = array[keep, 0].copy(), array[keep, 1].copy()
        along = np.concatenate(([0.0], np.cumsum(distances_m(lon, lat))))
        east = np.diff(lon) * np.cos(np.radians((lat[:-1] + lat[1:]) / 2))
        heading = np.degrees(np.arctan2(east, np.diff(lat))) % 360.0
        return cls(lon, lat, along, heading)

    @property
    def length_m(self) -> float:
        return float(self.along_m[-1])

    def at(self, along_m: F64) -> tuple[F64, F64, F64]:
        """(lon, lat, heading) at these distances along the line, clipped to its ends."""
        segment = np.clip(
            np.searchsorted(self.along_m, along_m, side="right") - 1, 0, len(self.heading) - 1
        )
        lon = np.interp(along_m, self.along_m, self.lon)
        lat = np.interp(along_m, self.along_m, self.lat)
        return lon, lat, self.heading[segment]

    def nearest_m(self, lon: float, lat: float) -> float:
        """How far along the line its point nearest to (lon, lat) lies."""
        grid = self.grid(())
        grid_lon, grid_lat, _ = self.at(grid)
        east = (grid_lon - lon) * np.cos(np.radians(lat))
        return float(grid[np.argmin(east**2 + (grid_lat - lat) ** 2)])

    def grid(self, also_m: Sequence[float]) -> F64:
        """Distances every GRID_M, at every vertex and at `also_m`: ascending, without repeats."""
        regular = np.arange(0.0, self.length_m, GRID_M)
        return np.unique(np.concatenate((regular, self.along_m, np.asarray(also_m, np.float64))))

    def corner_caps_mps(self, grid: F64) -> F64:
        """The speed that the turn at each point of the grid allows; inf between vertices."""
        caps = np.full(len(grid), np.inf)
        turn = np.abs((np.diff(self.heading) + 180.0) % 360.0 - 180.0)
        at = np.searchsorted(grid, self.along_m[1:-1])
        for angle, kmh in CORNERS_KMH:
            caps[at[turn >= angle]] = kmh / 3.6
        return caps


@dataclass(frozen=True, slots=True)
class Halt:
    """A stand of `stay_s` at a place along the line."""

    along_m: float
    stay_s: float


@dataclass(frozen=True, slots=True)
class Drive:
    """A timed drive along a line: knots of phase (s), distance (m) and speed (m/s), shape (k,).

    The end of a drive over a closed line is its beginning, so that it can be driven for ever.
    """

    line: Line
    phase_s: F64
    along_m: F64
    speed_mps: F64

    @property
    def period_s(self) -> float:
        return float(self.phase_s[-1])

    def sample(self, phase_s: F64) -> tuple[F64, F64, F64, F64]:
        """(lon, lat, speed_kmh, heading) at these phases, taken modulo the period."""
        phase = phase_s % self.period_s
        lon, lat, heading = self.line.at(np.interp(phase, self.phase_s, self.along_m))
        return lon, lat, np.interp(phase, self.phase_s, self.speed_mps) * 3.6, heading

    def when(self, along_m: float) -> float:
        """The phase at which the drive first is so far along its line."""
        at = int(np.searchsorted(self.along_m, along_m))
        if at == 0 or self.along_m[at] == along_m:
            return float(self.phase_s[at])
        part = (along_m - self.along_m[at - 1]) / (self.along_m[at] - self.along_m[at - 1])
        return float(self.phase_s[at - 1] + part * (self.phase_s[at] - self.phase_s[at - 1]))


def plan_drive(line: Line, grid: F64, caps_mps: F64, halts: Sequence[Halt]) -> Drive:
    """Drive the line as fast as the caps, the corners and the acceleration bounds allow.

    grid: from `line.grid`, must hold every halt; caps_mps: shape of the grid, > 0. The drive
    begins and ends at a stand.
    """
    caps = np.maximum(np.minimum(caps_mps, line.corner_caps_mps(grid)), CREEP_MPS)
    square = caps**2
    stands = np.searchsorted(grid, [0.0, *(halt.along_m for halt in halts), grid[-1]])
    square[stands] = 0.0
    # v^2 grows by at most 2as over s: a running minimum of v^2 - 2as is the fastest that obeys.
    rise = 2 * ACCELERATION_MPS2 * grid
    square = np.minimum.accumulate(square - rise) + rise
    fall = 2 * BRAKING_MPS2 * (grid[-1] - grid[::-1])
    square = (np.minimum.accumulate(square[::-1] - fall) + fall)[::-1]
    speed = np.sqrt(np.maximum(square, 0.0))
    steps = 2 * np.diff(grid) / (speed[:-1] + speed[1:])
    phase = np.concatenate(([0.0], np.cumsum(steps)))
    return _stand(Drive(line, phase, grid, speed), halts)


def _stand(drive: Drive, halts: Sequence[Halt]) -> Drive:
    """The same drive with the halts' stays put in: a halt is two knots at one place."""
    phase, along, speed = drive.phase_s, drive.along_m, drive.speed_mps
    for halt in halts:
        at = int(np.searchsorted(along, halt.along_m))
        later = phase[at:] + halt.stay_s
        phase = np.concatenate((phase[: at + 1], later))
        along = np.insert(along, at + 1, along[at])
        speed = np.insert(speed, at + 1, 0.0)
    return Drive(drive.line, phase, along, speed)
