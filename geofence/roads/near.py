"""The roads near a point.

Belongs here: finding candidates by geometry and validity. How likely each is belongs to `filter`.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import F64, I32, I64
from devices.compile import inlined_kernel, kernel
from geofence.geodesy import METRES_PER_DEGREE, lon_difference, lon_scale_m
from geofence.roads.grid import (
    CELLS_PER_DEGREE,
    REACH_M,
    STEEPEST_LAT,
    Grid,
    block_key,
    cell_in_block,
    slot_of,
)

MOST_NEAR: Final = 8
"""Roads considered at a fix, the nearest ones."""

_AT_ONCE: Final = 64
"""Fixes whose cells are looked up together."""

NEAR_DTYPE: Final = np.dtype(
    [
        ("road", np.int32),  # as of LINE_DTYPE
        ("segment", np.int32),  # its nearest one, of several the first
        ("square_m2", np.float64),  # of the distance
        ("fraction", np.float64),  # how far along the segment the point is nearest
    ],
    align=True,
)
"""A road near a point."""


class Lists(NamedTuple):
    """Room for what the cells of some fixes list, shape (k,): Grid.segment[first:last] each.

    touched means nothing: that it is written makes the reading ahead happen.
    """

    first: I32
    last: I32
    touched: I32


def blank_lists() -> Lists:
    """Room for as many fixes as are looked up at once."""
    return Lists(*(np.zeros(_AT_ONCE, np.int32) for _ in Lists._fields))


@inlined_kernel
def _offer(
    near: Any, count: int, road: int, segment: int, square_m2: float, fraction: float
) -> int:
    """Keep a segment if its road is among the nearest; returns how many roads there are then."""
    place = 0
    while place < count and near[place]["road"] != road:
        place += 1
    if place == MOST_NEAR:
        place = 0
        for k in range(1, count):
            if near[k]["square_m2"] > near[place]["square_m2"] or (
                near[k]["square_m2"] == near[place]["square_m2"]
                and near[k]["segment"] > near[place]["segment"]
            ):
                place = k
    if place == count:
        count += 1
    elif square_m2 > near[place]["square_m2"] or (
        square_m2 == near[place]["square_m2"] and segment >= near[place]["segment"]
    ):
        return count
    near[place]["road"] = road
    near[place]["segment"] = segment
    near[place]["square_m2"] = square_m2
    near[place]["fraction"] = fraction
    return count


@inlined_kernel
def _search_list(
    segment: I32,
    first: int,
    last: int,
    lines: Any,
    edges: Any,
    lon: float,
    lat: float,
    scale: float,
    time: int,
    farthest_m2: float,
    near: Any,
    count: int,
) -> int:
    """Offer what a cell lists."""
    for k in range(first, last):
        line = lines[segment[k]]
        x = lon_difference(lon, line["lon"]) * scale
        y = (line["lat"] - lat) * METRES_PER_DEGREE
        dx, dy = line["east_deg"] * scale, line["north_m"]
        ahead, length2 = -(x * dx + y * dy), dx * dx + dy * dy
        fraction = 0.0
        if ahead >= length2:
            fraction = 1.0 if length2 > 0.0 else 0.0
        elif ahead > 0.0:
            fraction = ahead / length2
        x += fraction * dx
        y += fraction * dy
        square = x * x + y * y
        if square > farthest_m2:
            continue
        if line["is_dated"]:
            edge = edges[line["edge"]]
            if not edge["valid_from"] <= time < edge["valid_to"]:
                continue
        count = _offer(near, count, line["road"], segment[k], square, fraction)
    return count


@kernel
def find_cell(key: I64, block: I32, row: int, column: int) -> int:
    """The number of a cell, -1: nothing is near it. key, block: of a Grid."""
    wanted = block_key(row, column)
    slot = slot_of(wanted, len(key))
    while key[slot] != wanted:
        if key[slot] < 0:
            return -1
        slot = (slot + 1) & (len(key) - 1)
    return 64 * int(block[slot]) + cell_in_block(row, column)


@inlined_kernel
def find_lists(grid: Grid, lines: Any, lon: F64, lat: F64, begin: int, lists: Lists) -> None:
    """What the cells of fixes from `begin` on list, as far as there is room and there are fixes.

    Many at once, because a search of one would wait for memory at each step to the next array. The
    processor reads ahead here, and what the searches need is at hand when they come.
    """
    some = min(len(lists.first), len(lon) - begin)
    for k in range(some):
        row = math.floor(lat[begin + k] * CELLS_PER_DEGREE)
        column = math.floor(lon[begin + k] * CELLS_PER_DEGREE)
        cell = find_cell(grid.key, grid.block, row, column)
        lists.first[k] = grid.start[cell] if cell >= 0 else 0
        lists.last[k] = grid.start[cell + 1] if cell >= 0 else 0
    for k in range(some):
        if lists.first[k] < lists.last[k]:
            lists.touched[k] = grid.segment[lists.first[k]]
    for k in range(some):
        if lists.first[k] < lists.last[k]:
            lists.touched[k] = lines[lists.touched[k]]["edge"]


@inlined_kernel
def search(
    grid: Grid, lines: Any, edges: Any, first: int, last: int, lon: float, lat: float,
    scale: float, time: int, radius_m: float, near: Any,
) -> int:  # fmt: skip
    """As `roads_near`, for a point whose cell lists segment[first:last]."""
    farthest_m2 = radius_m * radius_m
    count = _search_list(
        grid.segment, first, last, lines, edges, lon, lat, scale, time, farthest_m2, near, 0
    )
    if radius_m > REACH_M:
        high = (radius_m - REACH_M) / METRES_PER_DEGREE
        wide = (radius_m - REACH_M) / lon_scale_m(min(STEEPEST_LAT, abs(lat) + high))
        west = math.floor((lon - wide) * CELLS_PER_DEGREE)
        east = math.floor((lon + wide) * CELLS_PER_DEGREE)
        south = math.floor((lat - high) * CELLS_PER_DEGREE)
        north = math.floor((lat + high) * CELLS_PER_DEGREE)
        for row in range(south, north + 1):
            for column in range(west, east + 1):
                cell = find_cell(grid.key, grid.block, row, column)
                if cell >= 0:
                    count = _search_list(
                        grid.segment, grid.start[cell], grid.start[cell + 1], lines, edges, lon,
                        lat, scale, time, farthest_m2, near, count,
                    )  # fmt: skip
    return count


@kernel
def roads_near(
    grid: Grid, lines: Any, edges: Any, lon: float, lat: float, time: int, radius_m: float,
    near: Any,
) -> int:  # fmt: skip
    """Fill in the roads within a radius of a point that are valid at a time; returns how many.

    lines: LINE_DTYPE. near: shape (MOST_NEAR,), NEAR_DTYPE.
    """
    row, column = math.floor(lat * CELLS_PER_DEGREE), math.floor(lon * CELLS_PER_DEGREE)
    cell = find_cell(grid.key, grid.block, row, column)
    first = grid.start[cell] if cell >= 0 else 0
    last = grid.start[cell + 1] if cell >= 0 else 0
    scale = lon_scale_m(lat)
    return search(grid, lines, edges, first, last, lon, lat, scale, time, radius_m, near)
