"""The index over a network's segments: a grid of cells, made once for many searches.

Belongs here: which segments a cell lists, and what the search wants to know of a segment. Searching
is `near`'s.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import I32, I64
from devices.compile import allocating_kernel, kernel
from geofence.geodesy import METRES_PER_DEGREE, lon_scale_m
from geofence.registry import BEGINNING_US, END_US
from geofence.roads.network import RoadNetwork
from geofence.roads.ways import Rows

CELLS_PER_DEGREE: Final = 1000.0
"""Cells of about 110 m."""

REACH_M: Final = 50.0
"""A cell lists what lies within this of any point of it: one cell answers a search up to here."""

STEEPEST_LAT: Final = 85.0
"""Nearer to the poles cells reach no farther east and west than here."""

_SLACK_DEG: Final = 1e-9
"""Segments are entered in cells this much farther away, so that rounding hides none."""

_BLOCK: Final = 8
"""Cells to a side of a block. Blocks are found by hashing, the cells of one lie together: the next
fix of a vehicle is likely in the same block."""

_COLUMNS: Final = 50_000
"""More than the blocks of a parallel: a block's key is row * _COLUMNS + column."""

_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)

LINE_DTYPE: Final = np.dtype(
    [
        ("lon", np.float64),  # of its first vertex
        ("lat", np.float64),
        ("east_deg", np.float64),  # from there to the second, by the shorter way round
        ("north_m", np.float64),
        ("place_m", np.float64),  # of the first vertex along the stroke
        ("along_m", np.float64),  # from the first to the second along the stroke, may be negative
        ("road", np.int32),  # stroke * 4 + quarter of the compass: a hairpin's arms are two roads
        ("edge", np.int32),
        ("bearing", np.float32),  # in the direction of the stroke, degrees from north, [0, 360)
        ("is_dated", np.bool_),  # its edge is not valid for ever
    ],
    align=True,
)
"""A segment as the search wants it: 64 bytes, and nothing of its edge needed but its dates."""


class Grid(NamedTuple):
    """Segments by cell, for kernels.

    key, block: open addressing, a power of two: key[slot] -1 empty. The segments of cell c of a
    block are segment[start[64 * block + c]:start[64 * block + c + 1]], ascending.
    """

    key: I64
    block: I32
    start: I32
    segment: I32


@kernel
def _cells(segments: Any, cells: I64, owner: I32) -> int:
    """Keys of the cells near segments, and whose; only counts where there is no room."""
    count = 0
    high = REACH_M / METRES_PER_DEGREE + _SLACK_DEG
    for s in range(len(segments)):
        lon1, lat1 = segments[s]["lon1"], segments[s]["lat1"]
        lon2, lat2 = segments[s]["lon2"], segments[s]["lat2"]
        low, top = min(lat1, lat2), max(lat1, lat2)
        first = math.floor((low - high) * CELLS_PER_DEGREE)
        last = math.floor((top + high) * CELLS_PER_DEGREE)
        steep = min(STEEPEST_LAT, max(abs(low), abs(top)) + 2.0 * high + 1.0 / CELLS_PER_DEGREE)
        wide = REACH_M / lon_scale_m(steep) + _SLACK_DEG
        for row in range(first, last + 1):
            # The part of the segment that the cells of this row reach.
            south = max(row / CELLS_PER_DEGREE - high, low)
            north = min((row + 1) / CELLS_PER_DEGREE + high, top)
            a, b = lon1, lon2
            if lat1 != lat2:
                a = lon1 + (lon2 - lon1) * min(1.0, max(0.0, (south - lat1) / (lat2 - lat1)))
                b = lon1 + (lon2 - lon1) * min(1.0, max(0.0, (north - lat1) / (lat2 - lat1)))
            west = math.floor((min(a, b) - wide) * CELLS_PER_DEGREE)
            east = math.floor((max(a, b) + wide) * CELLS_PER_DEGREE)
            for column in range(west, east + 1):
                if count < len(cells):
                    cells[count] = block_key(row, column) * _BLOCK * _BLOCK + cell_in_block(
                        row, column
                    )
                    owner[count] = s
                count += 1
    return count


