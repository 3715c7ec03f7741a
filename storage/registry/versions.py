"""Versions of zones and routes: a change ends the version in force and begins another.

Fixes are judged by the version in force at their own time, so a change says from when it holds and
nothing before that is judged differently.
"""

from dataclasses import dataclass
from typing import Literal

from psycopg import AsyncConnection

from storage.arrays import Instant, cursor
from storage.errors import NotAllowedError, NotThereError, RegistryError
from storage.queries import queries

SQL = queries("registry")

Versioned = Literal["zone", "route"]


@dataclass(frozen=True, slots=True)
class Current:
    """The newest version of a code."""

    id: int
    version: int
    valid_from: int
    valid_to: int


async def find_current(conn: AsyncConnection, kind: Versioned, code: str) -> Current | None:
    """The newest version of a code, in force or not; None for a new code."""
    cur = cursor(conn)
    await cur.execute(SQL[f"current_{kind}"], {"code": code})
    row = await cur.fetchone()
    return None if row is None else Current(*row)


async def end_current(conn: AsyncConnection, kind: Versioned, code: str, at_us: int) -> Current:
    """End the version in force at an instant. Raises RegistryError and its kinds."""
    current = await find_current(conn, kind, code)
    if current is None:
        raise NotThereError(f"{kind} {code!r}: expected the code of a registered one")
    if current.valid_to <= at_us:
        raise NotThereError(f"{kind} {code!r}: its last version was retired before that instant")
    if current.valid_from >= at_us:
        raise RegistryError(
            f"{kind} {code!r}: expected an instant after version {current.version} began"
        )
    cur = cursor(conn)
    await cur.execute(SQL[f"end_{kind}"], {"id": current.id, "valid_to": Instant(at_us)})
    if cur.rowcount == 0:  # row-level security hides from an UPDATE what it shows to a SELECT
        raise NotAllowedError(f"{kind} {code!r}: it belongs to somebody else, or to everybody")
    return current
