"""A vehicle's rate of speeding violations in a month, found when it is asked for."""

import asyncio
from datetime import datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Query, Response

from analytics.rates import count_speeding, rate_of
from analytics.stops import summarize
from api.access import Asked, closed_router
from api.encoding import json_answer
from api.models.rates import MonthlyRate
from api.months import month_of, profile_of
from api.openapi import problems
from api.problems import Flaw, Problem
from api.queries import MonthQuery
from api.resources.vehicles import ThisVehicle, found_vehicle
from storage.reading import journeys, vehicles, violations
from storage.reading.journeys import Stretch

router = closed_router("vehicles")


class RateShown(msgspec.Struct, frozen=True):
    vehicle_id: int
    plate: str
    month: str
    timezone: str
    counted: int
    distance_m: float
    rate: float
    is_due: bool


@router.get(
    "/vehicles/{vehicle_id}/rate",
    summary="Show a vehicle's rate of violations",
    response_model=MonthlyRate,
    responses=problems("vehicle_not_found", "window_too_long"),
)
async def show_rate(
    session: Asked, vehicle_id: ThisVehicle, query: Annotated[MonthQuery, Query()]
) -> Response:
    """Speeding violations per 1,000 km in a local month, as far as it is known.

    Late data may change it. What people excused or dismissed does not count. All registrations of
    the vehicle count that the same operator had.
    """
    vehicle = await found_vehicle(session, vehicle_id)
    options = session.options
    zone = ZoneInfo(options.timezone)
    first, last = month_of(query.month)
    start, end = (datetime.combine(day, time(), zone) for day in (first, last))
    # The badge is one operator's for a vehicle: it lives through changes of masses and plate.
    stretches = [
        Stretch(registration.id, start, end)
        for registration in await vehicles.registrations(session.conn, vehicle.first_id)
        if registration.operator == vehicle.operator
    ]
    most = left = options.most_track_fixes
    counted, distance_m = 0, 0.0
    for stretch in stretches:
        left -= await journeys.count_fixes(session.conn, stretch, most=left + 1)
        if left < 0:
            expected = f"a month of at most {most} fixes"
            raise Problem("window_too_long", expected, flaws=[Flaw("query.month", expected)])
        bands = await violations.speeding_bands(session.conn, stretch.vehicle, start, end)
        track = await journeys.track(session.conn, stretch)
        done = await asyncio.to_thread(summarize, track, options.stops)
        counted += count_speeding(bands)
        distance_m += done.distance_m
    profile = profile_of(options, first)
    rate = rate_of(counted, distance_m / 1000.0, profile)
    return json_answer(
        RateShown(
            vehicle.id, vehicle.plate, query.month, options.timezone, rate.counted,
            round(distance_m, 3), rate.rate, rate.is_due,
        )
    )  # fmt: skip
