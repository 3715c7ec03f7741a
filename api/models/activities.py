"""What vehicles did by hour, by day, by month; and who passed an area."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import Instant, Model, NextCursor, VehicleId

DONE: JsonDict = {
    "fixes": 118,
    "clean_fixes": 117,
    "distance_m": 41250.3,
    "driving_s": 3210.0,
    "silent_s": 0.0,
    "max_speed_kmh": 78.4,
}
COUNT: JsonDict = {"kind": "speeding", "band": "10_20", "violations": 3}
COUNTED: JsonDict = {**DONE, "violations": [COUNT]}
HOUR: JsonDict = {"hour": "2026-05-04T08:00:00.000Z", **COUNTED}
DAY: JsonDict = {"day": "2026-05-04", **COUNTED}
OF_VEHICLE: JsonDict = {"vehicle_id": 17, "plate": "51B12345"}
PASSAGE: JsonDict = {
    **OF_VEHICLE,
    "operator": "phuong-nam",
    "first_at": "2026-05-04T08:03:10.000Z",
    "last_at": "2026-05-04T08:05:40.000Z",
    "fixes": 6,
}


class Done(Model):
    """Sums over steps between clean fixes; a step counts where it ends."""

    fixes: Annotated[int, Field(description="Stored fixes (count).")]
    clean_fixes: Annotated[int, Field(description="Clean ones among them (count).")]
    distance_m: Annotated[
        float, Field(description="Along clean fixes, metres; without steps of impossible speed.")
    ]
    driving_s: Annotated[
        float, Field(description="Of steps of at most 900 s that led on, seconds.")
    ]
    silent_s: Annotated[float, Field(description="Of longer steps, seconds.")]
    max_speed_kmh: Annotated[
        float | None, Field(description="Greatest plausible speed, km/h; null: none is known.")
    ]


class ViolationCount(Model):
    """How many violations of a kind and band began."""

    model_config = ConfigDict(json_schema_extra={"examples": [COUNT]})

    kind: Annotated[str, Field(description="Kind of violation.")]
    band: Annotated[
        str, Field(description="Band, of kinds that have bands (speeding, overloads); else empty.")
    ]
    violations: Annotated[
        int,
        Field(description="Standing ones (count), whatever their reviews say; warnings are none."),
    ]


class DoneAndCounted(Done):
    """The same, with the violations that began meanwhile."""

    violations: Annotated[
        list[ViolationCount],
        Field(
            description="Violations that began then, by kind and band; those with none left out."
        ),
    ]


class HourDone(DoneAndCounted):
    """What a vehicle did in an hour."""

    model_config = ConfigDict(json_schema_extra={"examples": [HOUR]})

    hour: Annotated[Instant, Field(description="Beginning of the hour, UTC.")]


class Hours(Model):
    """The hours of a window in which a vehicle sent anything or a violation began."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**OF_VEHICLE, "items": [HOUR]}]})

    vehicle_id: Annotated[VehicleId, Field(description="The vehicle (a number).")]
    plate: Annotated[str, Field(description="Its plate.")]
    items: Annotated[list[HourDone], Field(description="Hours, in order of time.")]


class DayDone(DoneAndCounted):
    """What a vehicle did on a local day."""

    model_config = ConfigDict(json_schema_extra={"examples": [DAY]})

    day: Annotated[str, Field(description="Local day, YYYY-MM-DD.")]


class Days(Model):
    """The days of a month on which a vehicle sent anything or a violation began, and the month."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **OF_VEHICLE, "month": "2026-05", "timezone": "Asia/Ho_Chi_Minh",
                    "total": COUNTED, "items": [DAY],
                }
            ]
        }
    )  # fmt: skip

    vehicle_id: Annotated[VehicleId, Field(description="The vehicle (a number).")]
    plate: Annotated[str, Field(description="Its plate.")]
    month: Annotated[str, Field(description="Local month, YYYY-MM.")]
    timezone: Annotated[str, Field(description="Of days and month.")]
    total: Annotated[DoneAndCounted, Field(description="The days together.")]
    items: Annotated[list[DayDone], Field(description="Days, in order.")]


class VehicleDone(DoneAndCounted):
    """What one of the vehicles did in the month."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**OF_VEHICLE, **COUNTED}]})

    vehicle_id: Annotated[VehicleId, Field(description="The vehicle (a number).")]
    plate: Annotated[str, Field(description="Its plate.")]


class OperatorMonth(Model):
    """A month of an operator: all of its vehicles together, and a page of them one by one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "operator": "phuong-nam", "month": "2026-05", "timezone": "Asia/Ho_Chi_Minh",
                    "vehicles": 1, "total": DONE, "violations": [COUNT],
                    "items": [{**OF_VEHICLE, **COUNTED}], "next_cursor": None,
                }
            ]
        }
    )  # fmt: skip

    operator: Annotated[str, Field(description="Code of the operator.")]
    month: Annotated[str, Field(description="Local month, YYYY-MM.")]
    timezone: Annotated[str, Field(description="Of the month.")]
    vehicles: Annotated[int, Field(description="Registered for the operator (count).")]
    total: Annotated[
        Done | None,
        Field(
            description="All vehicles together; null on later pages, and of fleets so large that "
            "the pages have to be added up."
        ),
    ]
    violations: Annotated[
        list[ViolationCount] | None,
        Field(description="Of all vehicles, by kind and band; null on later pages."),
    ]
    items: Annotated[
        list[VehicleDone],
        Field(description="Vehicles in order of number; one that sent nothing has zeros."),
    ]
    next_cursor: NextCursor


class Passage(Model):
    """A vehicle that was in an area."""

    model_config = ConfigDict(json_schema_extra={"examples": [PASSAGE]})

    vehicle_id: Annotated[VehicleId, Field(description="The vehicle (a number).")]
    plate: Annotated[str, Field(description="Its plate.")]
    operator: Annotated[str, Field(description="Code of its operator.")]
    first_at: Annotated[Instant, Field(description="Its first clean fix inside, UTC.")]
    last_at: Annotated[Instant, Field(description="Its last clean fix inside, UTC.")]
    fixes: Annotated[int, Field(description="Clean fixes inside (count).")]


class PassagePage(Model):
    """Vehicles that were in an area, in order of number."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [PASSAGE], "next_cursor": None}]}
    )

    items: Annotated[list[Passage], Field(description="Vehicles.")]
    next_cursor: NextCursor
