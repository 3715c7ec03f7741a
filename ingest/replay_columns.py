"""Which columns of a file hold what, and in which unit: the --map of `hanhtrinh replay`.

Belongs here: parsing the map. Does not belong here: reading files (replay_rows.py).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ingest.errors import ReplayError

SPEED_UNITS: Final[Mapping[str, float]] = {
    "kmh": 1.0, "mps": 3.6, "mph": 1.609344, "knots": 1.852,
}  # fmt: skip
LENGTH_UNITS: Final[Mapping[str, float]] = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "ft": 0.3048}
ANGLE_UNITS: Final[Mapping[str, float]] = {"deg": 1.0, "rad": 180.0 / math.pi}
PLAIN_UNITS: Final[Mapping[str, float]] = {"1": 1.0}

TIME_UNITS: Final = ("auto", "rfc3339", "utc", "s", "ms", "us")
"""auto: RFC 3339 for text, else seconds, milliseconds or microseconds by the size of the number.
utc: dates and times without an offset are UTC."""

UNITS: Final[Mapping[str, Mapping[str, float]]] = {
    "lat": ANGLE_UNITS,
    "lon": ANGLE_UNITS,
    "speed": SPEED_UNITS,
    "heading": ANGLE_UNITS,
    "altitude": LENGTH_UNITS,
    "odometer": LENGTH_UNITS,
    "hdop": PLAIN_UNITS,
    "satellites": PLAIN_UNITS,
}
TEXTS: Final = ("vehicle", "driver", "ignition")
REQUIRED: Final = ("vehicle", "time", "lat", "lon")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """What each column of a file is.

    columns: our name -> the file's. scales: what a file's number is multiplied with to be in our
    unit (km/h, metres, degrees). time_unit: one of TIME_UNITS.
    """

    columns: Mapping[str, str]
    scales: Mapping[str, float]
    time_unit: str = "auto"

    @classmethod
    def parse(cls, text: str) -> "ColumnMap":
        """Read `vehicle=cab,time=t:s,lat=lat5:1e-5,speed=v:mps`: name=column[:unit or factor]."""
        columns: dict[str, str] = {}
        scales: dict[str, float] = {}
        time_unit = "auto"
        for part in text.split(","):
            name, equals, rest = part.strip().partition("=")
            column, _, unit = rest.partition(":")
            if not equals or not column:
                raise ReplayError(f"map: {part!r}: expected name=column or name=column:unit")
            if name in columns:
                raise ReplayError(f"map: {name}: given twice")
            columns[name] = column
            if name == "time":
                time_unit = _time_unit(unit)
            elif name in UNITS:
                scales[name] = _scale(name, unit)
            elif name not in TEXTS:
                known = ", ".join(("time", *TEXTS, *UNITS))
                raise ReplayError(f"map: {name!r}: expected one of {known}")
            elif unit:
                raise ReplayError(f"map: {name}: expected no unit, got {unit!r}")
        missing = [name for name in REQUIRED if name not in columns]
        if missing:
            raise ReplayError(f"map: expected {', '.join(REQUIRED)}; missing {', '.join(missing)}")
        return cls(columns, scales, time_unit)


def _time_unit(unit: str) -> str:
    if unit and unit not in TIME_UNITS:
        raise ReplayError(f"map: time: expected one of {', '.join(TIME_UNITS)}, got {unit!r}")
    return unit or "auto"


def _scale(name: str, unit: str) -> float:
    units = UNITS[name]
    if not unit:
        return 1.0
    if unit in units:
        return units[unit]
    try:
        scale = float(unit)
    except ValueError:
        scale = math.nan
    if not math.isfinite(scale) or scale == 0.0:
        raise ReplayError(
            f"map: {name}: expected one of {', '.join(units)} or a factor, got {unit!r}"
        )
    return scale
