"""ColumnMap: how the columns of a weigh station's CSV are called, and in which units they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from devices.errors import ColumnMapError

MASS: Final = {"kg": 1.0, "t": 1000.0, "kN": 1000 / 9.80665, "lb": 0.45359237}
LENGTH: Final = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048}
SPEED: Final = {"km/h": 1.0, "m/s": 3.6, "mph": 1.609344, "kn": 1.852}

COLUMNS: Final[dict[str, Mapping[str, float]]] = {
    "station": {},
    "time": {},
    "plate": {},
    "lane": {},
    "gross_kg": MASS,
    "speed_kmh": SPEED,
    "length_m": LENGTH,
    "axle{n}_kg": MASS,
    "axle{n}_spacing_m": LENGTH,
}
"""Our columns, and the units that each may have. {n} counts axles from 1 at the front; the spacing
of axle n is the distance to axle n - 1."""

MAX_AXLES: Final = 20


@dataclass(frozen=True, slots=True)
class Column:
    """One of their columns: its header ({n} for the axle's number) and the factor to our unit."""

    header: str
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Our columns by their headers.

    delimiter: between fields. decimal: the mark in numbers, "." or ",".
    time_format: for datetime.strptime; "" is RFC 3339 or seconds since 1970.
    utc_offset_minutes: of times that do not say it themselves.
    """

    columns: Mapping[str, Column] = field(
        default_factory=lambda: {name: Column(name) for name in COLUMNS}
    )
    delimiter: str = ","
    decimal: str = "."
    time_format: str = ""
    utc_offset_minutes: int = 0

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ColumnMap":
        """The map that a JSON object describes (docs/codecs/weigh-csv.md).

        Raises ColumnMapError, naming the key, for anything that is not understood.
        """
        known = {"columns", "delimiter", "decimal", "time_format", "utc_offset_minutes"}
        for key in values:
            if key not in known:
                raise ColumnMapError(f"{key}: expected one of {', '.join(sorted(known))}")
        columns = values.get("columns")
        if not isinstance(columns, Mapping):
            raise ColumnMapError(f"columns: expected an object, got {columns!r:.60}")
        made = cls(
            columns={name: _column(name, column) for name, column in columns.items()},
            delimiter=_text(values, "delimiter", ","),
            decimal=_text(values, "decimal", "."),
            time_format=_text(values, "time_format", ""),
            utc_offset_minutes=_offset(values.get("utc_offset_minutes", 0)),
        )
        if len(made.delimiter) != 1 or made.delimiter in '\r\n"':
            raise ColumnMapError(f"delimiter: expected one character, got {made.delimiter!r}")
        if made.decimal not in {".", ","} or made.decimal == made.delimiter:
            raise ColumnMapError(f'decimal: expected "." or ",", got {made.decimal!r}')
        if "time" not in made.columns:
            raise ColumnMapError("columns: expected time, got none")
        if not {"gross_kg", "axle{n}_kg"} & made.columns.keys():
            raise ColumnMapError("columns: expected gross_kg or axle{n}_kg, got neither")
        return made


def _column(name: str, value: Any) -> Column:
    units = COLUMNS.get(name)
    if units is None:
        raise ColumnMapError(f"columns.{name}: expected one of {', '.join(COLUMNS)}")
    header = value.get("header") if isinstance(value, Mapping) else value
    unit = value.get("unit") if isinstance(value, Mapping) else None
    if not isinstance(header, str) or not header:
        raise ColumnMapError(f"columns.{name}: expected a header, got {header!r:.60}")
    if "{n}" in name and "{n}" not in header:
        raise ColumnMapError(f"columns.{name}: expected a header with {{n}}, got {header!r:.60}")
    if unit is None:
        return Column(header)
    if unit not in units:
        allowed = ", ".join(units) or "no unit"
        raise ColumnMapError(f"columns.{name}.unit: expected {allowed}, got {unit!r:.20}")
    return Column(header, units[unit])


def _text(values: Mapping[str, Any], key: str, default: str) -> str:
    value = values.get(key, default)
    if not isinstance(value, str):
        raise ColumnMapError(f"{key}: expected text, got {value!r:.60}")
    return value


def _offset(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 14 * 60:
        raise ColumnMapError(f"utc_offset_minutes: expected -840..840, got {value!r:.20}")
    return value
