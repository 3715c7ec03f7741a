"""Drivers' personal data: shown as the role needs it, handed to the driver, erased."""

from typing import Any, Final

import msgspec
from psycopg import AsyncConnection

from storage.queries import queries
from storage.reading.loading import rows_of, with_key
from storage.reading.paging import Page, page_of

SQL = queries("drivers")

MOST_ROWS: Final = 50_000
"""Of each kind in one file: years of driving."""


class Driver(msgspec.Struct, frozen=True):
    """A driver; name and licence are masked where the caller's role does not need them."""

    id: int
    licence: str
    name: str | None
    operator: str | None
    licence_class: str | None
    licence_until: str | None
    retired_at: str | None
    erased_at: str | None
    version: int


class Span(msgspec.Struct, frozen=True):
    """A stretch of driving."""

    plate: str
    started_at: str
    ended_at: str
    is_open: bool
    distance_m: float


class Found(msgspec.Struct, frozen=True):
    """A violation that names the driver."""

    id: int
    kind: str
    plate: str
    started_at: str
    ended_at: str
    status: str
    review: str


async def drivers(
    conn: AsyncConnection[Any], *, operator: str | None, after: int | None, limit: int
) -> Page[Driver, int]:
    """A page of drivers in order of their number."""
    found = rows_of(conn, with_key(Driver))
    await found.execute(SQL["page"], {"operator": operator, "after": after, "rows": limit + 1})
    return page_of(await found.fetchall(), limit)


async def driver(conn: AsyncConnection[Any], number: int) -> Driver | None:
    """One driver, if the caller may see it."""
    found = rows_of(conn, Driver)
    await found.execute(SQL["driver"], {"driver": number})
    return await found.fetchone()


async def spans(conn: AsyncConnection[Any], number: int) -> list[Span]:
    """When a driver drove what, newest first, MOST_ROWS + 1 at most."""
    found = rows_of(conn, Span)
    await found.execute(SQL["spans"], {"driver": number, "rows": MOST_ROWS + 1})
    return await found.fetchall()


async def violations(conn: AsyncConnection[Any], number: int) -> list[Found]:
    """Violations that name a driver, newest first, MOST_ROWS + 1 at most."""
    found = rows_of(conn, Found)
    await found.execute(SQL["violations"], {"driver": number, "rows": MOST_ROWS + 1})
    return await found.fetchall()


async def erase(conn: AsyncConnection[Any], number: int, kept_days: int) -> tuple[bool, str | None]:
    """Erase who a driver is.

    Returns whether there was one that the caller may erase, and until when something has to be kept
    (RFC 3339; None: erased).
    """
    found = rows_of(conn, lambda until: (True, until))
    await found.execute(SQL["erase"], {"driver": number, "kept_days": kept_days})
    return await found.fetchone() or (False, None)
