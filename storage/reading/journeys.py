"""Fixes of one vehicle: pages of its journey, its track as arrays, and a violation's evidence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection

from devices.batch import DISQUALIFYING, FixBatch
from storage import arrays, wire
from storage.reading.blocks import load_blocks
from storage.reading.fixes import input_states, quality_names
from storage.reading.loading import all_rows, rows_of, with_key
from storage.reading.paging import Page, page_of

SQL = load_blocks("journeys.sql")

TRACK: Final = {
    "time": wire.TIMESTAMPTZ,
    "lon": wire.FLOAT8,
    "lat": wire.FLOAT8,
    "speed_kmh": wire.FLOAT4,
    "quality": wire.INT4,
}


class Fix(msgspec.Struct, frozen=True, gc=False):
    time: str
    received: str
    lon: float
    lat: float
    speed_kmh: float
    heading: float
    altitude_m: float
    hdop: float
    satellites: int | None
    odometer_m: float
    driver: str | None
    inputs: dict[str, bool]
    quality: tuple[str, ...]
    extra: msgspec.Raw | None


class EvidenceFix(Fix, frozen=True):
    """A fix of a violation's evidence; role: "before", "inside" or "after" its interval."""

    role: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """The fixes of one vehicle in [start, end)."""

    vehicle: int
    start: datetime
    end: datetime

    def values(self) -> dict[str, Any]:
        return {"vehicle": self.vehicle, "from": self.start, "to": self.end}


def _fix(*columns: Any) -> Fix:
    *plain, inputs, quality, extra = columns
    return Fix(*[*plain, input_states(inputs), quality_names(quality), extra])


def _evidence_fix(*columns: Any) -> EvidenceFix:
    *plain, inputs, quality, extra, role = columns
    return EvidenceFix(*[*plain, input_states(inputs), quality_names(quality), extra, role])


async def fixes(
    conn: AsyncConnection[Any], stretch: Stretch, *, after_us: int | None, limit: int
) -> Page[Fix, int]:
    """Fixes in order of time, later than `after_us`; the key is a fix's time in microseconds."""
    values = {**stretch.values(), "after_us": after_us, "rows": limit + 1}
    cursor = await rows_of(conn, with_key(_fix)).execute(SQL["fixes"], values)
    return page_of(await all_rows(cursor), limit)


async def count_fixes(conn: AsyncConnection[Any], stretch: Stretch, *, most: int) -> int:
    """How many fixes there are, counted up to `most`."""
    found = await conn.execute(SQL["count_fixes"], {**stretch.values(), "rows": most})
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def track(conn: AsyncConnection[Any], stretch: Stretch) -> FixBatch:
    """All fixes in order of time, with time, place, speed and quality only."""
    columns = await arrays.read_columns(arrays.cursor(conn), SQL["track"], stretch.values(), TRACK)
    return FixBatch.blank(len(columns["time"]), **columns)


async def evidence(
    conn: AsyncConnection[Any], vehicle: int, started_us: int, ended_us: int, *, most: int
) -> tuple[list[EvidenceFix], bool]:
    """The stored fixes of an interval with one clean neighbour on either side, in order of time.

    At most `most` of the interval itself; the second value says that there are more.
    """
    values = {
        "vehicle": vehicle,
        "started_us": started_us,
        "ended_us": ended_us,
        "disqualifying": int(DISQUALIFYING),
        "rows": most + 1,
    }
    cursor = await rows_of(conn, _evidence_fix).execute(SQL["evidence"], values)
    found = await all_rows(cursor)
    inside = [fix for fix in found if fix.role == "inside"]
    if len(inside) <= most:
        return found, False
    dropped = {id(fix) for fix in inside[most:]}
    return [fix for fix in found if id(fix) not in dropped], True
