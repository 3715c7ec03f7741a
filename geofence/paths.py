"""Paths of routes: how far a point lies from a path, and how far along it.

Belongs here: the arrays that hold all paths, and the kernel that measures against them. Which
vehicle is on which route is a matter of the rulebook.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import F64, I32, I64
from geofence.compile import kernel
from geofence.geodesy import (
    METRES_PER_DEGREE,
    haversine_m,
    lon_scale_m,
    scaled_segment_offset,
)

CHUNK: Final = 32
"""Segments to a box: a path of 5,000 points is 157 boxes, most of them ruled out at once."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Polylines as flat arrays, all of them one after another.

    start: shape (p + 1,), offsets of path i's segments.
    ends: shape (s, 4), lon1, lat1, lon2, lat2 of each segment.
    along_m: shape (s,), metres of path before the segment. length_m: shape (s,), great circles.
    chunk_start: shape (p + 1,), offsets of path i's chunks. chunk_box: shape (c, 4), west, south,
        east, north of CHUNK consecutive segments.
    """

    start: I64
    ends: F64
    along_m: F64
    length_m: F64
    chunk_start: I64
    chunk_box: F64

    def __len__(self) -> int:
        return len(self.start) - 1

    @classmethod
    def build(cls, lines: Sequence[F64]) -> "Paths":
        """The paths of lines of shape (k, 2), k >= 2; segments of no length are kept."""
        segments = [np.hstack([line[:-1], line[1:]]) for line in lines]
        lengths = [_lengths(ends) for ends in segments]
        boxes = [_chunk_boxes(ends) for ends in segments]
        return cls(
            start=_offsets([len(ends) for ends in segments]),
            ends=np.concatenate([np.empty((0, 4)), *segments]),
            along_m=np.concatenate([np.empty(0), *[np.cumsum(m) - m for m in lengths]]),
            length_m=np.concatenate([np.empty(0), *lengths]),
            chunk_start=_offsets([len(box) for box in boxes]),
            chunk_box=np.concatenate([np.empty((0, 4)), *boxes]),
        )


def _offsets(counts: Sequence[int]) -> I64:
    start = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=start[1:])
    return start


@kernel
def _fill_lengths(ends: F64, length_m: F64) -> None:
    for s in range(len(ends)):
        length_m[s] = haversine_m(ends[s, 0], ends[s, 1], ends[s, 2], ends[s, 3])


def _lengths(ends: F64) -> F64:
    length_m = np.empty(len(ends), np.float64)
    _fill_lengths(ends, length_m)
    return length_m


def _chunk_boxes(ends: F64) -> F64:
    cuts = np.arange(0, len(ends), CHUNK)
    lon, lat = ends[:, [0, 2]], ends[:, [1, 3]]
    return np.column_stack(
        [
            np.minimum.reduceat(lon.min(axis=1), cuts),
            np.minimum.reduceat(lat.min(axis=1), cuts),
            np.maximum.reduceat(lon.max(axis=1), cuts),
            np.maximum.reduceat(lat.max(axis=1), cuts),
        ]
    )


@kernel
def _box_distance_m(lon: float, lat: float, scale: float, box: F64) -> float:
    """A lower bound of the distance to anything in a box, in the local plane at the point."""
    dx = 0.0
    if lon < box[0]:
        dx = box[0] - lon
    elif lon > box[2]:
        dx = lon - box[2]
    dx = min(dx, max(0.0, 360.0 - dx - (box[2] - box[0])))  # the other way round may be shorter
    dy = max(0.0, box[1] - lat, lat - box[3])
    x, y = dx * scale, dy * METRES_PER_DEGREE
    return math.sqrt(x * x + y * y)


@kernel
def path_offset(
    lon: float,
    lat: float,
    path: int,
    start: I64,
    ends: F64,
    along_m: F64,
    length_m: F64,
    chunk_start: I64,
    chunk_box: F64,
) -> tuple[float, float]:
    """Distance from a point to a path, and along the path to the nearest point, metres.

    Of several nearest points the first along the path counts.
    """
    # The box that may come nearest first: it rules out nearly all others.
    scale = lon_scale_m(lat)
    first = chunk_start[path]
    likely, nearest = first, math.inf
    for chunk in range(first, chunk_start[path + 1]):
        bound = _box_distance_m(lon, lat, scale, chunk_box[chunk])
        if bound < nearest:
            likely, nearest = chunk, bound
    limit = math.inf
    begin = start[path] + (likely - first) * CHUNK
    for s in range(begin, min(begin + CHUNK, start[path + 1])):
        distance, _ = scaled_segment_offset(
            lon, lat, scale, ends[s, 0], ends[s, 1], ends[s, 2], ends[s, 3]
        )
        limit = min(limit, distance)
    best, along = math.inf, 0.0
    for chunk in range(first, chunk_start[path + 1]):
        # A micrometre more: bound and distance are rounded differently.
        if _box_distance_m(lon, lat, scale, chunk_box[chunk]) > limit + 1e-6:
            continue
        begin = start[path] + (chunk - first) * CHUNK
        for s in range(begin, min(begin + CHUNK, start[path + 1])):
            distance, fraction = scaled_segment_offset(
                lon, lat, scale, ends[s, 0], ends[s, 1], ends[s, 2], ends[s, 3]
            )
            if distance < best:
                best, along = distance, along_m[s] + fraction * length_m[s]
    return best, along


@kernel
def _path_offsets(
    lon: F64,
    lat: F64,
    route_row: I32,
    start: I64,
    ends: F64,
    along_m: F64,
    length_m: F64,
    chunk_start: I64,
    chunk_box: F64,
    offset: F64,
    along: F64,
) -> None:
    for i in range(route_row.shape[0]):
        for slot in range(route_row.shape[1]):
            route = route_row[i, slot]
            for direction in range(2):
                if route < 0:
                    offset[i, slot, direction] = math.nan
                    along[i, slot, direction] = math.nan
                    continue
                offset[i, slot, direction], along[i, slot, direction] = path_offset(
                    lon[i], lat[i], 2 * route + direction, start, ends, along_m, length_m,
                    chunk_start, chunk_box,
                )  # fmt: skip


def path_offsets(paths: Paths, lon: F64, lat: F64, route_row: I32) -> tuple[F64, F64]:
    """Distance from and along the paths of routes, metres, shape (n, R, 2) each.

    paths: those of route r are 2 * r (outbound) and 2 * r + 1 (inbound).
    lon, lat: shape (n,), degrees. route_row: shape (n, R), -1 none, which gives NaN.
    """
    offset = np.empty((*route_row.shape, 2), np.float64)
    along = np.empty_like(offset)
    _path_offsets(
        lon, lat, route_row, paths.start, paths.ends, paths.along_m, paths.length_m,
        paths.chunk_start, paths.chunk_box, offset, along,
    )  # fmt: skip
    return offset, along
