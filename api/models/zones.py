"""Zones: as they are read, and as they are written."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Code, Geometry, Instant, Model, NextCursor, Text, ZoneKind

FACTS: JsonDict = {
    "name": "Inner city, lorry hours",
    "kind": "banned",
    "operator": None,
    "geometry": {
        "type": "Polygon",
        "coordinates": [
            [[106.68, 10.76], [106.72, 10.76], [106.72, 10.8], [106.68, 10.8], [106.68, 10.76]]
        ],
    },
    "radius_m": None,
    "corridor_m": None,
    "speed_limits": {},
    "classes": ["truck_over_3_5t"],
    "weekly_hours": [["mon", "06:00", "09:00"], ["mon", "16:00", "20:00"]],
    "valid_from": "2026-05-01T00:00:00.000Z",
    "valid_to": None,
    "max_stay_s": None,
    "min_duration_s": 60.0,
    "min_gross_kg": 2500.0,
    "overrides_road": False,
    "crossings": False,
}
ZONE: JsonDict = {
    "code": "inner-city",
    "version": 2,
    **FACTS,
    "created_at": "2026-04-28T03:12:44.120Z",
    "is_retired": False,
}
VERSIONS: JsonDict = {
    "versions": [
        {
            "version": 2,
            "valid_from": "2026-05-01T00:00:00.000Z",
            "valid_to": None,
            "created_at": "2026-04-28T03:12:44.120Z",
        },
        {
            "version": 1,
            "valid_from": None,
            "valid_to": "2026-05-01T00:00:00.000Z",
            "created_at": "2025-11-02T01:00:00.000Z",
        },
    ],
}

Minutes = Annotated[str, Field(pattern=r"^\d\d:\d\d$")]


class ZoneFacts(Model):
    """What a zone is. Fixes are judged by the version in force at their own time."""

    name: Annotated[Text, Field(description="Name for people.")] = ""
    kind: Annotated[
        ZoneKind,
        Field(
            description="speed: has limits; banned: must not be entered while closed; terminal, "
            "stop: of a route; watch: visits are recorded."
        ),
    ]
    operator: Annotated[
        Text | None, Field(description="Code of the operator whose vehicles it binds; null: all.")
    ] = None
    geometry: Annotated[Geometry, Field(description="Where it is; its edges belong to it.")]
    radius_m: Annotated[
        float | None, Field(description="Radius around a Point, metres; null with any other kind.")
    ] = None
    corridor_m: Annotated[
        float | None,
        Field(description="Width to each side of a line, metres; null with any other kind."),
    ] = None
    speed_limits: Annotated[
        dict[Text, float],
        Field(
            default_factory=dict,
            description="Speed limit by vehicle class, km/h; the class * is every other one.",
        ),
    ]
    classes: Annotated[
        list[Text] | None, Field(description="Vehicle classes it binds; null: every class.")
    ] = None
    weekly_hours: Annotated[
        list[tuple[Text, Text, Text]] | None,
        Field(
            description="When it applies: day (mon to sun), from and to as HH:MM local time; an "
            "end at or before its start lies on the next day; null: always."
        ),
    ] = None
    valid_from: Annotated[
        Instant | None,
        Field(description="In force from, UTC. Written: null is now. Read: null is always was."),
    ] = None
    valid_to: Annotated[
        Instant | None, Field(description="In force until, UTC, exclusive; null: for ever.")
    ] = None
    max_stay_s: Annotated[
        float | None, Field(description="Longest stay allowed, seconds; null: any.")
    ] = None
    min_duration_s: Annotated[
        float, Field(description="Shortest visit that counts as a violation, seconds.")
    ] = 0.0
    min_gross_kg: Annotated[
        float | None,
        Field(description="Binds vehicles of at least this permitted gross mass, kg; null: all."),
    ] = None
    overrides_road: Annotated[
        bool, Field(description="Its limit replaces the road's instead of competing with it.")
    ] = False
    crossings: Annotated[
        bool, Field(description="Steps that pass it between two fixes are found, too.")
    ] = False


class ZoneReplacement(ZoneFacts):
    """The next version of a zone."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**FACTS, "valid_from": None}]})


class NewZone(ZoneFacts):
    """A zone under a new code."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"code": "inner-city", **FACTS, "valid_from": None}]}
    )

    code: Annotated[
        Code, Field(description="What it is called from now on; never to be used again.")
    ]


class Zone(ZoneFacts):
    """One version of a zone."""

    model_config = ConfigDict(json_schema_extra={"examples": [ZONE]})

    code: Annotated[str, Field(description="What it is called.")]
    version: Annotated[int, Field(description="Version (a count from 1).")]
    created_at: Annotated[Instant, Field(description="When this version was written, UTC.")]
    is_retired: Annotated[bool, Field(description="This version is no longer in force.")]


class ZonePage(Model):
    """Zones in order of code."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [ZONE], "next_cursor": None}]}
    )

    items: Annotated[list[Zone], Field(description="Zones.")]
    next_cursor: NextCursor


class VersionInForce(Model):
    """When a version applies."""

    version: Annotated[int, Field(description="Version (a count from 1).")]
    valid_from: Annotated[Instant | None, Field(description="From, UTC; null: always was.")]
    valid_to: Annotated[Instant | None, Field(description="Until, UTC, exclusive; null: for ever.")]
    created_at: Annotated[Instant, Field(description="When it was written, UTC.")]


class ZoneDetail(Zone):
    """One version of a zone, and the versions that there are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**ZONE, **VERSIONS, "repairs": []}]})

    versions: Annotated[list[VersionInForce], Field(description="All versions, newest first.")]
    repairs: Annotated[
        list[str],
        Field(description="What repair=true changed in the geometry just sent; else empty."),
    ]
