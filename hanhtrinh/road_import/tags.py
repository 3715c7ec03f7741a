"""The attributes of a road from its tags, as OpenStreetMap writes them.

Belongs here: keys and values (wiki.openstreetmap.org/wiki/Key:maxspeed and its neighbours). GeoJSON
properties are read as the same tags.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

from geofence.registry import BEGINNING_US, END_US
from geofence.roads.ways import UNKNOWN, Attributes, RoadKind
from hanhtrinh.road_import.report import ImportReport, Problem

T = TypeVar("T")
Tags = Mapping[str, str]

KINDS: Final = {kind.name.lower(): kind for kind in RoadKind}
MPH_KMH: Final = 1.609344
WALK_KMH: Final = 7.0
SPEED_RANGE: Final = (5.0, 200.0)
MASS_RANGE_KG: Final = (500.0, 1_000_000.0)

_SPEED: Final = re.compile(r"(\d+(?:\.\d+)?) ?(km/h|kmh|kph|mph)?")
_MASS: Final = re.compile(r"(\d+(?:\.\d+)?) ?(t|kg)?")
_REGION: Final = re.compile(
    r"[A-Z]{2}(?:-[A-Z]+)?:(urban|rural|motorway|trunk|nsl_\w+|zone\d*|\d+)"
)
_NO_SIGN: Final = frozenset({"none", "no", "unsigned", "default", "implicit"})
_REGION_KEYS: Final = ("maxspeed", "maxspeed:type", "source:maxspeed", "zone:traffic")
_ONEWAY: Final = {
    "yes": 1, "true": 1, "1": 1, "no": 0, "false": 0, "0": 0, "-1": -1, "reverse": -1,
}  # fmt: skip
_READ: Final = frozenset({"maxspeed", "maxspeed:forward", "maxspeed:backward", "maxweight"})


class Road(NamedTuple):
    """is_reversed: the way is one-way against the order of its vertices; they must be turned."""

    attributes: Attributes
    is_reversed: bool


def parse_speed(text: str) -> float:
    """A value of maxspeed in km/h, NaN where there is no sign. Else ValueError: what it may be."""
    if text in _NO_SIGN or _REGION.fullmatch(text):
        return math.nan
    if text == "walk":
        return WALK_KMH
    found = _SPEED.fullmatch(text)
    low, high = SPEED_RANGE
    if found:
        kmh = float(found[1]) * (MPH_KMH if found[2] == "mph" else 1.0)
        if low <= kmh <= high:
            return kmh
    raise ValueError(f"{low:g}..{high:g} km/h, mph, none, walk or XX:urban")


def parse_mass(text: str) -> float:
    """A value of maxweight in kg (tonnes where it has no unit), NaN where there is no sign."""
    if text in _NO_SIGN:
        return math.nan
    found = _MASS.fullmatch(text)
    low, high = MASS_RANGE_KG
    if found:
        kg = float(found[1]) * (1.0 if found[2] == "kg" else 1_000.0)
        if low <= kg <= high:
            return kg
    raise ValueError(f"{low / 1000:g}..{high / 1000:g} t, or kg")


def parse_lanes(text: str) -> int:
    """Number of lanes."""
    if re.fullmatch(r"[1-9]\d?", text):
        return int(text)
    raise ValueError("1..99")


def parse_instant(text: str) -> int:
    """Microseconds of a day or an instant of RFC 3339; a day begins at midnight UTC."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("a day like 2025-01-31 or an instant of RFC 3339") from None
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e6)


def _value(
    tags: Tags, key: str, parse: Callable[[str], T], default: T, way: int, report: ImportReport
) -> T:
    if key not in tags:
        return default
    try:
        return parse(tags[key].strip())
    except ValueError as error:
        report.problems.append(Problem(way, key, tags[key], str(error)))
        return default


def _parse_oneway(text: str) -> int:
    if text not in _ONEWAY:
        raise ValueError("yes, no or -1")
    return _ONEWAY[text]


def _populated(tags: Tags) -> int:
    for key in _REGION_KEYS:
        found = _REGION.fullmatch(tags.get(key, ""))
        if found and found[1] == "urban":
            return 1
        if found and found[1] in {"rural", "motorway", "trunk"}:
            return 0
    return {"yes": 1, "no": 0}.get(tags.get("populated", ""), UNKNOWN)


def _count_ignored(tags: Tags, report: ImportReport) -> None:
    """maxspeed:hgv, maxspeed:conditional, maxweight:signed and others of their kind."""
    for key in tags:
        root = key.partition(":")[0]
        if root in {"maxspeed", "maxweight"} and key not in _READ and key not in _REGION_KEYS:
            report.ignored[key] += 1


def read_road(way: int, tags: Tags, report: ImportReport) -> Road | None:
    """The road that a way's tags describe, None if they describe none (counted in the report)."""
    kind = KINDS.get(tags.get("highway", ""))
    if kind is None:
        report.skipped[f"highway={tags.get('highway', '')}"] += 1
        return None
    if tags.get("area") == "yes":
        report.skipped["area=yes"] += 1
        return None
    _count_ignored(tags, report)
    implied = int(kind == RoadKind.MOTORWAY or tags.get("junction") in {"roundabout", "circular"})
    oneway = _value(tags, "oneway", _parse_oneway, implied, way, report)
    lanes = _value(tags, "lanes", parse_lanes, 0, way, report)
    both = _value(tags, "maxspeed", parse_speed, math.nan, way, report)
    forward = _value(tags, "maxspeed:forward", parse_speed, both, way, report)
    backward = _value(tags, "maxspeed:backward", parse_speed, both, way, report)
    if oneway < 0:
        forward, backward = backward, forward
    begins = _value(tags, "valid_from", parse_instant, BEGINNING_US, way, report)
    ends = _value(tags, "valid_to", parse_instant, END_US, way, report)
    if begins >= ends:
        report.problems.append(
            Problem(way, "valid_to", tags["valid_to"], "a time after valid_from")
        )
        ends = END_US
    attributes = Attributes(
        way=way,
        kind=kind,
        is_oneway=oneway != 0,
        lanes=lanes,
        # Lanes that nobody counted: the milder limit, nobody is accused by a guess.
        is_divided=(oneway != 0 and lanes != 1) or tags.get("dual_carriageway") == "yes",
        populated=_populated(tags),
        forward_kmh=forward,
        backward_kmh=backward,
        max_weight_kg=_value(tags, "maxweight", parse_mass, math.nan, way, report),
        valid_from=begins,
        valid_to=ends,
    )
    return Road(attributes, oneway < 0)
