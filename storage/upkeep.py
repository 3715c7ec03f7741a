"""What a database needs from time to time: roll-ups, compression, and an end to what is old.

Belongs here: the order of these, and whose turn it is. What differs between TimescaleDB and plain
PostgreSQL is storage.flavour's business.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple

from psycopg import AsyncConnection

from storage import hours
from storage.arrays import Instant, cursor
from storage.flavour import compress_before, drop_before, drop_hours_before
from storage.queries import queries

SQL = queries("upkeep")

DAY_US: Final = 86_400_000_000
LOCK_KEY: Final = 0x75_70_6B_70
"""Key of the advisory lock ("upkp") that keeps a second round from beginning beside the first."""

ROWS: Final = 10_000
"""Rows of one deletion: a fraction of a second, after which others get their turn."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is kept, in days; a fix is compressed when its chunk is so old."""

    fixes_days: int = 366
    violations_days: int = 1096
    hours_days: int = 1096
    compressed_after_days: int = 7


class Round(NamedTuple):
    """What a round did: chunks or partitions compressed and dropped, and rows deleted."""

    compressed: int
    chunks_dropped: int
    hours_dropped: int
    extras_deleted: int
    violations_deleted: int


async def keep(conn: AsyncConnection, keeping: Keeping, now_us: int) -> Round | None:
    """One round, on a connection of its own outside a transaction; None: another one is at it.

    Every step is repeated in the next round if this one is stopped.
    """
    async with _alone(conn) as is_mine:
        if not is_mine:
            return None
        fixes_from = now_us - keeping.fixes_days * DAY_US
        await hours.refresh(conn, fixes_from, now_us)
        compressed = await compress_before(conn, now_us - keeping.compressed_after_days * DAY_US)
        dropped = await drop_before(conn, fixes_from)
        extras = 0
        if dropped:
            for statement in ("delete_extras", "delete_repeats", "delete_marks"):
                extras += await _delete(conn, statement, fixes_from)
        return Round(
            compressed=compressed,
            chunks_dropped=dropped,
            hours_dropped=await drop_hours_before(conn, now_us - keeping.hours_days * DAY_US),
            extras_deleted=extras,
            violations_deleted=await _delete(
                conn, "delete_violations", now_us - keeping.violations_days * DAY_US
            ),
        )


@asynccontextmanager
async def _alone(conn: AsyncConnection) -> AsyncIterator[bool]:
    found = await conn.execute(SQL["try_lock"], {"key": LOCK_KEY})
    row = await found.fetchone()
    assert row is not None
    try:
        yield row[0]
    finally:
        if row[0] and not conn.closed:
            await conn.execute(SQL["unlock"], {"key": LOCK_KEY})


async def _delete(conn: AsyncConnection, statement: str, before_us: int) -> int:
    """Delete in portions, each in a transaction of its own; how many rows."""
    deleted = 0
    while True:
        found = await cursor(conn).execute(
            SQL[statement], {"before": Instant(before_us), "rows": ROWS}
        )
        deleted += found.rowcount
        if found.rowcount < ROWS:
            return deleted
