"""Vehicles, and their visits to zones."""

from typing import Annotated

import msgspec
from fastapi import Path, Query, Response

from api.access import Asked, Session, closed_router
from api.changing import etag
from api.cursors import encode_cursor, id_cursor, time_cursor
from api.encoding import Listed, json_answer
from api.models.base import VehicleId
from api.models.vehicles import VehicleDetail, VehiclePage, VisitPage
from api.openapi import problems
from api.problems import Problem
from api.queries import VehicleQuery, VisitQuery
from storage.reading import positions, vehicles
from storage.reading.vehicles import Vehicle

router = closed_router("vehicles")

ThisVehicle = Annotated[
    VehicleId, Path(description="Number of the vehicle (an identity, no unit).", examples=[17])
]


async def found_vehicle(session: Session, number: int) -> Vehicle:
    """The vehicle, if there is one that the caller may see. Raises Problem."""
    vehicle = await vehicles.vehicle(session.conn, number)
    if vehicle is None:
        raise Problem("vehicle_not_found", f"vehicle {number}: expected one that you may see")
    return vehicle


@router.get(
    "/vehicles",
    summary="List vehicles",
    response_model=VehiclePage,
    responses=problems("invalid_request", "cursor_invalid"),
)
async def list_vehicles(session: Asked, query: Annotated[VehicleQuery, Query()]) -> Response:
    """Registered vehicles in order of their number."""
    plate, is_prefix = query.plate, query.plate is not None and query.plate.endswith("*")
    page = await vehicles.vehicles(
        session.conn,
        plate=None if is_prefix else plate,
        plate_prefix=plate.removesuffix("*") if is_prefix and plate is not None else None,
        operator=query.operator,
        retired=query.retired,
        after=id_cursor("vehicles", query.cursor),
        limit=query.limit,
    )
    cursor = None if page.last is None else encode_cursor("vehicles", page.last)
    return json_answer(Listed(page.rows, cursor))


@router.get(
    "/vehicles/{vehicle_id}",
    summary="Show a vehicle",
    response_model=VehicleDetail,
    responses=problems("vehicle_not_found"),
)
async def show_vehicle(session: Asked, vehicle_id: ThisVehicle) -> Response:
    """A vehicle with its latest position, its fixed routes and its trackers."""
    vehicle = await found_vehicle(session, vehicle_id)
    latest = await positions.positions(session.conn, vehicle=vehicle_id, limit=1)
    return json_answer(
        {
            **msgspec.to_builtins(vehicle),
            "registrations": await vehicles.registrations(session.conn, vehicle.first_id),
            "position": next(iter(latest.rows), None),
            "routes": await vehicles.bound_routes(session.conn, vehicle_id),
            "devices": await vehicles.carried_devices(session.conn, vehicle_id),
        },
        headers=etag(vehicle.version),
    )


@router.get(
    "/vehicles/{vehicle_id}/visits",
    summary="List a vehicle's visits to zones",
    response_model=VisitPage,
    responses=problems("vehicle_not_found", "invalid_request", "cursor_invalid"),
)
async def list_visits(
    session: Asked, vehicle_id: ThisVehicle, query: Annotated[VisitQuery, Query()]
) -> Response:
    """Stays inside zones that began in the window, newest first."""
    await found_vehicle(session, vehicle_id)
    page = await vehicles.visits(
        session.conn,
        vehicle_id,
        zone=query.zone,
        start=query.start,
        end=query.end,
        before=time_cursor("visits", query.cursor),
        limit=query.limit,
    )
    cursor = None if page.last is None else encode_cursor("visits", *page.last)
    return json_answer(Listed(page.rows, cursor))
