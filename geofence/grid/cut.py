"""A cell's record cut down to one of its parts.

Belongs here: kernels that decide which edges and segments matter to a smaller cell, and which
zones hold it wholly. They err on the safe side: what may touch a cell is kept.
"""

from typing import Final

from devices.batch import F64, I32
from devices.compile import kernel
from geofence.grid.reach import cell_distances
from geofence.grid.record import (
    ASK,
    BORDER,
    ENDS_LEFT,
    INSIDE,
    KIND,
    KIND_BITS,
    REACH,
    STARTS_LEFT,
)
from geofence.grid.ring_test import UNSURE, side_of_runs

SEGMENT_WEIGHT: Final = 6
"""Testing one segment of a circle or corridor takes about as long as this many edges."""

Box = tuple[float, float, float, float]
"""West, south, east, north."""


@kernel
def may_touch(ax: float, ay: float, bx: float, by: float, box: Box) -> bool:
    """False only if the edge from a to b certainly has no point in the box."""
    west, south, east, north = box
    if max(ax, bx) < west or min(ax, bx) > east or max(ay, by) < south or min(ay, by) > north:
        return False
    dx, dy = bx - ax, by - ay
    across = dx * (0.5 * (south + north) - ay)
    along = dy * (0.5 * (west + east) - ax)
    room = abs(dx) * 0.5 * (north - south) + abs(dy) * 0.5 * (east - west)
    return not abs(across - along) > room + 1e-14 * (abs(across) + abs(along))


@kernel
def _add_run(vertices: F64, first: int, end: int, west: float, out: I32, to: int) -> None:
    """Write the run of the edges first..end - 1."""
    flags = 0
    if vertices[first, 0] < west:
        flags |= STARTS_LEFT
    if vertices[end, 0] < west:
        flags |= ENDS_LEFT
    out[to] = first
    out[to + 1] = (end - first) << 2 | flags


@kernel
def cut_runs(
    vertices: F64, words: I32, at: int, runs: int, box: Box, out: I32, to: int
) -> tuple[int, int]:
    """Write the runs of words[at:] that matter in the box to out[to:]; their number and edges."""
    kept = edges = 0
    for run in range(runs):
        first = words[at + 2 * run]
        end = first + (words[at + 2 * run + 1] >> 2)
        begin = -1
        for edge in range(first, end):
            touching = may_touch(
                vertices[edge, 0], vertices[edge, 1],
                vertices[edge + 1, 0], vertices[edge + 1, 1], box,
            )  # fmt: skip
            if touching:
                edges += 1
                if begin < 0:
                    begin = edge
            elif begin >= 0:
                _add_run(vertices, begin, edge, box[0], out, to + 2 * kept)
                kept += 1
                begin = -1
        if begin >= 0:
            _add_run(vertices, begin, end, box[0], out, to + 2 * kept)
            kept += 1
    return kept, edges


@kernel
def base_of(
    vertices: F64, words: I32, at: int, coded: int, box: Box, out: I32, to: int, runs: int
) -> int:
    """The constant of the runs out[to:] in the box, from those of a larger cell; else UNSURE.

    Without runs it says whether the whole box is inside. Any point decides that is on no edge.
    """
    west, south, east, north = box
    share = 0.5
    for _ in range(4):
        x, y = west + share * (east - west), south + (1.0 - 0.9 * share) * (north - south)
        outer = side_of_runs(vertices, words, at, coded >> 1, x, y)
        inner = side_of_runs(vertices, out, to, runs, x, y)
        if outer < 2 and inner < 2:
            return (coded & 1) ^ outer ^ inner
        share *= 0.618
    return UNSURE


@kernel
def _cut_border(vertices: F64, words: I32, at: int, box: Box, out: I32, to: int) -> tuple[int, int]:
    """Write the part of a BORDER entry; (where the next goes, weight)."""
    code, coded = words[at], words[at + 1]
    runs, edges = cut_runs(vertices, words, at + 2, coded >> 1, box, out, to + 2)
    base = base_of(vertices, words, at + 2, coded, box, out, to + 2, runs)
    if base == UNSURE:
        out[to] = (code ^ BORDER) | ASK
        return to + 1, 0
    if runs > 0:
        out[to] = code
        out[to + 1] = runs << 1 | base
        return to + 2 + 2 * runs, edges + 1
    if base == 1:
        out[to] = (code ^ BORDER) | INSIDE
        return to + 1, 0
    return to, 0


@kernel
def _cut_reach(
    ends: F64, reach_m: F64, words: I32, at: int, box: Box, out: I32, to: int
) -> tuple[int, int]:
    """Write the part of a REACH entry; (where the next goes, weight)."""
    code = words[at]
    kept = 0
    for k in range(at + 2, at + 2 + words[at + 1]):
        part = words[k]
        least, most = cell_distances(ends, part, box[0], box[1], box[2], box[3])
        if most < reach_m[part]:
            out[to] = (code ^ REACH) | INSIDE
            return to + 1, 0
        if least <= reach_m[part]:
            out[to + 2 + kept] = part
            kept += 1
    if kept == 0:
        return to, 0
    out[to] = code
    out[to + 1] = kept
    return to + 2 + kept, kept * SEGMENT_WEIGHT


@kernel
def cut_record(
    vertices: F64,
    ends: F64,
    reach_m: F64,
    boxes: F64,
    words: I32,
    at: int,
    box: Box,
    out: I32,
    to: int,
) -> tuple[int, int]:
    """Write the part of the record words[at:] that concerns a box; (its length, its weight).

    Arrays come one by one: taking them out of a tuple here would cost more than the work itself.
    """
    west, south, east, north = box
    head = to
    entries = words[at]
    at += 1
    to += 1
    weight = 0
    for _ in range(entries):
        kind = words[at] & KIND
        begun = to
        if kind == BORDER:
            to, added = _cut_border(vertices, words, at, box, out, to)
            at += 2 + 2 * (words[at + 1] >> 1)
            weight += added
        elif kind == REACH:
            to, added = _cut_reach(ends, reach_m, words, at, box, out, to)
            at += 2 + words[at + 1]
            weight += added
        else:
            row = words[at] >> KIND_BITS
            apart = east < boxes[row, 0] or west > boxes[row, 2]
            apart = apart or north < boxes[row, 1] or south > boxes[row, 3]
            if kind == INSIDE or not apart:
                out[to] = words[at]
                to += 1
            at += 1
        if to == begun:
            entries -= 1
    out[head] = entries
    return to - head, weight
