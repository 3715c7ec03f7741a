"""What a route's timetable is compared with: its versions with slots, and its trips."""

import math
from datetime import date
from typing import Any

import msgspec
from psycopg import AsyncConnection

from geofence.interval import Details, Interval
from geofence.registry import BEGINNING_US, END_US, Route, RouteSlot
from storage.reading.blocks import load_blocks
from storage.reading.loading import all_rows, rows_of

SQL = load_blocks("timetables.sql")

NOWHERE = (math.nan, math.nan)
NOTHING: dict[str, Any] = {}


async def versions(conn: AsyncConnection[Any], code: str, first: int, last: int) -> list[Route]:
    """The versions of a route that were in force from `first` to before `last`, oldest first.

    Of each what a timetable asks for: paths, terminals and stops are left out. Instants are
    microseconds since 1970 UTC.
    """

    def version(
        number: int, its_version: int, operator: int | None, begins: int | None, ends: int | None,
        slots: msgspec.Raw,
    ) -> Route:  # fmt: skip
        return Route(
            id=number, code=code, corridor_m=0.0, terminal_a="", terminal_b="", outbound=NOTHING,
            inbound=NOTHING, version=its_version, operator_id=operator,
            valid_from=BEGINNING_US if begins is None else begins,
            valid_to=END_US if ends is None else ends,
            slots=tuple(_slot(*each) for each in msgspec.json.decode(slots)),
        )  # fmt: skip

    params = {"code": code, "first": first, "last": last}
    return await all_rows(await rows_of(conn, version).execute(SQL["versions"], params))


def _slot(
    direction: Any, departs: str, days: Any, first: str | None, last: str | None
) -> RouteSlot:
    return RouteSlot(
        direction,
        departs,
        None if days is None else tuple(days),
        None if first is None else date.fromisoformat(first),
        None if last is None else date.fromisoformat(last),
    )


async def departures(
    conn: AsyncConnection[Any], code: str, first: int, last: int
) -> list[Interval]:
    """The trips of all versions of a route that left from `first` to before `last`, in order.

    Of each what a timetable asks for, as an instant: its departure.
    """

    def departure(vehicle: int, route: int, direction: str, at: int, outcome: str) -> Interval:
        details: Details = {"route_id": route, "direction": direction, "outcome": outcome}
        return Interval(
            "route_trip", vehicle, code, "", -1, at, at, 0.0, 1, NOWHERE, NOWHERE,
            outcome == "under_way", details,
        )  # fmt: skip

    params = {"code": code, "first": first, "last": last}
    return await all_rows(await rows_of(conn, departure).execute(SQL["departures"], params))
