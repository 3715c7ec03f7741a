"""A day of San Francisco's taxis (cabspotting), moved in time and place as often as asked for.

Times, gaps and motion are real, places are not Vietnam's roads. Of a fix the data knows time, place
and whether the taxi was hired; speeds are derived from the steps, everything else is unknown.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pyarrow import csv

from analytics.stops import steps
from benchmarks.parts.data import data_folder
from devices.batch import I64, FixBatch
from geofence.geodesy import EARTH_RADIUS_M

FILE: Final = Path("cabspotting") / "day_2008-05-21.csv.gz"
DAY_US: Final = 86_400_000_000
CITIES_WIDE: Final = 10
"""Copies lie in a grid of cities between 102.5 and 109 degrees east and from 9 degrees north."""

DOWNTOWN: Final = (-122.41, 37.785)
"""Lon, lat of the middle of the square kilometre that the area question is asked of."""


@dataclass(frozen=True, slots=True)
class Taxis:
    """One day as it is, sorted by (taxi, time): `day` has vehicles from 1, times from 0."""

    day: FixBatch
    vehicles: int

    @classmethod
    def load(cls) -> "Taxis":
        """Read the data; repeated instants of a taxi are left out."""
        table = csv.read_csv(data_folder() / FILE)
        names, taxi = np.unique(table["cab"].to_numpy(zero_copy_only=False), return_inverse=True)
        time = (table["t"].to_numpy() - table["t"].to_numpy().min()).astype(np.int64) * 1_000_000
        order = np.lexsort((time, taxi))
        taxi, time = taxi[order], time[order]
        is_new = np.ones(len(taxi), np.bool_)
        is_new[1:] = (np.diff(taxi) != 0) | (np.diff(time) != 0)
        order, taxi, time = order[is_new], taxi[is_new], time[is_new]
        lon, lat = table["lon"].to_numpy()[order], table["lat"].to_numpy()[order]
        _, kmh = steps(time, lon, lat)
        kmh = np.where((np.diff(taxi) == 0) & (kmh <= 120), kmh, 0.0)
        hired = table["occ"].to_numpy()[order] == 1
        day = FixBatch.blank(
            len(taxi), vehicle=1 + taxi, time=time, lon=lon, lat=lat,
            speed_kmh=np.concatenate([np.zeros(1), np.round(kmh)]),
            inputs=np.where(hired, 0x3_0003, 0x3_0001),
        )  # fmt: skip
        return cls(day, len(names))

    def shift(self, city: int) -> tuple[float, float]:
        """Degrees by which a city's copy is moved."""
        east, north = city % CITIES_WIDE, city // CITIES_WIDE
        return 224.9 + 0.7 * east, -28.7 + 1.3 * north

    def copy(self, city: int, day_us: int, seed: int) -> FixBatch:
        """A copy in the order in which it would arrive, turned around the clock at random."""
        rng = np.random.default_rng(seed)
        taxis = self.day
        time = day_us + (taxis.time + int(rng.integers(86_400)) * 1_000_000) % DAY_US
        delay: I64 = rng.integers(200_000, 2_500_000, len(taxis))
        east, north = self.shift(city)
        moved = taxis.with_columns(
            vehicle=(taxis.vehicle + city * self.vehicles).astype(np.int32),
            time=time, received=time + delay,
            lon=np.round(taxis.lon + east, 5), lat=np.round(taxis.lat + north, 5),
        )  # fmt: skip
        return moved.take(np.argsort(moved.received, kind="stable"))


def square(taxis: Taxis, city: int, side_m: float = 1000.0) -> tuple[float, float, float, float]:
    """West, south, east, north of a square in the middle of a city."""
    east, north = taxis.shift(city)
    lon, lat = DOWNTOWN[0] + east, DOWNTOWN[1] + north
    half_lat = np.degrees(side_m / 2 / EARTH_RADIUS_M)
    half_lon = half_lat / np.cos(np.radians(lat))
    return (
        float(lon - half_lon), float(lat - half_lat), float(lon + half_lon), float(lat + half_lat),
    )  # fmt: skip
