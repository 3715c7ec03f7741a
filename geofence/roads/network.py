"""The road network: ways cut into edges at their crossings, edges joined to strokes.

Belongs here: the arrays that hold a network, and making them of ways. An *edge* leads from one
crossing (or end) to the next; a *stroke* is a chain of edges that a driver would call going
straight on. Places along a stroke make the way between two fixes on one road exact, however many
crossings lie between them.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import F64, I32, I64, Bool
from devices.compile import allocating_kernel
from geofence.geodesy import METRES_PER_DEGREE, haversine_m
from geofence.road_limits import Surroundings
from geofence.roads.strokes import join_edges
from geofence.roads.ways import RoadKind, Rows, Ways

EDGE_DTYPE: Final = np.dtype(
    [
        ("row", np.int32),  # of `RoadNetwork.ways`
        ("from_node", np.int32),  # rows of `RoadNetwork.nodes`
        ("to_node", np.int32),
        ("from_lon", np.float64),
        ("from_lat", np.float64),
        ("to_lon", np.float64),
        ("to_lat", np.float64),
        ("length_m", np.float64),
        ("is_oneway", np.bool_),
        ("valid_from", np.int64),
        ("valid_to", np.int64),
        ("stroke", np.int32),
        ("is_flipped", np.bool_),  # it runs against its stroke
        ("offset_m", np.float64),  # metres of stroke before it
        ("forward_group", np.int32),  # edges and directions with the same limit for everybody
        ("backward_group", np.int32),
        ("surroundings", np.uint8),  # Surroundings
    ],
    align=True,
)

SEGMENT_DTYPE: Final = np.dtype(
    [
        ("lon1", np.float64),
        ("lat1", np.float64),
        ("lon2", np.float64),
        ("lat2", np.float64),
        ("edge", np.int32),
        ("bearing", np.float32),  # degrees from north, clockwise, [0, 360)
        ("along_m", np.float64),  # metres of edge before it
        ("length_m", np.float64),
    ],
    align=True,
)

_POPULATED_KINDS: Final = (RoadKind.RESIDENTIAL, RoadKind.LIVING_STREET)
_LINKS: Final = (
    RoadKind.MOTORWAY_LINK, RoadKind.TRUNK_LINK, RoadKind.PRIMARY_LINK, RoadKind.SECONDARY_LINK,
    RoadKind.TERTIARY_LINK,
)  # fmt: skip
_NO_DEFAULT: Final = (*_LINKS, RoadKind.SERVICE, RoadKind.TRACK, RoadKind.ROAD)


@dataclass(frozen=True, slots=True, eq=False)
class RoadNetwork:
    """Roads for matching, immutable.

    ways: shape (w,), WAY_DTYPE. edges: shape (e,), EDGE_DTYPE. segments: shape (s,), SEGMENT_DTYPE.
    nodes: shape (n, 2), lon and lat of the edges' ends.
    loop_m: by stroke, its length if it leads back into itself, else 0.
    """

    ways: Rows
    edges: Rows
    segments: Rows
    nodes: F64
    loop_m: F64

    @classmethod
    def build(cls, ways: Ways) -> "RoadNetwork":
        """The network of some ways."""
        _check(ways)
        way = np.repeat(np.arange(len(ways)), np.diff(ways.start))
        kept = np.ones(len(way), np.bool_)
        kept[1:] = (way[1:] != way[:-1]) | (ways.node[1:] != ways.node[:-1])
        way, lon, lat = way[kept], ways.lon[kept], ways.lat[kept]
        _, first, node, count = np.unique(
            ways.node[kept], return_index=True, return_inverse=True, return_counts=True
        )
        is_inner = np.zeros(len(way), np.bool_)  # neither first nor last of its way
        is_inner[1:-1] = (way[1:-1] == way[:-2]) & (way[1:-1] == way[2:])
        is_cut = ~is_inner | (count[node] > 1)
        starts = np.flatnonzero(way[1:] == way[:-1])  # first vertex of each segment
        segments = _segments(lon, lat, starts, is_cut)
        edges = _edges(ways, segments, way, node, starts, is_cut)
        used, ends = np.unique(
            np.concatenate([edges["from_node"], edges["to_node"]]), return_inverse=True
        )
        edges["from_node"], edges["to_node"] = ends[: len(edges)], ends[len(edges) :]
        nodes = np.column_stack([lon[first[used]], lat[first[used]]])
        for end in ("from", "to"):
            places = nodes[edges[f"{end}_node"]]
            edges[f"{end}_lon"], edges[f"{end}_lat"] = places[:, 0], places[:, 1]
        loop_m = _join(ways, edges, segments)
        return cls(ways.rows, edges, segments, nodes, loop_m)


def _check(ways: Ways) -> None:
    if not (np.isfinite(ways.lon).all() and np.isfinite(ways.lat).all()):
        raise ValueError("lon, lat: expected finite degrees")
    if np.any(np.abs(ways.lon) > 180.0) or np.any(np.abs(ways.lat) > 90.0):
        raise ValueError("lon, lat: expected -180..180 and -90..90")
    if np.any(np.diff(ways.start) < 2):
        raise ValueError("start: expected at least two vertices to a way")


@allocating_kernel
def _fill_lengths(lon: F64, lat: F64, starts: I64, length_m: F64) -> None:
    for s in range(len(starts)):
        v = starts[s]
        length_m[s] = haversine_m(lon[v], lat[v], lon[v + 1], lat[v + 1])


def _segments(lon: F64, lat: F64, starts: I64, is_cut: Bool) -> Rows:
    """One segment for each pair of neighbouring vertices; a cut at its first one begins an edge."""
    made = np.zeros(len(starts), SEGMENT_DTYPE)
    made["lon1"], made["lat1"] = lon[starts], lat[starts]
    made["lon2"], made["lat2"] = lon[starts + 1], lat[starts + 1]
    made["edge"] = np.cumsum(is_cut[starts]) - 1
    middle = np.radians((made["lat1"] + made["lat2"]) / 2)
    east = (made["lon2"] - made["lon1"]) * METRES_PER_DEGREE * np.cos(middle)
    north = (made["lat2"] - made["lat1"]) * METRES_PER_DEGREE
    made["bearing"] = np.mod(np.degrees(np.arctan2(east, north)), 360.0)
    length_m = np.empty(len(starts), np.float64)
    _fill_lengths(lon, lat, starts, length_m)
    made["length_m"] = length_m
    total = np.cumsum(length_m) - length_m
    made["along_m"] = total - total[is_cut[starts]][made["edge"]]
    return made


def _edges(ways: Ways, segments: Rows, way: I64, node: I64, starts: I64, is_cut: Bool) -> Rows:
    begins = np.flatnonzero(is_cut[starts])  # first segment of each edge
    lasts = np.append(begins[1:], len(starts)) - 1
    if not len(starts):
        begins = lasts = np.zeros(0, np.int64)
    edges = np.zeros(len(begins), EDGE_DTYPE)
    edges["row"] = way[starts[begins]]
    edges["from_node"] = node[starts[begins]]
    edges["to_node"] = node[starts[lasts] + 1]
    edges["length_m"] = segments["along_m"][lasts] + segments["length_m"][lasts]
    rows = ways.rows[edges["row"]]
    for name in ("is_oneway", "valid_from", "valid_to"):
        edges[name] = rows[name]
    edges["surroundings"] = _surroundings(rows)
    groups = _groups(rows, edges["surroundings"])
    edges["forward_group"], edges["backward_group"] = groups[: len(edges)], groups[len(edges) :]
    return edges


def _surroundings(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """What the default limit depends on. Unknown is taken as open road: the higher limit."""
    populated = np.isin(rows["kind"], _POPULATED_KINDS) | (rows["populated"] == 1)
    found = np.where(
        populated,
        np.where(
            rows["is_divided"], Surroundings.POPULATED_DIVIDED, Surroundings.POPULATED_UNDIVIDED
        ),
        np.where(rows["is_divided"], Surroundings.OPEN_DIVIDED, Surroundings.OPEN_UNDIVIDED),
    )
    found[rows["kind"] == RoadKind.MOTORWAY] = Surroundings.MOTORWAY
    found[np.isin(rows["kind"], _NO_DEFAULT)] = Surroundings.NONE
    return found.astype(np.uint8)


def _groups(rows: Rows, surroundings: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> I32:
    """A number for each sign, or default where there is no sign: all forwards, then backwards."""
    signed = np.concatenate([rows["forward_kmh"], rows["backward_kmh"]]).astype(np.float64)
    key = np.where(np.isnan(signed), -1.0 - np.tile(surroundings, 2), signed)
    _, group = np.unique(key, return_inverse=True)
    return group.astype(np.int32)


def _join(ways: Ways, edges: Rows, segments: Rows) -> F64:
    """Join edges to strokes, in place; returns the strokes' `loop_m`."""
    n = len(edges)
    begins = np.searchsorted(segments["edge"], np.arange(n), side="left")
    lasts = np.searchsorted(segments["edge"], np.arange(n), side="right") - 1
    node = np.empty(2 * n, np.int32)
    node[0::2], node[1::2] = edges["from_node"], edges["to_node"]
    outward = np.empty(2 * n, np.float64)  # bearing away from the node
    outward[0::2] = segments["bearing"][begins]
    outward[1::2] = (segments["bearing"][lasts] + 180.0) % 360.0
    stroke, is_flipped, offset_m, loop_m = join_edges(
        node,
        outward,
        edges["row"].astype(np.int32),
        ways.rows["kind"][edges["row"]].astype(np.uint8),
        edges["is_oneway"].astype(np.bool_),
        edges["length_m"].astype(np.float64),
    )
    edges["stroke"], edges["is_flipped"], edges["offset_m"] = stroke, is_flipped, offset_m
    return loop_m
