"""Visits to zones: facts of their own, without versions, replaced when judged again."""

from collections.abc import Sequence

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64
from geofence.interval import Interval
from geofence.rules.rule import Key
from storage.arrays import Bools, Instants, Int4s, Texts, cursor
from storage.queries import queries

SQL = queries("visits")

KIND = "zone_visit"


async def write(conn: AsyncConnection, visits: Sequence[Interval]) -> None:
    """Write visits by their key (vehicle, zone, beginning), no key twice.

    The zone's id is `details["zone_id"]`: `subject` names every version of it.
    """
    if not visits:
        return
    await cursor(conn).execute(
        SQL["upsert"],
        {
            "vehicle": Int4s(np.array([v.vehicle for v in visits])),
            "zone": Int4s(np.array([zone_id(v) for v in visits])),
            "entered": Instants(np.array([v.started for v in visits], np.int64)),
            "left": Instants(np.array([v.ended for v in visits], np.int64)),
            "is_open": Bools(np.array([v.is_open for v in visits])),
            "fixes": Int4s(np.array([v.fixes for v in visits])),
        },
    )


async def reconcile(
    conn: AsyncConnection,
    vehicles: I32,
    settled_until: I64,
    pending: Sequence[Key],
    visits: Sequence[Interval],
) -> None:
    """Let the visits of vehicles[i] that began after settled_until[i], or pend, be these."""
    await cursor(conn).execute(
        SQL["delete_after"],
        {
            "vehicle": Int4s(vehicles),
            "settled": Instants(settled_until),
            "pending_vehicle": Int4s(np.array([key[1] for key in pending], np.int32)),
            "pending_code": Texts(key[2] for key in pending),
            "pending_entered": Instants(np.array([key[3] for key in pending], np.int64)),
        },
    )
    await write(conn, visits)


def zone_id(visit: Interval) -> int:
    """The registry id of the visited version of the zone."""
    found = visit.details["zone_id"]
    assert isinstance(found, int)
    return found
