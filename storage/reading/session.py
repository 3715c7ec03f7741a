"""The transaction of one request: as which role it runs and whose eyes it has."""

from dataclasses import dataclass
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.errors import UndefinedTable

from storage.access.roles import NATION, Ability, Reach, Role
from storage.migrations import HEAD
from storage.reading.blocks import load_blocks

SQL = load_blocks("session.sql")


@dataclass(frozen=True, slots=True)
class Scope:
    """Who asks, what they may do, and when.

    kind, id: a key or a session, and its number. name: the key's, or the person's. operator_id: of
    those who belong to an operator. person_id: None for a program. is_limited: nothing may be done
    but change the password. now_us: when the transaction began, by the database's clock,
    microseconds since 1970-01-01 UTC.
    """

    kind: Literal["key", "session"]
    id: int
    name: str
    role: Role
    reach: Reach
    person_id: int | None
    abilities: frozenset[Ability]
    is_limited: bool
    now_us: int

    @property
    def operator_id(self) -> int | None:
        """The operator of those who belong to one."""
        return self.reach.operator_id

    @property
    def is_national(self) -> bool:
        """Whether no operator, province or provider bounds what is seen."""
        return self.reach == NATION

    @property
    def actor(self) -> str:
        """What the audit calls the caller."""
        return f"person {self.name}" if self.kind == "session" else f"key {self.id} {self.name}"


async def begin(
    conn: AsyncConnection[Any], digest: bytes, *, read_only: bool, timeout_s: float
) -> Scope | None:
    """Give the transaction that was just opened on `conn` the scope of a key or session.

    None: none such is in force; the transaction then sees nothing. A statement that runs for longer
    than `timeout_s` is cancelled.
    """
    await conn.execute(SQL["begin_reading" if read_only else "begin_writing"])
    found = await conn.execute(
        SQL["take_scope"], {"digest": digest, "timeout_ms": str(int(timeout_s * 1000))}
    )
    row = await found.fetchone()
    if row is None:
        return None
    kind, number, name, role, *reach, person, abilities, is_limited, now_us = row[:11]
    return Scope(
        kind, number, name, role, Reach(*reach), person, frozenset(abilities), is_limited, now_us
    )


async def begin_at_gate(conn: AsyncConnection[Any]) -> None:
    """Have the transaction that was just opened deal with proofs of who somebody is."""
    await conn.execute(SQL["begin_writing"])


async def leave(conn: AsyncConnection[Any]) -> None:
    """Give the caller's role up, for what is written about the caller."""
    await conn.execute(SQL["leave_scope"])


async def is_migrated(conn: AsyncConnection[Any]) -> bool:
    """Whether the database has the schema that this code needs."""
    try:
        found = await conn.execute(SQL["schema_revision"])
        row = await found.fetchone()
    except UndefinedTable:
        return False
    return row is not None and row[0] == HEAD
