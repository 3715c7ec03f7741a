"""Shapes laid out as arrays, the form that the grid's kernels read.

Belongs here: from shapely to arrays, once per index. Nothing here knows of cells.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from devices.batch import F64, I32, I64
from geofence.geodesy import METRES_PER_DEGREE
from geofence.geometry import Shape

SLACK: Final = 1.0 + 1e-9
"""Boxes are this much larger than what they hold, so that rounding hides no point of it."""


class Outlines(NamedTuple):
    """What kernels need of the shapes.

    vertices: shape (v, 2), lon and lat, ring after ring; a ring's first vertex is also its last.
    ends: shape (k, 4), lon1, lat1, lon2, lat2 of the segments of circles (both ends the same) and
        corridors. reach_m: shape (k,), how far each of them reaches.
    boxes: shape (z, 4), west, south, east, north of every polygon's row; others are not used.
    """

    vertices: F64
    ends: F64
    reach_m: F64
    boxes: F64


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Shapes as arrays; the i-th shape is row i.

    ring_start: shape (r + 1,), offsets into `outlines.vertices`. ring_row: shape (r,), ascending.
    part_row: shape (k,), row of each segment, ascending.
    extent: west, south, east, north of all there is; None without any.
    geometries: shape (z,), shapely's own, for the points that floating point cannot decide.
    """

    outlines: Outlines
    ring_start: I64
    ring_row: I32
    part_row: I32
    extent: tuple[float, float, float, float] | None
    geometries: NDArray[np.object_]

    @property
    def size(self) -> int:
        """Edges and segments together: what building the grid takes time for."""
        return len(self.outlines.vertices) + len(self.outlines.ends)

    def fingerprint(self) -> str:
        """A hash of everything that a grid depends on."""
        digest = hashlib.sha256()
        of = self.outlines
        for array in (
            of.vertices, of.ends, of.reach_m, self.ring_start, self.ring_row, self.part_row,
        ):  # fmt: skip
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _segments(shape: Shape) -> F64:
    """Ends of a circle's or corridor's segments, shape (k, 4). Steps of no length are left out."""
    if shape.kind == "circle":
        return np.tile(shapely.get_coordinates(shape.geometry), 2)
    lines = [shapely.get_coordinates(line) for line in shapely.get_parts(shape.geometry)]
    ends: F64 = np.concatenate([np.hstack([line[:-1], line[1:]]) for line in lines])
    return ends[np.any(ends[:, :2] != ends[:, 2:], axis=1)]


def _reach_boxes(ends: F64, reach_m: F64) -> F64:
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
    boxes = np.column_stack([west, south - high, east, north + high])
    # Boxes that reach over the antimeridian are there twice, once on each side.
    over = [(west < -180.0, 360.0), (east > 180.0, -360.0)]
    shifted = [boxes[mask] + np.array([by, 0.0, by, 0.0]) for mask, by in over]
    twice: F64 = np.concatenate([boxes, *shifted])
    return twice


def _extent(boxes: F64) -> tuple[float, float, float, float] | None:
    if len(boxes) == 0:
        return None
    west, south = boxes[:, :2].min(axis=0).tolist()
    east, north = boxes[:, 2:].max(axis=0).tolist()
    return west, south, east, north


def _rings(polygons: Any) -> tuple[F64, I64, NDArray[np.intp]]:
    """Vertices, ring offsets, and which polygon each ring is of."""
    parts, of_polygon = shapely.get_parts(polygons, return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    vertices, of_ring = shapely.get_coordinates(rings, return_index=True)
    start = np.zeros(len(rings) + 1, np.int64)
    np.cumsum(np.bincount(of_ring, minlength=len(rings)), out=start[1:])
    return np.ascontiguousarray(vertices), start, of_polygon[of_part]


def lay_out(shapes: Sequence[Shape]) -> Layout:
    """The arrays of some shapes."""
    geometries = np.empty(len(shapes), object)
    geometries[:] = [shape.geometry for shape in shapes]
    is_area = np.array([shape.kind == "polygon" for shape in shapes], np.bool_)
    vertices, ring_start, of_area = _rings(geometries[is_area])
    boxes = np.full((len(shapes), 4), np.nan)
    boxes[is_area] = shapely.bounds(geometries[is_area]).reshape(-1, 4)

    reaching = np.flatnonzero(~is_area)
    segments = [_segments(shapes[row]) for row in reaching.tolist()]
    counts = [len(ends) for ends in segments]
    ends: F64 = np.concatenate([np.empty((0, 4)), *segments])
    reach_m = np.repeat(np.array([shapes[r].reach_m for r in reaching.tolist()]), counts)
    full = boxes[~np.isnan(boxes[:, 0])]
    return Layout(
        outlines=Outlines(vertices, ends, reach_m.astype(np.float64), boxes),
        ring_start=ring_start,
        ring_row=np.flatnonzero(is_area)[of_area].astype(np.int32),
        part_row=np.repeat(reaching, counts).astype(np.int32),
        extent=_extent(np.concatenate([full, _reach_boxes(ends, reach_m)])),
        geometries=geometries,
    )
