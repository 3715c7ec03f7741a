"""Roll-ups by vehicle and local day, made of the hours: how they are stored.

The same table on either flavour. A day is stored once its hours are (storage.hours), and again when
one of them changes: the writer notes which. Days that are not stored yet are summed as they are
read.
"""

from typing import Any, Final

from psycopg import AsyncConnection

from storage.arrays import Instant, cursor
from storage.hours import stored_until
from storage.queries import queries

SQL = queries("days")

CHANGED_HOURS: Final = 10_000
"""Vehicles' hours whose days are summed again in one transaction: some seconds."""


async def refresh(conn: AsyncConnection, zone: str, now_us: int) -> None:
    """Store the days that are over. Outside a transaction, after hours.refresh; one caller at once.

    zone: whose days, a name of the tz database. In another one than before all are stored anew, but
    for those whose hours have been deleted.
    """
    until = {"until": Instant(stored_until(now_us))}
    await _one(conn, "begin", until | {"zone": zone})
    while await _one(conn, "roll_up", until):
        pass
    while await _one(conn, "roll_up_changed", {"most": CHANGED_HOURS}) >= CHANGED_HOURS:
        pass


async def _one(conn: AsyncConnection, statement: str, params: dict[str, Any]) -> Any:
    found = await cursor(conn).execute(SQL[statement], params)
    row = await found.fetchone()
    assert row is not None
    return row[0]
