"""One level of cells: each becomes a leaf, or is split into sixteen.

Belongs here: the kernel that walks a level, and where it puts what. `build` owns the arrays.
"""

from typing import Final, NamedTuple

import numpy as np

from devices.batch import I32, I64
from devices.compile import kernel
from geofence.grid.cut import Box, cut_record
from geofence.grid.layout import Outlines

FAN: Final = 4
FAN_BITS: Final = 2
BLOCK: Final = FAN * FAN
"""A cell is split into FAN by FAN; sixteen int32 are one cache line."""

X, Y, SLOT, AT, LENGTH, WEIGHT = range(6)
"""Columns of a level's cells: place in the level's grid, where the directory wants to know what
becomes of it, its record in the level's words, the record's length and weight."""

DIRECTORY_USED, LEAVES_USED, CELLS_USED, WORDS_USED, TOTAL, WANTS = range(6)
"""Places in `used`: lengths of the arrays so far, words in all, and the array that is too short."""

MEMO: Final = 1 << 16


class Frame(NamedTuple):
    """Where the grid lies: a square, in degrees.

    margin: how far beyond its sides a cell reaches, so that rounding puts no point into a cell
        that does not reach it.
    """

    west: float
    south: float
    side: float
    margin: float


class Target(NamedTuple):
    """What a level is written to.

    directory: what there is at each part of each split cell: 0 nothing, > 0 a leaf's record in
        `leaves`, < 0 minus a place in the directory where sixteen parts follow.
    cells, words: the next level. memo: leaves that may be shared, by hash.
    """

    directory: I32
    leaves: I32
    cells: I64
    words: I32
    memo: I64
    used: I64


@kernel
def _box(frame: Frame, size: float, x: int, y: int) -> Box:
    west = frame.west + x * size
    south = frame.south + y * size
    return (
        west - frame.margin,
        south - frame.margin,
        west + size + frame.margin,
        south + size + frame.margin,
    )


@kernel
def _shared(memo: I64, leaves: I32, used: int, words: I32, at: int, length: int) -> int:
    """Where a leaf with the same record is, else 0, and then one is expected at `used`."""
    key = 17
    for k in range(at, at + length):
        key = ((key * 31 + words[k]) ^ (key >> 20)) & 0xFFFFFFFF
    key = (key ^ (key >> 16)) & (MEMO - 1)
    found = memo[key]
    same = found > 0 and found + length <= used
    for k in range(length):
        same = same and leaves[found + k] == words[at + k]
    if same:
        return int(found)
    memo[key] = used
    return 0


@kernel
def _make_leaf(target: Target, slot: int, words: I32, at: int, length: int) -> bool:
    """Copy a cell's record to the leaves. False: no room."""
    used, leaves = target.used, target.leaves
    to = used[LEAVES_USED]
    if to + length > len(leaves):
        used[WANTS] = LEAVES_USED
        return False
    same = _shared(target.memo, leaves, to, words, at, length)
    if same > 0:
        target.directory[slot] = same
        used[TOTAL] -= length
        return True
    for k in range(length):
        leaves[to + k] = words[at + k]
    target.directory[slot] = to
    used[LEAVES_USED] += length
    return True


@kernel
def _room(target: Target) -> bool:
    """Whether sixteen more cells fit into the target, not counting their words."""
    used = target.used
    if used[DIRECTORY_USED] + BLOCK > len(target.directory):
        used[WANTS] = DIRECTORY_USED
        return False
    if used[CELLS_USED] + BLOCK > len(target.cells):
        used[WANTS] = CELLS_USED
        return False
    return True


@kernel
def _split(
    outlines: Outlines, frame: Frame, size: float, target: Target, cells: I64, cell: int, words: I32
) -> bool:
    """Cut a cell into its parts of the given size, as cells of the next level. False: no room."""
    if not _room(target):
        return False
    used, directory, made, out = target.used, target.directory, target.cells, target.words
    block, count, to = used[DIRECTORY_USED], used[CELLS_USED], used[WORDS_USED]
    vertices, ends = outlines.vertices, outlines.ends
    reach_m, boxes = outlines.reach_m, outlines.boxes
    at, before = cells[cell, AT], cells[cell, LENGTH]
    most = 2 * (before + cells[cell, WEIGHT]) + 2
    for part in range(BLOCK):
        directory[block + part] = 0
        if to + most > len(out):
            used[WANTS] = WORDS_USED
            return False
        x = cells[cell, X] * FAN + part % FAN
        y = cells[cell, Y] * FAN + part // FAN
        box = _box(frame, size, x, y)
        length, weight = cut_record(vertices, ends, reach_m, boxes, words, at, box, out, to)
        if out[to] > 0:
            made[count, X], made[count, Y], made[count, SLOT] = x, y, block + part
            made[count, AT], made[count, LENGTH], made[count, WEIGHT] = to, length, weight
            count += 1
            to += length
    used[TOTAL] += BLOCK + to - used[WORDS_USED] - before
    used[DIRECTORY_USED], used[CELLS_USED], used[WORDS_USED] = block + BLOCK, count, to
    directory[cells[cell, SLOT]] = -block
    return True


@kernel
def walk_level(
    outlines: Outlines,
    frame: Frame,
    size: float,
    target: Target,
    cells: I64,
    words: I32,
    order: I64,
    begin: int,
    most_weight: int,
    most_words: int,
) -> int:
    """Make every cell order[begin:] a leaf or split it; how far it came before room ran out.

    cells: shape (n, 6). size: of the parts, degrees.
    """
    for k in range(begin, len(order)):
        cell = order[k]
        # Once there is no memory for more, what is left stays as coarse as it is.
        if cells[cell, WEIGHT] <= most_weight or target.used[TOTAL] > most_words:
            done = _make_leaf(
                target, cells[cell, SLOT], words, cells[cell, AT], cells[cell, LENGTH]
            )
        else:
            done = _split(outlines, frame, size, target, cells, cell, words)
        if not done:
            return k
    return len(order)


@kernel
def spread(directory: I32, levels: int, table: I32) -> None:
    """Fill a square table with what the directory holds `levels` below its root."""
    width = len(table)
    for y in range(width):
        for x in range(width):
            value = directory[0]
            shift = FAN_BITS * levels
            while value < 0 and shift > 0:
                shift -= FAN_BITS
                part = ((y >> shift) & (FAN - 1)) * FAN + ((x >> shift) & (FAN - 1))
                value = directory[part - value]
            table[y, x] = value


def no_memo() -> I64:
    """An empty memo."""
    return np.zeros(MEMO, np.int64)
