"""`--zones`: fences of a GeoJSON file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from geofence.errors import RegistryError
from geofence.geometry import Shape
from geofence.opening import OpeningError, weekly_hours
from geofence.registry import BEGINNING_US, END_US, WeeklyHours, Zone
from geofence.zone_table import SPEED_RANGE, check_zone
from hanhtrinh.offline.features import Feature, is_number, read_features

KINDS: Final = ("speed", "banned", "terminal", "stop", "watch")
PROPERTIES: Final = (
    "id", "kind", "name", "speed_limit_kmh", "classes", "hours", "valid_from", "valid_to",
    "radius_m", "corridor_m", "max_stay_s", "min_duration_s", "min_gross_kg", "overrides_road",
    "crossings",
)  # fmt: skip
MOST_S: Final = 1e9
MOST_METRES: Final = 1e6


def read_zones(file: Path, timezone: ZoneInfo) -> list[Zone]:
    """The zones of a file. Raises WrongFileError. Zones of one id are versions of one zone."""
    zones: list[Zone] = []
    for feature in read_features(file):
        feature.check_names(PROPERTIES)
        zone = _zone(feature, timezone, zones)
        zones.append(zone)
    return zones


def _zone(feature: Feature, timezone: ZoneInfo, before: Sequence[Zone]) -> Zone:
    fields = {name: read(feature, timezone) for name, read in FIELDS.items()}
    version = 1 + sum(zone.code == fields["code"] for zone in before)
    zone = Zone(id=len(before), geometry=feature.geometry, version=version, **fields)
    _check(feature, zone, before)
    return zone


def check_zone_fields(feature: Feature, zone: Zone) -> None:
    """Refuse fields that contradict each other. Raises WrongFileError."""
    if zone.kind == "speed" and not zone.speed_limits:
        raise feature.wrong_property("speed_limit_kmh", "expected km/h, as the kind is speed")
    if zone.valid_from >= zone.valid_to:
        raise feature.wrong_property("valid_to", "expected an instant after valid_from")


def _check(feature: Feature, zone: Zone, before: Sequence[Zone]) -> None:
    check_zone_fields(feature, zone)
    check_shape(feature, zone)
    for other in before:
        if other.code != zone.code:
            continue
        if other.kind != zone.kind:
            raise feature.wrong_property("kind", f"expected {other.kind} as in the other version")
        if other.valid_from < zone.valid_to and zone.valid_from < other.valid_to:
            raise feature.wrong_property("id", "expected once, or for times that do not overlap")


def check_shape(feature: Feature, zone: Zone, *, repair: bool = False) -> Shape:
    """The shape of a zone; refuse one that no rulebook could be built with."""
    try:
        return check_zone(zone, repair=repair)
    except RegistryError as error:
        place, _, wrong = str(error.__cause__ or error).partition(": ")
        is_property = place in feature.properties or place in PROPERTIES
        raise feature.wrong(f"properties.{place}" if is_property else place, wrong) from None


def _limits(feature: Feature) -> dict[str, float]:
    """km/h by class; a number holds for every class."""
    raw = feature.properties.get("speed_limit_kmh")
    if raw is None:
        return {}
    limits = raw if isinstance(raw, dict) else {"*": raw}
    low, high = SPEED_RANGE
    if not limits or not all(is_number(limit, low, high) for limit in limits.values()):
        expected = f"expected a number {low:g}..{high:g}, or an object of them by vehicle class"
        raise feature.wrong_property("speed_limit_kmh", expected)
    return {str(name): float(limit) for name, limit in limits.items()}


def _classes(feature: Feature) -> tuple[str, ...] | None:
    raw = feature.properties.get("classes")
    if raw is None:
        return None
    if not isinstance(raw, list) or not raw or not all(isinstance(name, str) for name in raw):
        raise feature.wrong_property("classes", "expected a list of vehicle classes")
    return tuple(raw)


def _hours(feature: Feature) -> WeeklyHours | None:
    if not feature.has("hours"):
        return None
    try:
        return weekly_hours(feature.text("hours"))
    except OpeningError as error:
        raise feature.wrong("properties.hours", str(error)) from None


FIELDS: Final[dict[str, Callable[[Feature, ZoneInfo], Any]]] = {
    "code": lambda feature, _: feature.text("id"),
    "kind": lambda feature, _: feature.choice("kind", KINDS),
    "name": lambda feature, _: feature.text("name", ""),
    "radius_m": lambda feature, _: feature.number("radius_m", 0.0, MOST_METRES),
    "corridor_m": lambda feature, _: feature.number("corridor_m", 0.0, MOST_METRES),
    "speed_limits": lambda feature, _: _limits(feature),
    "classes": lambda feature, _: _classes(feature),
    "weekly_hours": lambda feature, _: _hours(feature),
    "valid_from": lambda feature, zone: feature.instant("valid_from", zone, BEGINNING_US),
    "valid_to": lambda feature, zone: feature.instant("valid_to", zone, END_US),
    "max_stay_s": lambda feature, _: feature.number("max_stay_s", 0.0, MOST_S),
    "min_duration_s": lambda feature, _: feature.number("min_duration_s", 0.0, MOST_S) or 0.0,
    "min_gross_kg": lambda feature, _: feature.number("min_gross_kg", 0.0, MOST_S),
    "overrides_road": lambda feature, _: feature.flag("overrides_road", False),
    "crossings": lambda feature, _: feature.flag("crossings", False),
}
"""How each field of a zone is read from a feature in a timezone. Each raises WrongFileError."""