@kernel
def block_key(row: int, column: int) -> int:
    """The key of the block that a cell is in, at least 0."""
    return ((row >> 3) + 12_500) * _COLUMNS + (column >> 3) + 25_000


@kernel
def cell_in_block(row: int, column: int) -> int:
    """Which cell of its block a cell is."""
    return (row & 7) * _BLOCK + (column & 7)


@kernel
def slot_of(key: int, size: int) -> int:
    """Where in a table of `size` slots the search for a key begins."""
    spread = np.uint64(key) * _SPREAD
    return int(spread >> np.uint64(20)) & (size - 1)


@kernel
def _enter(keys: I64, table: I64, block: I32) -> None:
    for b in range(len(keys)):
        slot = slot_of(keys[b], len(table))
        while table[slot] >= 0:
            slot = (slot + 1) & (len(table) - 1)
        table[slot] = keys[b]
        block[slot] = b


@allocating_kernel
def _sort(cells: I64, owner: I32, blocks: I64, start: I32, segment: I32) -> None:
    """Fill start and segment: a counting sort, so that a cell's segments stay ascending."""
    size = _BLOCK * _BLOCK
    for k in range(len(cells)):
        cells[k] += (np.searchsorted(blocks, cells[k] // size) - cells[k] // size) * size
        start[cells[k] + 1] += 1
    for c in range(len(start) - 1):
        start[c + 1] += start[c]
    free = start[:-1].copy()
    for k in range(len(cells)):
        segment[free[cells[k]]] = owner[k]
        free[cells[k]] += 1


def build_grid(network: RoadNetwork) -> Grid:
    """The grid of a network's segments. Raises ValueError for more than the lists can number."""
    nothing = np.empty(0, np.int64), np.empty(0, np.int32)
    count = _cells(network.segments, *nothing)
    if count > np.iinfo(np.int32).max:
        raise ValueError(f"segments: expected fewer, they lie in {count} lists of cells")
    cells, owner = np.empty(count, np.int64), np.empty(count, np.int32)
    _cells(network.segments, cells, owner)
    size = _BLOCK * _BLOCK
    blocks = np.unique(cells // size)
    start = np.zeros(len(blocks) * size + 1, np.int32)
    segment = np.empty(count, np.int32)
    _sort(cells, owner, blocks, start, segment)
    slots = 1 << max(4, math.ceil(math.log2(2 * len(blocks) + 1)))
    table, block = np.full(slots, -1, np.int64), np.zeros(slots, np.int32)
    _enter(blocks, table, block)
    return Grid(table, block, start, segment)


def build_lines(network: RoadNetwork) -> Rows:
    """A network's segments as the search wants them, LINE_DTYPE."""
    segments = network.segments
    edge = network.edges[segments["edge"]]
    lines = np.zeros(len(segments), LINE_DTYPE)
    lines["lon"], lines["lat"] = segments["lon1"], segments["lat1"]
    east = segments["lon2"] - segments["lon1"]
    lines["east_deg"] = east - 360.0 * (east > 180.0) + 360.0 * (east < -180.0)
    lines["north_m"] = (segments["lat2"] - segments["lat1"]) * METRES_PER_DEGREE
    flipped = edge["is_flipped"]
    at = np.where(flipped, edge["length_m"] - segments["along_m"], segments["along_m"])
    lines["place_m"] = edge["offset_m"] + at
    lines["along_m"] = np.where(flipped, -segments["length_m"], segments["length_m"])
    bearing = (segments["bearing"] + np.where(flipped, 180.0, 0.0)) % 360.0
    lines["road"] = edge["stroke"] * 4 + np.floor(((bearing + 45.0) % 360.0) / 90.0)
    lines["edge"], lines["bearing"] = segments["edge"], bearing
    lines["is_dated"] = (edge["valid_from"] > BEGINNING_US) | (edge["valid_to"] < END_US)
    return lines
