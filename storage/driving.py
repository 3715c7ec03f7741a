"""Spans of driving: facts without versions, replaced when judged again.

Functions work in the caller's transaction. Instants are microseconds since 1970 UTC. A span that
is moving has no end of its own here: it ends at the newest clean fix of its vehicle, so that
nothing is written while it only goes on.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64
from geofence.interval import Interval
from geofence.rules.driving import KIND
from geofence.rules.rule import Key
from storage.arrays import Bools, Float8s, Instants, Int4s, Texts, cursor
from storage.fixes import horizon, settled_by_age
from storage.queries import queries

SQL = queries("driving")

Subject = tuple[int, int]
"""Whose driving it is: (driver, -1), or (-1, vehicle) where nobody knows the driver."""

LOCK_CLASS: Final = 0x64726976
"""Of the advisory locks of drivers, apart from those of shards: "driv"."""

LOCKS: Final = 1024
"""Drivers share so many. Each takes a place in a table of the server that all sessions share, of
some ten thousand as it is shipped: five workers that each meet a full batch of drivers fill it."""


def storable(span: Interval) -> Interval:
    """The span as it is kept: one that is moving without what grows with every fix."""
    if not span.details["is_moving"]:
        return span
    return Interval(
        kind=span.kind,
        vehicle=span.vehicle,
        subject=span.subject,
        profile=span.profile,
        driver=span.driver,
        started=span.started,
        ended=span.started,
        distance_m=0.0,
        fixes=0,
        start=span.start,
        end=span.start,
        is_open=span.is_open,
        details={**span.details, "driving_s": 0.0},
    )


async def write(conn: AsyncConnection, kept: Sequence[Interval]) -> None:
    """Write spans as `storable` has them, by their key (vehicle, start), no key twice."""
    if not kept:
        return
    await cursor(conn).execute(
        SQL["upsert"],
        {
            **_keys(kept),
            "ended": Instants(np.array([s.ended for s in kept], np.int64)),
            "driver": Int4s(np.array([s.driver for s in kept])),
            "profile": Texts(s.profile for s in kept),
            "is_open": Bools(np.array([s.is_open for s in kept])),
            "is_moving": Bools(np.array([s.details["is_moving"] for s in kept])),
            "continues": Bools(np.array([s.details["continues"] for s in kept])),
            "unseen_s": Float8s(np.array([s.details["unseen_s"] for s in kept])),
            "distance_m": Float8s(np.array([s.distance_m for s in kept])),
            "fixes": Int4s(np.array([s.fixes for s in kept])),
            "start_lon": Float8s(np.array([s.start[0] for s in kept])),
            "start_lat": Float8s(np.array([s.start[1] for s in kept])),
            "end_lon": Float8s(np.array([s.end[0] for s in kept])),
            "end_lat": Float8s(np.array([s.end[1] for s in kept])),
        },
    )


async def reconcile(
    conn: AsyncConnection,
    vehicles: I32,
    settled_until: I64,
    pending: Sequence[Key],
    spans: Sequence[Interval],
) -> list[Interval]:
    """Let the spans of vehicles[i] that began after settled_until[i], or pend, be these.

    Returns those that are no more, were otherwise, or are new: as they were and as they are kept.
    """
    cur = cursor(conn)
    params = {
        "vehicle": Int4s(vehicles),
        "settled": Instants(settled_by_age(settled_until, await horizon(conn))),
        "pending_vehicle": Int4s(np.array([key[1] for key in pending], np.int32)),
        "pending_started": Instants(np.array([key[3] for key in pending], np.int64)),
    }
    await cur.execute(SQL["after"], params)
    before = {(s.vehicle, s.started): s for s in map(_span_of, await cur.fetchall())}
    after = {(s.vehicle, s.started): storable(s) for s in spans}
    gone = [span for key, span in before.items() if key not in after]
    changed = [span for key, span in after.items() if before.get(key) != span]
    were = [before[key] for span in changed if (key := (span.vehicle, span.started)) in before]
    if gone:
        await cur.execute(SQL["delete"], _keys(gone))
    await write(conn, changed)
    return [*gone, *were, *changed]


async def lock_drivers(conn: AsyncConnection, drivers: Sequence[int]) -> None:
    """Be the only one to judge these drivers' driving time until the transaction ends.

    A driver's vehicles may be judged by several workers. Locks are taken in ascending order; each
    is of all drivers whose numbers are the same modulo LOCKS.
    """
    if drivers:
        numbers = np.unique(np.array(drivers, np.int32) % LOCKS)
        params = {"class": LOCK_CLASS, "driver": Int4s(numbers)}
        await cursor(conn).execute(SQL["lock"], params)


async def spans_since(
    conn: AsyncConnection, since: Mapping[Subject, int]
) -> dict[Subject, list[Interval]]:
    """The spans of each subject that began at its instant or later, those moving up to now."""
    found: dict[Subject, list[Interval]] = {subject: [] for subject in since}
    drivers = [subject for subject in since if subject[0] >= 0]
    vehicles = [subject for subject in since if subject[0] < 0]
    for statement, name, at, subjects in (
        ("of_drivers", "driver", 0, drivers),
        ("of_vehicles", "vehicle", 1, vehicles),
    ):
        if not subjects:
            continue
        params = {
            name: Int4s(np.array([subject[at] for subject in subjects], np.int32)),
            "since": Instants(np.array([since[subject] for subject in subjects], np.int64)),
        }
        cur = cursor(conn)
        await cur.execute(SQL[statement], params)
        for row in await cur.fetchall():
            span = _span_of(row)
            subject = (span.driver, -1) if span.driver >= 0 else (-1, span.vehicle)
            found[subject].append(span)
    return found


def _keys(spans: Sequence[Interval]) -> dict[str, Any]:
    return {
        "vehicle": Int4s(np.array([s.vehicle for s in spans])),
        "started": Instants(np.array([s.started for s in spans], np.int64)),
    }


def _span_of(row: tuple[Any, ...]) -> Interval:
    vehicle, driver, profile, started, ended, is_open, is_moving, continues = row[:8]
    unseen_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat = row[8:]
    return Interval(
        kind=KIND,
        vehicle=vehicle,
        subject="",
        profile=profile,
        driver=driver,
        started=started,
        ended=ended,
        distance_m=distance_m,
        fixes=fixes,
        start=(start_lon, start_lat),
        end=(end_lon, end_lat),
        is_open=is_open,
        details={
            "driving_s": (ended - started) / 1e6,
            "unseen_s": unseen_s,
            "continues": continues,
            "is_moving": is_moving,
        },
    )
