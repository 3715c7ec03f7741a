"""The model of the filter: how likely a fix is on a road, and a road after another.

Belongs here: what is believed of receivers and drivers. Carrying it from fix to fix is `filter`'s.
"""

import math
from typing import Any, Final, NamedTuple

from devices.batch import F64
from geofence.compile import kernel
from geofence.geodesy import METRES_PER_DEGREE, lon_difference
from geofence.roads.grid import Grid

# Weights of what drivers do between two fixes, beside staying on their road. They are not
# probabilities: only their relations count.
TURN: Final = 0.2
"""Onto a road that begins where this edge ends."""
FAR_TURN: Final = 0.002
"""Onto a road farther away; measured: more makes parallel roads take turns, less loses turns."""
U_TURN: Final = 0.001
LEAVE: Final = 0.01
"""Off the map."""
RETURN: Final = 0.05
STAY_OFF: Final = 0.5

HEADING_FLOOR: Final = 0.02
"""Receivers report wrong headings now and then: no heading rules a road out."""

DETOUR_SHARE: Final = 0.1
"""Of the straight distance: longer ways differ more from the straight one."""


class Roads(NamedTuple):
    """A network for kernels."""

    grid: Grid
    segments: Any
    edges: Any
    loop_m: F64


@kernel
def gaussian(x: float) -> float:
    return math.exp(-0.5 * x * x)


@kernel
def heading_likelihood(heading: float, bearing: float, sigma_deg: float) -> float:
    if math.isnan(heading):
        return 1.0
    off = abs((heading - bearing + 180.0) % 360.0 - 180.0)
    return HEADING_FLOOR + (1.0 - HEADING_FLOOR) * gaussian(off / sigma_deg)


@kernel
def _turn_weight(
    edge1: Any,
    ahead1: float,
    back1: bool,
    edge2: Any,
    behind2: float,
    back2: bool,
    straight_m: float,
    scale_m: float,
    degree_east_m: float,
) -> float:
    """From one road to another.

    ahead1: metres of the first edge ahead of the vehicle; behind2: of the second behind it. Either
    fix may also lie a little on the wrong side of the crossing: what then would have been driven
    back counts twice.
    """
    near, far = math.inf, math.inf  # detours by a common node, and by two
    for over1 in range(2):
        way1 = edge1["length_m"] - ahead1 if over1 else ahead1
        if back1 != (over1 == 1):
            node1, lon1, lat1 = edge1["from_node"], edge1["from_lon"], edge1["from_lat"]
        else:
            node1, lon1, lat1 = edge1["to_node"], edge1["to_lon"], edge1["to_lat"]
        for over2 in range(2):
            way2 = edge2["length_m"] - behind2 if over2 else behind2
            if back2 != (over2 == 1):
                node2, lon2, lat2 = edge2["to_node"], edge2["to_lon"], edge2["to_lat"]
            else:
                node2, lon2, lat2 = edge2["from_node"], edge2["from_lon"], edge2["from_lat"]
            wrong = way1 * over1 + way2 * over2
            if node1 == node2:
                near = min(near, abs(way1 + way2 - straight_m) + wrong)
            else:
                x = lon_difference(lon1, lon2) * degree_east_m
                y = (lat2 - lat1) * METRES_PER_DEGREE
                way = way1 + math.sqrt(x * x + y * y) + way2
                far = min(far, abs(way - straight_m) + wrong)
    return max(TURN * math.exp(-near / scale_m), FAR_TURN * math.exp(-far / scale_m))


@kernel
def step_weight(
    edge1: Any,
    back1: bool,
    place1: float,
    edge2: Any,
    back2: bool,
    place2: float,
    loop_m: float,
    straight_m: float,
    scale_m: float,
    degree_east_m: float,
) -> float:
    """How likely the second candidate is after the first, the places of both fixes given.

    loop_m: of the first one's stroke. degree_east_m: metres of a degree of longitude.
    Edges are records, not rows of a network: arrays are counted at each call, which takes longer
    than the sum.
    """
    along1, along2 = back1 != edge1["is_flipped"], back2 != edge2["is_flipped"]  # against stroke
    if edge1["stroke"] == edge2["stroke"]:
        driven = place2 - place1
        if loop_m > 0.0:
            driven = (driven + 0.5 * loop_m) % loop_m - 0.5 * loop_m
        if along1 != along2:
            return U_TURN * math.exp(-abs(abs(driven) - straight_m) / scale_m)
        if along1:
            driven = -driven
        backwards = max(0.0, -driven)
        return math.exp(-(abs(abs(driven) - straight_m) + 2.0 * backwards) / scale_m)
    at1 = place1 - edge1["offset_m"]  # metres from the end where the stroke enters the edge
    at2 = place2 - edge2["offset_m"]
    ahead1 = at1 if along1 else edge1["length_m"] - at1
    behind2 = edge2["length_m"] - at2 if along2 else at2
    return _turn_weight(
        edge1, ahead1, back1, edge2, behind2, back2, straight_m, scale_m, degree_east_m
    )
