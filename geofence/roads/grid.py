"""The index over a network's segments: a grid of cells, and the roads near a point.

Belongs here: finding candidates by geometry and validity. How likely each is belongs to `filter`.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import F64, I32, I64
from geofence.compile import kernel
from geofence.geodesy import METRES_PER_DEGREE, lon_scale_m, scaled_segment_offset
from geofence.roads.network import RoadNetwork

CELL_DEG: Final = 0.001
"""About 110 m: two by two cells hold what lies within 50 m."""

MOST_NEAR: Final = 8
"""Roads considered at a fix, the nearest ones."""

_COLUMNS: Final = 400_000
"""More than the cells of a parallel: a cell's key is row * _COLUMNS + column."""

_SLACK_DEG: Final = 1e-9
"""Segments are entered in cells this far beyond them, so that rounding hides none."""

_STEEPEST_LAT: Final = 85.0
"""Nearer to the poles the search reaches no farther east and west than here."""

_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)


class Grid(NamedTuple):
    """Segments by cell, for kernels.

    key, cell: open addressing, a power of two: key[slot] -1 empty. A cell's segments are
    segment[start[cell]:start[cell + 1]].
    """

    key: I64
    cell: I32
    start: I64
    segment: I32


class Near(NamedTuple):
    """The roads near a point, shape (MOST_NEAR,) each; one entry for each `road`.

    road: stroke * 4 + quarter of the compass in which it leads there: a hairpin's arms are two.
    segment: the nearest one, of several the first. fraction: how far along it the point is nearest.
    """

    road: I64
    segment: I32
    distance_m: F64
    fraction: F64


def blank_near() -> Near:
    """Room for the roads near a point."""
    return Near(
        np.empty(MOST_NEAR, np.int64), np.empty(MOST_NEAR, np.int32),
        np.empty(MOST_NEAR), np.empty(MOST_NEAR),
    )  # fmt: skip


@kernel
def _cells(segments: Any, cells: I64, owner: I32) -> int:
    """Keys of the cells that segments cross, and whose; only counts where there is no room."""
    count = 0
    for s in range(len(segments)):
        lon1, lat1 = segments[s]["lon1"], segments[s]["lat1"]
        lon2, lat2 = segments[s]["lon2"], segments[s]["lat2"]
        first = math.floor((min(lat1, lat2) - _SLACK_DEG) / CELL_DEG)
        last = math.floor((max(lat1, lat2) + _SLACK_DEG) / CELL_DEG)
        for row in range(first, last + 1):
            # The part of the segment within this row of cells.
            south = max(row * CELL_DEG - _SLACK_DEG, min(lat1, lat2))
            north = min((row + 1) * CELL_DEG + _SLACK_DEG, max(lat1, lat2))
            a, b = lon1, lon2
            if lat1 != lat2 and first != last:
                a = lon1 + (lon2 - lon1) * min(1.0, max(0.0, (south - lat1) / (lat2 - lat1)))
                b = lon1 + (lon2 - lon1) * min(1.0, max(0.0, (north - lat1) / (lat2 - lat1)))
            west = math.floor((min(a, b) - _SLACK_DEG) / CELL_DEG)
            east = math.floor((max(a, b) + _SLACK_DEG) / CELL_DEG)
            for column in range(west, east + 1):
                if count < len(cells):
                    cells[count] = _key(row, column)
                    owner[count] = s
                count += 1
    return count


@kernel
def _key(row: int, column: int) -> int:
    return (row + 100_000) * _COLUMNS + column + 200_000


@kernel
def _slot(key: int, size: int) -> int:
    spread = np.uint64(key) * _SPREAD
    return int(spread >> np.uint64(20)) & (size - 1)


@kernel
def _enter(keys: I64, table: I64, cell: I32) -> None:
    for c in range(len(keys)):
        slot = _slot(keys[c], len(table))
        while table[slot] >= 0:
            slot = (slot + 1) & (len(table) - 1)
        table[slot] = keys[c]
        cell[slot] = c


def build_grid(network: RoadNetwork) -> Grid:
    """The grid of a network's segments."""
    nothing = np.empty(0, np.int64), np.empty(0, np.int32)
    count = _cells(network.segments, *nothing)
    cells, owner = np.empty(count, np.int64), np.empty(count, np.int32)
    _cells(network.segments, cells, owner)
    order = np.argsort(cells, kind="stable")
    keys, counts = np.unique(cells, return_counts=True)
    size = 1 << max(4, math.ceil(math.log2(2 * len(keys) + 1)))
    table, cell = np.full(size, -1, np.int64), np.zeros(size, np.int32)
    _enter(keys, table, cell)
    start = np.zeros(len(keys) + 1, np.int64)
    np.cumsum(counts, out=start[1:])
    return Grid(table, cell, start, owner[order])


@kernel
def _road(edge: Any, bearing: float) -> int:
    toward = bearing + 180.0 if edge["is_flipped"] else bearing
    return int(edge["stroke"]) * 4 + math.floor(((toward + 45.0) % 360.0) / 90.0)


@kernel
def _offer(
    near: Near, count: int, road: int, segment: int, distance_m: float, fraction: float
) -> int:
    """Keep a segment if its road is among the nearest; returns how many roads there are then."""
    place, worst = -1, 0
    for k in range(count):
        if near.road[k] == road:
            place = k
        if near.distance_m[k] > near.distance_m[worst] or (
            near.distance_m[k] == near.distance_m[worst] and near.segment[k] > near.segment[worst]
        ):
            worst = k
    if place < 0 and count < MOST_NEAR:
        place, count = count, count + 1
    else:
        if place < 0:
            place = worst
        if distance_m > near.distance_m[place] or (
            distance_m == near.distance_m[place] and segment >= near.segment[place]
        ):
            return count
    near.road[place] = road
    near.segment[place] = segment
    near.distance_m[place] = distance_m
    near.fraction[place] = fraction
    return count


@kernel
def roads_near(
    grid: Grid,
    segments: Any,
    edges: Any,
    lon: float,
    lat: float,
    time: int,
    radius_m: float,
    near: Near,
) -> int:
    """Fill in the roads within a radius of a point that are valid at a time; returns how many."""
    count = 0
    scale = lon_scale_m(lat)
    high = radius_m / METRES_PER_DEGREE
    steep = max(-_STEEPEST_LAT, min(_STEEPEST_LAT, abs(lat) + high))
    wide = radius_m / lon_scale_m(steep)
    for row in range(math.floor((lat - high) / CELL_DEG), math.floor((lat + high) / CELL_DEG) + 1):
        for column in range(
            math.floor((lon - wide) / CELL_DEG), math.floor((lon + wide) / CELL_DEG) + 1
        ):
            key = _key(row, column)
            slot = _slot(key, len(grid.key))
            while grid.key[slot] >= 0 and grid.key[slot] != key:
                slot = (slot + 1) & (len(grid.key) - 1)
            if grid.key[slot] < 0:
                continue
            cell = grid.cell[slot]
            for k in range(grid.start[cell], grid.start[cell + 1]):
                s = segments[grid.segment[k]]
                distance, fraction = scaled_segment_offset(
                    lon, lat, scale, s["lon1"], s["lat1"], s["lon2"], s["lat2"]
                )
                if distance > radius_m:
                    continue
                edge = edges[s["edge"]]
                if edge["valid_from"] <= time < edge["valid_to"]:
                    count = _offer(
                        near, count, _road(edge, s["bearing"]), grid.segment[k], distance, fraction
                    )
    return count
