"""Roads of GeoJSON files: LineStrings and MultiLineStrings whose properties are a road's tags.

Belongs here: the shape of the file. What the properties mean is in `tags`.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from geofence.roads.ways import WayList, place_nodes
from hanhtrinh.errors import CommandError
from hanhtrinh.road_import.report import ImportReport
from hanhtrinh.road_import.tags import read_road


def read_geojson(file: Path, report: ImportReport) -> WayList:
    """The roads of a FeatureCollection. Raises CommandError naming the place of what is wrong.

    A road's id is the property `id`, else the number of the feature. Lines that share a vertex are
    connected there.
    """
    try:
        collection = json.loads(file.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{file}: expected GeoJSON: {error}") from error
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list):
        raise CommandError(f"{file}: features: expected the list of a FeatureCollection")
    ways = WayList()
    for number, feature in enumerate(features):
        place = f"{file}: features[{number}]"
        if not isinstance(feature, dict):
            raise CommandError(f"{place}: expected a feature")
        _add(feature, number, place, ways, report)
    return ways


def _add(
    feature: dict[str, Any], number: int, place: str, ways: WayList, report: ImportReport
) -> None:
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise CommandError(f"{place}.properties: expected an object")
    way = properties.get("id", number)
    if isinstance(way, bool) or not isinstance(way, int):
        raise CommandError(f"{place}.properties.id: expected a whole number, got {way!r}")
    tags = {k: _text(v) for k, v in properties.items() if v is not None and k != "id"}
    lines = _lines(feature.get("geometry"), f"{place}.geometry")
    road = read_road(way, tags, report)
    if road is None:
        return
    for line in lines:
        turned = line[::-1] if road.is_reversed else line
        lon, lat = turned[:, 0].copy(), turned[:, 1].copy()
        nodes = place_nodes(lon, lat).tolist()
        ways.add(road.attributes, list(zip(lon.tolist(), lat.tolist(), nodes, strict=True)))
        report.ways += 1


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _lines(geometry: object, place: str) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind == "LineString":
        return [_line(coordinates, f"{place}.coordinates")]
    if kind == "MultiLineString" and isinstance(coordinates, list):
        return [_line(c, f"{place}.coordinates[{k}]") for k, c in enumerate(coordinates)]
    raise CommandError(f"{place}.type: expected LineString or MultiLineString, got {kind!r}")


def _line(raw: object, place: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if not isinstance(raw, list) or len(raw) < 2:
        raise CommandError(f"{place}: expected two or more positions")
    for number, position in enumerate(raw):
        at = f"{place}[{number}]"
        if not isinstance(position, list) or len(position) < 2 or not all(map(_is_real, position)):
            raise CommandError(f"{at}: expected [lon, lat], got {position!r}")
        if not (-180.0 <= position[0] <= 180.0 and -90.0 <= position[1] <= 90.0):
            raise CommandError(f"{at}: expected -180..180 and -90..90, got {position!r}")
    return np.array([position[:2] for position in raw], np.float64)


def _is_real(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)
