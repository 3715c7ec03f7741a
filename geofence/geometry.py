"""GeoJSON geometries of zones and routes: read, checked, and refused with reason and place.

Belongs here: RFC 7946 geometry objects to shapely and back. Where a point lies in relation to
them is a matter of `index` and `paths`.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon

from devices.batch import F64
from geofence.errors import GeometryError
from geofence.registry import GeoJson

MOST_RADIUS_M: Final = 500_000.0
MOST_CORRIDOR_M: Final = 50_000.0
"""Distances to segments are computed in a plane, which is good to 0.1 % up to here."""

ShapeKind = Literal["polygon", "circle", "corridor"]
Position = tuple[float, float]

_REASON: Final = re.compile(r"(?P<what>[^\[]+)\[(?P<x>\S+) (?P<y>[^\s\]]+)\]")
_WORDS: Final = {
    "Self-intersection": "ring crosses itself",
    "Ring Self-intersection": "ring touches or crosses itself",
    "Hole lies outside shell": "hole lies outside the outer ring",
    "Holes are nested": "one hole lies within another",
    "Interior is disconnected": "holes cut the interior in two",
    "Nested shells": "one polygon lies within another",
    "Duplicate Rings": "two rings are the same",
    "Too few points in geometry component": "ring encloses nothing",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A checked geometry.

    kind: "polygon" is a Polygon or MultiPolygon, "circle" a Point, "corridor" a LineString or
        MultiLineString.
    reach_m: radius of a circle, corridor to each side of a line; 0 for polygons.
    repairs: what was changed, one sentence each; empty unless repairs were asked for.
    """

    kind: ShapeKind
    geometry: Any
    reach_m: float
    repairs: tuple[str, ...] = ()

    def geojson(self) -> dict[str, Any]:
        """The geometry, as repaired, as a GeoJSON object."""
        mapping: dict[str, Any] = shapely.geometry.mapping(self.geometry)
        return mapping


