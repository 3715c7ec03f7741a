"""Operators, vehicles, devices, drivers, badges: as they are written, and read; with history."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.models.base import (
    Code,
    Instant,
    Model,
    NextCursor,
    Text,
    VehicleKind,
)
from storage.registry.records import BadgeKind

Number = Annotated[int, Field(description="Its number (an identity, no unit).")]
VersionField = Annotated[int, Field(description="Changes (a count from 1); its ETag.")]
RetiredAt = Annotated[Instant | None, Field(description="Retired since, UTC; null: it is not.")]
Ident = Annotated[
    str,
    Field(min_length=1, max_length=64, description="IMEI, serial or user name: what its topic "
          "names."),
]  # fmt: skip
WrittenPlate = Annotated[
    Text, Field(description="Plate that the vehicle has then, with or without separators.")
]
Plate = Annotated[str, Field(description="Plate, letters and digits only.")]
PlateNumber = Annotated[
    int,
    Field(description="Number of the vehicle, in the registration then (an identity, no unit)."),
]
OfOperator = Annotated[str, Field(description="Code of the vehicle's operator.")]
Since = Annotated[
    Instant | None, Field(description="From, UTC. Written: null is now. Read: null is always was.")
]
Until = Annotated[
    Instant | None,
    Field(description="Until, UTC, exclusive; null: for as long as what it is about."),
]


def examples(example: JsonDict) -> ConfigDict:
    """What a model looks like."""
    return ConfigDict(json_schema_extra={"examples": [example]})


def page_of(example: JsonDict) -> ConfigDict:
    """What a page of it looks like."""
    return examples({"items": [example], "next_cursor": None})


OPERATOR: JsonDict = {
    "name": "Phuong Nam Transport", "province": "Ho Chi Minh", "tax_code": "0301234567",
    "licence_no": "GPKDVT-79-0123",
}  # fmt: skip


class OperatorFacts(Model):
    """What is known of an operator."""

    model_config = examples(OPERATOR)

    name: Annotated[Text, Field(min_length=1, description="Name for people.")]
    province: Annotated[Text | None, Field(description="Province that it belongs to.")] = None
    tax_code: Annotated[Text | None, Field(description="Tax code.")] = None
    licence_no: Annotated[
        Text | None, Field(description="Number of the licence of the transport business.")
    ] = None


class NewOperator(OperatorFacts):
    """An operator under a new code."""

    model_config = examples({"code": "phuong-nam", **OPERATOR})

    code: Annotated[Code, Field(description="What it is called; never to be used again.")]


class Operator(NewOperator):
    """Who owns vehicles and answers for them."""

    model_config = examples(
        {"id": 1, "code": "phuong-nam", **OPERATOR, "retired_at": None, "version": 1}
    )

    id: Number
    retired_at: RetiredAt
    version: VersionField


class OperatorPage(Model):
    """Operators in order of their number."""

    model_config = page_of(
        {"id": 1, "code": "phuong-nam", **OPERATOR, "retired_at": None, "version": 1}
    )

    items: Annotated[list[Operator], Field(description="Operators.")]
    next_cursor: NextCursor


VEHICLE: JsonDict = {
    "plate": "51B-123.45", "operator": "phuong-nam", "class": "coach_over_30", "kind": "bus",
    "speed_limit_kmh": 80.0, "gross_kg": 16000.0, "kerb_kg": 11500.0, "cargo_kg": None, "axles": 2,
    "vin": "RNKGA7F0123456789", "valid_from": None,
}  # fmt: skip


class VehicleFacts(Model):
    """What is registered of a vehicle from an instant on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [VEHICLE]}, validate_by_name=True, validate_by_alias=True
    )

    plate: Annotated[Text, Field(description="Plate, with or without separators.")]
    operator: Annotated[Text, Field(description="Code of the operator.")]
    vehicle_class: Annotated[
        Text, Field(alias="class", description="Class that speed limits go by (docs/rules.md).")
    ] = "truck_over_3_5t"
    kind: Annotated[VehicleKind, Field(description="Build, which gross limits go by.")] = "rigid"
    speed_limit_kmh: Annotated[
        float | None, Field(description="The vehicle's own speed limit, km/h; null: none.")
    ] = None
    gross_kg: Annotated[
        float | None, Field(description="Permitted gross mass, kg; null: not known.")
    ] = None
    kerb_kg: Annotated[float | None, Field(description="Kerb mass, kg; null: not known.")] = None
    cargo_kg: Annotated[
        float | None, Field(description="Permitted cargo, kg; null: not known.")
    ] = None
    axles: Annotated[int | None, Field(description="Number of axles (count); null: not known.")] = (
        None
    )
    vin: Annotated[Text | None, Field(description="Chassis number; null: not known.")] = None
    valid_from: Annotated[
        Instant | None, Field(description="It holds from here on, UTC; null: from now on.")
    ] = None


