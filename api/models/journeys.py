"""A vehicle's journey: fixes, stops, trips; as JSON and as GeoJSON."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Instant, Lat, Lon, Model, NextCursor, PointGeometry
from api.models.vehicles import (
    Driver,
    FixLat,
    FixLon,
    FixTime,
    Heading,
    Inputs,
    Quality,
    Received,
    SpeedKmh,
)

FIX: JsonDict = {
    "time": "2026-05-04T08:00:00.000Z",
    "received": "2026-05-04T08:00:01.250Z",
    "lon": 106.70098,
    "lat": 10.77689,
    "speed_kmh": 43.5,
    "heading": 271.0,
    "altitude_m": 12.0,
    "hdop": 0.8,
    "satellites": 11,
    "odometer_m": 184320500.0,
    "driver": "790123456789",
    "inputs": {"ignition": True, "door": False},
    "quality": [],
    "extra": None,
}
STOP: JsonDict = {
    "started_at": "2026-05-04T08:20:00.000Z",
    "ended_at": "2026-05-04T08:41:30.000Z",
    "duration_s": 1290.0,
    "lon": 106.80812,
    "lat": 10.84471,
    "fixes": 43,
    "is_open": False,
}
TRIP: JsonDict = {
    "started_at": "2026-05-04T08:00:00.000Z",
    "ended_at": "2026-05-04T08:20:00.000Z",
    "duration_s": 1200.0,
    "distance_m": 14730.2,
    "start_lon": 106.70098,
    "start_lat": 10.77689,
    "end_lon": 106.80812,
    "end_lat": 10.84471,
    "is_open_start": True,
    "is_open_end": False,
}
SUMMARY: JsonDict = {
    "fixes": 84,
    "clean_fixes": 84,
    "distance_m": 14730.2,
    "stops": [STOP],
    "trips": [TRIP],
}
HEAD: JsonDict = {
    "vehicle_id": 17,
    "plate": "51B12345",
    "operator": "phuong-nam",
    "from": "2026-05-04T08:00:00.000Z",
    "to": "2026-05-04T09:00:00.000Z",
}


class Fix(Model):
    """One position of a vehicle, clean or not."""

    model_config = ConfigDict(json_schema_extra={"examples": [FIX]})

    time: FixTime
    received: Received
    lon: FixLon
    lat: FixLat
    speed_kmh: SpeedKmh
    heading: Heading
    altitude_m: Annotated[
        float | None, Field(description="Height above sea level, metres; null: unknown.")
    ]
    hdop: Annotated[
        float | None,
        Field(description="Horizontal dilution of precision, dimensionless; null: unknown."),
    ]
    satellites: Annotated[int | None, Field(description="Satellites used (count); null: unknown.")]
    odometer_m: Annotated[
        float | None, Field(description="Odometer reading, metres; null: unknown.")
    ]
    driver: Driver
    inputs: Inputs
    quality: Quality
    extra: Annotated[
        dict[str, Any] | None,
        Field(description="Whatever else the device said, as it said it; null: nothing."),
    ]


class Stop(Model):
    """A stop of at least 3 minutes (docs/rules.md section 5)."""

    model_config = ConfigDict(json_schema_extra={"examples": [STOP]})

    started_at: Annotated[Instant, Field(description="First slow fix, UTC.")]
    ended_at: Annotated[Instant, Field(description="First fast fix, or the last fix known, UTC.")]
    duration_s: Annotated[float, Field(description="From the one to the other, seconds.")]
    lon: Annotated[Lon, Field(description="Mean longitude of its fixes, degrees WGS 84.")]
    lat: Annotated[Lat, Field(description="Mean latitude of its fixes, degrees WGS 84.")]
    fixes: Annotated[int, Field(description="Fixes of the stop (count).")]
    is_open: Annotated[bool, Field(description="It had not ended at the last fix.")]


class Trip(Model):
    """What lies between stops of at least 15 minutes, and is at least 250 metres long."""

    model_config = ConfigDict(json_schema_extra={"examples": [TRIP]})

    started_at: Annotated[Instant, Field(description="First fix, UTC.")]
    ended_at: Annotated[Instant, Field(description="Last fix, UTC.")]
    duration_s: Annotated[float, Field(description="From the first to the last fix, seconds.")]
    distance_m: Annotated[float, Field(description="Along its clean fixes, metres.")]
    start_lon: Annotated[Lon, Field(description="Longitude of the first fix, degrees WGS 84.")]
    start_lat: Annotated[Lat, Field(description="Latitude of the first fix, degrees WGS 84.")]
    end_lon: Annotated[Lon, Field(description="Longitude of the last fix, degrees WGS 84.")]
    end_lat: Annotated[Lat, Field(description="Latitude of the last fix, degrees WGS 84.")]
    is_open_start: Annotated[
        bool, Field(description="No stop bounds it there, only the window's first fix.")
    ]
    is_open_end: Annotated[
        bool, Field(description="No stop bounds it there, only the window's last fix.")
    ]


class Summary(Model):
    """What the vehicle did in the whole window, however many pages its fixes fill."""

    model_config = ConfigDict(json_schema_extra={"examples": [SUMMARY]})

    fixes: Annotated[int, Field(description="Stored fixes of the window (count).")]
    clean_fixes: Annotated[int, Field(description="Clean ones among them (count).")]
    distance_m: Annotated[
        float,
        Field(description="Along the clean fixes, metres; without steps of impossible speed."),
    ]
    stops: Annotated[list[Stop], Field(description="Stops in order of time.")]
    trips: Annotated[list[Trip], Field(description="Trips in order of time.")]


class JourneyHead(Model):
    """Whose journey it is, and which window of it."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    vehicle_id: Annotated[int, Field(description="Number of the vehicle (an identity, no unit).")]
    plate: Annotated[str, Field(description="Plate, letters and digits only.")]
    operator: Annotated[str, Field(description="Code of the operator.")]
    start: Annotated[
        Instant, Field(alias="from", description="Beginning of the window, UTC, inclusive.")
    ]
    end: Annotated[Instant, Field(alias="to", description="End of the window, UTC, exclusive.")]


