"""The zones of points, read from a grid.

Belongs here: the one kernel that runs for every fix.
"""

from typing import Final

from devices.batch import F64, I32, I64
from devices.compile import inlined_kernel, kernel
from geofence.grid.build import Grid
from geofence.grid.layout import Outlines
from geofence.grid.level import FAN, FAN_BITS
from geofence.grid.reach import is_any_within
from geofence.grid.record import ASK, BORDER, INSIDE, KIND, KIND_BITS, REACH
from geofence.grid.ring_test import ON, UNSURE, side_of_runs

AHEAD: Final = 64
"""Points whose records are looked up at once."""


@kernel
def leaf_of(table: I32, directory: I32, column: int, line: int, shift: int) -> int:
    """Where the record of a cell begins, 0 if there is no zone."""
    value = table[line >> shift, column >> shift]
    while value < 0:
        shift -= FAN_BITS
        part = ((line >> shift) & (FAN - 1)) * FAN + ((column >> shift) & (FAN - 1))
        value = directory[part - value]
    return int(value)


@kernel
def side_of_entry(
    vertices: F64, ends: F64, reach_m: F64, words: I32, at: int, lon: float, lat: float
) -> int:
    """1 inside, 0 outside or UNSURE, by an entry that is not INSIDE."""
    kind = words[at] & KIND
    if kind == ASK:
        return UNSURE
    if kind == REACH:
        return int(is_any_within(ends, reach_m, words, at + 2, words[at + 1], lon, lat))
    side = side_of_runs(vertices, words, at + 2, words[at + 1] >> 1, lon, lat)
    if side < ON:
        return int(side ^ (words[at + 1] & 1))
    return 1 if side == ON else UNSURE


@kernel
def after_entry(words: I32, at: int) -> int:
    """Where the entry after the one at `at` begins."""
    kind = words[at] & KIND
    if kind == BORDER:
        return int(at + 2 + 2 * (words[at + 1] >> 1))
    if kind == REACH:
        return int(at + 2 + words[at + 1])
    return at + 1


@inlined_kernel
def _look_ahead(grid: Grid, lon: F64, lat: F64, begin: int, ahead: I64) -> None:
    """Where the records of the next points begin, 0 if there is no zone.

    Many at once, because one point after another would wait for memory at each step to the next
    array. The processor reads ahead here, and the records are at hand when they are wanted.
    ahead: shape (2, AHEAD), the second row means nothing: that it is written makes the reading
    happen.
    """
    leaves, touched = ahead[0], ahead[1]
    end = float(1 << grid.bits)
    some = min(AHEAD, len(lon) - begin)
    for k in range(some):
        x = (lon[begin + k] - grid.west) * grid.scale
        y = (lat[begin + k] - grid.south) * grid.scale
        leaves[k] = 0
        if 0.0 <= x < end and 0.0 <= y < end:  # NaN is in no cell
            leaves[k] = leaf_of(grid.table, grid.directory, int(x), int(y), grid.shift)
    for k in range(some):
        if leaves[k] > 0:
            touched[k] = grid.leaves[leaves[k]]


@kernel
def find_zones(
    outlines: Outlines,
    grid: Grid,
    lon: F64,
    lat: F64,
    start: I64,
    rows: I32,
    doubts: I64,
    progress: I64,
    ahead: I64,
) -> None:
    """Rows of the zones of each point, and the doubtful ones among them.

    start: shape (n + 1,), each point's offset into rows; start[0] is given. doubts: shape (d, 2),
    the place of a row, and the point of which only shapely can say if that zone contains it.
    progress: points, rows and doubts so far. ahead: room to work in, shape (2, AHEAD). Ends early
    where room in rows or doubts runs out.
    """
    vertices, ends, reach_m = outlines.vertices, outlines.ends, outlines.reach_m
    words, leaves = grid.leaves, ahead[0]
    first, found, doubted = progress[0], progress[1], progress[2]
    for i in range(first, len(lon)):
        here = (i - first) % AHEAD
        if here == 0:
            _look_ahead(grid, lon, lat, i, ahead)
        at = leaves[here]
        if at > 0:
            entries = words[at]
            if found + entries > len(rows) or doubted + entries > len(doubts):
                break
            at += 1
            for _ in range(entries):
                side = 1
                if words[at] & KIND != INSIDE:
                    side = side_of_entry(vertices, ends, reach_m, words, at, lon[i], lat[i])
                if side == UNSURE:
                    doubts[doubted, 0], doubts[doubted, 1] = found, i
                    doubted += 1
                rows[found] = words[at] >> KIND_BITS
                found += side != 0
                at = after_entry(words, at)
        start[i + 1] = found
        progress[0], progress[1], progress[2] = i + 1, found, doubted