class NewVehicle(VehicleFacts):
    """A vehicle to be registered."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**VEHICLE, "valid_to": None}]},
        validate_by_name=True,
        validate_by_alias=True,
    )

    valid_to: Annotated[
        Instant | None, Field(description="Registered until, UTC, exclusive; null: for ever.")
    ] = None


DEVICE: JsonDict = {"operator": "phuong-nam", "codec": "teltonika", "note": "behind the dash"}


class DeviceFacts(Model):
    """What is known of a device."""

    model_config = examples(DEVICE)

    operator: Annotated[
        Text | None,
        Field(description="Code of whose it is; null: the caller's, or nobody's."),
    ] = None
    codec: Annotated[
        Text | None, Field(min_length=1, description="The only format it speaks; null: any.")
    ] = None
    note: Annotated[Text | None, Field(min_length=1, description="For people.")] = None


class NewDevice(DeviceFacts):
    """A device to be registered."""

    model_config = examples({"ident": "352093081429150", **DEVICE})

    ident: Ident


SPAN: JsonDict = {"valid_from": "2026-05-04T08:00:00.000Z", "valid_to": None}
CARRIER: JsonDict = {"vehicle": "51B12345", "vehicle_id": 17, "operator": "phuong-nam"}


class NewAssignment(Model):
    """A device goes into a vehicle."""

    model_config = examples({"device": "352093081429150", "vehicle": "51B-123.45", **SPAN})

    device: Ident
    vehicle: WrittenPlate
    valid_from: Since = None
    valid_to: Until = None


class Assignment(Model):
    """A device is in a vehicle for a span of time."""

    model_config = examples(
        {"id": 3, "device": "352093081429150", "device_id": 5, **CARRIER, **SPAN, "version": 1}
    )

    id: Number
    device: Ident
    device_id: Annotated[int, Field(description="Number of the device (an identity, no unit).")]
    vehicle: Plate
    vehicle_id: PlateNumber
    operator: OfOperator
    valid_from: Since
    valid_to: Until
    version: VersionField


class AssignmentPage(Model):
    """Assignments in order of their number."""

    model_config = page_of(
        {"id": 3, "device": "352093081429150", "device_id": 5, **CARRIER, **SPAN, "version": 1}
    )

    items: Annotated[list[Assignment], Field(description="Assignments.")]
    next_cursor: NextCursor


DRIVER: JsonDict = {
    "name": "An", "operator": "phuong-nam", "licence_class": "FC", "licence_until": "2028-11-30",
}  # fmt: skip


class DriverFacts(Model):
    """What is known of a driver."""

    model_config = examples(DRIVER)

    name: Annotated[Text | None, Field(min_length=1, description="Name.")] = None
    operator: Annotated[
        Text | None,
        Field(description="Code of whom the driver drives for; null: the caller, or nobody."),
    ] = None
    licence_class: Annotated[
        Text | None, Field(min_length=1, description="What it allows to be driven.")
    ] = None
    licence_until: Annotated[date | None, Field(description="Last day of the licence.")] = None


class NewDriver(DriverFacts):
    """A driver to be registered."""

    model_config = examples({"licence": "790000000001", **DRIVER})

    licence: Annotated[Text, Field(min_length=1, description="Number of the driving licence.")]


BADGE: JsonDict = {"number": "79-HD-01234", "kind": "contract", "is_extra": False}
BADGE_SPAN: JsonDict = {
    "valid_from": "2026-05-04T08:00:00.000Z", "valid_to": "2033-05-04T08:00:00.000Z",
}  # fmt: skip


class NewBadge(Model):
    """A badge to be given to a vehicle."""

    model_config = examples({**BADGE, "vehicle": "51B-123.45", **BADGE_SPAN})

    number: Annotated[Text, Field(min_length=1, description="Number on the badge.")]
    kind: Annotated[BadgeKind, Field(description="Business that it licenses.")]
    vehicle: WrittenPlate
    is_extra: Annotated[
        bool, Field(description="For the days of a holiday, beside the usual badge.")
    ] = False
    valid_from: Since = None
    valid_to: Annotated[Instant, Field(description="Until, UTC, exclusive.")]


class Badge(Model):
    """A badge of a vehicle."""

    model_config = examples({"id": 4, **BADGE, **CARRIER, **BADGE_SPAN, "version": 1})

    id: Number
    number: Annotated[str, Field(description="Number on the badge.")]
    kind: Annotated[BadgeKind, Field(description="Business that it licenses.")]
    vehicle: Plate
    vehicle_id: PlateNumber
    operator: OfOperator
    is_extra: Annotated[bool, Field(description="For the days of a holiday.")]
    valid_from: Since
    valid_to: Until
    version: VersionField


class BadgePage(Model):
    """Badges in order of their number."""

    model_config = page_of({"id": 4, **BADGE, **CARRIER, **BADGE_SPAN, "version": 1})

    items: Annotated[list[Badge], Field(description="Badges.")]
    next_cursor: NextCursor


class NewVehicleRoute(Model):
    """A vehicle to be registered for a route."""

    model_config = examples({"vehicle": "51B-123.45", "route": "HCM-DL-01", **SPAN})

    vehicle: WrittenPlate
    route: Annotated[Text, Field(description="Code of the route.")]
    valid_from: Since = None
    valid_to: Until = None


class VehicleRoute(Model):
    """A vehicle is registered for a route for a span of time."""

    model_config = examples({"id": 6, **CARRIER, "route": "HCM-DL-01", **SPAN, "version": 1})

    id: Number
    vehicle: Plate
    vehicle_id: PlateNumber
    operator: OfOperator
    route: Annotated[str, Field(description="Code of the route.")]
    valid_from: Since
    valid_to: Until
    version: VersionField


class VehicleRoutePage(Model):
    """Registrations for routes in order of their number."""

    model_config = page_of({"id": 6, **CARRIER, "route": "HCM-DL-01", **SPAN, "version": 1})

    items: Annotated[list[VehicleRoute], Field(description="Registrations for routes.")]
    next_cursor: NextCursor


class Change(Model):
    """One change of what is registered."""

    id: Annotated[int, Field(description="Place in the history (an identity, no unit).")]
    at: Annotated[Instant, Field(description="When, UTC.")]
    actor: Annotated[str, Field(description="Who: a person, a key, a command.")]
    reason: Annotated[str, Field(description="Why; empty where nothing was said.")]
    action: Annotated[
        Literal["made", "changed", "deleted"], Field(description="What was done to the row.")
    ]
    before: Annotated[
        dict[str, Any] | None, Field(description="The row as it was; null: it was made.")
    ]
    after: Annotated[
        dict[str, Any] | None, Field(description="The row as it became; null: it is gone.")
    ]


class History(Model):
    """A page of a thing's history."""

    model_config = page_of(
        {
            "id": 42, "at": "2026-05-04T08:00:00.000Z", "actor": "person an",
            "reason": "moved to another province", "action": "changed",
            "before": {"id": 1, "province": "Ha Noi", "version": 1},
            "after": {"id": 1, "province": "Hue", "version": 2},
        }
    )  # fmt: skip

    items: Annotated[list[Change], Field(description="The newest first.")]
    next_cursor: NextCursor
