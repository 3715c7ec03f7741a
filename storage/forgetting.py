"""Erased drivers, taken out of messages that nobody could read.

Belongs here: the search of the quarantine, step by step. What a driver is called, and how that is
written in messages, the database knows (migrations/sql/0023_quarantine.sql).
"""

from typing import Final, NamedTuple

from psycopg import AsyncConnection

from storage.access import audit
from storage.access.audit import Act
from storage.arrays import cursor
from storage.queries import queries

SQL = queries("quarantine")

SEARCH_ROWS: Final = 20_000
SEARCH_BYTES: Final = 64 << 20
"""What one step of a search for a driver looks at: some tenths of a second."""


class Step(NamedTuple):
    """A step of the search for a driver: how many messages it emptied, and how far it came.

    is_over: all that there was when the search began has been looked at.
    """

    driver: int
    emptied: int
    reached: int
    is_over: bool


async def forget(conn: AsyncConnection, host: str) -> int:
    """Empty the messages that name erased drivers. Returns how many there were.

    A transaction for each step. host: whose upkeep this is, for the audit.
    """
    emptied = 0
    while True:
        async with conn.transaction():
            cur = cursor(conn)
            await cur.execute(SQL["forget"], {"rows": SEARCH_ROWS, "bytes": SEARCH_BYTES})
            row = await cur.fetchone()
            if row is None:
                return emptied
            step = Step(*row)
            if step.emptied or step.is_over:
                act = Act("upkeep", host, "forget_in_quarantine", "", step._asdict())
                await audit.record(conn, act)
        emptied += step.emptied
