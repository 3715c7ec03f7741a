"""What the API must know before it changes a zone or route; `storage.registry` makes the change.

All of it runs in the caller's transaction and with the caller's rights.
"""

from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from storage.reading.loading import rows_of
from storage.reading.routes import SQL as ROUTES
from storage.reading.zones import SQL as ZONES
from storage.registry.refusals import take_turn
from storage.registry.versions import Versioned

SQL = {"zone": ZONES, "route": ROUTES}


@dataclass(frozen=True, slots=True)
class Held:
    """The newest version of a zone or route, locked until the transaction ends.

    operator_id: whose it is, None: everybody's. valid_from: when it began, None: it always was.
    until_us: when a successor begins or it ends: the instant that was asked for, else now, but not
        before it began (microseconds since 1970-01-01 UTC).
    """

    version: int
    operator_id: int | None
    valid_from: str | None
    until_us: int
    is_retired: bool
    is_too_early: bool


async def is_known(conn: AsyncConnection[Any], noun: Versioned, code: str) -> bool:
    """Whether the caller sees any version of it."""
    found = await conn.execute(SQL[noun][f"is_{noun}_known"], {"code": code})
    return await found.fetchone() is not None


async def hold(
    conn: AsyncConnection[Any], noun: Versioned, code: str, from_us: int | None = None
) -> Held | None:
    """Lock the newest version; None: there is none that the caller may change.

    from_us: when the change takes effect (microseconds, UTC), None: now.
    """
    await take_turn(conn)
    values = {"code": code, "from_us": from_us}
    cursor = await rows_of(conn, Held).execute(SQL[noun][f"lock_{noun}"], values)
    return await cursor.fetchone()


async def operator_id(conn: AsyncConnection[Any], code: str) -> int | None:
    """The operator of that code, if the caller sees it."""
    found = await conn.execute(ZONES["operator_id"], {"code": code})
    row = await found.fetchone()
    return None if row is None else int(row[0])


async def terminals(conn: AsyncConnection[Any], codes: list[str]) -> list[str]:
    """Those of the codes that name terminals which the caller sees and which are not retired."""
    found = await conn.execute(ZONES["terminals"], {"codes": codes})
    return [row[0] for row in await found.fetchall()]
