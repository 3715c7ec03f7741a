"""How far each vehicle is: its latest fix, and from where its judging can be resumed.

Functions that write work in the caller's transaction. Instants are microseconds since 1970 UTC;
int64's ends are -infinity ("none yet") and infinity.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection

from devices.batch import I32, I64, Bool, FixBatch
from storage import wire
from storage.arrays import Float4s, Float8s, Instant, Instants, Int4s, cursor, read_columns
from storage.queries import queries
from storage.wire import BEGINNING_US, END_US

SQL = queries("progress")


JUDGING_LOCK: Final = 0x68_61_6E_6A
"""Advisory lock ("hanj"): shared by transactions that judge what comes in, held alone by those that
judge again what is stored."""


class ResumePoints(NamedTuple):
    """How far vehicles are, shape (k,) each.

    stored_until: greatest time of any stored fix. judged_until: greatest time of a fix that the
    rules have taken in. Both -infinity where there is none yet.
    needs_from: replaying the stored fixes from here gives the state at judged_until; infinity
    (nothing to replay) for a vehicle that was never seen.
    """

    stored_until: I64
    judged_until: I64
    needs_from: I64


class Marks(NamedTuple):
    """Points from which judging can be resumed, shape (k,) each.

    time: the state is the one after the fix at this time. needs_from: replaying from here gives it.
    Both -infinity where there is no mark: the vehicle's fixes are replayed from the first.
    """

    time: I64
    needs_from: I64


async def judge_beside(conn: AsyncConnection) -> None:
    """Until the transaction ends let others judge too, but nobody judge again."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", (JUDGING_LOCK,))


async def judge_alone(conn: AsyncConnection) -> None:
    """Let nobody else judge until the transaction ends; wait for those who do."""
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (JUDGING_LOCK,))


async def lock_free(conn: AsyncConnection, key: int, numbers: Sequence[int]) -> list[int]:
    """Take those of the advisory locks (key, number) that are free; which they were."""
    cur = await conn.execute(SQL["lock_free"], {"key": key, "numbers": list(numbers)})
    return [number for (number,) in await cur.fetchall()]


async def end_session(conn: AsyncConnection, key: int, number: int, pid: int) -> bool:
    """End the session of a process id if it holds the advisory lock (key, number); whether it did.

    It must be one of the caller's own user.
    """
    cur = await conn.execute(SQL["end_session"], {"key": key, "number": number, "pid": pid})
    return any(ended for (ended,) in await cur.fetchall())


async def take(conn: AsyncConnection, vehicles: I32, judge: int) -> I32:
    """Hold vehicles until the transaction ends; waits for whoever holds one of them.

    vehicles: ascending, so that nobody waits in a circle. judge: whose memory they are in from now
    on, if the transaction is committed. Returns those that were another judge's or nobody's,
    ascending: what this judge remembers of them is not to be trusted.
    """
    if not len(vehicles):
        return vehicles
    found = await read_columns(
        cursor(conn),
        SQL["take"],
        {"vehicle": Int4s(vehicles), "judge": judge},
        {"vehicle": wire.INT4},
    )
    return found["vehicle"]


async def judged_since(conn: AsyncConnection, since: int) -> I32:
    """The vehicles of which a fix at an instant or later has been judged, ascending."""
    found = await read_columns(
        cursor(conn), SQL["judged_since"], {"since": Instant(since)}, {"vehicle": wire.INT4}
    )
    return found["vehicle"]


async def resume_points(conn: AsyncConnection, vehicles: I32) -> ResumePoints:
    """How far each vehicle is; vehicles: shape (k,)."""
    points = ResumePoints(
        np.full(len(vehicles), BEGINNING_US),
        np.full(len(vehicles), BEGINNING_US),
        np.full(len(vehicles), END_US),
    )
    if len(vehicles):
        found = await read_columns(
            cursor(conn),
            SQL["resume_points"],
            {"vehicle": Int4s(vehicles)},
            {
                "number": wire.INT8,
                "stored_until": wire.TIMESTAMPTZ,
                "judged_until": wire.TIMESTAMPTZ,
                "needs_from": wire.TIMESTAMPTZ,
            },
        )
        rows = found["number"] - 1
        points.stored_until[rows] = found["stored_until"]
        points.judged_until[rows] = found["judged_until"]
        points.needs_from[rows] = found["needs_from"]
    return points


