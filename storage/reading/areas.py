"""Which vehicles were in an area within a span of time."""

import asyncio
from datetime import datetime
from typing import Any, Final

import numpy as np
from psycopg import AsyncConnection
from shapely import intersects_xy, prepare
from shapely.geometry.base import BaseGeometry

from devices.batch import DISQUALIFYING, F64, I32, I64, Bool
from storage import wire
from storage.arrays import cursor, read_columns
from storage.reading.blocks import load_blocks

SQL = load_blocks("areas.sql")

COLUMNS: Final = {
    "vehicle": wire.INT4,
    "time": wire.TIMESTAMPTZ,
    "lon": wire.FLOAT8,
    "lat": wire.FLOAT8,
}


class Passes:
    """Vehicles, ascending, each with its first and last fix inside and how many there were.

    vehicle, fixes: shape (k,); first_us, last_us: shape (k,), microseconds since 1970 UTC.
    """

    def __init__(self, vehicle: I32, time: I64) -> None:
        order = np.lexsort((time, vehicle))
        time = time[order]
        self.vehicle, start, self.fixes = np.unique(
            vehicle[order], return_index=True, return_counts=True
        )
        self.first_us = time[start]
        self.last_us = time[start + self.fixes - 1]


async def passes(
    conn: AsyncConnection[Any],
    area: BaseGeometry,
    start: datetime,
    end: datetime,
    *,
    most: int | None = None,
) -> Passes | None:
    """The vehicles with a clean fix in the area, boundary included, in [start, end).

    area: a polygon or several, degrees WGS 84. A vehicle that passed between two fixes is not seen.
    None: there are more than `most` fixes in the area's box, all of which would be held in memory.
    """
    west, south, east, north = area.bounds
    found = await read_columns(
        cursor(conn),
        SQL["fixes_in_box"],
        {
            "from": start, "to": end, "west": west, "south": south, "east": east, "north": north,
            "disqualifying": int(DISQUALIFYING), "rows": None if most is None else most + 1,
        },
        COLUMNS,
    )  # fmt: skip
    if most is not None and len(found["time"]) > most:
        return None
    # A million points take a second: others are served meanwhile.
    inside = await asyncio.to_thread(_inside, area, found["lon"], found["lat"])
    return Passes(found["vehicle"][inside], found["time"][inside])


def _inside(area: BaseGeometry, lon: F64, lat: F64) -> Bool:
    prepare(area)
    inside: Bool = intersects_xy(area, lon, lat)
    return inside
