"""What a run left in the database: which fixes, how often, and when they could be seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from psycopg import AsyncConnection

from devices.batch import F64, I32, I64, Quality
from simulators.fleet import Fleet
from storage import wire
from storage.arrays import Instant, cursor
from storage.copying import Layout

STORED = """
COPY (
    SELECT vehicle_id, time, pg_xact_commit_timestamp(xmin) FROM fixes
    WHERE time >= '{since}' AND time < '{until}'
) TO STDOUT (FORMAT binary)
"""

SEEN = """
SELECT (extract(epoch FROM f.committed - f.time) * 1000)::float8
FROM violations v
CROSS JOIN LATERAL (
    SELECT f.time, pg_xact_commit_timestamp(f.xmin) AS committed FROM fixes f
    WHERE f.vehicle_id = v.vehicle_id AND f.received <= v.first_seen_at
      AND f.time BETWEEN v.first_seen_at - interval '5 minutes' AND v.first_seen_at
    ORDER BY f.time DESC LIMIT 1
) f
WHERE v.first_seen_at >= %(since)s AND f.committed >= v.first_seen_at
"""
"""Of each violation: from the newest fix in the transaction that first wrote it to its commit."""

FUTURE = int(Quality.FUTURE)
"""Fixes of a clock that is ahead are stored, and judged by nobody."""

OTHERS = """
SELECT (SELECT count(*) FROM quarantine WHERE topic <> %(probe)s),
       (SELECT coalesce(sum(repeats), 0) FROM repeat_counts),
       (SELECT count(*) FROM latest l
        WHERE l.judged_until < l.stored_until AND EXISTS (
            SELECT FROM fixes f WHERE f.vehicle_id = l.vehicle_id AND f.time > l.judged_until
            AND f.quality & %(future)s = 0)),
       (SELECT count(*) FROM weighings)
"""

LAYOUT = Layout({"vehicle": wire.INT4, "time": wire.TIMESTAMPTZ, "committed": wire.TIMESTAMPTZ})


@dataclass(frozen=True, slots=True)
class Stored:
    """Fixes in the database by key. committed: when they could be seen; shape (n,) each."""

    vehicle: I32
    time: I64
    committed: I64


@dataclass(frozen=True, slots=True)
class Compared:
    """Fixes sent against fixes stored, by key.

    duplicated: rows beyond the first of a key. strange: keys that nobody sent.
    """

    sent: int
    stored: int
    lost: int
    duplicated: int
    strange: int


async def stored(conn: AsyncConnection, since_us: int, until_us: int) -> Stored:
    """The fixes of a span of time."""
    since, until = (str(np.datetime64(at, "us")) + "+00" for at in (since_us, until_us))
    async with conn.cursor().copy(STORED.format(since=since, until=until)) as copy:
        data = b"".join([bytes(part) async for part in copy])
    return Stored(**LAYOUT.decode(data))


def compare(sent_vehicle: I32, sent_time: I64, found: Stored) -> Compared:
    """By key: which fixes are missing, which are there twice."""
    first = np.concatenate([sent_time, found.time]).min(initial=2**62)
    sent = np.unique(_keys(sent_vehicle, sent_time - first))
    keys, counts = np.unique(_keys(found.vehicle, found.time - first), return_counts=True)
    return Compared(
        sent=len(sent_time),
        stored=len(found.time),
        lost=len(np.setdiff1d(sent, keys, assume_unique=True)),
        duplicated=int((counts - 1).sum()),
        strange=len(np.setdiff1d(keys, sent, assume_unique=True)),
    )


def _keys(vehicle: I32, time: I64) -> I64:
    """One number for a key: 43 bits of microseconds (a hundred days), 20 of vehicles."""
    keys: I64 = time * (1 << 20) + vehicle
    return keys


async def ids_of(conn: AsyncConnection, fleet: Fleet) -> I32:
    """The registry's id of each vehicle of a fleet."""
    rows = await (await conn.execute("SELECT plate, id FROM vehicles")).fetchall()
    of_plate: dict[str, int] = dict(rows)
    return np.array([of_plate[vehicle.plate] for vehicle in fleet.vehicles], np.int32)


async def violation_lags_ms(conn: AsyncConnection, since_us: int) -> F64:
    """Of each violation first seen since then: from the fix that showed it to its commit."""
    async with cursor(conn) as cur:
        await cur.execute(SEEN, {"since": Instant(since_us)})
        return np.array([row[0] for row in await cur.fetchall()], np.float64)


async def others(conn: AsyncConnection, probe: str) -> dict[str, int]:
    """Counts besides the fixes. probe: topic of a message that was no part of the load."""
    row = await (await conn.execute(OTHERS, {"probe": probe, "future": FUTURE})).fetchone()
    assert row is not None
    names: Sequence[str] = ("quarantined", "redelivered", "unjudged_vehicles", "weighings")
    return {name: int(count) for name, count in zip(names, row, strict=True)}
