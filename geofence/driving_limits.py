"""Limits of driving time, as the law has them from one day to another.

Belongs here: reading a profile's `driving_limits`. What counts as driving is in `rules.driving`,
how it is added up and compared with a limit in `driving_time`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from geofence.errors import ProfileError
from geofence.profile_values import (
    check_days,
    check_keys,
    check_order,
    read_date,
    read_mark,
    read_number,
    read_table,
    read_text,
)

SPANS_S: Final[Mapping[str, float]] = MappingProxyType(
    {"continuous_s": 86_400.0, "daily_s": 86_400.0, "weekly_s": 604_800.0}
)
"""What a law may limit, and the longest that it can be, in seconds."""

_TABLE: Final = ("title", "effective_from", "effective_to", *SPANS_S)


@dataclass(frozen=True, slots=True)
class DrivingLimit:
    """A limit in seconds, its legal source, and how sure that is."""

    limit_s: float
    source: str
    mark: str


@dataclass(frozen=True, slots=True)
class DrivingLimits:
    """The limits in force from one day up to, not including, another. None: without a bound.

    limits: by key of SPANS_S; what is not there the law does not limit.
    """

    title: str
    effective_from: date | None
    effective_to: date | None
    limits: Mapping[str, DrivingLimit]


def _limit(raw: object, longest_s: float, place: str) -> DrivingLimit:
    entry = read_table(raw, place)
    check_keys(entry, ("value", "unit", "source", "mark"), place)
    if entry.get("unit") != "s":
        raise ProfileError(f"{place}.unit", f"expected 's', got {entry.get('unit')!r}")
    value = read_number(entry, "value", place)
    if value > longest_s:
        raise ProfileError(f"{place}.value", f"expected up to {longest_s:g}, got {value:g}")
    return DrivingLimit(value, read_text(entry, "source", place), read_mark(entry, place))


def read_driving_limits(raw: object) -> tuple[DrivingLimits, ...]:
    """The tables of a profile, in order of time and without overlap. Raises ProfileError."""
    if not isinstance(raw, list):
        raise ProfileError("driving_limits", f"expected a list of tables, got {raw!r}")
    tables: list[DrivingLimits] = []
    for number, entry in enumerate(raw):
        place = f"driving_limits[{number}]"
        table = read_table(entry, place)
        check_keys(table, _TABLE, place)
        begins = read_date(table, "effective_from", place)
        ends = read_date(table, "effective_to", place)
        check_days(begins, ends, place)
        limits = {
            key: _limit(table[key], longest_s, f"{place}.{key}")
            for key, longest_s in SPANS_S.items()
            if key in table
        }
        if not limits:
            raise ProfileError(place, f"expected some of {', '.join(SPANS_S)}, got none")
        title = read_text(table, "title", place)
        tables.append(DrivingLimits(title, begins, ends, MappingProxyType(limits)))
    check_order([(t.effective_from, t.effective_to) for t in tables], "driving_limits")
    return tuple(tables)
