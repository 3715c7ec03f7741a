"""A vehicle's journey: its fixes in a window, and what it did there."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from fastapi import Query, Request, Response

from analytics.stops import Journey as Done
from analytics.stops import Stop as StopFound
from analytics.stops import Trip as TripFound
from analytics.stops import summarize
from api.access import Asked, Session, closed_router
from api.cursors import encode_cursor, instant_cursor
from api.encoding import EPOCH, form_of, geojson_answer, instant_text, json_answer, microseconds
from api.geojson import Collection, Feature, Line, Point
from api.models.journeys import Journey, JourneyCollection
from api.openapi import also_geojson, problems
from api.problems import Flaw, Problem
from api.queries import JourneyQuery, WindowQuery
from api.resources.vehicles import ThisVehicle, found_vehicle
from devices.batch import DISQUALIFYING
from devices.rounding import shown_degrees
from storage.reading import journeys
from storage.reading.fixes import quality_names
from storage.reading.journeys import Fix, Stretch

router = closed_router("vehicles")

UNCLEAN: Final = frozenset(quality_names(int(DISQUALIFYING)))
A_DAY: Final = timedelta(days=1)
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
"""The first instant that there is."""


class Stop(msgspec.Struct, frozen=True):
    started_at: str
    ended_at: str
    duration_s: float
    lon: float
    lat: float
    fixes: int
    is_open: bool

    @classmethod
    def of(cls, stop: StopFound) -> "Stop":
        return cls(
            instant_text(stop.started), instant_text(stop.ended), stop.duration_s,
            shown_degrees(stop.lon), shown_degrees(stop.lat), stop.fixes, stop.is_open,
        )  # fmt: skip


class Trip(msgspec.Struct, frozen=True):
    started_at: str
    ended_at: str
    duration_s: float
    distance_m: float
    start_lon: float
    start_lat: float
    end_lon: float
    end_lat: float
    is_open_start: bool
    is_open_end: bool

    @classmethod
    def of(cls, trip: TripFound) -> "Trip":
        return cls(
            instant_text(trip.started), instant_text(trip.ended), trip.duration_s,
            round(trip.distance_m, 3), shown_degrees(trip.start[0]), shown_degrees(trip.start[1]),
            shown_degrees(trip.end[0]), shown_degrees(trip.end[1]), trip.is_open_start,
            trip.is_open_end,
        )  # fmt: skip


class Summary(msgspec.Struct, frozen=True):
    fixes: int
    clean_fixes: int
    distance_m: float
    stops: list[Stop]
    trips: list[Trip]

    @classmethod
    def of(cls, done: Done) -> "Summary":
        return cls(
            done.fixes, done.clean_fixes, round(done.distance_m, 3),
            [Stop.of(stop) for stop in done.stops], [Trip.of(trip) for trip in done.trips],
        )  # fmt: skip


def window(session: Session, vehicle: int, query: WindowQuery) -> Stretch:
    """The stretch that was asked for. Raises Problem."""
    end = query.end or EPOCH + timedelta(microseconds=session.scope.now_us)
    start = query.start or end - min(A_DAY, end - EARLIEST)
    most = session.options.most_window_days
    if start >= end:
        flaw = Flaw("query.from", "an instant before `to`")
        raise Problem("invalid_request", "from: expected an instant before `to`", flaws=[flaw])
    if end - start > timedelta(days=most):
        expected = f"at most {most} days from `from` to `to`"
        raise Problem("window_too_long", expected, flaws=[Flaw("query.to", expected)])
    return Stretch(vehicle, start, end)


async def summary_of(session: Session, stretch: Stretch) -> Summary:
    """What the vehicle did in the whole stretch. Raises Problem for too many fixes."""
    most = session.options.most_track_fixes
    if await journeys.count_fixes(session.conn, stretch, most=most + 1) > most:
        expected = f"a window of at most {most} fixes"
        raise Problem("window_too_long", expected, flaws=[Flaw("query.to", expected)])
    track = await journeys.track(session.conn, stretch)
    return Summary.of(await asyncio.to_thread(summarize, track, session.options.stops))


@router.get(
    "/vehicles/{vehicle_id}/journey",
    summary="Show a vehicle's journey",
    response_model=Journey,
    responses={
        **problems("vehicle_not_found", "invalid_request", "cursor_invalid", "window_too_long"),
        **also_geojson(JourneyCollection),
    },
)
async def show_journey(
    request: Request,
    session: Asked,
    vehicle_id: ThisVehicle,
    query: Annotated[JourneyQuery, Query()],
) -> Response:
    """Fixes of at most 31 days in order of time, as JSON, or as GeoJSON if asked for.

    Stops, trips and distance are those of the whole window; they stand on the first page.
    """
    stretch = window(session, vehicle_id, query)
    after = instant_cursor("journey", query.cursor)
    vehicle = await found_vehicle(session, vehicle_id)
    page = await journeys.fixes(session.conn, stretch, after_us=after, limit=query.limit)
    summary = await summary_of(session, stretch) if after is None else None
    cursor = None if page.last is None else encode_cursor("journey", page.last)
    head = {
        "vehicle_id": vehicle.id,
        "plate": vehicle.plate,
        "operator": vehicle.operator,
        "from": instant_text(microseconds(stretch.start)),
        "to": instant_text(microseconds(stretch.end)),
    }
    if form_of(request, query.format) == "json":
        body = {**head, "fixes": page.rows, "summary": summary, "next_cursor": cursor}
        return json_answer(body)
    distance_m = None if summary is None else summary.distance_m
    features = [*track_features(page.rows), *stop_features(summary)]
    return geojson_answer(Collection(features, cursor, {**head, "distance_m": distance_m}))


def track_features(fixes: list[Fix]) -> list[Feature]:
    """The clean fixes as a line, as a point where there is one, as nothing where there is none."""
    clean = [fix for fix in fixes if UNCLEAN.isdisjoint(fix.quality)]
    if not clean:
        return []
    properties: dict[str, Any] = {
        "role": "track",
        "times": [fix.time for fix in clean],
        "speeds_kmh": [fix.speed_kmh for fix in clean],
    }
    places = [(fix.lon, fix.lat) for fix in clean]
    return [Feature(Line(places) if len(places) > 1 else Point(places[0]), properties)]


def stop_features(summary: Summary | None) -> list[Feature]:
    stops = [] if summary is None else summary.stops
    return [
        Feature(Point((stop.lon, stop.lat)), {"role": "stop", **msgspec.structs.asdict(stop)})
        for stop in stops
    ]
