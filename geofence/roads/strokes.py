"""Strokes: edges chained where a driver would say that the road goes on.

Belongs here: which two edges at a crossing belong together, and following the chains.
"""

from typing import Final

import numpy as np

from devices.batch import F64, I32, U8, Bool
from devices.compile import allocating_kernel

STRAIGHT_DEG: Final = 45.0
"""At a crossing, edges of different ways go on into each other up to this deflection."""

BEND_DEG: Final = 120.0
"""One road never goes on at a sharper bend: the two carriageways of a road are not one stroke."""


@allocating_kernel
def _deflection(bearing1: float, bearing2: float) -> float:
    """Degrees by which a road turns that arrives by one end and leaves by another, both outward."""
    return abs(abs(((bearing1 - bearing2) % 360.0) - 180.0))


@allocating_kernel
def _badness(
    a: int, b: int, degree: int, outward: F64, way: I32, kind: U8, is_oneway: Bool
) -> float:
    """How badly two ends at a node fit together, at least 1000: not at all."""
    turn = _deflection(outward[a], outward[b])
    one, other = a // 2, b // 2
    if turn > BEND_DEG:
        return 1000.0
    if is_oneway[one] and is_oneway[other] and a % 2 == b % 2:
        return 1000.0  # both lead away, or both lead here
    if way[one] == way[other]:
        return turn - 1000.0
    if degree == 2:
        return turn
    if turn <= STRAIGHT_DEG and kind[one] == kind[other] and is_oneway[one] == is_oneway[other]:
        return turn
    return 1000.0


@allocating_kernel
def _mates(
    order: I32, node: I32, outward: F64, way: I32, kind: U8, is_oneway: Bool, mate: I32
) -> None:
    """Pair the ends at each node, the best fitting ones first; mate[end] -1: the stroke ends.

    order: ends sorted by node.
    """
    begin = 0
    while begin < len(order):
        end = begin
        while end < len(order) and node[order[end]] == node[order[begin]]:
            end += 1
        while True:
            best, one, other = 1000.0, -1, -1
            for i in range(begin, end):
                for j in range(i + 1, end):
                    a, b = order[i], order[j]
                    if mate[a] >= 0 or mate[b] >= 0:
                        continue
                    badness = _badness(a, b, end - begin, outward, way, kind, is_oneway)
                    if badness < best:
                        best, one, other = badness, a, b
            if one < 0:
                break
            mate[one], mate[other] = other, one
        begin = end


@allocating_kernel
def _chain(
    mate: I32, length_m: F64, stroke: I32, is_flipped: Bool, offset_m: F64, loop_m: F64
) -> int:
    """Number the strokes; returns how many there are."""
    strokes = 0
    for edge in range(len(length_m)):
        if stroke[edge] >= 0:
            continue
        begin = 2 * edge  # the end by which the stroke enters its first edge
        is_loop = False
        while mate[begin] >= 0:
            begin = mate[begin] ^ 1
            if begin == 2 * edge:
                is_loop = True
                break
        entry, along = begin, 0.0
        while True:
            here = entry // 2
            stroke[here] = strokes
            is_flipped[here] = entry % 2 == 1
            offset_m[here] = along
            along += length_m[here]
            entry = mate[entry ^ 1]
            if entry < 0 or entry == begin:
                break
        loop_m[strokes] = along if is_loop else 0.0
        strokes += 1
    return strokes


def join_edges(
    node: I32, outward: F64, way: I32, kind: U8, is_oneway: Bool, length_m: F64
) -> tuple[I32, Bool, F64, F64]:
    """The strokes of e edges: (stroke, is_flipped, offset_m) by edge and loop_m by stroke.

    node, outward: shape (2 * e,), the node at each end and the bearing of the edge away from it;
    edge i has the ends 2 * i (its first vertex) and 2 * i + 1. The others: shape (e,).
    """
    edges = len(length_m)
    order = np.argsort(node, kind="stable").astype(np.int32)
    mate = np.full(2 * edges, -1, np.int32)
    _mates(order, node, outward, way, kind, is_oneway, mate)
    stroke = np.full(edges, -1, np.int32)
    is_flipped = np.zeros(edges, np.bool_)
    offset_m = np.zeros(edges, np.float64)
    loop_m = np.zeros(edges, np.float64)
    count = _chain(mate, length_m, stroke, is_flipped, offset_m, loop_m)
    return stroke, is_flipped, offset_m, loop_m[:count].copy()
