"""Roll-ups of fixes by vehicle and hour: what the writer says of them, and how they are stored.

Hours that ended two hours ago are stored, later ones are worked out from the fixes as they are
read. What changes behind that line the writer notes in the transaction that changes it: for the
hours themselves on plain PostgreSQL (on TimescaleDB the hypertable notes it as well, by span of
time), and for the days made of them (storage.days).
"""

import time
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64
from storage.arrays import Instants, Int4s, cursor
from storage.flavour import HOUR_US, refresh_hours
from storage.queries import queries

SQL = queries("hours")

OPEN_US: Final = HOUR_US
"""A fix that is no older when it is written lies in an hour that nobody stores before an hour from
then: so long a writer's transaction may take."""

CLOSED_US: Final = 2 * HOUR_US
"""Hours are stored when they ended so long ago, by the server's clock."""

_clocks: WeakKeyDictionary[AsyncConnection, int] = WeakKeyDictionary()
"""For each connection, the server's time when this process' monotonic clock was at nought."""


async def mark_changed(conn: AsyncConnection, vehicle: I32, at: I64) -> None:
    """Note, in the caller's transaction, whose fixes of which times were written or changed.

    vehicle, at: shape (n,). Costs a comparison where no fix is older than an hour.
    """
    late = at < await _server_time_us(conn) - OPEN_US
    if not late.any():
        return
    keys = np.unique(np.stack([vehicle[late], at[late] // HOUR_US]), axis=1)
    await cursor(conn).execute(
        SQL["mark_changed"],
        {"vehicle": Int4s(keys[0].astype(np.int32)), "hour": Instants(keys[1] * HOUR_US)},
    )


async def refresh(conn: AsyncConnection, kept_us: int, now_us: int) -> None:
    """Store the hours that are over. Outside a transaction; one caller at a time.

    kept_us: fixes of earlier hours have been deleted: what is stored of those hours stays.
    """
    await refresh_hours(conn, -(-kept_us // HOUR_US) * HOUR_US, stored_until(now_us))


def stored_until(now_us: int) -> int:
    """The instant before which hours are stored by a refresh."""
    return (now_us - CLOSED_US) // HOUR_US * HOUR_US


async def _server_time_us(conn: AsyncConnection) -> int:
    ticked = time.monotonic_ns() // 1000
    if conn not in _clocks:
        found = await cursor(conn).execute(SQL["now"])
        row = await found.fetchone()
        assert row is not None
        _clocks[conn] = row[0] - ticked
    return _clocks[conn] + ticked
