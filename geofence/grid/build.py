"""From a layout to a grid, level by level from the whole down to cells with few edges.

Belongs here: what drives the kernels of `level`, and how fine a grid becomes.
"""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import shapely

from devices.batch import I32, I64
from geofence.grid.cut import SEGMENT_WEIGHT
from geofence.grid.layout import Layout
from geofence.grid.level import (
    BLOCK,
    CELLS_USED,
    DIRECTORY_USED,
    FAN_BITS,
    LEAVES_USED,
    LENGTH,
    TOTAL,
    WANTS,
    WEIGHT,
    WORDS_USED,
    Frame,
    Target,
    no_memo,
    spread,
    walk_level,
)
from geofence.grid.record import ASK, BORDER, KIND_BITS, REACH

SMALLEST_CELL_DEG: Final = 1e-5
MOST_LEVELS: Final = 12
MOST_TABLE_LEVELS: Final = 5
"""The table at the top has at most 1024 by 1024 cells, 4 MB."""

MARGIN: Final = 2.0**-44
"""Cells reach this much of the largest coordinate beyond their sides; rounding is below 2^-50."""


@dataclass(frozen=True, slots=True)
class Fineness:
    """How fine a grid becomes.

    most_weight: cells with more edges than this are split; smaller ones than `usual_deg` only with
        more than FAN times as many, and so on for every FAN times smaller: where many zones share
        one border, no cell is small enough to tell them apart.
    most_words: the size, in int32 words, at which splitting ends.
    """

    most_weight: int = 8
    usual_deg: float = 1e-3
    most_words: int = 24_000_000

    def weight_at(self, size: float) -> int:
        """The weight with which a cell of some size, in degrees, is not split."""
        if size <= 0.0:
            return int(np.iinfo(np.int64).max)
        return int(self.most_weight * max(1.0, self.usual_deg / size))


class Grid(NamedTuple):
    """A grid as kernels read it.

    A point's cell in the smallest size is ((lon - west) * scale, (lat - south) * scale), both
    below `1 << bits`; the highest `bits - shift` bits of them are its cell in `table`.
    table: shape (t, t), directory: shape (d,): see `level.Target`. leaves: records, see `record`.
    """

    west: float
    south: float
    scale: float
    bits: int
    shift: int
    table: I32
    directory: I32
    leaves: I32


def _root_record(layout: Layout) -> I32:
    """The record of the one cell that holds everything."""
    entries: dict[int, list[int]] = {}
    firsts = layout.ring_start[:-1].tolist()
    edges = (np.diff(layout.ring_start) - 1).tolist()
    for row, first, count in zip(layout.ring_row.tolist(), firsts, edges, strict=True):
        entry = entries.setdefault(row, [row << KIND_BITS | BORDER, 0])
        entry[1] += 1 << 1
        entry += [first, count << 2]
    for part, row in enumerate(layout.part_row.tolist()):
        entry = entries.setdefault(row, [row << KIND_BITS | REACH, 0])
        entry[1] += 1
        entry.append(part)
    # Parity is not what decides where rings cross: such shapes are left to shapely.
    for row in list(entries):
        if not shapely.is_valid(layout.geometries[row]):
            entries[row] = [row << KIND_BITS | ASK]
    words = [len(entries)]
    for row in sorted(entries):
        words += entries[row]
    return np.array(words, np.int32)


def _frame(layout: Layout) -> Frame:
    assert layout.extent is not None
    west, south, east, north = layout.extent
    margin = MARGIN * max(map(abs, layout.extent))
    side = max(east - west, north - south) * (1.0 + 2.0**-20) + 8.0 * margin
    return Frame(west - 2.0 * margin, south - 2.0 * margin, max(side, 1e-9), margin)


def _grown(target: Target, least: int) -> Target:
    """The target with twice the room, and `least` more, in the array that is too short."""
    name = {
        DIRECTORY_USED: "directory", LEAVES_USED: "leaves", CELLS_USED: "cells",
        WORDS_USED: "words",
    }[int(target.used[WANTS])]  # fmt: skip
    short = getattr(target, name)
    larger = np.empty((2 * len(short) + least, *short.shape[1:]), short.dtype)
    larger[: len(short)] = short
    return target._replace(**{name: larger})


def _walk(
    layout: Layout,
    frame: Frame,
    target: Target,
    size: float,
    cells: I64,
    words: I32,
    fine: Fineness,
) -> Target:
    """One level; the heaviest cells first, as memory may not be enough for all."""
    order = np.argsort(-cells[:, WEIGHT], kind="stable")
    most_weight = fine.weight_at(size * (1 << FAN_BITS))
    done = 0
    while True:
        done = walk_level(
            layout.outlines, frame, size, target, cells, words, order, done,
            most_weight, fine.most_words,
        )  # fmt: skip
        if done == len(order):
            return target
        cell = cells[order[done]]
        target = _grown(target, int(2 * (cell[LENGTH] + cell[WEIGHT]) + 2))


def _descend(layout: Layout, frame: Frame, levels: int, fine: Fineness) -> tuple[I32, I32, int]:
    """The directory, the leaves, and how many levels they take."""
    words = _root_record(layout)
    weight = layout.size * SEGMENT_WEIGHT
    cells = np.array([[0, 0, 0, 0, len(words), weight]], np.int64)
    used = np.zeros(6, np.int64)
    used[DIRECTORY_USED] = BLOCK
    used[LEAVES_USED] = 1  # a record at 0 would read as nothing
    used[TOTAL] = len(words)
    target = Target(
        np.zeros(BLOCK, np.int32),
        np.zeros(1, np.int32),
        np.empty((0, 6), np.int64),
        np.empty(0, np.int32),
        no_memo(),
        used,
    )
    for level in range(levels + 1):
        used[CELLS_USED] = used[WORDS_USED] = 0
        room = (np.empty((4 * len(cells) + BLOCK, 6), np.int64), np.empty(2 * len(words), np.int32))
        target = target._replace(cells=room[0], words=room[1])
        size = 0.0 if level == levels else frame.side / (1 << FAN_BITS * (level + 1))
        target = _walk(layout, frame, target, size, cells, words, fine)
        cells, words = target.cells[: used[CELLS_USED]], target.words[: used[WORDS_USED]]
        if len(cells) == 0:
            break
    directory = target.directory[: used[DIRECTORY_USED]].copy()
    return directory, target.leaves[: used[LEAVES_USED]].copy(), level


def build_grid(layout: Layout, fine: Fineness = Fineness()) -> Grid:
    """The grid of a layout."""
    if layout.extent is None:
        empty = np.zeros(1, np.int32)
        return Grid(0.0, 0.0, 0.0, 0, 0, empty.reshape(1, 1), empty, empty)
    frame = _frame(layout)
    levels = math.ceil(math.log(frame.side / SMALLEST_CELL_DEG, 1 << FAN_BITS))
    levels = min(max(levels, 1), MOST_LEVELS)
    directory, leaves, depth = _descend(layout, frame, levels, fine)
    # Half as many cells in the table as in the directory are worth the steps that they save.
    worth = int(math.log(max(len(directory), 1) * 2, BLOCK))
    in_table = min(MOST_TABLE_LEVELS, depth, levels, worth + 1)
    table = np.empty((1 << FAN_BITS * in_table,) * 2, np.int32)
    spread(directory, in_table, table)
    bits = FAN_BITS * levels
    return Grid(
        frame.west, frame.south, (1 << bits) / frame.side, bits, bits - FAN_BITS * in_table,
        table, directory, leaves,
    )  # fmt: skip
