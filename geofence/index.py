"""ZoneIndex: which zones contain which points.

Belongs here: membership by geometry alone. When and for whom a zone applies is `locate`'s.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from devices.batch import F64, I32, I64, Bool
from geofence.compile import kernel
from geofence.geodesy import METRES_PER_DEGREE, haversine_m, segment_offset
from geofence.geometry import Shape

SLACK: Final = 1.0 + 1e-9
"""Boxes are this much larger than what they hold, so that rounding hides no point of it."""


@kernel
def _within_reach(lon: F64, lat: F64, ends: F64, reach_m: F64, part: I64, inside: Bool) -> None:
    """Whether point i lies within reach of segment part[i]; a circle is a segment of no length.

    lon, lat, part, inside: shape (n,). ends: shape (k, 4), lon1, lat1, lon2, lat2; reach_m: (k,).
    """
    for i in range(len(part)):
        p = part[i]
        lon1, lat1, lon2, lat2 = ends[p, 0], ends[p, 1], ends[p, 2], ends[p, 3]
        if lon1 == lon2 and lat1 == lat2:
            distance = haversine_m(lon[i], lat[i], lon1, lat1)
        else:
            distance, _ = segment_offset(lon[i], lat[i], lon1, lat1, lon2, lat2)
        inside[i] = distance <= reach_m[p]


def _segments(shape: Shape) -> F64:
    """Ends of a circle's or corridor's segments, shape (k, 4). Steps of no length are left out."""
    if shape.kind == "circle":
        return np.tile(shapely.get_coordinates(shape.geometry), 2)
    lines = [shapely.get_coordinates(line) for line in shapely.get_parts(shape.geometry)]
    ends: F64 = np.concatenate([np.hstack([line[:-1], line[1:]]) for line in lines])
    return ends[np.any(ends[:, :2] != ends[:, 2:], axis=1)]


def _boxes(ends: F64, reach_m: F64) -> F64:
    """Boxes that hold every point within reach of the segments, shape (k, 4): west to north."""
    south = np.minimum(ends[:, 1], ends[:, 3])
    north = np.maximum(ends[:, 1], ends[:, 3])
    high = reach_m / METRES_PER_DEGREE * SLACK
    farthest = np.minimum(np.maximum(np.abs(south), np.abs(north)) + high, 90.0)
    # A circle's widest meridian is a little farther out than at its centre; a plane's is at the
    # latitude of the point. Half the chord over the cosine of the farthest latitude bounds both.
    squeezed = np.sin(np.radians(np.minimum(high, 90.0))) / np.cos(np.radians(farthest))
    wide = np.where(
        (farthest < 90.0) & (squeezed < 1.0),
        np.maximum(
            np.degrees(np.arcsin(np.minimum(squeezed, 1.0))),
            high / np.maximum(np.cos(np.radians(farthest)), 1e-9),
        )
        * SLACK,
        180.0,
    )
    west = np.minimum(ends[:, 0], ends[:, 2]) - wide
    east = np.maximum(ends[:, 0], ends[:, 2]) + wide
    return np.column_stack([west, south - high, east, north + high])


class ZoneIndex:
    """An immutable index over zones' shapes; the i-th shape is row i.

    Polygons contain exactly the points that `shapely.intersects` says, boundaries included.
    Circles contain what lies within their radius on the sphere, corridors what lies within reach
    of a segment in the local plane at the point.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        areas = [row for row, shape in enumerate(shapes) if shape.kind == "polygon"]
        self._area_row = np.array(areas, np.int32)
        self._areas = shapely.STRtree([shapes[row].geometry for row in areas])
        reaching = [(row, s) for row, s in enumerate(shapes) if s.kind != "polygon"]
        segments = [_segments(shape) for _, shape in reaching]
        counts = [len(ends) for ends in segments]
        self._ends: F64 = np.concatenate([np.empty((0, 4)), *segments])
        self._part_row = np.repeat(np.array([row for row, _ in reaching], np.int32), counts)
        self._reach_m: F64 = np.repeat(np.array([s.reach_m for _, s in reaching]), counts)
        boxes = _boxes(self._ends, self._reach_m)
        # Boxes that reach over the antimeridian are there twice, once on each side.
        parts = np.arange(len(boxes))
        over = [(boxes[:, 0] < -180.0, 360.0), (boxes[:, 2] > 180.0, -360.0)]
        shifted = [boxes[mask] + np.array([by, 0.0, by, 0.0]) for mask, by in over]
        self._box_part: I64 = np.concatenate([parts, *[parts[mask] for mask, _ in over]])
        self._boxes = shapely.STRtree(shapely.box(*np.concatenate([boxes, *shifted]).T))

    def contains(self, lon: F64, lat: F64) -> tuple[I64, I32]:
        """The rows of the zones that contain each point.

        lon, lat: shape (n,), degrees, finite; n may be 0. Returns (start, row): point i lies in the
        zones row[start[i]:start[i + 1]], ascending; start has shape (n + 1,).
        """
        points = shapely.points(lon, lat)
        in_area, area = self._areas.query(points, predicate="intersects")
        in_reach, row = self._reached(lon, lat, points)
        point = np.concatenate([in_area, in_reach])
        found = np.concatenate([self._area_row[area], row])
        # A point near a bend is within reach of two segments of one corridor.
        order = np.lexsort((found, point))
        point, found = point[order], found[order]
        first = np.ones(len(point), np.bool_)
        first[1:] = (point[1:] != point[:-1]) | (found[1:] != found[:-1])
        start = np.zeros(len(lon) + 1, np.int64)
        np.cumsum(np.bincount(point[first], minlength=len(lon)), out=start[1:])
        return start, found[first]

    def _reached(self, lon: F64, lat: F64, points: NDArray[np.object_]) -> tuple[I64, I32]:
        """Pairs of point and zone row of circles and corridors, in any order, with repeats."""
        point, box = self._boxes.query(points)
        part = self._box_part[box]
        inside = np.empty(len(part), np.bool_)
        _within_reach(lon[point], lat[point], self._ends, self._reach_m, part, inside)
        return point[inside], self._part_row[part[inside]]
