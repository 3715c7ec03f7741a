"""The one module that knows TimescaleDB from plain PostgreSQL.

Belongs here: what differs between the two, as data and small functions that the rest calls without
asking which it is.
"""

from enum import StrEnum

from psycopg import AsyncConnection

from storage.queries import queries

SQL = queries("flavour")


class Flavour(StrEnum):
    """What kind of table holds the fixes."""

    TIMESCALE = "timescale"
    PLAIN = "plain"


async def detect(conn: AsyncConnection) -> Flavour:
    """The flavour of a migrated database."""
    found = await conn.execute(SQL["fixes_is_partitioned"])
    row = await found.fetchone()
    assert row is not None, "the database is not migrated"
    return Flavour.PLAIN if row[0] else Flavour.TIMESCALE


async def existing_days(conn: AsyncConnection, days: list[int]) -> set[int]:
    """Those of the days (numbers since 1970, UTC) that have a place for fixes.

    A hypertable makes its chunks itself: all of them.
    """
    if await detect(conn) is Flavour.TIMESCALE:
        return set(days)
    found = await conn.execute(SQL["days"], {"days": days})
    return {row[0] for row in await found.fetchall()}


async def create_days(conn: AsyncConnection, days: list[int]) -> None:
    """Make the partitions that are missing, in the current transaction or in one of its own.

    Other sessions go on reading and writing fixes meanwhile; of two that make the same day, one
    waits for the other.
    """
    await conn.execute(SQL["create_days"], {"days": days})
