"""Routes with their stops and versions, and the vehicles registered for them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb, set_json_loads

from devices.batch import I32
from geofence.registry import BEGINNING_US, END_US, Route
from storage.arrays import Instant, Instants, Int4s, cursor
from storage.queries import queries
from storage.registry.refusals import in_turn
from storage.registry.snapshot import routes_of
from storage.registry.versions import end_current

SQL = queries("registry")


async def add_route(conn: AsyncConnection, route: Route) -> Route:
    """Add a route under a new code; its `id` and `version` are made here. Returns it as it is now.

    Raises AlreadyThereError for a code that was ever used: `replace_route` continues one.
    """
    async with in_turn(conn, f"route {route.code!r}"):
        return await _insert(conn, replace(route, version=1))


async def newest_routes(conn: AsyncConnection, codes: Sequence[str]) -> dict[str, Route]:
    """The newest version of each of some codes, in force or not; new codes have none."""
    cur = cursor(conn)
    set_json_loads(msgspec.json.decode, cur)
    await cur.execute(SQL["newest_routes"], {"code": list(codes)})
    routes = await cur.fetchall()
    versions = {"route": [row[0] for row in routes]}
    parts = []
    for name in ("stops_of_routes", "slots_of_routes"):
        await cur.execute(SQL[name], versions)
        parts.append(await cur.fetchall())
    return {route.code: route for route in routes_of(routes, *parts)}


async def replace_route(conn: AsyncConnection, route: Route, at_us: int) -> Route:
    """End the version in force at an instant and let this one begin there. Returns it.

    Raises NotThereError for a code that is unknown or retired.
    """
    async with in_turn(conn, f"route {route.code!r}"):
        ended = await end_current(conn, "route", route.code, at_us)
        return await _insert(conn, replace(route, version=ended.version + 1, valid_from=at_us))


async def retire_route(conn: AsyncConnection, code: str, at_us: int) -> None:
    """End the version in force at an instant. Raises NotThereError."""
    async with in_turn(conn, f"route {code!r}"):
        await end_current(conn, "route", code, at_us)


async def assign_routes(
    conn: AsyncConnection,
    vehicles: I32 | Sequence[int],
    route_codes: Sequence[str],
    valid_from: int = BEGINNING_US,
    valid_to: int = END_US,
) -> None:
    """Register vehicles[i] for route_codes[i]."""
    vehicle = np.asarray(vehicles, np.int32)
    params = {
        "vehicle": Int4s(vehicle),
        "route": list(route_codes),
        "valid_from": Instants(np.full(len(vehicle), valid_from, np.int64)),
        "valid_to": Instants(np.full(len(vehicle), valid_to, np.int64)),
    }
    async with in_turn(conn, f"{len(vehicle)} route assignments"):
        await cursor(conn).execute(SQL["assign_routes"], params)


async def _insert(conn: AsyncConnection, route: Route) -> Route:
    params: dict[str, Any] = {
        "code": route.code,
        "version": route.version,
        "name": route.name,
        "operator_id": route.operator_id,
        "corridor_m": route.corridor_m,
        "terminal_a": route.terminal_a,
        "terminal_b": route.terminal_b,
        "outbound": Jsonb(route.outbound),
        "inbound": Jsonb(route.inbound),
        "valid_from": Instant(route.valid_from),
        "valid_to": Instant(route.valid_to),
    }
    cur = cursor(conn)
    await cur.execute(SQL["add_route"], params)
    row = await cur.fetchone()
    assert row is not None
    stops = {
        "route_id": row[0],
        "direction": [stop.direction for stop in route.stops],
        "seq": [stop.seq for stop in route.stops],
        "name": [stop.name for stop in route.stops],
        "lon": [stop.lon for stop in route.stops],
        "lat": [stop.lat for stop in route.stops],
        "compulsory": [stop.compulsory for stop in route.stops],
    }
    await cur.execute(SQL["add_stops"], stops)
    slots = {
        "route_id": row[0],
        "seq": list(range(len(route.slots))),
        "direction": [slot.direction for slot in route.slots],
        "departs": [slot.departs for slot in route.slots],
        "days": Jsonb([None if slot.days is None else list(slot.days) for slot in route.slots]),
        "valid_from": [slot.valid_from for slot in route.slots],
        "valid_to": [slot.valid_to for slot in route.slots],
    }
    await cur.execute(SQL["add_slots"], slots)
    return replace(route, id=row[0])
