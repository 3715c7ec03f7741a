"""Ways: roads as a map has them, in columns, before they become a network.

Belongs here: what importers fill in, whatever the format.
"""

from array import array
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from devices.batch import F64, I64
from geofence.registry import BEGINNING_US, END_US


class RoadKind(IntEnum):
    """Kinds of roads; the names are OpenStreetMap's values of `highway` in capitals."""

    MOTORWAY = 1
    MOTORWAY_LINK = 2
    TRUNK = 3
    TRUNK_LINK = 4
    PRIMARY = 5
    PRIMARY_LINK = 6
    SECONDARY = 7
    SECONDARY_LINK = 8
    TERTIARY = 9
    TERTIARY_LINK = 10
    UNCLASSIFIED = 11
    RESIDENTIAL = 12
    LIVING_STREET = 13
    SERVICE = 14
    TRACK = 15
    ROAD = 16


UNKNOWN: Final = -1
"""Of `populated`: the map does not say."""

WAY_DTYPE: Final = np.dtype(
    [
        ("way", np.int64),  # the map's id
        ("kind", np.uint8),  # RoadKind
        ("is_oneway", np.bool_),  # in the direction of its vertices
        ("lanes", np.uint8),  # of both directions together, 0 not known
        ("is_divided", np.bool_),  # dual carriageway, or one-way with at least two lanes
        ("populated", np.int8),  # in a populated area: 1, 0, UNKNOWN
        ("forward_kmh", np.float32),  # signed limits, NaN no sign
        ("backward_kmh", np.float32),
        ("max_weight_kg", np.float32),  # posted mass limit, NaN none
        ("valid_from", np.int64),  # microseconds, half open
        ("valid_to", np.int64),
    ],
    align=True,
)

Rows = np.ndarray[tuple[int], np.dtype[np.void]]


class Attributes(NamedTuple):
    """The attributes of one way, in the order of WAY_DTYPE."""

    way: int
    kind: RoadKind
    is_oneway: bool = False
    lanes: int = 0
    is_divided: bool = False
    populated: int = UNKNOWN
    forward_kmh: float = float("nan")
    backward_kmh: float = float("nan")
    max_weight_kg: float = float("nan")
    valid_from: int = BEGINNING_US
    valid_to: int = END_US


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """Roads in columns.

    rows: shape (w,), WAY_DTYPE. start: shape (w + 1,), offsets of each way's vertices.
    lon, lat: shape (v,), degrees. node: shape (v,), what the map calls the vertex: ways that share
    a node are connected there.
    """

    rows: Rows
    start: I64
    lon: F64
    lat: F64
    node: I64

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(slots=True)
class WayList:
    """Collects ways one by one; `ways()` gives what has come together."""

    _rows: list[Attributes] = field(default_factory=list)
    _start: "array[int]" = field(default_factory=lambda: array("q", [0]))
    _lon: "array[float]" = field(default_factory=lambda: array("d"))
    _lat: "array[float]" = field(default_factory=lambda: array("d"))
    _node: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, attributes: Attributes, vertices: list[tuple[float, float, int]]) -> None:
        """Add a way of at least two vertices (lon, lat, node)."""
        if len(vertices) < 2:
            raise ValueError(f"way {attributes.way}: expected two vertices, got {len(vertices)}")
        for lon, lat, node in vertices:
            self._lon.append(lon)
            self._lat.append(lat)
            self._node.append(node)
        self._start.append(len(self._node))
        self._rows.append(attributes)

    def __len__(self) -> int:
        return len(self._rows)

    def ways(self) -> Ways:
        """The ways added so far."""
        return Ways(
            rows=np.array([tuple(row) for row in self._rows], WAY_DTYPE),
            start=np.array(self._start, np.int64),
            lon=np.array(self._lon, np.float64),
            lat=np.array(self._lat, np.float64),
            node=np.array(self._node, np.int64),
        )


def place_nodes(lon: F64, lat: F64) -> I64:
    """Nodes of vertices that have no ids: one for each place, to 1e-7 degree (a centimetre)."""
    east = np.round((lon + 180.0) * 1e7).astype(np.int64)
    north = np.round((lat + 90.0) * 1e7).astype(np.int64)
    return east * 2_000_000_000 + north
