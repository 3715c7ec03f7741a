"""Speed limits of roads that no sign gives, as the law has them from one day to another.

Belongs here: reading a profile's `road_limits` and looking a limit up. Signed limits are in the
road network; which road a fix is on is for `roads`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from geofence.errors import ProfileError
from geofence.profile_values import (
    Table,
    check_days,
    check_keys,
    check_order,
    read_date,
    read_mark,
    read_number,
    read_table,
    read_text,
)


class Surroundings(IntEnum):
    """What the default limit of a road depends on, as codes for kernels."""

    NONE = 0
    """The law has no default for such a road: links, tracks, service roads of motorways."""

    MOTORWAY = 1
    POPULATED_DIVIDED = 2
    POPULATED_UNDIVIDED = 3
    OPEN_DIVIDED = 4
    OPEN_UNDIVIDED = 5


ANY_CLASS: Final = "*"
MOST_KMH: Final = 200.0

_TABLE: Final = ("title", "effective_from", "effective_to", "motorway_kmh", "populated", "open")
_ROW: Final = ("classes", "divided_kmh", "undivided_kmh", "source", "mark")


@dataclass(frozen=True, slots=True)
class DefaultLimit:
    """A limit, its legal source, and how sure that is."""

    limit_kmh: float
    source: str
    mark: str


@dataclass(frozen=True, slots=True)
class RoadLimits:
    """The defaults in force from one day up to, not including, another. None: without a bound.

    limits: by surroundings and vehicle class; ANY_CLASS stands for every class not named.
    """

    title: str
    effective_from: date | None
    effective_to: date | None
    limits: Mapping[tuple[Surroundings, str], DefaultLimit]

    def limit_kmh(self, surroundings: Surroundings, vehicle_class: str) -> float:
        """The default limit for a class of vehicle, NaN none."""
        own = self.limits.get((surroundings, vehicle_class))
        found = own or self.limits.get((surroundings, ANY_CLASS))
        return found.limit_kmh if found else math.nan


def _kmh(row: Table, key: str, place: str) -> float:
    value = read_number(row, key, place)
    if value > MOST_KMH:
        raise ProfileError(f"{place}.{key}", f"expected up to {MOST_KMH:g}, got {value:g}")
    return value


def _classes(row: Table, place: str) -> list[str]:
    classes = row.get("classes")
    if not isinstance(classes, list) or not classes or any(not isinstance(c, str) for c in classes):
        raise ProfileError(f"{place}.classes", f'expected names or ["*"], got {classes!r}')
    return classes


def _motorway(raw: object, place: str) -> DefaultLimit:
    entry = read_table(raw, place)
    check_keys(entry, ("value", "unit", "source", "mark"), place)
    if entry.get("unit") != "km/h":
        raise ProfileError(f"{place}.unit", f"expected 'km/h', got {entry.get('unit')!r}")
    return DefaultLimit(
        _kmh(entry, "value", place), read_text(entry, "source", place), read_mark(entry, place)
    )


def _limits(table: Table, place: str) -> dict[tuple[Surroundings, str], DefaultLimit]:
    found: dict[tuple[Surroundings, str], DefaultLimit] = {}
    if "motorway_kmh" in table:
        motorway = _motorway(table["motorway_kmh"], f"{place}.motorway_kmh")
        found[Surroundings.MOTORWAY, ANY_CLASS] = motorway
    for area in ("populated", "open"):
        raw = table.get(area)
        if not isinstance(raw, list) or not raw:
            raise ProfileError(f"{place}.{area}", f"expected a list of tables, got {raw!r}")
        for number, entry in enumerate(raw):
            at = f"{place}.{area}[{number}]"
            row = read_table(entry, at)
            check_keys(row, _ROW, at)
            source, mark = read_text(row, "source", at), read_mark(row, at)
            for carriageway in ("divided", "undivided"):
                limit = DefaultLimit(_kmh(row, f"{carriageway}_kmh", at), source, mark)
                for name in _classes(row, at):
                    key = Surroundings[f"{area}_{carriageway}".upper()], name
                    if key in found:
                        raise ProfileError(f"{at}.classes", f"expected {name!r} once, got it twice")
                    found[key] = limit
    return found


def read_road_limits(raw: object) -> tuple[RoadLimits, ...]:
    """The tables of a profile, in order of time and without overlap. Raises ProfileError."""
    if not isinstance(raw, list):
        raise ProfileError("road_limits", f"expected a list of tables, got {raw!r}")
    tables: list[RoadLimits] = []
    for number, entry in enumerate(raw):
        place = f"road_limits[{number}]"
        table = read_table(entry, place)
        check_keys(table, _TABLE, place)
        begins = read_date(table, "effective_from", place)
        ends = read_date(table, "effective_to", place)
        check_days(begins, ends, place)
        tables.append(
            RoadLimits(
                read_text(table, "title", place),
                begins,
                ends,
                MappingProxyType(_limits(table, place)),
            )
        )
    check_order([(t.effective_from, t.effective_to) for t in tables], "road_limits")
    return tuple(tables)
