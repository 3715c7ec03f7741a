"""Weighings and their axles."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Instant, Lat, Lon, Model, NextCursor, StationKind

WEIGHING: JsonDict = {
    "id": 903,
    "station": "dau-giay",
    "station_name": "Dau Giay weigh station",
    "station_kind": "wim",
    "station_lon": 107.1412,
    "station_lat": 10.9433,
    "calibrated_until": "2026-12-31T17:00:00.000Z",
    "vehicle_id": 31,
    "plate_read": "60C99887",
    "plate": "60C99887",
    "operator": "dong-nai-logistics",
    "time": "2026-05-04T08:05:12.480Z",
    "received": "2026-05-04T08:05:13.020Z",
    "lane": 2,
    "gross_kg": 31450.0,
    "speed_kmh": 52.0,
    "length_m": 11.9,
    "axles": [
        {"mass_kg": 6450.0, "spacing_m": None},
        {"mass_kg": 6300.0, "spacing_m": 1.8},
        {"mass_kg": 9400.0, "spacing_m": 4.3},
        {"mass_kg": 9300.0, "spacing_m": 1.35},
    ],
    "extra": None,
}


class Axle(Model):
    """One axle, counted from the front."""

    mass_kg: Annotated[float, Field(description="Mass on the axle, kg.")]
    spacing_m: Annotated[
        float | None, Field(description="Distance to the axle before it, metres; null: the first.")
    ]


class Weighing(Model):
    """What a weigh station measured."""

    model_config = ConfigDict(json_schema_extra={"examples": [WEIGHING]})

    id: Annotated[int, Field(description="Number of the weighing (an identity, no unit).")]
    station: Annotated[str, Field(description="Code of the weigh station.")]
    station_name: Annotated[str, Field(description="Name of the weigh station.")]
    station_kind: Annotated[
        StationKind, Field(description="static: standing; wim: weighed in motion.")
    ]
    station_lon: Annotated[Lon, Field(description="Longitude of the station, degrees WGS 84.")]
    station_lat: Annotated[Lat, Field(description="Latitude of the station, degrees WGS 84.")]
    calibrated_until: Annotated[
        Instant | None,
        Field(
            description="End of the station's calibration at, or last before, the weighing, UTC; "
            "null: none set."
        ),
    ]
    vehicle_id: Annotated[int, Field(description="Number of the vehicle (an identity, no unit).")]
    plate_read: Annotated[str, Field(description="Plate as the station read it.")]
    plate: Annotated[str, Field(description="Plate of the vehicle in the registry.")]
    operator: Annotated[str, Field(description="Code of the vehicle's operator.")]
    time: Annotated[Instant, Field(description="When it was weighed, UTC.")]
    received: Annotated[Instant, Field(description="When the server got it, UTC.")]
    lane: Annotated[int | None, Field(description="Lane (a number, no unit); null: unknown.")]
    gross_kg: Annotated[float, Field(description="Gross mass, kg.")]
    speed_kmh: Annotated[
        float | None, Field(description="Speed over the scale, km/h; null: unknown.")
    ]
    length_m: Annotated[
        float | None, Field(description="Length of the vehicle, metres; null: unknown.")
    ]
    axles: Annotated[list[Axle], Field(description="Axles from the front; empty: gross only.")]
    extra: Annotated[
        dict[str, Any] | None,
        Field(description="Whatever else the station said, as it said it; null: nothing."),
    ]


class WeighingPage(Model):
    """Weighings, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [WEIGHING], "next_cursor": None}]}
    )

    items: Annotated[list[Weighing], Field(description="Weighings.")]
    next_cursor: NextCursor
