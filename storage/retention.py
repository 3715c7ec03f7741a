"""An end to what was kept for long enough, with the evidence saved from it; all of it audited.

Belongs here: deleting by age. What is deleted and the row of the audit that says so are one
transaction. When and how often is storage.upkeep's business.
"""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import AsyncConnection

from devices.batch import DISQUALIFYING
from devices.describe import rfc3339
from storage.access import audit
from storage.access.audit import Act
from storage.arrays import Instant, cursor
from storage.flavour import chunks, drop_before, drop_hours_before
from storage.queries import queries

SQL = queries("upkeep")

ACTOR: Final = "upkeep"

ROWS: Final = 10_000
"""Rows of one deletion: a fraction of a second, after which others get their turn."""

HANGING: Final = ("delete_extras", "delete_repeats", "delete_marks")
"""What hangs on fixes and goes with them, without rows of the audit of its own."""

WAITING: Final = ("delete_late", "delete_late_extras")
"""The same of fixes that nobody came to judge."""


async def drop_fixes(conn: AsyncConnection, before_us: int, host: str) -> tuple[int, int]:
    """Drop the chunks whose fixes are all older, the oldest first; what violations rest on is kept.

    How many chunks, and how many fixes were kept as evidence. Each chunk is a transaction: it is
    gone, its evidence stands, and the horizon has moved; or nothing has happened.
    """
    dropped = kept = 0
    for chunk in await chunks(conn):
        if chunk.until_us > before_us:
            break
        span = {"since": Instant(chunk.since_us), "until": Instant(chunk.until_us)}
        async with conn.transaction():
            fixes, first_us, last_us = await _row(conn, "count_fixes", span)
            await conn.execute(SQL["walk_indexes"])
            disqualifying = {"disqualifying": int(DISQUALIFYING)}
            (evidence,) = await _row(conn, "keep_evidence", span | disqualifying)
            await cursor(conn).execute(SQL["move_horizon"], {"before": Instant(chunk.until_us)})
            await drop_before(conn, chunk.until_us)
            detail = _bounds(chunk.until_us, fixes, first_us, last_us)
            await _write_down(conn, host, "delete_fixes", detail | {"kept_as_evidence": evidence})
        dropped += 1
        kept += evidence
    return dropped, kept


async def drop_hours(conn: AsyncConnection, before_us: int, host: str) -> int:
    """Delete the roll-ups that are older: chunks of them on TimescaleDB, rows elsewhere."""
    async with conn.transaction():
        dropped = await drop_hours_before(conn, before_us)
        if dropped:
            await cursor(conn).execute(SQL["move_hours_from"], {"before": Instant(before_us)})
            detail = {"before": rfc3339(before_us), "dropped": dropped}
            await _write_down(conn, host, "delete_hours", detail)
    return dropped


async def delete(conn: AsyncConnection, statement: str, before_us: int, host: str) -> int:
    """Delete in portions by a statement that says how many rows went, the first and the last."""
    deleted = 0
    while True:
        async with conn.transaction():
            params = {"before": Instant(before_us), "rows": ROWS}
            row: tuple[int, int | None, int | None] = await _row(conn, statement, params)
            rows, first_us, last_us = row
            if rows:
                detail = _bounds(before_us, rows, first_us, last_us)
                await _write_down(conn, host, statement, detail)
        deleted += rows
        if rows < ROWS:
            return deleted


async def delete_hanging(conn: AsyncConnection, statement: str, before_us: int) -> int:
    """Delete in portions what hangs on fixes; how many rows."""
    deleted = 0
    while True:
        params = {"before": Instant(before_us), "rows": ROWS}
        found = await cursor(conn).execute(SQL[statement], params)
        deleted += found.rowcount
        if found.rowcount < ROWS:
            return deleted


async def _row(conn: AsyncConnection, statement: str, params: Mapping[str, Any]) -> Any:
    found = await cursor(conn).execute(SQL[statement], params)
    row = await found.fetchone()
    assert row is not None
    return row


def _bounds(before_us: int, rows: int, first_us: int | None, last_us: int | None) -> dict[str, Any]:
    return {
        "before": rfc3339(before_us),
        "rows": rows,
        "first": None if first_us is None else rfc3339(first_us),
        "last": None if last_us is None else rfc3339(last_us),
    }


async def _write_down(
    conn: AsyncConnection, host: str, action: str, detail: Mapping[str, Any]
) -> None:
    await audit.record(conn, Act(ACTOR, host, action, "", detail))