def _got(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _position(raw: object, place: str) -> Position:
    if not isinstance(raw, (list, tuple)) or not 2 <= len(raw) <= 4:
        raise GeometryError(place, f"expected a position [lon, lat], got {_got(raw)}")
    for number in raw:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise GeometryError(place, f"expected numbers, got {_got(raw)}")
        if not abs(number) <= sys.float_info.max:  # isfinite fails for very long whole numbers
            raise GeometryError(place, f"expected finite numbers, got {_got(raw)}")
    lon, lat = float(raw[0]), float(raw[1])
    if abs(lon) <= 180.0 and abs(lat) <= 90.0:
        return lon, lat
    if abs(lat) <= 180.0 and abs(lon) <= 90.0:
        raise GeometryError(place, f"expected [lon, lat], got [lat, lon] {_got(raw)}")
    raise GeometryError(place, f"expected lon -180..180 and lat -90..90, got {_got(raw)}")


def _items(raw: object, place: str, least: int, what: str) -> list[Any]:
    if not isinstance(raw, (list, tuple)) or len(raw) < least:
        raise GeometryError(place, f"expected at least {least} {what}, got {_got(raw)}")
    return list(raw)


def _positions(raw: object, place: str, least: int) -> list[Position]:
    items = _items(raw, place, least, "positions")
    return [_position(item, f"{place}[{row}]") for row, item in enumerate(items)]


def _invalid(geometry: Any) -> str:
    """Why shapely takes a geometry for invalid, in our words, with the place; "" if it is valid."""
    if geometry.is_valid:
        return ""
    reason = shapely.is_valid_reason(geometry)
    found = _REASON.fullmatch(reason)
    if not found:
        return str(reason)
    what = _WORDS.get(found["what"], found["what"])
    return f"{what} at ({float(found['x']):.7g}, {float(found['y']):.7g})"


class _Reader:
    """Reads one geometry; with `repair`, collects what it mended instead of refusing it."""

    def __init__(self, *, repair: bool) -> None:
        self.repair = repair
        self.repairs: list[str] = []

    def _refuse(self, place: str, reason: str, mended: str) -> None:
        if not self.repair:
            raise GeometryError(place, reason)
        self.repairs.append(f"{place}: {reason}: {mended}")

    def ring(self, raw: object, place: str) -> list[Position]:
        """The positions of a ring, closed."""
        positions = _positions(raw, place, 3)
        if positions[0] != positions[-1]:
            self._refuse(
                place,
                f"ring is not closed: it starts at {positions[0]} and ends at {positions[-1]}",
                "closed",
            )
            positions.append(positions[0])
        if len(positions) < 4:
            raise GeometryError(place, f"expected at least 4 positions, got {len(positions)}")
        if len(set(positions)) < 3:
            raise GeometryError(place, "expected at least 3 different positions")
        if not self.repair and not (alone := Polygon(positions)).is_valid:
            raise GeometryError(place, _invalid(alone))
        return positions

    def polygon(self, raw: object, place: str) -> Any:
        """A polygon with its holes."""
        items = _items(raw, place, 1, "rings")
        rings = [self.ring(item, f"{place}[{row}]") for row, item in enumerate(items)]
        return self.valid(Polygon(rings[0], rings[1:]), place)

    def multi_polygon(self, raw: object, place: str) -> Any:
        """Several polygons that do not overlap."""
        items = _items(raw, place, 1, "polygons")
        polygons = [self.polygon(item, f"{place}[{row}]") for row, item in enumerate(items)]
        flat = [part for polygon in polygons for part in getattr(polygon, "geoms", [polygon])]
        return self.valid(MultiPolygon(flat), place)

    def valid(self, geometry: Any, place: str) -> Any:
        """The geometry if it is valid, else mended or refused."""
        reason = _invalid(geometry)
        if not reason:
            return geometry
        self._refuse(place, reason, "made valid")
        mended = shapely.make_valid(geometry)
        areas = [
            part
            for part in shapely.get_parts(shapely.get_parts(mended))
            if part.geom_type == "Polygon"
        ]
        if not areas:
            raise GeometryError(place, f"{reason}, and nothing with an area is left of it")
        return areas[0] if len(areas) == 1 else shapely.union_all(areas)

    def line(self, raw: object, place: str) -> Any:
        """A line of some length."""
        positions = _positions(raw, place, 2)
        if len(set(positions)) < 2:
            raise GeometryError(place, "expected at least 2 different positions")
        for row, (one, other) in enumerate(pairwise(positions)):
            if abs(one[0] - other[0]) > 180.0:
                raise GeometryError(
                    f"{place}[{row + 1}]",
                    f"expected lines cut at the antimeridian, got {one} to {other}",
                )
        return LineString(positions)

    def multi_line(self, raw: object, place: str) -> Any:
        """Several lines."""
        items = _items(raw, place, 1, "lines")
        return MultiLineString([self.line(it, f"{place}[{row}]") for row, it in enumerate(items)])

    def point(self, raw: object, place: str) -> Any:
        """A single position."""
        return Point(_position(raw, place))


_KINDS: Final[dict[str, tuple[ShapeKind, Callable[[_Reader, object, str], Any]]]] = {
    "Polygon": ("polygon", _Reader.polygon),
    "MultiPolygon": ("polygon", _Reader.multi_polygon),
    "Point": ("circle", _Reader.point),
    "LineString": ("corridor", _Reader.line),
    "MultiLineString": ("corridor", _Reader.multi_line),
}


def _reach(kind: ShapeKind, radius_m: float | None, corridor_m: float | None, of: str) -> float:
    given: dict[str, tuple[float | None, ShapeKind, float]] = {
        "radius_m": (radius_m, "circle", MOST_RADIUS_M),
        "corridor_m": (corridor_m, "corridor", MOST_CORRIDOR_M),
    }
    reach = 0.0
    for name, (value, wanted_by, most) in given.items():
        if wanted_by != kind:
            if value is not None:
                raise GeometryError(name, f"expected none with a {of}, got {value:g}")
        elif value is None or not 0.0 < value <= most:
            raise GeometryError(name, f"expected metres over 0 and up to {most:g}, got {value}")
        else:
            reach = float(value)
    return reach


def parse_shape(
    geometry: GeoJson,
    *,
    radius_m: float | None = None,
    corridor_m: float | None = None,
    repair: bool = False,
) -> Shape:
    """A zone's geometry from its GeoJSON. Raises GeometryError with the reason and the place.

    repair: close open rings and make invalid polygons valid instead of refusing them; what was
        done is in `Shape.repairs`. Positions are never mended.
    """
    if not isinstance(geometry, dict):
        raise GeometryError("geometry", f"expected a GeoJSON object, got {_got(geometry)}")
    of = geometry.get("type")
    if not isinstance(of, str) or of not in _KINDS:
        raise GeometryError("geometry.type", f"expected one of {', '.join(_KINDS)}, got {_got(of)}")
    kind, read = _KINDS[of]
    reach_m = _reach(kind, radius_m, corridor_m, of)
    reader = _Reader(repair=repair)
    shape = read(reader, geometry.get("coordinates"), "geometry.coordinates")
    return Shape(kind, shape, reach_m, tuple(reader.repairs))


def parse_path(geometry: GeoJson, place: str = "geometry") -> F64:
    """A route's path from its GeoJSON LineString: shape (k, 2), lon and lat, k >= 2."""
    if not isinstance(geometry, dict) or geometry.get("type") != "LineString":
        raise GeometryError(place, f"expected a LineString, got {_got(geometry)}")
    line = _Reader(repair=False).line(geometry.get("coordinates"), f"{place}.coordinates")
    path: F64 = np.ascontiguousarray(shapely.get_coordinates(line))
    return path
