"""The hidden Markov filter: how likely each road and direction is after a fix.

Belongs here: its state, and the kernel that carries it from fix to fix. A candidate is a road in
one direction, or no road at all.

A filter remembers for ever, a judge must not: state has to be computed again from stored fixes.
So two generations run side by side. Time is cut into spans; at the first fix of a span the younger
generation becomes the older one and a new one begins. The older one decides. What it says depends
on the fixes of this span and the one before, wherever reading began before them.
"""

import math
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import F32, F64, I32, I64, Bool
from devices.compile import inlined_kernel, kernel
from geofence.geodesy import METRES_PER_DEGREE, near_haversine_m
from geofence.roads.decide import decide
from geofence.roads.grid import Grid
from geofence.roads.model import (
    DETOUR_SHARE,
    LEAVE,
    RETURN,
    ROAD_DTYPE,
    STAY_OFF,
    degrees_apart,
    gaussian,
    go_on,
    heading_likelihood,
    turn,
)
from geofence.roads.near import (
    MOST_NEAR,
    NEAR_DTYPE,
    Lists,
    blank_lists,
    find_lists,
    search,
)

FAINT: Final = 1e-9
"""Candidates this much less likely than all together are not carried on."""

BESIDE: Final = 1e-12
"""A step that adds less than this to a weight, relatively, is left out."""


class Roads(NamedTuple):
    """A network for kernels. lines: LINE_DTYPE, edges: EDGE_DTYPE."""

    grid: Grid
    lines: Any
    edges: Any
    loop_m: F64


class State(NamedTuple):
    """The filter of each vehicle after its last fix, by vehicle id.

    time: of the last fix, NEVER none. lon, lat: of it. edge, place_m (along the stroke): of the
    roads near it that are not faint, shape (v, MOST_NEAR), edge -1 behind the last of them.
    weight: shape (v, MOST_NEAR, 4), the older generation's along and against the stroke, then the
    younger's. off: shape (v, 2), of both, the weight of no road.
    """

    time: I64
    lon: F64
    lat: F64
    edge: I32
    place_m: F64
    weight: F64
    off: F64


NEVER: Final = np.iinfo(np.int64).min


def blank_state(vehicles: int) -> State:
    """The state of vehicles never seen."""
    return State(
        time=np.full(vehicles, NEVER, np.int64),
        lon=np.zeros(vehicles, np.float64),
        lat=np.zeros(vehicles, np.float64),
        edge=np.full((vehicles, MOST_NEAR), -1, np.int32),
        place_m=np.zeros((vehicles, MOST_NEAR), np.float64),
        weight=np.zeros((vehicles, MOST_NEAR, 4), np.float64),
        off=np.zeros((vehicles, 2), np.float64),
    )


class Fixes(NamedTuple):
    """Clean fixes sorted by (vehicle, time), shape (n,). speed_kmh, heading NaN: not known."""

    vehicle: I32
    time: I64
    lon: F64
    lat: F64
    speed_kmh: F64
    heading: F32
    profile: I32


class Found(NamedTuple):
    """What the filter says of each fix, shape (n,). edge -1: no road, confidence 0.

    place_m: along the edge's stroke. road_confidence: of that stroke, whatever its limits.
    """

    edge: I32
    is_backward: Bool
    confidence: F32
    place_m: F64
    road_confidence: F32


def blank_found(n: int) -> Found:
    """Room for what is said of n fixes."""
    return Found(
        np.empty(n, np.int32), np.empty(n, np.bool_), np.empty(n, np.float32),
        np.empty(n, np.float64), np.empty(n, np.float32),
    )  # fmt: skip


LAST_DTYPE: Final = np.dtype(
    [
        ("time", np.int64),
        ("lon", np.float64),
        ("lat", np.float64),
        ("cosine", np.float64),  # of the latitude
        ("off", np.float64, (2,)),  # of both generations, the weight of no road
        ("begin", np.int64),  # of its span
        ("known", np.int64),  # how many roads
    ],
    align=True,
)
"""The last fix of the vehicle that is being followed."""


class Room(NamedTuple):
    """Room to work in.

    near: NEAR_DTYPE. roads: those of two fixes, one behind the other, shape (2 * MOST_NEAR,),
    ROAD_DTYPE. last: shape (1,), LAST_DTYPE.
    """

    near: Any
    roads: Any
    last: Any
    lists: Lists


def blank_room() -> Room:
    """Room for one kernel at a time."""
    return Room(
        np.zeros(MOST_NEAR, NEAR_DTYPE), np.zeros(2 * MOST_NEAR, ROAD_DTYPE),
        np.zeros(1, LAST_DTYPE), blank_lists(),
    )  # fmt: skip


