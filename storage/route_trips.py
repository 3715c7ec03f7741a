"""Trips on fixed routes: facts of their own, without versions, replaced when judged again."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64, UNKNOWN
from geofence.interval import Interval
from geofence.rules.rule import Key
from storage.arrays import Float8s, Instant, Instants, Int4s, Texts, cursor
from storage.queries import queries

SQL = queries("route_trips")

KIND = "route_trip"

Departure = tuple[str, int]
"""A route's code, and when a vehicle on it left a terminal."""


async def write(conn: AsyncConnection, trips: Sequence[Interval]) -> set[Departure]:
    """Write trips by their key (vehicle, route, departure), no key twice.

    The route's id is `details["route_id"]`: `subject` names every version of it. Returns the
    departures of those that are new or have come to an end.
    """
    if not trips:
        return set()
    cur = cursor(conn)
    await cur.execute(
        SQL["upsert"],
        {
            "vehicle": Int4s(np.array([t.vehicle for t in trips])),
            "route": Int4s(np.array([route_id(t) for t in trips])),
            "departed": Instants(np.array([t.started for t in trips], np.int64)),
            "ended": Instants(np.array([t.ended for t in trips], np.int64)),
            "direction": Texts(_detail(t, "direction") for t in trips),
            "outcome": Texts(_detail(t, "outcome") for t in trips),
            "driver": Int4s(np.array([t.driver for t in trips])),
            "profile": Texts(t.profile for t in trips),
            "distance_m": Float8s(np.array([t.distance_m for t in trips])),
            "fixes": Int4s(np.array([t.fixes for t in trips])),
            "unseen_s": Float8s(np.array([_detail(t, "unseen_s") for t in trips])),
            "start_lon": Float8s(np.array([t.start[0] for t in trips])),
            "start_lat": Float8s(np.array([t.start[1] for t in trips])),
            "end_lon": Float8s(np.array([t.end[0] for t in trips])),
            "end_lat": Float8s(np.array([t.end[1] for t in trips])),
        },
    )
    return {(code, departed) for code, departed in await cur.fetchall()}


async def reconcile(
    conn: AsyncConnection,
    vehicles: I32,
    settled_until: I64,
    pending: Sequence[Key],
    trips: Sequence[Interval],
) -> set[Departure]:
    """Let the trips of vehicles[i] that began after settled_until[i], or pend, be these.

    Returns the departures of all that there were or are now.
    """
    cur = cursor(conn)
    await cur.execute(
        SQL["delete_after"],
        {
            "vehicle": Int4s(vehicles),
            "settled": Instants(settled_until),
            "pending_vehicle": Int4s(np.array([key[1] for key in pending], np.int32)),
            "pending_code": Texts(key[2] for key in pending),
            "pending_departed": Instants(np.array([key[3] for key in pending], np.int64)),
        },
    )
    gone = {(code, departed) for code, departed in await cur.fetchall()}
    return gone | await write(conn, trips)


def route_id(trip: Interval) -> int:
    """The registry id of the version of the route."""
    found = trip.details["route_id"]
    assert isinstance(found, int)
    return found


def _detail(trip: Interval, name: str) -> Any:
    return trip.details[name]


async def lock(conn: AsyncConnection, code: str) -> None:
    """Wait until no other transaction compares the trips of a route; it is kept until the end."""
    await cursor(conn).execute(SQL["lock"], {"code": code})


async def departures(conn: AsyncConnection, code: str, first: int, last: int) -> list[Interval]:
    """The trips of all versions of a route that departed from `first` to before `last`, in order.

    Of each what a timetable asks for, as an instant: its departure.
    """
    cur = cursor(conn)
    params = {"code": code, "first": Instant(first), "last": Instant(last)}
    await cur.execute(SQL["departures"], params)
    return [_departure(code, *row) for row in await cur.fetchall()]


def _departure(code: str, vehicle: int, route: int, *row: Any) -> Interval:
    direction, departed, outcome, driver, profile, lon, lat = row
    return Interval(
        kind=KIND,
        vehicle=vehicle,
        subject=code,
        profile=profile,
        driver=UNKNOWN if driver is None else driver,
        started=departed,
        ended=departed,
        distance_m=0.0,
        fixes=1,
        start=(lon, lat),
        end=(lon, lat),
        is_open=outcome == "under_way",
        details={"route_id": route, "direction": direction, "outcome": outcome},
    )
