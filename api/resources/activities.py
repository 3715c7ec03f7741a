"""What vehicles did by hour, day and month, from roll-ups, and the violations that began then."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Path, Query, Response
from msgspec.structs import asdict

from api.access import Asked, closed_router
from api.cursors import encode_cursor, id_cursor
from api.encoding import json_answer
from api.models.activities import Days, Hours, OperatorMonth
from api.models.base import VehicleId
from api.months import month_of
from api.openapi import problems
from api.problems import Problem
from api.queries import FleetMonthQuery, MonthQuery, WindowQuery
from api.resources.journeys import window
from api.resources.vehicles import ThisVehicle, found_vehicle
from storage.reading import counts, registered, rollups, vehicles
from storage.reading.counts import ViolationCount
from storage.reading.rollups import NOTHING, Activity

router = closed_router("activity")

Key = TypeVar("Key")

ThisOperator = Annotated[
    VehicleId, Path(description="Number of the operator (an identity, no unit).", examples=[3])
]


class ActivityShown(Activity, frozen=True):
    violations: list[ViolationCount]


class HourShown(ActivityShown, frozen=True):
    hour: str


class DayShown(ActivityShown, frozen=True):
    day: str


class VehicleShown(ActivityShown, frozen=True):
    vehicle_id: int
    plate: str


class HoursShown(msgspec.Struct, frozen=True):
    vehicle_id: int
    plate: str
    items: list[HourShown]


class DaysShown(msgspec.Struct, frozen=True):
    vehicle_id: int
    plate: str
    month: str
    timezone: str
    total: ActivityShown
    items: list[DayShown]


class MonthShown(msgspec.Struct, frozen=True):
    operator: str
    month: str
    timezone: str
    vehicles: int
    total: Activity | None
    violations: list[ViolationCount] | None
    items: list[VehicleShown]
    next_cursor: str | None


def bounds(month: str, timezone: str) -> tuple[datetime, datetime]:
    """The instants at which a local month, YYYY-MM, and the next begin."""
    first, last = month_of(month)
    zone = ZoneInfo(timezone)
    return datetime.combine(first, time(), zone), datetime.combine(last, time(), zone)


def _both(
    done: Mapping[Key, Activity], counted: Mapping[Key, list[ViolationCount]], key: Key
) -> dict[str, Any]:
    """The columns of an ActivityShown: either may be missing."""
    return {**asdict(done.get(key, NOTHING)), "violations": counted.get(key, [])}


@router.get(
    "/vehicles/{vehicle_id}/hours",
    summary="Show what a vehicle did by hour",
    response_model=Hours,
    responses=problems("vehicle_not_found", "invalid_request", "window_too_long"),
)
async def show_hours(
    session: Asked, vehicle_id: ThisVehicle, query: Annotated[WindowQuery, Query()]
) -> Response:
    """Hours (UTC) that begin in the window, of at most 31 days; those with nothing are left out.

    Kept for longer than fixes are. Late data may change them. Each has the violations that began in
    it, as they stand now: it is listed, too, where a vehicle that sent nothing was weighed.
    """
    stretch = window(session, vehicle_id, query)
    vehicle = await found_vehicle(session, vehicle_id)
    span = vehicle_id, stretch.start, stretch.end
    done = await rollups.vehicle_hours(session.conn, *span)
    counted = await counts.by_hour(session.conn, *span)
    items = [
        HourShown(**_both(done, counted, hour), hour=hour) for hour in sorted({*done, *counted})
    ]
    return json_answer(HoursShown(vehicle.id, vehicle.plate, items))


@router.get(
    "/vehicles/{vehicle_id}/days",
    summary="Show what a vehicle did by day",
    response_model=Days,
    responses=problems("vehicle_not_found", "invalid_request"),
)
async def show_days(
    session: Asked, vehicle_id: ThisVehicle, query: Annotated[MonthQuery, Query()]
) -> Response:
    """The local days of a month, with the violations that began on them, and all of it together.

    Days with neither a fix nor a violation are left out.
    """
    conn, zone = session.conn, session.options.timezone
    vehicle = await found_vehicle(session, vehicle_id)
    done = await rollups.vehicle_days(conn, vehicle_id, *month_of(query.month), zone)
    counted = await counts.by_day(conn, vehicle_id, *bounds(query.month, zone), zone)
    items = [DayShown(**_both(done, counted, day), day=day) for day in sorted({*done, *counted})]
    total = ActivityShown(
        **asdict(rollups.total(done.values())), violations=counts.added(counted.values())
    )
    return json_answer(DaysShown(vehicle.id, vehicle.plate, query.month, zone, total, items))


@router.get(
    "/operators/{operator_id}/month",
    summary="Show what an operator's vehicles did in a month",
    response_model=OperatorMonth,
    responses=problems("operator_not_found", "invalid_request", "cursor_invalid"),
)
async def show_operator_month(
    session: Asked, operator_id: ThisOperator, query: Annotated[FleetMonthQuery, Query()]
) -> Response:
    """Distance, driving, silence and speed of a local month, and the violations that began in it.

    Warnings and what was withdrawn are no violations; reviews make no difference.
    """
    conn, options = session.conn, session.options
    after = id_cursor("operator_month", query.cursor)
    operator = await registered.operator_code(conn, operator_id)
    if operator is None:
        raise Problem("operator_not_found", "operator_id: expected an operator that you may see")
    fleet = await rollups.fleet(conn, operator)
    later = fleet if after is None else [one for one in fleet if one > after]
    page = later[: query.limit]
    is_first = after is None
    is_whole = is_first and len(fleet) <= options.most_fleet_vehicles
    asked = fleet if is_whole else page
    done = await rollups.vehicles_done(conn, asked, *month_of(query.month), options.timezone)
    span = bounds(query.month, options.timezone)
    counted = await counts.by_vehicle(conn, page, *span)
    names = await vehicles.names(conn, page)
    shown = MonthShown(
        operator, query.month, options.timezone, len(fleet),
        rollups.total(done.values()) if is_whole else None,
        await counts.together(conn, fleet, *span) if is_first else None,
        [
            VehicleShown(**_both(done, counted, one), vehicle_id=one, plate=names[one][0])
            for one in page
        ],
        encode_cursor("operator_month", page[-1]) if len(later) > len(page) else None,
    )  # fmt: skip
    return json_answer(shown)
