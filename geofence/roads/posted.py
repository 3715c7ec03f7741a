"""Posted mass limits along strokes: where a road or bridge has a sign, and what it says.

Belongs here: the spans that have a sign, for kernels. Who drives over them is for the rules.
"""

from typing import Final, NamedTuple

import numpy as np

from devices.batch import F64, I32, I64
from geofence.roads.network import RoadNetwork
from geofence.roads.ways import Rows


class Posted(NamedTuple):
    """Spans of strokes with a posted mass limit, in order of (stroke, begin_m); shape (k,).

    One span is the part of one way that lies on one stroke. way: the map's id. begin_m, end_m:
    metres along the stroke. valid_from, valid_to: of the way.
    """

    stroke: I32
    begin_m: F64
    end_m: F64
    limit_kg: F64
    way: I64
    valid_from: I64
    valid_to: I64


def posted_spans(network: RoadNetwork) -> Posted:
    """The spans of a network."""
    limits = network.ways["max_weight_kg"][network.edges["row"]]
    edges = network.edges[~np.isnan(limits)]
    order = np.lexsort((edges["row"], edges["stroke"]))
    edges = edges[order]
    is_first = np.ones(len(edges), np.bool_)
    is_first[1:] = (np.diff(edges["stroke"]) != 0) | (np.diff(edges["row"]) != 0)
    firsts = np.flatnonzero(is_first)
    begin_m, end_m = edges["offset_m"], edges["offset_m"] + edges["length_m"]
    if len(edges):
        begin_m = np.minimum.reduceat(begin_m, firsts)
        end_m = np.maximum.reduceat(end_m, firsts)
    ways: Rows = network.ways[edges["row"][firsts]]
    stroke = edges["stroke"][firsts]
    by_place = np.lexsort((begin_m, stroke))
    return Posted(
        stroke=np.ascontiguousarray(stroke[by_place], np.int32),
        begin_m=np.ascontiguousarray(begin_m[by_place], np.float64),
        end_m=np.ascontiguousarray(end_m[by_place], np.float64),
        limit_kg=ways["max_weight_kg"][by_place].astype(np.float64),
        way=ways["way"][by_place].astype(np.int64),
        valid_from=ways["valid_from"][by_place].astype(np.int64),
        valid_to=ways["valid_to"][by_place].astype(np.int64),
    )


MARGIN_SIGMAS: Final = 2.0
"""A fix within so many standard deviations (`roads.sigma_m`) of a span's end may lie beyond it."""
