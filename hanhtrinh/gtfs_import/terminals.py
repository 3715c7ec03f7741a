"""The two ends of a route as zones of kind terminal.

Belongs here: where a route's directions begin and end, as areas that do not touch.
"""

from collections.abc import Sequence
from math import cos, radians
from typing import Any

import numpy as np
import shapely

from geofence.geodesy import METRES_PER_DEGREE
from geofence.registry import Zone
from hanhtrinh.gtfs_import.patterns import DECIMALS, Place, metres


def terminal_zone(code: str, name: str, ends: Sequence[Place], radius_m: float) -> Zone:
    """The zone around where one direction begins and the other ends.

    ends: one place or two. Places as near as their areas would touch are in one circle, others are
    an area each.
    """
    lat = ends[0][1]
    apart_m = float(shapely.distance(*shapely.points(metres((ends[0], ends[-1]), lat))))
    if apart_m <= 2 * radius_m:
        lon, lat = (
            round((one + other) / 2, DECIMALS) for one, other in zip(ends[0], ends[-1], strict=True)
        )
        circle = {"type": "Point", "coordinates": [lon, lat]}
        return Zone(
            0, code, "terminal", circle, name=name, radius_m=round(radius_m + apart_m / 2, 1)
        )
    areas = shapely.union_all(shapely.buffer(shapely.points(metres(ends, lat)), radius_m))
    scale = np.array([METRES_PER_DEGREE * cos(radians(lat)), METRES_PER_DEGREE])
    degrees = shapely.transform(areas, lambda points: np.round(points / scale, DECIMALS))
    return Zone(0, code, "terminal", shapely.geometry.mapping(degrees), name=name)


def touch(one: Zone, other: Zone) -> bool:
    """Whether two terminals have a place in common, or nearly: a fix could be in both."""
    lat = _first_lat(one)
    return bool(shapely.intersects(_area(one, lat), _area(other, lat)))


def _area(zone: Zone, lat: float) -> Any:
    scale = np.array([METRES_PER_DEGREE * cos(radians(lat)), METRES_PER_DEGREE])
    plane = shapely.transform(shapely.geometry.shape(zone.geometry), lambda p: p * scale)
    return shapely.buffer(plane, zone.radius_m or 0.0)


def _first_lat(zone: Zone) -> float:
    return float(shapely.get_coordinates(shapely.geometry.shape(zone.geometry))[0, 1])