async def marks_before(conn: AsyncConnection, vehicles: I32, times: I64) -> Marks:
    """The newest mark of vehicles[i] with time < times[i]; shapes (k,)."""
    marks = Marks(np.full(len(vehicles), BEGINNING_US), np.full(len(vehicles), BEGINNING_US))
    if len(vehicles):
        found = await read_columns(
            cursor(conn),
            SQL["marks_before"],
            {"vehicle": Int4s(vehicles), "before": Instants(times)},
            {"number": wire.INT8, "time": wire.TIMESTAMPTZ, "needs_from": wire.TIMESTAMPTZ},
        )
        rows = found["number"] - 1
        marks.time[rows] = found["time"]
        marks.needs_from[rows] = found["needs_from"]
    return marks


async def add_marks(conn: AsyncConnection, vehicle: I32, time: I64, needs_from: I64) -> None:
    """Put marks down, shapes (m,), no (vehicle, time) twice; one that is there is replaced."""
    if len(vehicle):
        await cursor(conn).execute(
            SQL["insert_marks"],
            {
                "vehicle": Int4s(vehicle),
                "time": Instants(time),
                "needs_from": Instants(needs_from),
            },
        )


async def drop_marks(conn: AsyncConnection, vehicles: I32, after: I64) -> None:
    """Drop the marks of vehicles[i] with time > after[i]; shapes (k,)."""
    if len(vehicles):
        await cursor(conn).execute(
            SQL["delete_marks"], {"vehicle": Int4s(vehicles), "after": Instants(after)}
        )


async def thin_marks(conn: AsyncConnection, since: int, before: int) -> int:
    """Of marks in [since, before) keep each vehicle's first of every UTC day, drop the others.

    Returns how many went. A fix that comes later than that costs a day's replay at the most.
    """
    cur = cursor(conn)
    await cur.execute(SQL["thin_marks"], {"since": Instant(since), "before": Instant(before)})
    return cur.rowcount


async def upsert_latest(
    conn: AsyncConnection,
    newest: FixBatch,
    stored_until: I64,
    judged_until: I64,
    needs_from: I64,
    rejudged: Bool | None = None,
) -> None:
    """Note each vehicle's newest fix and how far it is.

    newest: one row for a vehicle, its newest clean fix of the batch, else its newest fix. A stored
    clean fix gives way only to a clean one at least as new, except where `rejudged` (shape (k,),
    default nowhere): there the caller has seen the whole stretch again, and its word holds.
    stored_until, judged_until, needs_from: as in ResumePoints, shape (k,); the first never goes
    back, the others are taken as given.
    """
    points = ResumePoints(stored_until, judged_until, needs_from)
    again = np.zeros(len(newest), np.bool_) if rejudged is None else rejudged
    for statement, rows in (("upsert_latest", ~again), ("replace_latest", again)):
        if rows.any():
            params = _latest_columns(newest.take(rows), points, np.flatnonzero(rows))
            await cursor(conn).execute(SQL[statement], params)


def _latest_columns(
    newest: FixBatch, points: ResumePoints, rows: NDArray[np.intp]
) -> dict[str, Any]:
    return {
        "vehicle": Int4s(newest.vehicle),
        "time": Instants(newest.time),
        "lon": Float8s(newest.lon),
        "lat": Float8s(newest.lat),
        "speed_kmh": Float4s(newest.speed_kmh),
        "heading": Float4s(newest.heading),
        "driver": Int4s(newest.driver),
        "inputs": Int4s(newest.inputs.view(np.int32)),
        "quality": Int4s(newest.quality),
        "received": Instants(newest.received),
        "stored_until": Instants(points.stored_until[rows]),
        "judged_until": Instants(points.judged_until[rows]),
        "needs_from": Instants(points.needs_from[rows]),
    }
