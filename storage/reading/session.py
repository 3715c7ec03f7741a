"""The transaction of one request: as which role it runs and whose eyes it has."""

from dataclasses import dataclass
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable

from storage.migrations import HEAD
from storage.reading.blocks import load_blocks

SQL = load_blocks("session.sql")


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks, and when.

    operator_id: None for inspectors, who see everything. now_us: when the transaction began, by the
        database's clock, microseconds since 1970-01-01 UTC.
    """

    token: int
    name: str
    role: Literal["inspector", "operator"]
    operator_id: int | None
    now_us: int


async def begin(
    conn: AsyncConnection[Any], digest: bytes, *, read_only: bool, timeout_s: float
) -> Scope | None:
    """Give the transaction that was just opened on `conn` the scope of a token.

    None: no such token, or it has expired or was revoked; the transaction then sees nothing. A
    statement that runs for longer than `timeout_s` is cancelled.
    """
    await conn.execute(SQL["begin_reading" if read_only else "begin_writing"])
    found = await conn.execute(
        SQL["take_scope"], {"digest": digest, "timeout_ms": str(int(timeout_s * 1000))}
    )
    row = await found.fetchone()
    return None if row is None else Scope(*row[:5])


async def is_migrated(conn: AsyncConnection[Any]) -> bool:
    """Whether the database has the schema that this code needs."""
    try:
        found = await conn.execute(SQL["schema_revision"])
        row = await found.fetchone()
    except UndefinedTable:
        return False
    return row is not None and row[0] == HEAD
