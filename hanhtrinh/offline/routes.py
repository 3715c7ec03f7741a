"""`--routes`: fixed routes of a GeoJSON file, several features to a route.

Features of one route have the same property `route`. A LineString is the path of a `direction`; a
feature with `terminal` ("a" or "b") is the area of that terminal; a Point with `seq` is an
announced stop. What holds for the whole route may stand at any of its features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from geofence.errors import GeometryError, RegistryError
from geofence.geometry import parse_path, parse_shape
from geofence.registry import (
    BEGINNING_US,
    END_US,
    Direction,
    Route,
    RouteSlot,
    RouteStop,
    Zone,
)
from geofence.route_table import check_slot
from hanhtrinh.offline.features import Feature, read_features
from hanhtrinh.offline.zones import MOST_METRES, check_shape

OF_ROUTE: Final = (
    "corridor_m", "terminal_a", "terminal_b", "valid_from", "valid_to", "slots",
)  # fmt: skip
PROPERTIES: Final = (
    "route", "name", "direction", "terminal", "seq", "compulsory", "radius_m", "id", *OF_ROUTE,
)  # fmt: skip
DIRECTIONS: Final = ("outbound", "inbound")
OPTIONAL_OF_SLOT: Final = "days, valid_from, valid_to"
SLOT_NAMES: Final = {"direction", "departs", "days", "valid_from", "valid_to"}


@dataclass(slots=True)
class _Parts:
    """What the features of a route say. first: of them, to name the route's place."""

    first: Feature
    facts: dict[str, Feature] = field(default_factory=dict)
    paths: dict[str, Feature] = field(default_factory=dict)
    terminals: dict[str, Zone] = field(default_factory=dict)
    stops: list[RouteStop] = field(default_factory=list)


def read_routes(
    file: Path, timezone: ZoneInfo, zones: Sequence[Zone]
) -> tuple[list[Route], list[Zone]]:
    """The routes of a file, and the zones that are their terminals. Raises WrongFileError.

    zones: those that terminals may be references to; the new ones are numbered after them.
    """
    routes: dict[str, _Parts] = {}
    added: list[Zone] = []
    for feature in read_features(file):
        feature.check_names(PROPERTIES)
        code = feature.text("route")
        parts = routes.setdefault(code, _Parts(feature))
        _note_facts(feature, parts)
        if feature.has("terminal"):
            zone = _terminal(feature, code, len(zones) + len(added))
            if zone.code in {other.code for other in (*zones, *added)}:
                raise feature.wrong("", f"expected a zone id of its own, got {zone.code!r} twice")
            parts.terminals[feature.choice("terminal", ("a", "b"))] = zone
            added.append(zone)
        elif feature.geometry.get("type") == "Point":
            parts.stops.append(_stop(feature))
        else:
            _note_path(feature, parts)
    known = {zone.code for zone in (*zones, *added) if zone.kind == "terminal"}
    return [
        _route(number, code, parts, known, timezone)
        for number, (code, parts) in enumerate(routes.items())
    ], added


def _note_facts(feature: Feature, parts: _Parts) -> None:
    for name in OF_ROUTE:
        if not feature.has(name):
            continue
        other = parts.facts.setdefault(name, feature)
        if other.properties[name] != feature.properties[name]:
            raise feature.wrong_property(
                name, f"expected {other.properties[name]!r} as at features[{other.row}]"
            )


def _terminal(feature: Feature, code: str, number: int) -> Zone:
    side = feature.choice("terminal", ("a", "b"))
    zone = Zone(
        id=number,
        code=feature.text("id", f"{code}:{side}"),
        kind="terminal",
        geometry=feature.geometry,
        radius_m=feature.number("radius_m", 0.0, MOST_METRES),
    )
    check_shape(feature, zone)
    return zone


def _stop(feature: Feature) -> RouteStop:
    seq = feature.number("seq", 0, 10_000)
    if seq is None or not seq.is_integer():
        raise feature.wrong_property("seq", "expected the stop's whole number in its direction")
    try:
        lon, lat = parse_point(feature)
    except GeometryError as error:
        raise feature.wrong("geometry", str(error)) from None
    return RouteStop(
        direction=cast("Direction", feature.choice("direction", DIRECTIONS)),
        seq=int(seq),
        lon=lon,
        lat=lat,
        name=feature.text("name", ""),
        compulsory=feature.flag("compulsory", True),
    )


