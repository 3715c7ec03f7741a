"""Circles and corridors: whether a point is within reach, and whether a whole cell can be.

Belongs here: distances to segments. A circle is a segment whose ends are the same.
"""

import math
from typing import Final

from devices.batch import F64, I32
from devices.compile import kernel
from geofence.geodesy import (
    METRES_PER_DEGREE,
    haversine_m,
    lon_difference,
    lon_scale_m,
    scaled_segment_offset,
    segment_offset,
)

ROUNDING_M: Final = 0.01
"""Bounds of distances are this much wider than computed; rounding is far below it."""


@kernel
def is_within(ends: F64, reach_m: F64, part: int, lon: float, lat: float) -> bool:
    """Whether a point is within reach of a segment."""
    lon1, lat1, lon2, lat2 = ends[part, 0], ends[part, 1], ends[part, 2], ends[part, 3]
    if lon1 == lon2 and lat1 == lat2:
        distance = haversine_m(lon, lat, lon1, lat1)
    else:
        distance, _ = segment_offset(lon, lat, lon1, lat1, lon2, lat2)
    return bool(distance <= reach_m[part])


@kernel
def is_any_within(
    ends: F64, reach_m: F64, words: I32, at: int, parts: int, lon: float, lat: float
) -> bool:
    """Whether a point is within reach of one of the segments words[at:at + parts]."""
    for part in range(at, at + parts):  # noqa: SIM110  kernels know no generators
        if is_within(ends, reach_m, words[part], lon, lat):
            return True
    return False


@kernel
def cell_distances(
    ends: F64, part: int, west: float, south: float, east: float, north: float
) -> tuple[float, float]:
    """Bounds of the distance from the points of a cell to a segment: (at least, at most) metres.

    (0, infinity) where the cell is too close to a pole or the antipode to tell.
    """
    lon, lat = 0.5 * (west + east), 0.5 * (south + north)
    half_lon, half_lat = 0.5 * (east - west), 0.5 * (north - south)
    lon1, lat1, lon2, lat2 = ends[part, 0], ends[part, 1], ends[part, 2], ends[part, 3]
    # The shorter way round must be the same one for all points of the cell.
    turned = abs(lon_difference(lon, lon1)) + half_lon >= 179.999
    if turned or north > 90.0 or south < -90.0:
        return 0.0, math.inf
    nearest = 0.0 if south <= 0.0 <= north else min(abs(south), abs(north))
    widest = lon_scale_m(nearest)
    # No point of the cell is farther from its middle than this, along the sphere or in a plane.
    radius = math.hypot(half_lon * widest, half_lat * METRES_PER_DEGREE) + ROUNDING_M
    if lon1 == lon2 and lat1 == lat2:
        middle = haversine_m(lon, lat, lon1, lat1)
        return middle - radius, middle + radius
    # Distances in the plane grow with its scale, which is between these two for the cell's points;
    # in one plane, distances differ by no more than the way from point to point.
    narrowest = lon_scale_m(max(abs(south), abs(north)))
    least, _ = scaled_segment_offset(lon, lat, narrowest, lon1, lat1, lon2, lat2)
    most, _ = scaled_segment_offset(lon, lat, widest, lon1, lat1, lon2, lat2)
    return least - radius, most + radius
