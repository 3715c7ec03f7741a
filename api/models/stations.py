"""Weigh stations and their calibrations: as they are read, and as they are written."""

from typing import Annotated

from pydantic import Field
from pydantic.config import JsonDict

from api.models.base import Code, Geometry, Instant, Lat, Lon, Model, NextCursor, StationKind, Text
from api.models.registry import Number, RetiredAt, Since, Until, VersionField, examples, page_of

STATION: JsonDict = {
    "name": "Dau Giay", "province": "Dong Nai", "lon": 107.1, "lat": 10.9, "kind": "wim",
    "tolerance": 0.05, "approach": None, "corridor_m": None, "is_two_way": False,
    "weekly_hours": [["mon", "06:00", "22:00"]], "column_map": None,
}  # fmt: skip


class StationFacts(Model):
    """What is known of a weigh station."""

    model_config = examples(STATION)

    name: Annotated[Text, Field(description="Name for people.")] = ""
    province: Annotated[Text | None, Field(description="Province that it is in.")] = None
    lon: Annotated[Lon, Field(description="Longitude, degrees WGS 84.")]
    lat: Annotated[Lat, Field(description="Latitude, degrees WGS 84.")]
    kind: Annotated[StationKind, Field(description="static: standing; wim: weighed in motion.")] = (
        "static"
    )
    tolerance: Annotated[
        float,
        Field(
            ge=0, lt=1, description="Fraction by which its masses may be too high (dimensionless)."
        ),
    ] = 0.0
    approach: Annotated[
        Geometry | None,
        Field(
            description="Road that leads by it in the direction that is weighed, a LineString; "
            "null: nobody is watched for avoiding it."
        ),
    ] = None
    corridor_m: Annotated[
        float | None,
        Field(description="Width of that road to each side, metres; null without an approach."),
    ] = None
    is_two_way: Annotated[bool, Field(description="Both directions are weighed.")] = False
    weekly_hours: Annotated[
        list[tuple[Text, Text, Text]] | None,
        Field(
            description="When it is open: day (mon to sun), from and to as HH:MM local time; "
            "null: always."
        ),
    ] = None
    column_map: Annotated[
        dict[Text, Text] | None,
        Field(description="For a station that sends CSV: our column, and its header for it."),
    ] = None  # fmt: skip


class NewStation(StationFacts):
    """A weigh station under a new code."""

    model_config = examples({"code": "dau-giay", **STATION})

    code: Annotated[Code, Field(description="What it is called; never to be used again.")]


class Station(NewStation):
    """A weigh station."""

    model_config = examples(
        {"id": 2, "code": "dau-giay", **STATION, "is_calibrated": True, "retired_at": None,
         "version": 1}
    )  # fmt: skip

    id: Number
    is_calibrated: Annotated[bool, Field(description="Its masses can be relied on now.")]
    retired_at: RetiredAt
    version: VersionField


class StationPage(Model):
    """Weigh stations in order of their number."""

    model_config = page_of(
        {"id": 2, "code": "dau-giay", **STATION, "is_calibrated": True, "retired_at": None,
         "version": 1}
    )  # fmt: skip

    items: Annotated[list[Station], Field(description="Weigh stations.")]
    next_cursor: NextCursor


CALIBRATION: JsonDict = {
    "station": "dau-giay", "certificate": "KD-2026-0042", "valid_from": "2026-05-04T08:00:00.000Z",
    "valid_to": "2027-05-04T08:00:00.000Z",
}  # fmt: skip


class NewCalibration(Model):
    """A calibration of a weigh station."""

    model_config = examples(CALIBRATION)

    station: Annotated[Text, Field(description="Code of the weigh station.")]
    certificate: Annotated[Text, Field(min_length=1, description="Number of the certificate.")]
    valid_from: Annotated[Instant, Field(description="Its masses can be relied on from, UTC.")]
    valid_to: Annotated[Instant, Field(description="Until, UTC, exclusive.")]


class Calibration(Model):
    """A weigh station can be relied on for a span of time."""

    model_config = examples({"id": 8, **CALIBRATION, "version": 1})

    id: Number
    station: Annotated[str, Field(description="Code of the weigh station.")]
    certificate: Annotated[str, Field(description="Number of the certificate.")]
    valid_from: Since
    valid_to: Until
    version: VersionField


class CalibrationPage(Model):
    """Calibrations in order of their number."""

    model_config = page_of({"id": 8, **CALIBRATION, "version": 1})

    items: Annotated[list[Calibration], Field(description="Calibrations.")]
    next_cursor: NextCursor
