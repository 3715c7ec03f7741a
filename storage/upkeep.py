"""What a database needs from time to time: roll-ups, compression, and an end to what is old.

Belongs here: the order of these, and whose turn it is. What differs between TimescaleDB and plain
PostgreSQL is storage.flavour's business, what is deleted how storage.retention's.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable

from storage import days, fixes, forgetting, hours, retention
from storage.flavour import compress_before
from storage.queries import queries

SQL = queries("upkeep")

DAY_US: Final = 86_400_000_000
LOCK_KEY: Final = 0x75_70_6B_70
"""Key of the advisory lock ("upkp") that keeps a second round from beginning beside the first."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what is kept, in days; a fix is compressed when its chunk is so old.

    What a violation rests on (fixes, weighings) is kept with it.
    """

    fixes_days: int = 366
    violations_days: int = 1096
    hours_days: int = 1096
    days_days: int = 1096
    weighings_days: int = 1096
    visits_days: int = 1096
    trips_days: int = 1096
    spans_days: int = 1096
    repeats_days: int = 1096
    sessions_days: int = 30
    compressed_after_days: int = 7


class Round(NamedTuple):
    """What a round did: chunks or partitions compressed and dropped, rows kept and deleted.

    quarantine_emptied: messages that named drivers who were erased.
    """

    compressed: int
    chunks_dropped: int
    evidence_kept: int
    hours_dropped: int
    days_deleted: int
    extras_deleted: int
    late_deleted: int
    violations_deleted: int
    evidence_deleted: int
    weighings_deleted: int
    visits_deleted: int
    trips_deleted: int
    spans_deleted: int
    repeats_deleted: int
    sessions_deleted: int
    quarantine_emptied: int


async def keep(
    conn: AsyncConnection,
    keeping: Keeping,
    now_us: int,
    host: str = "",
    zone: str = "Asia/Ho_Chi_Minh",
) -> Round | None:
    """One round, on a connection of its own outside a transaction; None: another one is at it.

    host: whose upkeep this is, for the audit. zone: whose days are kept. Every step is repeated in
    the next round if this one is stopped.
    """

    def before(age_days: int) -> int:
        return now_us - age_days * DAY_US

    async def deleted(statement: str, age_days: int) -> int:
        return await retention.delete(conn, statement, before(age_days), host)

    async with _alone(conn) as is_mine:
        if not is_mine:
            return None
        fixes_from = before(keeping.fixes_days)
        # Before anything goes: a year may have been stored at once, or nobody have done rounds.
        await hours.refresh(conn, max(await fixes.horizon(conn), 0), now_us)
        await days.refresh(conn, zone, now_us)
        await summarize(conn)
        compressed = await compress_before(conn, before(keeping.compressed_after_days))
        # First: no evidence is kept of what goes as well.
        violations = await deleted("delete_violations", keeping.violations_days)
        dropped, evidence = await retention.drop_fixes(conn, fixes_from, host)
        # Chunks go whole: younger than the horizon are fixes whose extras are evidence yet to come.
        hanging_before = await fixes.horizon(conn)
        return Round(
            compressed=compressed,
            chunks_dropped=dropped,
            evidence_kept=evidence,
            hours_dropped=await retention.drop_hours(conn, before(keeping.hours_days), host),
            # A day that is gone is nothing, though its hours be there: it stays no shorter.
            days_deleted=await deleted("delete_days", max(keeping.days_days, keeping.hours_days)),
            extras_deleted=await _delete_hanging(
                conn, retention.HANGING if dropped else (), hanging_before
            ),
            late_deleted=await _delete_hanging(conn, retention.WAITING, fixes_from),
            violations_deleted=violations,
            evidence_deleted=await deleted("delete_evidence", keeping.violations_days),
            weighings_deleted=await deleted("delete_weighings", keeping.weighings_days),
            visits_deleted=await deleted("delete_visits", keeping.visits_days),
            trips_deleted=await deleted("delete_trips", keeping.trips_days),
            # Fixes that are judged again add to spans: those before them have to be there.
            spans_deleted=await deleted(
                "delete_spans", max(keeping.spans_days, keeping.fixes_days)
            ),
            repeats_deleted=await deleted("delete_repeat_counts", keeping.repeats_days),
            sessions_deleted=await deleted("delete_sessions", keeping.sessions_days),
            quarantine_emptied=await forgetting.forget(conn, host),
        )


async def waiting(conn: AsyncConnection) -> int:
    """Hours of vehicles that changed and wait for a round to roll them up."""
    return await _count(conn, "waiting")


async def unregistered(conn: AsyncConnection) -> int:
    """Drivers whom feeds have named and nobody has registered."""
    return await _count(conn, "unregistered")


async def _count(conn: AsyncConnection, statement: str) -> int:
    row = await (await conn.execute(SQL[statement])).fetchone()
    assert row is not None
    return int(row[0])


async def summarize(conn: AsyncConnection) -> None:
    """Have the indexes over time know what was written since the last round.

    What they do not know is read whatever time is asked for, and vacuum, which tells them, comes
    when a fifth of a table is new. Where it is at work it is left alone.
    """
    found = await conn.execute(SQL["unsummarized"])
    for (index,) in await found.fetchall():
        with suppress(LockNotAvailable):
            async with conn.transaction():
                await conn.execute(SQL["hardly_wait"])
                await conn.execute(SQL["summarize"], {"index": index})


async def _delete_hanging(conn: AsyncConnection, statements: Sequence[str], before_us: int) -> int:
    return sum([await retention.delete_hanging(conn, one, before_us) for one in statements])


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
