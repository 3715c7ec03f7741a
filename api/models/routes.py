"""Fixed routes: as they are read, and as they are written."""

from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import (
    Code,
    Direction,
    Geometry,
    Instant,
    Lat,
    Lon,
    Model,
    NextCursor,
    Text,
)
from api.models.zones import VERSIONS, VersionInForce

FACTS: JsonDict = {
    "name": "Ho Chi Minh City - Da Lat",
    "operator": None,
    "corridor_m": 200.0,
    "terminal_a": "ben-xe-mien-dong",
    "terminal_b": "ben-xe-da-lat",
    "outbound": {"type": "LineString", "coordinates": [[106.711, 10.815], [108.446, 11.926]]},
    "inbound": {"type": "LineString", "coordinates": [[108.446, 11.926], [106.711, 10.815]]},
    "stops": [
        {
            "direction": "outbound",
            "seq": 1,
            "name": "Bao Loc",
            "lon": 107.8094,
            "lat": 11.5478,
            "compulsory": True,
        }
    ],
    "slots": [
        {
            "direction": "outbound",
            "departs": "06:30",
            "days": ["mon", "tue", "wed", "thu", "fri"],
            "valid_from": None,
            "valid_to": None,
        }
    ],
    "valid_from": "2026-05-01T00:00:00.000Z",
    "valid_to": None,
}
ROUTE: JsonDict = {
    "code": "HCM-DL-01",
    "version": 2,
    **FACTS,
    "created_at": "2026-04-28T03:12:44.120Z",
    "is_retired": False,
}


class RouteStop(Model):
    """An announced stop."""

    direction: Annotated[Direction, Field(description="outbound: from A to B; inbound: back.")]
    seq: Annotated[
        int, Field(ge=0, le=10_000, description="Order among the direction's stops (a number).")
    ]
    name: Annotated[Text, Field(description="Name for people.")]
    lon: Annotated[Lon, Field(description="Longitude, degrees WGS 84.")]
    lat: Annotated[Lat, Field(description="Latitude, degrees WGS 84.")]
    compulsory: Annotated[bool, Field(description="It must be called at.")] = True


class RouteSlot(Model):
    """A departure that the timetable says there is, on some days."""

    direction: Annotated[Direction, Field(description="outbound: from A to B; inbound: back.")]
    departs: Annotated[
        str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time, HH:MM.")
    ]
    days: Annotated[
        list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] | None,
        Field(min_length=1, max_length=7, description="Days of the week; null: every day."),
    ] = None
    valid_from: Annotated[
        date | None, Field(description="First local day; null: as the version of the route.")
    ] = None
    valid_to: Annotated[
        date | None,
        Field(description="Local day after the last; null: as the version of the route."),
    ] = None


class RouteFacts(Model):
    """What a route is. Fixes are judged by the version in force at their own time."""

    name: Annotated[Text, Field(description="Name for people.")] = ""
    operator: Annotated[
        Text | None, Field(description="Code of the operator that alone runs it; null: shared.")
    ] = None
    corridor_m: Annotated[
        float, Field(gt=0, le=50_000, description="How far off its path is off route, metres.")
    ]
    terminal_a: Annotated[Text, Field(description="Code of the zone of kind terminal at A.")]
    terminal_b: Annotated[Text, Field(description="Code of the zone of kind terminal at B.")]
    outbound: Annotated[Geometry, Field(description="Path from A to B, a LineString.")]
    inbound: Annotated[Geometry, Field(description="Path from B to A, a LineString.")]
    stops: Annotated[
        list[RouteStop],
        Field(
            default_factory=list,
            max_length=2_000,
            description="Announced stops by direction and seq.",
        ),
    ]
    slots: Annotated[
        list[RouteSlot],
        Field(
            default_factory=list,
            max_length=2_000,
            description="The timetable: departures that there are to be.",
        ),
    ]
    valid_from: Annotated[
        Instant | None,
        Field(description="In force from, UTC. Written: null is now. Read: null is always was."),
    ] = None
    valid_to: Annotated[
        Instant | None, Field(description="In force until, UTC, exclusive; null: for ever.")
    ] = None


class RouteReplacement(RouteFacts):
    """The next version of a route."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**FACTS, "valid_from": None}]})


class NewRoute(RouteFacts):
    """A route under a new code."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "HCM-DL-01", **FACTS, "valid_from": None}]}
    )

    code: Annotated[
        Code, Field(description="What it is called from now on; never to be used again.")
    ]


class Route(RouteFacts):
    """One version of a route."""

    model_config = ConfigDict(json_schema_extra={"examples": [ROUTE]})

    code: Annotated[str, Field(description="What it is called.")]
    version: Annotated[int, Field(description="Version (a count from 1).")]
    created_at: Annotated[Instant, Field(description="When this version was written, UTC.")]
    is_retired: Annotated[bool, Field(description="This version is no longer in force.")]


class RoutePage(Model):
    """Routes in order of code."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [ROUTE], "next_cursor": None}]}
    )

    items: Annotated[list[Route], Field(description="Routes.")]
    next_cursor: NextCursor


class RouteDetail(Route):
    """One version of a route, and the versions that there are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**ROUTE, **VERSIONS}]})

    versions: Annotated[list[VersionInForce], Field(description="All versions, newest first.")]
