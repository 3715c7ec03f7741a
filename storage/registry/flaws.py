"""What is wrong with a record by itself, each flaw with its field; all of them, not the first.

What contradicts the database is found by `storage.registry.registering`.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from devices.texts import is_ident, is_plain, known_licence, normal_plate
from geofence.errors import RegistryError as RuleError
from geofence.registry import BEGINNING_US, END_US, StationRule
from geofence.station_table import checked_station
from storage.errors import RegistryError
from storage.registry.records import (
    BADGE_KINDS,
    STATION_KINDS,
    VEHICLE_KINDS,
    AssignmentRecord,
    BadgeRecord,
    CalibrationRecord,
    DeviceRecord,
    DriverRecord,
    OperatorRecord,
    Record,
    StationRecord,
    VehicleRecord,
    VehicleRouteRecord,
)

MAX_CHARACTERS: Final = 200
"""Of any text: what a page of the API takes."""
CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PLATE: Final = re.compile(r"[A-Z0-9]{4,12}")
"""Not the pattern of one country's plates: lorries cross borders, and armies have their own."""
CLASS: Final = re.compile(r"[a-z0-9_]{1,64}")
VIN: Final = re.compile(r"[A-HJ-NPR-Z0-9]{5,17}")
"""ISO 3779 without I, O and Q; chassis numbers of older vehicles are shorter."""
MOST_KG: Final = 500_000.0
"""More than any road vehicle weighs: a slip of a unit, not a heavy load."""
MOST_AXLES: Final = 40
MOST_KMH: Final = 200.0
LAST_US: Final = 253_402_300_799_999_999
"""The end of the year 9999: what RFC 3339 can write."""


class Flaw(NamedTuple):
    """One value that is not what it should be. row: of the records given, from 0."""

    row: int
    field: str
    value: Any
    expected: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.field}: expected {self.expected}, got {self.value!r}"


