"""Paths of routes: how far a point lies from a path, and how far along it.

Belongs here: the arrays that hold all paths, and the kernel that measures against them. Which
vehicle is on which route is a matter of the rulebook.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import F64, I64
from devices.compile import inlined_kernel, kernel
from geofence.geodesy import (
    METRES_PER_DEGREE,
    haversine_m,
    lon_scale_m,
    scaled_segment_offset,
)

CHUNK: Final = 32
"""Segments to a box: a path of 5,000 points is 157 boxes, most of them ruled out at once."""

LIKELY: Final = 8
"""Segments tried before all others: a vehicle is found a little farther along than it was."""


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
def _box_distance_m(lon: float, lat: float, scale: float, boxes: F64, at: int) -> float:
    """A lower bound of the distance to anything in a box, in the local plane at the point."""
    west, south, east, north = boxes[at, 0], boxes[at, 1], boxes[at, 2], boxes[at, 3]
    dx = max(0.0, west - lon, lon - east)
    dx = min(dx, max(0.0, 360.0 - dx - (east - west)))  # the other way round may be shorter
    dy = max(0.0, south - lat, lat - north)
    x, y = dx * scale, dy * METRES_PER_DEGREE
    return math.sqrt(x * x + y * y)


@inlined_kernel
def find_near(
    lon: float,
    lat: float,
    scale_m: float,
    path: int,
    within_m: float,
    likely: int,
    start: I64,
    ends: F64,
    chunk_start: I64,
    chunk_box: F64,
) -> int:
    """A segment of a path at most `within_m` from a point, -1: there is none.

    scale_m: `lon_scale_m(lat)`.
    likely: the segment that is tried first, and then the next ones; any number will do. One is
        found if and only if the distance that `path_offset` gives is at most `within_m`.
    """
    # One way out: returns from within loops would have every array counted as used and unused.
    found, scale = -1, scale_m
    for s in range(max(likely, start[path]), min(likely + LIKELY, start[path + 1])):
        distance, _ = scaled_segment_offset(
            lon, lat, scale, ends[s, 0], ends[s, 1], ends[s, 2], ends[s, 3]
        )
        if distance <= within_m:
            found = s
            break
    first, end = chunk_start[path], chunk_start[path + 1]
    ahead = (likely - start[path]) // CHUNK
    for k in range(first, end if found < 0 else first):
        chunk = first + (k - first + ahead) % (end - first)
        # A micrometre more: bound and distance are rounded differently.
        if _box_distance_m(lon, lat, scale, chunk_box, chunk) > within_m + 1e-6:
            continue
        begin = start[path] + (chunk - first) * CHUNK
        for s in range(begin, min(begin + CHUNK, start[path + 1])):
            distance, _ = scaled_segment_offset(
                lon, lat, scale, ends[s, 0], ends[s, 1], ends[s, 2], ends[s, 3]
            )
            if distance <= within_m:
                found = s
                break
        if found >= 0:
            break
    return found


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
        bound = _box_distance_m(lon, lat, scale, chunk_box, chunk)
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
        if _box_distance_m(lon, lat, scale, chunk_box, chunk) > limit + 1e-6:
            continue
        begin = start[path] + (chunk - first) * CHUNK
        for s in range(begin, min(begin + CHUNK, start[path + 1])):
            distance, fraction = scaled_segment_offset(
                lon, lat, scale, ends[s, 0], ends[s, 1], ends[s, 2], ends[s, 3]
            )
            if distance < best:
                best, along = distance, along_m[s] + fraction * length_m[s]
    return best, along
