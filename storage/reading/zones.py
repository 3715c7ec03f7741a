"""Zones: what is in force, and what was."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, page_of

SQL = load_blocks("zones.sql")


class Zone(msgspec.Struct, frozen=True):
    code: str
    version: int
    name: str
    kind: str
    operator: str | None
    geometry: msgspec.Raw
    radius_m: float | None
    corridor_m: float | None
    speed_limits: msgspec.Raw
    classes: list[str] | None
    weekly_hours: msgspec.Raw | None
    valid_from: str | None
    valid_to: str | None
    max_stay_s: float | None
    min_duration_s: float
    min_gross_kg: float | None
    overrides_road: bool
    crossings: bool
    created_at: str
    is_retired: bool


class VersionInForce(msgspec.Struct, frozen=True):
    """One version of a zone or route, and when it applies; None: without a bound."""

    version: int
    valid_from: str | None
    valid_to: str | None
    created_at: str


async def zones(
    conn: AsyncConnection[Any],
    *,
    kind: str | None,
    operator: str | None,
    at: datetime | None,
    retired: bool,
    after: str | None,
    limit: int,
) -> Page[Zone, str]:
    """Zones in order of code, of codes greater than `after`: one version of each code.

    at: the version in force at that instant; None: the newest, unless it is retired and `retired`
        is False.
    """
    values = {
        "kind": kind,
        "operator": operator,
        "at": at,
        "retired": retired,
        "after": after,
        "rows": limit + 1,
    }
    cursor = await rows_of(conn, with_key(Zone)).execute(SQL["zones"], values)
    return page_of(await cursor.fetchall(), limit)


async def zone(conn: AsyncConnection[Any], code: str, version: int | None = None) -> Zone | None:
    """The newest version of a zone, or the given one."""
    values = {"code": code, "version": version}
    cursor = await rows_of(conn, Zone).execute(SQL["zone"], values)
    return await cursor.fetchone()


async def zone_versions(conn: AsyncConnection[Any], code: str) -> list[VersionInForce]:
    cursor = await rows_of(conn, VersionInForce).execute(SQL["zone_versions"], {"code": code})
    return await cursor.fetchall()