class FlawedError(RegistryError):
    """Records that were refused, with every flaw that was found."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        self.flaws = tuple(flaws)
        more = f" (and {len(flaws) - 1} more)" if len(flaws) > 1 else ""
        super().__init__(f"{self.flaws[0]}{more}")


Said = Iterator[tuple[str, Any, str]]
"""Field, value, what was expected."""


def flaws_of(record: Record, row: int = 0) -> list[Flaw]:
    """All that is wrong with a record by itself."""
    return [Flaw(row, *said) for said in CHECKS[type(record)](record)]


def _operator(record: OperatorRecord) -> Said:
    yield from _code("code", record.code)
    yield from _text("name", record.name, least=1)
    for field in ("province", "tax_code", "licence_no"):
        yield from _optional_text(field, getattr(record, field))


def _vehicle(record: VehicleRecord) -> Said:
    yield from _plate("plate", record.plate)
    yield from _code("operator", record.operator)
    if not CLASS.fullmatch(record.vehicle_class):
        yield "vehicle_class", record.vehicle_class, "a class of docs/rules.md"
    yield from _one_of("kind", record.kind, VEHICLE_KINDS)
    yield from _number("speed_limit_kmh", record.speed_limit_kmh, 1, MOST_KMH)
    yield from _number("axles", record.axles, 1, MOST_AXLES)
    if record.vin is not None and not VIN.fullmatch(record.vin):
        yield "vin", record.vin, "5 to 17 capital letters and digits, without I, O and Q"
    yield from _span(record.valid_from, record.valid_to)
    yield from _masses(record)


def _masses(record: VehicleRecord) -> Said:
    wrong = [
        *_number("gross_kg", record.gross_kg, 1, MOST_KG),
        *_number("kerb_kg", record.kerb_kg, 1, MOST_KG),
        *_number("cargo_kg", record.cargo_kg, 0, MOST_KG),
    ]
    yield from wrong
    gross, kerb, cargo = record.gross_kg, record.kerb_kg or 0.0, record.cargo_kg or 0.0
    if wrong or gross is None or kerb + cargo <= gross:
        return
    if kerb > gross:
        yield "kerb_kg", record.kerb_kg, f"at most gross_kg, {gross:g}"
    else:
        yield "cargo_kg", record.cargo_kg, f"at most gross_kg less kerb_kg, {gross - kerb:g}"


def _device(record: DeviceRecord) -> Said:
    yield from _ident("ident", record.ident)
    if record.operator is not None:
        yield from _code("operator", record.operator)
    yield from _optional_text("codec", record.codec)
    yield from _optional_text("note", record.note)


def _assignment(record: AssignmentRecord) -> Said:
    yield from _ident("device", record.device)
    yield from _plate("vehicle", record.vehicle)
    yield from _span(record.valid_from, record.valid_to)


def _driver(record: DriverRecord) -> Said:
    if known_licence(record.licence) != record.licence:
        yield "licence", record.licence, "the number of a licence, no placeholder"
    yield from _optional_text("name", record.name)
    if record.operator is not None:
        yield from _code("operator", record.operator)
    yield from _optional_text("licence_class", record.licence_class)


def _badge(record: BadgeRecord) -> Said:
    yield from _text("number", record.number, least=1)
    yield from _one_of("kind", record.kind, BADGE_KINDS)
    yield from _plate("vehicle", record.vehicle)
    yield from _span(record.valid_from, record.valid_to)


def _vehicle_route(record: VehicleRouteRecord) -> Said:
    yield from _plate("vehicle", record.vehicle)
    yield from _text("route", record.route, least=1)
    yield from _span(record.valid_from, record.valid_to)


def _station(record: StationRecord) -> Said:
    wrong = [
        *_code("code", record.code),
        *_text("name", record.name),
        *_optional_text("province", record.province),
        *_number("lon", record.lon, -180, 180),
        *_number("lat", record.lat, -90, 90),
        *_one_of("kind", record.kind, STATION_KINDS),
    ]
    if not 0 <= record.tolerance < 1:
        wrong.append(("tolerance", record.tolerance, "a fraction from 0 up to, not at, 1"))
    if (record.approach is None) != (record.corridor_m is None):
        wrong.append(("corridor_m", record.corridor_m, "it with an approach, and only with one"))
    for ours, theirs in (record.column_map or {}).items():
        wrong += [*_text("column_map", ours, least=1), *_text("column_map", theirs, least=1)]
    yield from wrong
    if wrong:
        return
    try:
        checked_station(station_rule(record))
    except RuleError as error:
        field, _, expected = str(error.__cause__ or error).partition(": ")
        yield field, getattr(record, field, None), expected.removeprefix("expected ")


def station_rule(record: StationRecord) -> StationRule:
    """The station as rules know it; `id` is made by the registry."""
    return StationRule(
        id=0,
        code=record.code,
        lon=record.lon,
        lat=record.lat,
        name=record.name,
        kind=record.kind,  # type: ignore[arg-type]  # checked by `_station`
        tolerance=record.tolerance,
        approach=record.approach,
        corridor_m=record.corridor_m,
        is_two_way=record.is_two_way,
        weekly_hours=record.weekly_hours,
    )


def _calibration(record: CalibrationRecord) -> Said:
    yield from _code("station", record.station)
    yield from _text("certificate", record.certificate, least=1)
    yield from _span(record.valid_from, record.valid_to)


CHECKS: Final[dict[type[Record], Callable[[Any], Said]]] = {
    OperatorRecord: _operator,
    VehicleRecord: _vehicle,
    DeviceRecord: _device,
    AssignmentRecord: _assignment,
    DriverRecord: _driver,
    BadgeRecord: _badge,
    VehicleRouteRecord: _vehicle_route,
    StationRecord: _station,
    CalibrationRecord: _calibration,
}


def _code(field: str, value: str) -> Said:
    if not CODE.fullmatch(value):
        yield field, value, "a code: letters, digits, dots, dashes, 64 at most"


def _plate(field: str, value: str) -> Said:
    if not PLATE.fullmatch(normal_plate(value)) or not is_plain(value):
        yield field, value, "a plate of 4 to 12 letters and digits, separators apart"


def _ident(field: str, value: str) -> Said:
    if not is_ident(value):
        yield field, value, "1 to 64 characters, none of them a control character"


def _text(field: str, value: str, least: int = 0) -> Said:
    if not is_plain(value) or not least <= len(value) <= MAX_CHARACTERS or value != value.strip():
        blank = "" if least == 0 else f"{least} to "
        yield field, value, f"{blank}{MAX_CHARACTERS} characters, no blank at the ends"


def _optional_text(field: str, value: str | None) -> Said:
    if value is not None:
        yield from _text(field, value, least=1)


def _one_of(field: str, value: str, known: Sequence[str]) -> Said:
    if value not in known:
        yield field, value, "one of " + ", ".join(known)


def _number(field: str, value: float | None, least: float, most: float) -> Said:
    if value is not None and not (math.isfinite(value) and least <= value <= most):
        yield field, value, f"{least:g} to {most:g}"


def _span(valid_from: int, valid_to: int) -> Said:
    for field, value in (("valid_from", valid_from), ("valid_to", valid_to)):
        if value not in (BEGINNING_US, END_US) and not 0 <= value <= LAST_US:
            yield field, value, "an instant from 1970 to 9999"
    if valid_from >= valid_to:
        yield "valid_to", valid_to, "an instant after valid_from"
