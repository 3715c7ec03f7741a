"""What can be registered, as it is given: by the names that people use, not by our numbers.

One struct for each thing. Nothing is checked here: `storage.registry.flaws` does, and what stands
in the database already is looked at by `storage.registry.registering`. Instants are microseconds
since 1970 UTC, spans half open: valid_from <= t < valid_to.
"""

from datetime import date
from typing import Any, Final, Literal, get_args

import msgspec

from geofence.registry import (
    BEGINNING_US,
    END_US,
    GeoJson,
    StationKind,
    VehicleKind,
    WeeklyHours,
)

BadgeKind = Literal[
    "fixed_route", "feeder", "bus", "taxi", "contract", "tourist", "container", "tractor", "truck"
]
"""Badges of Decree 10/2020/ND-CP: tuyen co dinh, trung chuyen, xe buyt, taxi, hop dong, du lich,
cong-ten-no, dau keo, xe tai."""

BADGE_KINDS: Final[tuple[BadgeKind, ...]] = get_args(BadgeKind)
VEHICLE_KINDS: Final[tuple[VehicleKind, ...]] = get_args(VehicleKind)
STATION_KINDS: Final[tuple[StationKind, ...]] = get_args(StationKind)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what can be registered."""


class OperatorRecord(Record, frozen=True, kw_only=True):
    """Who owns vehicles. licence_no: of the transport business. None: not known."""

    code: str
    name: str
    province: str | None = None
    tax_code: str | None = None
    licence_no: str | None = None


class VehicleRecord(Record, frozen=True, kw_only=True):
    """One registration of a vehicle. None: not known.

    plate: as it is written, with or without separators. operator: a code. gross_kg, kerb_kg,
    cargo_kg: permitted gross mass, kerb mass, permitted cargo of the inspection certificate.
    """

    plate: str
    operator: str
    vehicle_class: str = "truck_over_3_5t"
    kind: str = "rigid"
    speed_limit_kmh: float | None = None
    gross_kg: float | None = None
    kerb_kg: float | None = None
    cargo_kg: float | None = None
    axles: int | None = None
    vin: str | None = None
    valid_from: int = BEGINNING_US
    valid_to: int = END_US


class DeviceRecord(Record, frozen=True, kw_only=True):
    """A tracker. operator: code of whose it is, None: nobody's. codec: the only one it speaks."""

    ident: str
    operator: str | None = None
    codec: str | None = None
    note: str | None = None


class AssignmentRecord(Record, frozen=True, kw_only=True):
    """A device, by its ident, is in a vehicle, by its plate at that time."""

    device: str
    vehicle: str
    valid_from: int = BEGINNING_US
    valid_to: int = END_US


class DriverRecord(Record, frozen=True, kw_only=True):
    """A driver. operator: code of whom he drives for. licence_until: its last day."""

    licence: str
    name: str | None = None
    operator: str | None = None
    licence_class: str | None = None
    licence_until: date | None = None


class BadgeRecord(Record, frozen=True, kw_only=True):
    """A badge of a vehicle, by its plate at that time. is_extra: for the days of a holiday."""

    number: str
    kind: str
    vehicle: str
    is_extra: bool = False
    valid_from: int
    valid_to: int


class VehicleRouteRecord(Record, frozen=True, kw_only=True):
    """A vehicle, by its plate at that time, is registered for a route, by its code."""

    vehicle: str
    route: str
    valid_from: int = BEGINNING_US
    valid_to: int = END_US


class StationRecord(Record, frozen=True, kw_only=True):
    """A weigh station, as `geofence.registry.StationRule`. column_map: our column -> its header."""

    code: str
    lon: float
    lat: float
    name: str = ""
    province: str | None = None
    kind: str = "static"
    tolerance: float = 0.0
    approach: GeoJson | None = None
    corridor_m: float | None = None
    is_two_way: bool = False
    weekly_hours: WeeklyHours | None = None
    column_map: dict[str, str] | None = None


class CalibrationRecord(Record, frozen=True, kw_only=True):
    """A weigh station, by its code, could be relied on for a span of time."""

    station: str
    certificate: str
    valid_from: int
    valid_to: int


def fields_of(record: Record) -> dict[str, Any]:
    """The fields by name, as values that JSON has."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    return fields
