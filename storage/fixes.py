"""Fixes: written by binary COPY, read as arrays.

Functions that write work in the caller's transaction. Instants are microseconds since 1970 UTC.
"""

from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from devices.batch import COLUMNS, I32, I64, U16, Bool, FixBatch
from devices.rounding import MS_US
from storage import wire
from storage.arrays import Float4s, Float8s, Instant, Instants, Int4s, cursor, read_columns
from storage.copying import Layout
from storage.extras import encode_extras
from storage.flavour import create_days, existing_days
from storage.hours import mark_changed
from storage.queries import queries
from storage.wire import BEGINNING_US

SQL = queries("fixes")

DAY_US: Final = 86_400_000_000

MOST_DELAY_MS: Final = (1 << 31) - 1
"""Nearly 25 days."""

LAYOUT: Final = Layout(
    {
        "vehicle": wire.INT4,
        "time": wire.TIMESTAMPTZ,
        "received": wire.TIMESTAMPTZ,
        "lon": wire.FLOAT8,
        "lat": wire.FLOAT8,
        "speed_kmh": wire.FLOAT4,
        "heading": wire.FLOAT4,
        "altitude": wire.FLOAT4,
        "hdop": wire.FLOAT4,
        "satellites": wire.INT2,
        "odometer": wire.FLOAT8,
        "driver": wire.INT4,
        "inputs": wire.INT4,
        "quality": wire.INT4,
    },
)
"""The columns of a fix in order, by their names in FixBatch."""

STORED: Final = Layout({**LAYOUT.columns, "delay_ms": wire.INT4})
"""The columns of table fixes in order."""

assert list(LAYOUT.columns) == list(COLUMNS)

_known_days: WeakKeyDictionary[AsyncConnection, set[int]] = WeakKeyDictionary()


async def ensure_days(conn: AsyncConnection, times: I64) -> None:
    """Make a place for fixes of these times, shape (n,).

    Best called before the batch's transaction: then the days are remembered for the connection and
    asking again costs nothing. Inside a transaction, which may yet be rolled back, they are not.
    """
    known = _known_days.setdefault(conn, set())
    unknown = [day for day in np.unique(times // DAY_US).tolist() if day not in known]
    if not unknown:
        return
    outside = conn.info.transaction_status is TransactionStatus.IDLE
    missing = sorted(set(unknown) - await existing_days(conn, unknown))
    if missing:
        await create_days(conn, missing)
    if outside and conn.autocommit:
        known.update(unknown)


def table_columns(fixes: FixBatch) -> dict[str, NDArray[Any]]:
    """The columns of the batch as tables hold them: `inputs` keeps its bits, not its sign."""
    columns = {name: getattr(fixes, name) for name in COLUMNS}
    columns["inputs"] = fixes.inputs.view(np.int32)
    return columns


def stored_columns(fixes: FixBatch) -> dict[str, NDArray[Any]]:
    """The columns of the batch as table fixes holds them: the delay says when a fix arrived.

    Where it is not of whole milliseconds, or too long for a column, `received` says it itself.
    """
    delay_us = fixes.received - fixes.time
    delay_ms = delay_us // MS_US
    is_told = (delay_us % MS_US == 0) & (np.abs(delay_ms) <= MOST_DELAY_MS)
    return table_columns(fixes) | {
        "received": np.where(is_told, BEGINNING_US, fixes.received),
        "delay_ms": np.where(is_told, delay_ms, 0).astype(np.int32),
    }


async def insert_fixes(conn: AsyncConnection, fixes: FixBatch) -> None:
    """Write fixes whose keys (vehicle, time) are new and whose days exist.

    psycopg's UniqueViolation means that another writer was there first.
    """
    if not len(fixes):
        return
    async with conn.cursor().copy(SQL["copy_fixes"]) as copy:
        await copy.write(STORED.encode(stored_columns(fixes)))
    if fixes.extra:
        async with conn.cursor().copy(SQL["copy_extras"]) as copy:
            await copy.write(encode_extras(fixes))
    await mark_changed(conn, fixes.vehicle, fixes.time)


async def horizon(conn: AsyncConnection) -> int:
    """Fixes before this instant have been deleted for their age; BEGINNING_US: none has been."""
    found = await cursor(conn).execute(SQL["horizon"])
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


def settled_by_age(settled_until: I64, first: int) -> I64:
    """No earlier than the last instant before the horizon `first`; shape (k,).

    What was concluded from fixes that are gone cannot be concluded again, and stands.
    """
    return np.maximum(settled_until, max(first - 1, BEGINNING_US))


async def stored(conn: AsyncConnection, vehicle: I32, time: I64) -> Bool:
    """Which keys are stored already, shape (n,)."""
    found = np.zeros(len(time), np.bool_)
    if not len(time):
        return found
    row = await read_columns(
        cursor(conn), SQL["stored"], _keys(vehicle, time), {"number": wire.INT8}
    )
    found[row["number"] - 1] = True
    return found


async def stretch(conn: AsyncConnection, vehicles: I32, from_us: I64) -> FixBatch:
    """Every stored fix of vehicles[i] with time >= from_us[i], sorted by (vehicle, time).

    vehicles: shape (k,), no vehicle twice. Without `extra`. The whole answer is held in memory,
    twice for a moment: about 150 bytes a fix.
    """
    return await _since(conn, "stretch", vehicles, from_us)


async def future_since(conn: AsyncConnection, vehicles: I32, from_us: I64) -> FixBatch:
    """The stored `future` fixes of vehicles[i] with received >= from_us[i], as by `stretch`."""
    return await _since(conn, "future", vehicles, from_us)


async def _since(conn: AsyncConnection, statement: str, vehicles: I32, from_us: I64) -> FixBatch:
    if not len(vehicles):
        return FixBatch.empty()
    columns = await read_columns(
        cursor(conn),
        SQL[statement],
        {
            "vehicle": Int4s(vehicles),
            "since": Instants(from_us),
            "earliest": Instant(from_us.min()),
        },
        LAYOUT.columns,
    )
    columns["inputs"] = columns["inputs"].view(np.uint32)
    found = FixBatch.blank(len(columns["time"]), **columns)
    return found.take(found.order())


async def update_quality(conn: AsyncConnection, vehicle: I32, time: I64, quality: U16) -> None:
    """Replace the quality bits of stored fixes; shapes (n,), one row for a key."""
    if len(time):
        await cursor(conn).execute(
            SQL["update_quality"],
            {**_keys(vehicle, time), "quality": Int4s(quality)},
        )
        await mark_changed(conn, vehicle, time)


async def insert_repeats(conn: AsyncConnection, repeats: FixBatch) -> int:
    """Count fixes whose key was taken, and keep those that differ from the stored one.

    Comes after insert_fixes of the same batch. Returns how many new ones were kept.
    """
    if not len(repeats):
        return 0
    cur = cursor(conn)
    keys = _keys(repeats.vehicle, repeats.time)
    await cur.execute(SQL["count_repeats"], keys)
    await cur.execute(
        SQL["insert_repeats"],
        {
            **keys,
            "received": Instants(repeats.received),
            "lon": Float8s(repeats.lon),
            "lat": Float8s(repeats.lat),
            "speed_kmh": Float4s(repeats.speed_kmh),
            "heading": Float4s(repeats.heading),
        },
    )
    return cur.rowcount


def _keys(vehicle: I32, time: I64) -> dict[str, Any]:
    return {
        "vehicle": Int4s(vehicle),
        "time": Instants(time),
        "earliest": Instant(time.min()),
        "latest": Instant(time.max()),
    }
