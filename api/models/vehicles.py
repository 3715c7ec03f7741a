"""Vehicles, their latest positions, and their visits to zones."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import (
    Instant,
    Lat,
    Lon,
    Model,
    NextCursor,
    PointGeometry,
    VehicleKind,
    ZoneKind,
)

POSITION: JsonDict = {
    "vehicle_id": 17,
    "plate": "51B12345",
    "operator": "phuong-nam",
    "time": "2026-05-04T08:00:00.000Z",
    "received": "2026-05-04T08:00:01.250Z",
    "lon": 106.70098,
    "lat": 10.77689,
    "speed_kmh": 43.5,
    "heading": 271.0,
    "driver": "790123456789",
    "inputs": {"ignition": True, "door": False},
    "quality": [],
}
VEHICLE: JsonDict = {
    "id": 17,
    "first_id": 17,
    "plate": "51B12345",
    "plate_raw": "51B-123.45",
    "operator": "phuong-nam",
    "operator_name": "Phuong Nam Transport",
    "class": "coach_over_30",
    "kind": "bus",
    "speed_limit_kmh": 80.0,
    "gross_kg": 16000.0,
    "kerb_kg": 11500.0,
    "cargo_kg": None,
    "axles": 2,
    "vin": "RNKGA7F0123456789",
    "valid_from": None,
    "valid_to": None,
    "version": 1,
    "is_retired": False,
}
VISIT: JsonDict = {
    "zone": "ben-xe-mien-dong",
    "zone_version": 1,
    "zone_name": "Mien Dong coach station",
    "zone_kind": "terminal",
    "entered_at": "2026-05-04T07:12:30.000Z",
    "left_at": "2026-05-04T07:55:00.000Z",
    "duration_s": 2550.0,
    "is_open": False,
    "fixes": 52,
}

Quality = Annotated[
    list[str],
    Field(
        description="What cleaning found, by name (docs/rules.md section 9); empty: nothing. "
        "Fixes with no_position, future, jump or repeat are seen by no rule.",
        examples=[["late"]],
    ),
]
Inputs = Annotated[
    dict[str, bool],
    Field(
        description="Digital inputs whose state is known, by name; an input that is absent is "
        "unknown, not off.",
        examples=[{"ignition": True}],
    ),
]
SpeedKmh = Annotated[
    float | None, Field(description="Speed over ground, km/h; null: unknown.", examples=[43.5])
]
Heading = Annotated[
    float | None,
    Field(
        description="Heading, degrees clockwise from north, from 0 up to 360; null: unknown.",
        examples=[271.0],
    ),
]
Driver = Annotated[
    str | None,
    Field(description="Licence number of the driver, or its end; null: unknown, or not yours."),
]
FixTime = Annotated[Instant, Field(description="When the position was taken, UTC.")]
Received = Annotated[Instant, Field(description="When the server got it, UTC.")]
FixLon = Annotated[Lon, Field(description="Longitude, degrees WGS 84.")]
FixLat = Annotated[Lat, Field(description="Latitude, degrees WGS 84.")]


class Position(Model):
    """The newest clean fix of a vehicle, or its newest fix where none is clean."""

    model_config = ConfigDict(json_schema_extra={"examples": [POSITION]})

    vehicle_id: Annotated[int, Field(description="Number of the vehicle (an identity, no unit).")]
    plate: Annotated[str, Field(description="Plate, letters and digits only.")]
    operator: Annotated[str, Field(description="Code of the operator.")]
    time: FixTime
    received: Received
    lon: FixLon
    lat: FixLat
    speed_kmh: SpeedKmh
    heading: Heading
    driver: Driver
    inputs: Inputs
    quality: Quality


class PositionPage(Model):
    """Latest positions in order of vehicle."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [POSITION], "next_cursor": None}]}
    )

    items: Annotated[list[Position], Field(description="One position for each vehicle.")]
    next_cursor: NextCursor


class PositionFeature(Model):
    """A latest position as GeoJSON."""

    type: Annotated[Literal["Feature"], Field(description="Always Feature.")]
    id: Annotated[int, Field(description="Number of the vehicle (an identity, no unit).")]
    geometry: Annotated[PointGeometry, Field(description="Where the vehicle was.")]
    properties: Annotated[Position, Field(description="Everything known of the position.")]