def parse_point(feature: Feature) -> tuple[float, float]:
    """Longitude and latitude of a feature that is a Point. Raises GeometryError."""
    point: Any = parse_shape(feature.geometry, radius_m=1.0).geometry
    return point.x, point.y


def _note_path(feature: Feature, parts: _Parts) -> None:
    try:
        parse_path(feature.geometry)
    except GeometryError as error:
        raise feature.wrong("geometry", str(error)) from None
    direction = feature.choice("direction", DIRECTIONS)
    if direction in parts.paths:
        other = parts.paths[direction].row
        raise feature.wrong_property(
            "direction", f"expected one path to a direction, features[{other}] is it too"
        )
    parts.paths[direction] = feature


def _route(number: int, code: str, parts: _Parts, terminals: set[str], timezone: ZoneInfo) -> Route:
    facts = parts.facts
    if "outbound" not in parts.paths:
        raise parts.first.wrong("", f"expected an outbound path of route {code!r}, got none")
    if "corridor_m" not in facts:
        raise parts.first.wrong_property("corridor_m", "expected metres")
    outbound = parts.paths["outbound"].geometry
    inbound = parts.paths["inbound"].geometry if "inbound" in parts.paths else _reversed(outbound)
    instants = {
        name: facts[name].instant(name, timezone, default) if name in facts else default
        for name, default in (("valid_from", BEGINNING_US), ("valid_to", END_US))
    }
    if instants["valid_from"] >= instants["valid_to"]:
        raise facts["valid_to"].wrong_property("valid_to", "expected an instant after valid_from")
    corridor_m = facts["corridor_m"].number("corridor_m", 0.1, MOST_METRES)
    assert corridor_m is not None
    return Route(
        id=number,
        code=code,
        corridor_m=corridor_m,
        terminal_a=_side("a", parts, terminals),
        terminal_b=_side("b", parts, terminals),
        outbound=outbound,
        inbound=inbound,
        name=parts.paths["outbound"].text("name", ""),
        stops=tuple(sorted(parts.stops, key=lambda stop: (stop.direction, stop.seq))),
        slots=_slots(facts["slots"]) if "slots" in facts else (),
        **instants,
    )


def _side(side: str, parts: _Parts, terminals: set[str]) -> str:
    """The code of a terminal: that of the feature that is one, or the one referred to."""
    name = f"terminal_{side}"
    if side in parts.terminals:
        return parts.terminals[side].code
    feature = parts.facts.get(name, parts.first)
    if feature.properties.get(name) is None or feature.text(name) not in terminals:
        raise feature.wrong_property(
            name, f'expected the id of a terminal zone, or a feature with "terminal": "{side}"'
        )
    return feature.text(name)


def _slots(feature: Feature) -> tuple[RouteSlot, ...]:
    """The timetable: a list of objects with the fields of RouteSlot."""
    listed = feature.properties["slots"]
    if not isinstance(listed, list):
        raise feature.wrong_property("slots", "expected a list of objects with direction, departs")
    return tuple(_slot(feature, f"slots[{at}]", given) for at, given in enumerate(listed))


def _slot(feature: Feature, name: str, given: Any) -> RouteSlot:
    if not isinstance(given, dict) or not {"direction", "departs"} <= given.keys() <= SLOT_NAMES:
        raise feature.wrong(
            f"properties.{name}",
            f"expected an object with direction, departs, and perhaps {OPTIONAL_OF_SLOT}",
        )
    days = given.get("days")
    if days is not None and not isinstance(days, list):
        raise feature.wrong(f"properties.{name}.days", f"expected a list of days, got {days!r}")
    slot = RouteSlot(
        direction=given["direction"],
        departs=str(given["departs"]),
        days=None if days is None else tuple(days),
        valid_from=_day(feature, name, given, "valid_from"),
        valid_to=_day(feature, name, given, "valid_to"),
    )
    try:
        check_slot(slot)
    except RegistryError as error:
        raise feature.wrong(f"properties.{name}", str(error)) from None
    return slot


def _day(feature: Feature, name: str, given: dict[str, Any], key: str) -> date | None:
    value = given.get(key)
    try:
        return None if value is None else date.fromisoformat(value)
    except (TypeError, ValueError):
        raise feature.wrong(
            f"properties.{name}.{key}", f"expected a day like 2026-05-04, got {value!r}"
        ) from None


def _reversed(path: dict[str, Any]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": path["coordinates"][::-1]}
