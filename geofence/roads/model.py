"""The model of the filter: how likely a fix is on a road, and a road after another.

Belongs here: what is believed of receivers and drivers. Carrying it from fix to fix is `filter`'s.

What can be said of both directions of a road at once is said once: it takes the same distances and
nearly the same exponentials. Directions are those of the stroke: along it, and against it.
"""

import math
from typing import Any, Final

import numpy as np

from devices.compile import kernel
from geofence.geodesy import METRES_PER_DEGREE, lon_difference

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

_TURN_COST: Final = -math.log(TURN)
_FAR_TURN_COST: Final = -math.log(FAR_TURN)

ROAD_DTYPE: Final = np.dtype(
    [
        ("edge", np.int32),
        ("stroke", np.int32),
        ("place_m", np.float64),  # along the stroke
        ("loop_m", np.float64),  # length of the stroke if it leads back into itself, else 0
        ("exit_m", np.float64),  # to the end of the edge where the stroke leaves it
        ("exit_lon", np.float64),
        ("exit_lat", np.float64),
        ("entry_m", np.float64),  # to the other end
        ("entry_lon", np.float64),
        ("entry_lat", np.float64),
        ("exit_node", np.int32),
        ("entry_node", np.int32),
        ("group_along", np.int32),  # of equal limits
        ("group_against", np.int32),
        ("along", np.float64),  # how likely the fix is there, 0: it may not be driven so
        ("against", np.float64),
        ("weight", np.float64, (4,)),  # the older generation's in both directions, the younger's
        ("is_flipped", np.uint8),  # 1: along the stroke is against the edge
    ],
    align=True,
)
"""A road near a fix, with all that the model asks of it."""


@kernel
def gaussian(x: float) -> float:
    return math.exp(-0.5 * x * x)


@kernel
def heading_likelihood(off_deg: float, sigma_deg: float) -> float:
    """How likely a heading is that differs so much from that of the road."""
    return HEADING_FLOOR + (1.0 - HEADING_FLOOR) * gaussian(off_deg / sigma_deg)


@kernel
def degrees_apart(one: float, other: float) -> float:
    """Between two headings, degrees in [0, 180]."""
    apart = abs(one - other)
    if apart > 360.0:
        apart %= 360.0
    return 360.0 - apart if apart > 180.0 else apart


@kernel
def go_on(one: Any, other: Any, straight_m: float, per_m: float, most: float) -> None:
    """Pass weights on along a stroke. per_m, most: see `turn`."""
    before, after = one["weight"], other["weight"]
    driven = other["place_m"] - one["place_m"]
    loop_m = one["loop_m"]
    if loop_m > 0.0:
        driven = (driven + 0.5 * loop_m) % loop_m - 0.5 * loop_m
    cost = abs(abs(driven) - straight_m) * per_m
    if cost > most:
        return
    along = against = math.exp(-cost)
    back = math.exp(-2.0 * abs(driven) * per_m)  # what is driven back counts twice
    turned = U_TURN * along
    if driven < 0.0:
        along *= back
    else:
        against *= back
    for g in (0, 2):
        after[g] += before[g] * along + before[g + 1] * turned
        after[g + 1] += before[g + 1] * against + before[g] * turned


@kernel
def _cost_over(
    way1: float, node1: int, lon1: float, lat1: float,
    way2: float, node2: int, lon2: float, lat2: float,
    straight_m: float, per_m: float, degree_east_m: float,
) -> float:  # fmt: skip
    """The cost of leaving a road by one node and entering another road by another."""
    if node1 == node2:
        return _TURN_COST + abs(way1 + way2 - straight_m) * per_m
    x = lon_difference(lon1, lon2) * degree_east_m
    y = (lat2 - lat1) * METRES_PER_DEGREE
    way = way1 + math.sqrt(x * x + y * y) + way2
    return _FAR_TURN_COST + abs(way - straight_m) * per_m


@kernel
def _arrive(
    older: float, younger: float, other: Any, exit_cost: float, entry_cost: float,
    most: float, by_exit: float, by_entry: float,
) -> None:  # fmt: skip
    """Pass weights on to both directions of a road, given the costs of coming by either end."""
    if older == 0.0 and younger == 0.0:
        return
    after = other["weight"]
    along = min(by_entry, by_exit + exit_cost)
    if along <= most and other["along"] > 0.0:
        share = math.exp(-along)
        after[0] += older * share
        after[2] += younger * share
    against = min(by_exit, by_entry + entry_cost)
    if against <= most and other["against"] > 0.0:
        share = math.exp(-against)
        after[1] += older * share
        after[3] += younger * share


@kernel
def turn(
    one: Any, other: Any, straight_m: float, per_m: float, most: float, degree_east_m: float
) -> None:
    """Pass weights on from one road to another, by the likeliest of the four pairs of their ends.

    Either fix may also lie a little on the wrong side of the crossing: what then would have been
    driven back counts twice. A step is as likely as exp(-cost); over `most` it does not count.
    per_m: the cost of a metre of detour.
    """
    exit1, entry1 = one["exit_m"], one["entry_m"]
    exit2, entry2 = other["exit_m"], other["entry_m"]
    exit_exit = _cost_over(
        exit1, one["exit_node"], one["exit_lon"], one["exit_lat"],
        exit2, other["exit_node"], other["exit_lon"], other["exit_lat"],
        straight_m, per_m, degree_east_m,
    )  # fmt: skip
    exit_entry = _cost_over(
        exit1, one["exit_node"], one["exit_lon"], one["exit_lat"],
        entry2, other["entry_node"], other["entry_lon"], other["entry_lat"],
        straight_m, per_m, degree_east_m,
    )  # fmt: skip
    entry_exit = _cost_over(
        entry1, one["entry_node"], one["entry_lon"], one["entry_lat"],
        exit2, other["exit_node"], other["exit_lon"], other["exit_lat"],
        straight_m, per_m, degree_east_m,
    )  # fmt: skip
    entry_entry = _cost_over(
        entry1, one["entry_node"], one["entry_lon"], one["entry_lat"],
        entry2, other["entry_node"], other["entry_lon"], other["entry_lat"],
        straight_m, per_m, degree_east_m,
    )  # fmt: skip
    if min(exit_exit, exit_entry, entry_exit, entry_entry) > most:
        return
    exit1, entry1, exit2, entry2 = exit1 * per_m, entry1 * per_m, exit2 * per_m, entry2 * per_m
    before = one["weight"]
    _arrive(
        before[0], before[2], other, exit2, entry2, most,
        min(exit_exit, entry_exit + entry1), min(exit_entry, entry_entry + entry1),
    )  # fmt: skip
    _arrive(
        before[1], before[3], other, exit2, entry2, most,
        min(exit_exit + exit1, entry_exit), min(exit_entry + exit1, entry_entry),
    )  # fmt: skip