@kernel
def _place(road: Any, edge: Any, row: int, place_m: float, loop_m: float) -> None:
    """Fill in where a road is; how likely it is stays."""
    at = place_m - edge["offset_m"]  # metres from the end where the stroke enters the edge
    road["edge"], road["stroke"] = row, edge["stroke"]
    road["place_m"], road["loop_m"] = place_m, loop_m
    road["exit_m"], road["entry_m"] = edge["length_m"] - at, at
    road["is_flipped"] = edge["is_flipped"]
    if edge["is_flipped"]:
        road["exit_node"], road["entry_node"] = edge["from_node"], edge["to_node"]
        road["exit_lon"], road["exit_lat"] = edge["from_lon"], edge["from_lat"]
        road["entry_lon"], road["entry_lat"] = edge["to_lon"], edge["to_lat"]
        road["group_along"], road["group_against"] = edge["backward_group"], edge["forward_group"]
    else:
        road["exit_node"], road["entry_node"] = edge["to_node"], edge["from_node"]
        road["exit_lon"], road["exit_lat"] = edge["to_lon"], edge["to_lat"]
        road["entry_lon"], road["entry_lat"] = edge["from_lon"], edge["from_lat"]
        road["group_along"], road["group_against"] = edge["forward_group"], edge["backward_group"]


@kernel
def _load(
    state: State, v: int, memory_us: int, network: Roads, roads: Any, base: int, last: Any
) -> None:
    """Begin to follow a vehicle."""
    last["time"], last["lon"], last["lat"] = state.time[v], state.lon[v], state.lat[v]
    last["cosine"] = math.cos(math.radians(state.lat[v]))
    last["begin"] = state.time[v] // memory_us * memory_us
    for g in range(2):
        last["off"][g] = state.off[v, g]
    known = 0
    while known < MOST_NEAR and state.edge[v, known] >= 0:
        row, road = state.edge[v, known], roads[base + known]
        edge = network.edges[row]
        _place(road, edge, row, state.place_m[v, known], network.loop_m[edge["stroke"]])
        for c in range(4):
            road["weight"][c] = state.weight[v, known, c]
        known += 1
    last["known"] = known


@kernel
def _save(state: State, v: int, roads: Any, base: int, last: Any) -> None:
    """Leave a vehicle."""
    state.time[v], state.lon[v], state.lat[v] = last["time"], last["lon"], last["lat"]
    for g in range(2):
        state.off[v, g] = last["off"][g]
    known = last["known"]
    for k in range(known):
        road = roads[base + k]
        state.edge[v, k], state.place_m[v, k] = road["edge"], road["place_m"]
        for c in range(4):
            state.weight[v, k, c] = road["weight"][c]
    if known < MOST_NEAR:
        state.edge[v, known] = -1


@kernel
def _weigh(road: Any, square_m2: float, apart_deg: float, is_oneway: bool, p: Any) -> None:
    """How likely the fix alone makes a road near it. apart_deg: its heading from the stroke's."""
    sigma_m = p["roads_sigma_m"]
    along = against = math.exp(-0.5 * square_m2 / (sigma_m * sigma_m))
    if not math.isnan(apart_deg):
        along *= heading_likelihood(apart_deg, p["roads_heading_sigma_deg"])
        against *= heading_likelihood(180.0 - apart_deg, p["roads_heading_sigma_deg"])
    if is_oneway:
        if road["is_flipped"]:
            along = 0.0
        else:
            against = 0.0
    road["along"], road["against"] = along, against


@inlined_kernel
def _carry(
    roads: Any, before: int, now: int, count: int, last: Any, straight_m: float, detour_m: float
) -> None:
    """Weights after a fix from those before it, for both generations, not yet normalized."""
    per_m = 1.0 / (detour_m + DETOUR_SHARE * straight_m)
    degree_east_m = METRES_PER_DEGREE * last["cosine"]
    off, known = last["off"], last["known"]
    older, younger = off[0] * RETURN, off[1] * RETURN
    # No weight before is over 1, and no road's weight begins under these.
    most = -math.log(max(1e-300, BESIDE * min(older, younger)))
    for k in range(now, now + count):
        road = roads[k]
        after = road["weight"]
        after[0] = after[1] = older
        after[2] = after[3] = younger
        for j in range(before, before + known):
            if roads[j]["stroke"] == road["stroke"]:
                go_on(roads[j], road, straight_m, per_m, most)
            else:
                turn(roads[j], road, straight_m, per_m, most, degree_east_m)
        for g in (0, 2):
            after[g] *= road["along"]
            after[g + 1] *= road["against"]


@inlined_kernel
def _settle(
    roads: Any, now: int, count: int, g: int, goes_on: bool, off_likely: float, last: Any
) -> None:
    """Make a generation's weights sum to 1; begin it with this fix if it does not go on."""
    off, along, against, total = last["off"], 2 * g, 2 * g + 1, 0.0
    if goes_on:
        off[g] = (off[g] * STAY_OFF + (1.0 - off[g]) * LEAVE) * off_likely
        total = off[g]
        for k in range(now, now + count):
            total += roads[k]["weight"][along] + roads[k]["weight"][against]
    if not total > 0.0:
        off[g] = total = off_likely
        for k in range(now, now + count):
            roads[k]["weight"][along] = roads[k]["along"]
            roads[k]["weight"][against] = roads[k]["against"]
            total += roads[k]["along"] + roads[k]["against"]
    share = 1.0 / total if total > 0.0 else 0.0
    off[g] *= share
    for k in range(now, now + count):
        roads[k]["weight"][along] *= share
        roads[k]["weight"][against] *= share