class Journey(JourneyHead):
    """A page of a vehicle's fixes in order of time, and what it did."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**HEAD, "fixes": [FIX], "summary": SUMMARY, "next_cursor": None}]
        }
    )

    fixes: Annotated[list[Fix], Field(description="Stored fixes in order of time.")]
    summary: Annotated[
        Summary | None, Field(description="On the first page; null on those that follow.")
    ]
    next_cursor: NextCursor


class LineGeometry(Model):
    """A GeoJSON LineString."""

    type: Annotated[Literal["LineString"], Field(description="Always LineString.")]
    coordinates: Annotated[
        list[tuple[float, float]], Field(description="[lon, lat] each, degrees WGS 84.")
    ]


class TrackProperties(Model):
    """What is said of a track."""

    role: Annotated[Literal["track"], Field(description="Always track.")]
    times: Annotated[
        list[Instant], Field(description="When each position of the line was taken, UTC.")
    ]
    speeds_kmh: Annotated[
        list[float | None], Field(description="Speed at each position, km/h; null: unknown.")
    ]


class TrackFeature(Model):
    """The clean fixes of the page: a line, or a point where there is only one."""

    type: Annotated[Literal["Feature"], Field(description="Always Feature.")]
    geometry: Annotated[LineGeometry | PointGeometry, Field(description="The line, or the point.")]
    properties: Annotated[TrackProperties, Field(description="Times and speeds along it.")]


class StopProperties(Stop):
    """What is said of a stop."""

    role: Annotated[Literal["stop"], Field(description="Always stop.")]


class StopFeature(Model):
    """A stop as a point."""

    type: Annotated[Literal["Feature"], Field(description="Always Feature.")]
    geometry: Annotated[PointGeometry, Field(description="Mean place of the stop.")]
    properties: Annotated[StopProperties, Field(description="The stop.")]


class JourneyProperties(JourneyHead):
    """A foreign member of the collection: whose journey it is."""

    distance_m: Annotated[
        float | None,
        Field(description="Driven in the whole window, metres; null after the first page."),
    ]


class JourneyCollection(Model):
    """A page of a journey as GeoJSON: its line, and on the first page its stops."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "FeatureCollection",
                    "features": [
                        {
                            "type": "Feature",
                            "geometry": {
                                "type": "LineString",
                                "coordinates": [[106.70098, 10.77689], [106.70055, 10.77701]],
                            },
                            "properties": {
                                "role": "track",
                                "times": ["2026-05-04T08:00:00.000Z", "2026-05-04T08:00:30.000Z"],
                                "speeds_kmh": [43.5, 41.0],
                            },
                        },
                        {
                            "type": "Feature",
                            "geometry": {"type": "Point", "coordinates": [106.80812, 10.84471]},
                            "properties": {"role": "stop", **STOP},
                        },
                    ],
                    "journey": {**HEAD, "distance_m": 14730.2},
                    "next_cursor": None,
                }
            ]
        }
    )

    type: Annotated[Literal["FeatureCollection"], Field(description="Always FeatureCollection.")]
    features: Annotated[
        list[TrackFeature | StopFeature], Field(description="The line first, then the stops.")
    ]
    journey: Annotated[JourneyProperties, Field(description="Whose journey, and which window.")]
    next_cursor: NextCursor
