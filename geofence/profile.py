"""Rule profiles: TOML files with every number that the rules use, and where it comes from.

Belongs here: reading a profile and refusing a wrong one, naming the key. What keys there are is in
`parameters`; the tables of load limits are read by `load_tables`.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib import resources
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, TypeVar

from geofence.driving_limits import DrivingLimits, read_driving_limits
from geofence.errors import ProfileError
from geofence.load_limits import LoadLimits
from geofence.load_tables import read_load_limits
from geofence.parameters import BY_KEY, PARAMETERS, SECTIONS, Parameter
from geofence.profile_values import Table, check_keys, read_date, read_mark, read_table, read_text
from geofence.road_limits import RoadLimits, read_road_limits

T = TypeVar("T", LoadLimits, RoadLimits, DrivingLimits)

Value = float | int | bool | str | tuple[float, ...]

SHIPPED: Final = ("qcvn31", "tt09")
"""Profiles that come with the package; the first is the default."""

_HEAD: Final = ("id", "title", "effective_from", "effective_to")
_TABLES: Final = ("load_limits", "road_limits", "driving_limits")
_FIELDS: Final = ("value", "unit", "source", "mark")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from, and how sure that is (C, CI, R, D, U as in docs/zones.md)."""

    text: str
    mark: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A rule profile.

    effective_from, effective_to: calendar days of the rulebook's timezone, from the first up to,
        not including, the second; None: without a bound.
    values, sources: by key of `parameters.PARAMETERS`.
    class_limits_kmh: default speed limit by vehicle class, where it differs from the default.
    load_limits: tables of axle and gross limits, in order of time.
    road_limits: tables of limits of roads without a sign, in order of time.
    driving_limits: tables of limits of driving time, in order of time.
    """

    id: str
    title: str
    effective_from: date | None
    effective_to: date | None
    values: Mapping[str, Value]
    sources: Mapping[str, Source]
    class_limits_kmh: Mapping[str, float]
    load_limits: tuple[LoadLimits, ...]
    road_limits: tuple[RoadLimits, ...] = ()
    driving_limits: tuple[DrivingLimits, ...] = ()

    def number(self, key: str) -> float:
        """The value of a number, count or flag. Raises KeyError for keys there are not."""
        value = self.values[key]
        assert isinstance(value, (int, float))
        return float(value)

    def edges(self, key: str) -> tuple[float, ...]:
        """The value of a list of edges, ascending."""
        value = self.values[key]
        assert isinstance(value, tuple)
        return value

    def choice(self, key: str) -> str:
        """The value of a choice."""
        value = self.values[key]
        assert isinstance(value, str)
        return value

    def load_limits_on(self, day: date) -> LoadLimits | None:
        """The tables of load limits in force on a day; None: the profile knows none."""
        return _on(day, self.load_limits)

    def road_limits_on(self, day: date) -> RoadLimits | None:
        """The limits of roads in force on a day; None: the profile knows none."""
        return _on(day, self.road_limits)

    def driving_limits_on(self, day: date) -> DrivingLimits | None:
        """The limits of driving time in force on a day; None: the profile knows none."""
        return _on(day, self.driving_limits)


def _on(day: date, tables: tuple[T, ...]) -> T | None:
    for table in tables:
        if (table.effective_from is None or table.effective_from <= day) and (
            table.effective_to is None or day < table.effective_to
        ):
            return table
    return None


def _number(parameter: Parameter, raw: object, key: str) -> float:
    expected = f"expected {parameter.low:g}..{parameter.high:g}"
    if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not math.isfinite(raw):
        raise ProfileError(key, f"{expected}, got {raw!r}")
    if not parameter.low <= raw <= parameter.high:
        raise ProfileError(key, f"{expected}, got {raw!r}")
    return float(raw)


def _edges(parameter: Parameter, raw: object, key: str) -> tuple[float, ...]:
    if not isinstance(raw, list) or not raw:
        raise ProfileError(key, f"expected a list of numbers, got {raw!r}")
    edges = tuple(_number(parameter, item, f"{key}[{row}]") for row, item in enumerate(raw))
    if any(low >= high for low, high in pairwise(edges)):
        raise ProfileError(key, f"expected ascending numbers, got {raw!r}")
    return edges


def _value(parameter: Parameter, raw: object) -> Value:
    key = f"{parameter.key}.value"
    if parameter.kind == "flag":
        if not isinstance(raw, bool):
            raise ProfileError(key, f"expected true or false, got {raw!r}")
        return raw
    if parameter.kind == "choice":
        if not isinstance(raw, str) or raw not in parameter.choices:
            choices = ", ".join(parameter.choices)
            raise ProfileError(key, f"expected one of {choices}, got {raw!r}")
        return raw
    if parameter.kind == "edges":
        return _edges(parameter, raw, key)
    number = _number(parameter, raw, key)
    if parameter.kind == "count":
        if not number.is_integer():
            raise ProfileError(key, f"expected a whole number, got {raw!r}")
        return int(number)
    return number


def _parameter(parameter: Parameter, raw: object) -> tuple[Value, Source]:
    entry = read_table(raw, parameter.key)
    check_keys(entry, _FIELDS, parameter.key)
    unit = entry.get("unit", "")
    if unit != parameter.unit:
        raise ProfileError(f"{parameter.key}.unit", f"expected {parameter.unit!r}, got {unit!r}")
    if "value" not in entry:
        raise ProfileError(f"{parameter.key}.value", "expected a value, got none")
    source = Source(read_text(entry, "source", parameter.key), read_mark(entry, parameter.key))
    return _value(parameter, entry["value"]), source


def _class_limits(raw: object) -> dict[str, tuple[float, Source]]:
    bounds = BY_KEY["limits.default_kmh"]
    found: dict[str, tuple[float, Source]] = {}
    for name, entry in read_table(raw, "limits.by_class").items():
        value, source = _parameter(replace(bounds, key=f"limits.by_class.{name}"), entry)
        assert isinstance(value, float)
        found[name] = value, source
    return found


def _sections(document: Table) -> dict[str, tuple[Value, Source]]:
    found: dict[str, tuple[Value, Source]] = {}
    for section in SECTIONS:
        table = dict(read_table(document.get(section, {}), section))
        if section == "limits":
            table.pop("by_class", None)
        for name, raw in table.items():
            key = f"{section}.{name}"
            if key not in BY_KEY:
                raise ProfileError(key, "expected a key of docs/zones.md, this is none")
            found[key] = _parameter(BY_KEY[key], raw)
    mode = found.get("speeding.mode", ("",))[0]
    for parameter in PARAMETERS:
        if parameter.key not in found and parameter.asked_by in ("", mode):
            raise ProfileError(parameter.key, "expected a value, the profile has none")
    return found


def parse_profile(text: str) -> Profile:
    """A profile from the text of its TOML file. Raises ProfileError naming the key."""
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError("profile", f"expected TOML, got: {error}") from error
    check_keys(document, (*_HEAD, *SECTIONS, *_TABLES), "")
    begins = read_date(document, "effective_from", "")
    ends = read_date(document, "effective_to", "")
    if begins is not None and ends is not None and begins >= ends:
        raise ProfileError("effective_to", f"expected a day after {begins}, got {ends}")
    found = _sections(document)
    by_class = _class_limits(document.get("limits", {}).get("by_class", {}))
    sources = {key: source for key, (_, source) in found.items()}
    sources |= {f"limits.by_class.{name}": source for name, (_, source) in by_class.items()}
    return Profile(
        id=read_text(document, "id", ""),
        title=read_text(document, "title", ""),
        effective_from=begins,
        effective_to=ends,
        values=MappingProxyType({key: value for key, (value, _) in found.items()}),
        sources=MappingProxyType(sources),
        class_limits_kmh=MappingProxyType({name: value for name, (value, _) in by_class.items()}),
        load_limits=read_load_limits(document.get("load_limits", [])),
        road_limits=read_road_limits(document.get("road_limits", [])),
        driving_limits=read_driving_limits(document.get("driving_limits", [])),
    )


def shipped_profile(name: str = SHIPPED[0]) -> Profile:
    """A profile that comes with the package."""
    if name not in SHIPPED:
        raise ProfileError("profile", f"expected one of {', '.join(SHIPPED)}, got {name!r}")
    return parse_profile(
        resources.files("geofence").joinpath("profiles", f"{name}.toml").read_text("utf-8")
    )
