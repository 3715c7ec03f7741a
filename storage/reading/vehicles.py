"""Vehicles and their visits to zones."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, TimeKey, page_of, time_page_of

SQL = load_blocks("vehicles.sql")


class Vehicle(msgspec.Struct, frozen=True):
    id: int
    first_id: int
    plate: str
    plate_raw: str
    operator: str
    operator_name: str
    vehicle_class: str = msgspec.field(name="class")
    kind: str
    speed_limit_kmh: float | None
    gross_kg: float | None
    kerb_kg: float | None
    cargo_kg: float | None
    axles: int | None
    vin: str | None
    valid_from: str | None
    valid_to: str | None
    version: int
    is_retired: bool


class Registration(msgspec.Struct, frozen=True):
    id: int
    plate: str
    operator: str
    valid_from: str | None
    valid_to: str | None


class BoundRoute(msgspec.Struct, frozen=True):
    route: str
    valid_from: str | None
    valid_to: str | None


class CarriedDevice(msgspec.Struct, frozen=True):
    ident: str
    codec: str | None
    valid_from: str | None
    valid_to: str | None


class Visit(msgspec.Struct, frozen=True):
    zone: str
    zone_version: int
    zone_name: str
    zone_kind: str
    entered_at: str
    left_at: str
    duration_s: float
    is_open: bool
    fixes: int


async def vehicles(
    conn: AsyncConnection[Any],
    *,
    plate: str | None,
    plate_prefix: str | None,
    operator: str | None,
    retired: bool,
    after: int | None,
    limit: int,
) -> Page[Vehicle, int]:
    """Vehicles in order of id, of ids greater than `after`."""
    values = {
        "plate": plate,
        "plate_prefix": plate_prefix,
        "operator": operator,
        "retired": retired,
        "after": after,
        "rows": limit + 1,
    }
    cursor = await rows_of(conn, with_key(Vehicle)).execute(SQL["vehicles"], values)
    return page_of(await cursor.fetchall(), limit)


async def vehicle(conn: AsyncConnection[Any], number: int) -> Vehicle | None:
    cursor = await rows_of(conn, Vehicle).execute(SQL["vehicle"], {"vehicle": number})
    return await cursor.fetchone()


async def registrations(conn: AsyncConnection[Any], first: int) -> list[Registration]:
    """What was registered of the vehicle whose first registration this is, newest first."""
    cursor = await rows_of(conn, Registration).execute(SQL["registrations"], {"first": first})
    return await cursor.fetchall()


async def bound_routes(conn: AsyncConnection[Any], number: int) -> list[BoundRoute]:
    cursor = await rows_of(conn, BoundRoute).execute(SQL["vehicle_routes"], {"vehicle": number})
    return await cursor.fetchall()


async def carried_devices(conn: AsyncConnection[Any], number: int) -> list[CarriedDevice]:
    cursor = await rows_of(conn, CarriedDevice).execute(SQL["vehicle_devices"], {"vehicle": number})
    return await cursor.fetchall()


async def visits(
    conn: AsyncConnection[Any],
    number: int,
    *,
    zone: str | None,
    start: datetime | None,
    end: datetime | None,
    before: TimeKey | None,
    limit: int,
) -> Page[Visit, TimeKey]:
    """Visits that began in [start, end), newest first, older than the key `before`."""
    values = {
        "vehicle": number,
        "zone": zone,
        "from": start,
        "to": end,
        "before_us": before.at_us if before else None,
        "before_id": before.id if before else None,
        "rows": limit + 1,
    }
    cursor = await rows_of(conn, with_key(Visit)).execute(SQL["visits"], values)
    return time_page_of(await cursor.fetchall(), limit)