class PositionCollection(Model):
    """Latest positions as GeoJSON."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "FeatureCollection",
                    "features": [
                        {
                            "type": "Feature",
                            "id": 17,
                            "geometry": {"type": "Point", "coordinates": [106.70098, 10.77689]},
                            "properties": POSITION,
                        }
                    ],
                    "next_cursor": None,
                }
            ]
        }
    )

    type: Annotated[Literal["FeatureCollection"], Field(description="Always FeatureCollection.")]
    features: Annotated[list[PositionFeature], Field(description="One for each vehicle.")]
    next_cursor: NextCursor


class Vehicle(Model):
    """A vehicle as it is registered for a span of time."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [VEHICLE]}, validate_by_name=True, validate_by_alias=True
    )

    id: Annotated[
        int,
        Field(description="Number of the vehicle, in this registration (an identity, no unit)."),
    ]
    first_id: Annotated[
        int,
        Field(description="Number that its first registration had (an identity, no unit)."),
    ]
    plate: Annotated[str, Field(description="Plate, letters and digits only.")]
    plate_raw: Annotated[str, Field(description="Plate as it was entered.")]
    operator: Annotated[str, Field(description="Code of the operator.")]
    operator_name: Annotated[str, Field(description="Name of the operator.")]
    vehicle_class: Annotated[
        str, Field(alias="class", description="Class that speed limits go by (docs/rules.md).")
    ]
    kind: Annotated[VehicleKind, Field(description="Build, which gross limits go by.")]
    speed_limit_kmh: Annotated[
        float | None, Field(description="The vehicle's own speed limit, km/h; null: none.")
    ]
    gross_kg: Annotated[
        float | None, Field(description="Permitted gross mass, kg; null: not known.")
    ]
    kerb_kg: Annotated[float | None, Field(description="Kerb mass, kg; null: not known.")]
    cargo_kg: Annotated[float | None, Field(description="Permitted cargo, kg; null: not known.")]
    axles: Annotated[int | None, Field(description="Number of axles (count); null: not known.")]
    vin: Annotated[str | None, Field(description="Chassis number; null: not known.")]
    valid_from: Annotated[
        Instant | None, Field(description="Registered from, UTC; null: always was.")
    ]
    valid_to: Annotated[
        Instant | None, Field(description="Registered until, UTC, exclusive; null: for ever.")
    ]
    version: Annotated[int, Field(description="Changes of this registration (a count from 1).")]
    is_retired: Annotated[bool, Field(description="This registration is over.")]


class Registration(Model):
    """What was registered of a vehicle for a span of time."""

    id: Annotated[int, Field(description="Number of the vehicle, then (an identity, no unit).")]
    plate: Annotated[str, Field(description="Plate, letters and digits only.")]
    operator: Annotated[str, Field(description="Code of the operator.")]
    valid_from: Annotated[Instant | None, Field(description="From, UTC; null: always was.")]
    valid_to: Annotated[Instant | None, Field(description="Until, UTC, exclusive; null: for ever.")]


class VehiclePage(Model):
    """Vehicles in order of their number."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [VEHICLE], "next_cursor": None}]}
    )

    items: Annotated[list[Vehicle], Field(description="Vehicles.")]
    next_cursor: NextCursor


class BoundRoute(Model):
    """A fixed route that a vehicle is registered for."""

    route: Annotated[str, Field(description="Code of the route.")]
    valid_from: Annotated[Instant | None, Field(description="From, UTC; null: always was.")]
    valid_to: Annotated[Instant | None, Field(description="Until, UTC, exclusive; null: for ever.")]


class CarriedDevice(Model):
    """A tracker that a vehicle carries or carried."""

    ident: Annotated[str, Field(description="IMEI, serial or user name: what its topic names.")]
    codec: Annotated[str | None, Field(description="The codec it speaks; null: any.")]
    valid_from: Annotated[Instant | None, Field(description="From, UTC; null: always did.")]
    valid_to: Annotated[Instant | None, Field(description="Until, UTC, exclusive; null: for ever.")]


class VehicleDetail(Vehicle):
    """A vehicle with what belongs to it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **VEHICLE,
                    "registrations": [
                        {
                            "id": 17,
                            "plate": "51B12345",
                            "operator": "phuong-nam",
                            "valid_from": None,
                            "valid_to": None,
                        }
                    ],
                    "position": POSITION,
                    "routes": [{"route": "HCM-DL-01", "valid_from": None, "valid_to": None}],
                    "devices": [
                        {
                            "ident": "356307042441013",
                            "codec": "teltonika",
                            "valid_from": None,
                            "valid_to": None,
                        }
                    ],
                }
            ]
        }
    )

    registrations: Annotated[
        list[Registration], Field(description="Of the same vehicle, newest first.")
    ]
    position: Annotated[
        Position | None, Field(description="Latest position; null: never heard of.")
    ]
    routes: Annotated[list[BoundRoute], Field(description="Fixed routes, newest first.")]
    devices: Annotated[list[CarriedDevice], Field(description="Trackers, newest first.")]


class Visit(Model):
    """A stay of a vehicle inside a zone."""

    model_config = ConfigDict(json_schema_extra={"examples": [VISIT]})

    zone: Annotated[str, Field(description="Code of the zone.")]
    zone_version: Annotated[int, Field(description="Version of the zone (a count from 1).")]
    zone_name: Annotated[str, Field(description="Name of the zone.")]
    zone_kind: Annotated[ZoneKind, Field(description="What the zone is for.")]
    entered_at: Annotated[Instant, Field(description="First fix inside, UTC.")]
    left_at: Annotated[Instant, Field(description="Last fix inside so far, UTC.")]
    duration_s: Annotated[float, Field(description="From the first to the last fix, seconds.")]
    is_open: Annotated[bool, Field(description="The vehicle was inside at its last fix known.")]
    fixes: Annotated[int, Field(description="Clean fixes inside (count).")]


class VisitPage(Model):
    """Visits, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [VISIT], "next_cursor": None}]}
    )

    items: Annotated[list[Visit], Field(description="Visits.")]
    next_cursor: NextCursor
