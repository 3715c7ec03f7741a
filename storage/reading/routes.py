"""Fixed routes with their stops: what is in force, and what was."""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from storage.reading.blocks import load_blocks
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, page_of
from storage.reading.zones import VersionInForce

SQL = load_blocks("routes.sql")


class Route(msgspec.Struct, frozen=True):
    code: str
    version: int
    name: str
    operator: str | None
    corridor_m: float
    terminal_a: str
    terminal_b: str
    outbound: msgspec.Raw
    inbound: msgspec.Raw
    stops: msgspec.Raw
    slots: msgspec.Raw
    valid_from: str | None
    valid_to: str | None
    created_at: str
    is_retired: bool


async def routes(
    conn: AsyncConnection[Any],
    *,
    operator: str | None,
    at: datetime | None,
    retired: bool,
    after: str | None,
    limit: int,
) -> Page[Route, str]:
    """Routes in order of code, of codes greater than `after`: one version of each code.

    at, retired: as for `zones.zones`.
    """
    values = {
        "operator": operator,
        "at": at,
        "retired": retired,
        "after": after,
        "rows": limit + 1,
    }
    cursor = await rows_of(conn, with_key(Route)).execute(SQL["routes"], values)
    return page_of(await cursor.fetchall(), limit)


async def route(conn: AsyncConnection[Any], code: str, version: int | None = None) -> Route | None:
    """The newest version of a route, or the given one."""
    values = {"code": code, "version": version}
    cursor = await rows_of(conn, Route).execute(SQL["route"], values)
    return await cursor.fetchone()


async def route_versions(conn: AsyncConnection[Any], code: str) -> list[VersionInForce]:
    cursor = await rows_of(conn, VersionInForce).execute(SQL["route_versions"], {"code": code})
    return await cursor.fetchall()


async def is_known(conn: AsyncConnection[Any], code: str) -> bool:
    """Whether the caller sees a route of this code at all."""
    return await (await conn.execute(SQL["is_route_known"], {"code": code})).fetchone() is not None