@inlined_kernel
def _see(
    near: Any, count: int, network: Roads, heading: float, p: Any, roads: Any, now: int
) -> None:
    """The roads near a fix, and how likely the fix alone makes each. heading NaN: says nothing."""
    for k in range(count):
        line, road = network.lines[near[k]["segment"]], roads[now + k]
        edge = network.edges[line["edge"]]
        place_m = line["place_m"] + near[k]["fraction"] * line["along_m"]
        _place(road, edge, line["edge"], place_m, network.loop_m[edge["stroke"]])
        apart_deg = degrees_apart(heading, line["bearing"])
        _weigh(road, near[k]["square_m2"], apart_deg, edge["is_oneway"], p)


@inlined_kernel
def _grow_old(roads: Any, before: int, last: Any) -> None:
    """A span ends: the younger generation becomes the older one."""
    last["off"][0] = last["off"][1]
    for k in range(before, before + last["known"]):
        weight = roads[k]["weight"]
        weight[0], weight[1] = weight[2], weight[3]


@inlined_kernel
def _drop_faint(roads: Any, now: int, count: int) -> int:
    """Forget what is too unlikely to be carried on; returns how many roads are left."""
    left = 0
    for k in range(now, now + count):
        weight, is_faint = roads[k]["weight"], True
        for a in range(2):
            if weight[a] < FAINT and weight[a + 2] < FAINT:
                weight[a] = weight[a + 2] = 0.0
            else:
                is_faint = False
        if not is_faint:
            if now + left < k:
                roads[now + left] = roads[k]
            left += 1
    return left


@kernel
def _spans_later(time: int, memory_us: int, max_gap_us: int, last: Any) -> int:
    """How many spans a fix is after the last one, 2: too long, nothing goes on. Goes to its span.

    Comparing is faster than dividing, and nearly every fix is in the span of the last one.
    """
    later = 2
    if last["time"] != NEVER and time - last["time"] <= max_gap_us:
        if time < last["begin"] + memory_us:
            return 0
        later = 1 if time < last["begin"] + 2 * memory_us else 2
    last["begin"] = time // memory_us * memory_us
    return later


@kernel
def advance(
    state: State, network: Roads, params: Any, memory_us: int, fixes: Fixes, room: Room, out: Found
) -> None:
    """Take fixes in: fill `out`, change `state`."""
    near, roads, last = room.near, room.roads, room.last[0]
    before, now = 0, MOST_NEAR
    for i in range(len(fixes.time)):
        time, lon, lat = fixes.time[i], fixes.lon[i], fixes.lat[i]
        if i == 0 or fixes.vehicle[i] != fixes.vehicle[i - 1]:
            if i:
                _save(state, fixes.vehicle[i - 1], roads, before, last)
            _load(state, fixes.vehicle[i], memory_us, network, roads, before, last)
        p, cosine = params[fixes.profile[i]], math.cos(math.radians(lat))
        ahead = i % len(room.lists.first)
        if ahead == 0:
            find_lists(network.grid, network.lines, fixes.lon, fixes.lat, i, room.lists)
        count = search(
            network.grid, network.lines, network.edges, room.lists.first[ahead],
            room.lists.last[ahead], lon, lat, METRES_PER_DEGREE * cosine, time,
            p["roads_radius_m"], near,
        )  # fmt: skip
        # NaN, a speed not known, is not over.
        is_fast = fixes.speed_kmh[i] > p["roads_heading_over_kmh"]
        _see(near, count, network, fixes.heading[i] if is_fast else math.nan, p, roads, now)
        later = _spans_later(time, memory_us, p["roads_max_gap_us"], last)
        if later == 1:
            _grow_old(roads, before, last)
        if later < 2:
            straight_m = near_haversine_m(
                last["lon"], last["lat"], last["cosine"], lon, lat, cosine
            )
            _carry(roads, before, now, count, last, straight_m, p["roads_detour_m"])
        off_likely = gaussian(p["roads_off_road_m"] / p["roads_sigma_m"])
        _settle(roads, now, count, 0, later < 2, off_likely, last)
        _settle(roads, now, count, 1, later < 1, off_likely, last)
        decide(roads, now, count, last["off"][0], i, out)
        last["known"] = _drop_faint(roads, now, count)
        last["time"], last["lon"], last["lat"], last["cosine"] = time, lon, lat, cosine
        before, now = now, before
    if len(fixes.time):
        _save(state, fixes.vehicle[-1], roads, before, last)
