"""The one module that knows TimescaleDB from plain PostgreSQL.

Belongs here: what differs between the two, as data and small functions that the rest calls without
asking which it is.
"""

from enum import StrEnum
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection

from storage.arrays import Instant, cursor
from storage.queries import queries

SQL = queries("flavour")

_known: "WeakKeyDictionary[AsyncConnection, Flavour]" = WeakKeyDictionary()


class Flavour(StrEnum):
    """What kind of table holds the fixes."""

    TIMESCALE = "timescale"
    PLAIN = "plain"


async def detect(conn: AsyncConnection) -> Flavour:
    """The flavour of a migrated database, which a connection asks for once."""
    if conn not in _known:
        found = await conn.execute(SQL["fixes_is_partitioned"])
        row = await found.fetchone()
        assert row is not None, "the database is not migrated"
        _known[conn] = Flavour.PLAIN if row[0] else Flavour.TIMESCALE
    return _known[conn]


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


HOUR_US: Final = 3_600_000_000

CHANGED_HOURS: Final = 10_000
"""Vehicles' hours that are rolled up again in one transaction: some seconds."""


class Chunk(NamedTuple):
    """A chunk or partition of fixes, of times in [since_us, until_us)."""

    since_us: int
    until_us: int


async def chunks(conn: AsyncConnection) -> list[Chunk]:
    """The chunks or partitions of fixes that there are, the oldest first."""
    name = "chunks" if await detect(conn) is Flavour.TIMESCALE else "partitions"
    found = await cursor(conn).execute(SQL[name])
    return [Chunk(*row) for row in await found.fetchall()]


async def refresh_hours(conn: AsyncConnection, kept_us: int, until_us: int) -> None:
    """Store the hours before `until_us`; those that changed before `kept_us` stay as they are.

    Which of vehicles changed is handed on in fix_days_changed. Outside a transaction: works in
    several of its own, so that no step is long.
    """
    if await detect(conn) is Flavour.PLAIN:
        params = {"kept": Instant(kept_us), "until": Instant(until_us), "most": CHANGED_HOURS}
        while await _one(conn, "roll_up", params):
            pass
        while await _one(conn, "roll_up_changed", params) >= CHANGED_HOURS:
            pass
        return
    await conn.execute(SQL["take_changed"])
    for chunk in await chunks(conn):
        since, until = max(chunk.since_us, kept_us), min(chunk.until_us, until_us)
        if until - since >= HOUR_US:
            await cursor(conn).execute(
                SQL["refresh"], {"since": Instant(since), "until": Instant(until)}
            )


async def compress_before(conn: AsyncConnection, before_us: int) -> int:
    """Keep as columns the chunks whose fixes are all older; how many. None on plain PostgreSQL.

    Late fixes have gone into compressed chunks as rows: those are compressed again. Writing into a
    chunk waits for as long as it is being compressed; reading does not.
    """
    if await detect(conn) is Flavour.PLAIN:
        return 0
    found = await cursor(conn).execute(SQL["uncompressed"], {"before": Instant(before_us)})
    names = [row[0] for row in await found.fetchall()]
    for name in names:
        await conn.execute(SQL["compress"], {"chunk": name})
    return len(names)


async def drop_before(conn: AsyncConnection, before_us: int) -> int:
    """Drop the chunks or partitions whose fixes are all older; how many."""
    name = "drop_chunks" if await detect(conn) is Flavour.TIMESCALE else "drop_partitions"
    return await _number(conn, name, before_us)


async def drop_hours_before(conn: AsyncConnection, before_us: int) -> int:
    """Delete roll-ups that are older: chunks on TimescaleDB, rows elsewhere; how many."""
    name = "drop_hour_chunks" if await detect(conn) is Flavour.TIMESCALE else "delete_hours"
    return await _number(conn, name, before_us)


async def _number(conn: AsyncConnection, statement: str, before_us: int) -> int:
    return int(await _one(conn, statement, {"before": Instant(before_us)}))


async def _one(conn: AsyncConnection, statement: str, params: dict[str, Any]) -> Any:
    found = await cursor(conn).execute(SQL[statement], params)
    row = await found.fetchone()
    assert row is not None
    return row[0]
