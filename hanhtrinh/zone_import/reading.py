"""The zones of a file, and every property of every feature that is wrong."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from api.models.base import CODE
from geofence.registry import Zone
from hanhtrinh.offline.features import Feature, each_feature
from hanhtrinh.offline.wrong_file import WrongFileError
from hanhtrinh.offline.zones import FIELDS, PROPERTIES, check_shape, check_zone_fields
from hanhtrinh.zone_import.geoparquet import SUFFIXES, each_row
from storage.bulk.problems import Effect, Problem, Problems
from storage.bulk.versioned import Place


@dataclass(frozen=True, slots=True)
class Naming:
    """What a file that was not made for us calls things; other properties of it mean nothing.

    code, name: properties with a zone's code and name; name "": there is none. prefix: goes before
    every code. kind: of every zone.
    """

    code: str
    name: str
    prefix: str
    kind: str


@dataclass(frozen=True, slots=True)
class FoundZone:
    """A zone of a file, where it stands, and the code of its operator; None: everybody's."""

    zone: Zone
    place: Place
    operator: str | None


def read_zone_file(
    file: Path, timezone: ZoneInfo, problems: Problems, *, naming: Naming | None, repair: bool
) -> list[FoundZone]:
    """The zones of a file that are right; what is wrong with the others is reported.

    naming: None: the properties are ours (docs/registry-import.md). repair: mend geometries that
    can be mended, and note it. Raises WrongFileError where the file as a whole cannot be read.
    """
    found = []
    for feature in _features(file):
        if isinstance(feature, WrongFileError):
            problems.add(problem_of(feature))
            continue
        named = feature if naming is None else _named(feature, naming, problems)
        zone = None if named is None else _zone(named, timezone, problems, repair=repair)
        if zone is not None:
            found.append(zone)
    return found


def problem_of(error: WrongFileError, effect: Effect = "refused") -> Problem:
    """The problem that an error of a file tells of."""
    place = (str(error.file), error.line or 0, error.column)
    return Problem(*place, error.wrong, effect, error.unit)


def _features(file: Path) -> Iterator[Feature | WrongFileError]:
    return each_row(file) if file.suffix in SUFFIXES else each_feature(file)


def _named(feature: Feature, naming: Naming, problems: Problems) -> Feature | None:
    """The feature with our properties; None, and a problem, where it has no code."""
    try:
        code = naming.prefix + feature.text(naming.code)
        _check_code(feature, naming.code, code)
        properties: dict[str, Any] = {"id": code, "kind": naming.kind}
        if naming.name:
            properties["name"] = feature.text(naming.name, "")
    except WrongFileError as error:
        problems.add(problem_of(error))
        return None
    return replace(feature, properties=properties)


def _check_code(feature: Feature, name: str, code: str) -> None:
    if not re.fullmatch(CODE, code):
        raise feature.wrong_property(name, "expected letters, digits, '.', '_', '-', 64 at most")


def _zone(
    feature: Feature, timezone: ZoneInfo, problems: Problems, *, repair: bool
) -> FoundZone | None:
    wrong: list[WrongFileError] = []
    fields: dict[str, Any] = {}
    for name in feature.properties:
        if name not in PROPERTIES and name != "operator":
            expected = f"expected one of {', '.join((*PROPERTIES, 'operator'))}, got {name!r}"
            wrong.append(feature.wrong(f"properties.{name}", expected))
    for name, read in FIELDS.items():
        try:
            fields[name] = read(feature, timezone)
        except WrongFileError as error:
            wrong.append(error)
    zone, operator = None, None
    try:
        if not wrong:
            operator = feature.text("operator") if feature.has("operator") else None
            zone = _checked(feature, fields, problems, repair=repair)
    except WrongFileError as error:
        wrong.append(error)
    for found in wrong:
        problems.add(problem_of(found))
    if zone is None:
        return None
    here = problem_of(feature.wrong("", ""))
    return FoundZone(zone, Place(here.file, here.row, here.column, here.unit), operator)


def _checked(feature: Feature, fields: dict[str, Any], problems: Problems, *, repair: bool) -> Zone:
    _check_code(feature, "id", fields["code"])
    zone = Zone(id=0, geometry=feature.geometry, **fields)
    check_zone_fields(feature, zone)
    shape = check_shape(feature, zone, repair=repair)
    for repaired in shape.repairs:
        place, _, said = repaired.partition(": ")
        problems.add(problem_of(feature.wrong(place, said), "noted"))
    return replace(zone, geometry=shape.geojson()) if shape.repairs else zone
