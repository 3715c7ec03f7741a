"""Weighings with their axles."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, TimeKey, time_page_of

SQL = load_blocks("weighings.sql")


class Axle(msgspec.Struct, frozen=True):
    mass_kg: float
    spacing_m: float


class Weighing(msgspec.Struct, frozen=True):
    id: int
    station: str
    station_name: str
    station_kind: str
    station_lon: float
    station_lat: float
    calibrated_until: str | None
    vehicle_id: int
    plate_read: str
    plate: str
    operator: str
    time: str
    received: str
    lane: int | None
    gross_kg: float
    speed_kmh: float
    length_m: float
    axles: list[Axle]
    extra: msgspec.Raw | None


@dataclass(frozen=True, slots=True)
class WeighingFilter:
    """None: any. start, end: bounds of `time`, [start, end); plate: as read, or registered."""

    station: str | None = None
    vehicle: int | None = None
    plate: str | None = None
    operator: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    min_gross_kg: float | None = None


def _weighing(*columns: Any) -> Weighing:
    *plain, masses, spacings, extra = columns
    axles = [Axle(*axle) for axle in zip(masses, spacings, strict=True)]
    return Weighing(*[*plain, axles, extra])


async def weighings(
    conn: AsyncConnection[Any], wanted: WeighingFilter, *, before: TimeKey | None, limit: int
) -> Page[Weighing, TimeKey]:
    """Weighings newest first, older than the key `before`."""
    values = {
        "station": wanted.station,
        "vehicle": wanted.vehicle,
        "plate": wanted.plate,
        "operator": wanted.operator,
        "from": wanted.start,
        "to": wanted.end,
        "min_gross_kg": wanted.min_gross_kg,
        "before_us": before.at_us if before else None,
        "before_id": before.id if before else None,
        "rows": limit + 1,
    }
    cursor = await rows_of(conn, with_key(_weighing)).execute(SQL["weighings"], values)
    return time_page_of(await cursor.fetchall(), limit)


async def weighings_at(
    conn: AsyncConnection[Any], vehicle: int, station: str, at_us: int
) -> list[Weighing]:
    """The weighings of a vehicle at one instant (microseconds, UTC) and station."""
    values = {"vehicle": vehicle, "station": station, "at_us": at_us}
    cursor = await rows_of(conn, _weighing).execute(SQL["weighings_at"], values)
    return await cursor.fetchall()
