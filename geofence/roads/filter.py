"""The hidden Markov filter: how likely each road and direction is after a fix.

Belongs here: its state, and the kernel that carries it from fix to fix. A candidate is a road in
one direction, or no road at all.

A filter remembers for ever, a judge must not: state has to be computed again from stored fixes.
So two generations run side by side. Time is cut into spans; at the first fix of a span the younger
generation becomes the older one and a new one begins. The older one decides. What it says depends
on the fixes of this span and the one before, wherever reading began before them.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import F32, F64, I32, I64, Bool
from geofence.compile import kernel
from geofence.geodesy import haversine_m, lon_scale_m
from geofence.roads.grid import MOST_NEAR, Near, roads_near
from geofence.roads.model import (
    DETOUR_SHARE,
    LEAVE,
    RETURN,
    STAY_OFF,
    Roads,
    gaussian,
    heading_likelihood,
    step_weight,
)

MOST: Final = 12
"""Candidates kept for a vehicle, the likeliest ones."""

FAINT: Final = 1e-9
"""Candidates this much less likely than all together are not carried on."""


class State(NamedTuple):
    """The filter of each vehicle after its last fix, by vehicle id.

    time: of the last fix, NEVER none. span: its span. known: how many candidates.
    edge, is_backward, place_m (along the stroke): shape (v, MOST). weight: shape (v, MOST, 2), of
    the older and the younger generation. off: shape (v, 2), the weight of no road.
    """

    time: I64
    span: I64
    lon: F64
    lat: F64
    known: I32
    edge: I32
    is_backward: Bool
    place_m: F64
    weight: F64
    off: F64


NEVER: Final = np.iinfo(np.int64).min


def blank_state(vehicles: int) -> State:
    """The state of vehicles never seen."""
    return State(
        time=np.full(vehicles, NEVER, np.int64),
        span=np.zeros(vehicles, np.int64),
        lon=np.zeros(vehicles, np.float64),
        lat=np.zeros(vehicles, np.float64),
        known=np.zeros(vehicles, np.int32),
        edge=np.zeros((vehicles, MOST), np.int32),
        is_backward=np.zeros((vehicles, MOST), np.bool_),
        place_m=np.zeros((vehicles, MOST), np.float64),
        weight=np.zeros((vehicles, MOST, 2), np.float64),
        off=np.zeros((vehicles, 2), np.float64),
    )


class Candidates(NamedTuple):
    """The candidates of one fix, shape (2 * MOST_NEAR,): how likely the fix is on each.

    group: the edge's group of equal limits in that direction.
    """

    edge: I32
    is_backward: Bool
    place_m: F64
    likely: F64
    group: I32


def blank_candidates() -> Candidates:
    """Room for the candidates of one fix."""
    size = 2 * MOST_NEAR
    return Candidates(
        np.empty(size, np.int32), np.empty(size, np.bool_), np.empty(size), np.empty(size),
        np.empty(size, np.int32),
    )  # fmt: skip


class Fixes(NamedTuple):
    """Clean fixes sorted by (vehicle, time), shape (n,). heading NaN: not known, or too slow."""

    vehicle: I32
    time: I64
    lon: F64
    lat: F64
    heading: F32
    profile: I32


class Found(NamedTuple):
    """What the filter says of each fix, shape (n,). edge -1: no road, confidence 0."""

    edge: I32
    is_backward: Bool
    confidence: F32


@kernel
def _candidates(
    roads: Roads, near: Near, count: int, heading: float, p: Any, found: Candidates
) -> int:
    """The directed candidates among the roads near a fix; returns how many, at most MOST."""
    made = 0
    for k in range(count):
        s = roads.segments[near.segment[k]]
        edge = roads.edges[s["edge"]]
        distance = gaussian(near.distance_m[k] / p["roads_sigma_m"])
        along = s["along_m"] + near.fraction[k] * s["length_m"]
        for back in range(1 if edge["is_oneway"] else 2):
            bearing = s["bearing"] + 180.0 * back
            found.edge[made] = s["edge"]
            found.is_backward[made] = back == 1
            found.group[made] = edge["backward_group"] if back else edge["forward_group"]
            found.place_m[made] = edge["offset_m"] + (
                edge["length_m"] - along if edge["is_flipped"] else along
            )
            found.likely[made] = distance * heading_likelihood(
                heading, bearing, p["roads_heading_sigma_deg"]
            )
            made += 1
    while made > MOST:
        made = _drop_least(found, made)
    return made


@kernel
def _drop_least(found: Candidates, count: int) -> int:
    least = 0
    for k in range(count):
        if found.likely[k] < found.likely[least]:
            least = k
    for k in range(least, count - 1):
        found.edge[k] = found.edge[k + 1]
        found.is_backward[k] = found.is_backward[k + 1]
        found.place_m[k] = found.place_m[k + 1]
        found.likely[k] = found.likely[k + 1]
        found.group[k] = found.group[k + 1]
    return count - 1


@kernel
def _carry(
    state: State,
    v: int,
    roads: Roads,
    found: Candidates,
    count: int,
    off_likely: float,
    straight_m: float,
    scale_m: float,
    weight: F64,
    off: F64,
) -> None:
    """Weights after a fix from those before it, for both generations: shape (count, 2) and (2,)."""
    for g in range(2):
        stay = state.off[v, g] * STAY_OFF
        for j in range(state.known[v]):
            stay += state.weight[v, j, g] * LEAVE
        off[g] = stay * off_likely
    edges, loop_m = roads.edges, roads.loop_m
    degree_east_m = lon_scale_m(state.lat[v])
    for k in range(count):
        older, younger = state.off[v, 0] * RETURN, state.off[v, 1] * RETURN
        for j in range(state.known[v]):
            if state.weight[v, j, 0] < FAINT and state.weight[v, j, 1] < FAINT:
                continue
            before = edges[state.edge[v, j]]
            step = step_weight(
                before, state.is_backward[v, j], state.place_m[v, j],
                edges[found.edge[k]], found.is_backward[k], found.place_m[k],
                loop_m[before["stroke"]], straight_m, scale_m, degree_east_m,
            )  # fmt: skip
            older += state.weight[v, j, 0] * step
            younger += state.weight[v, j, 1] * step
        weight[k, 0] = older * found.likely[k]
        weight[k, 1] = younger * found.likely[k]


@kernel
def _begin(found: Candidates, count: int, off_likely: float, g: int, weight: F64, off: F64) -> None:
    """Begin a generation at a fix."""
    for k in range(count):
        weight[k, g] = found.likely[k]
    off[g] = off_likely


@kernel
def _normalize(count: int, g: int, weight: F64, off: F64) -> bool:
    """Make the weights of a generation sum to 1; False if there is nothing left of them."""
    total = off[g]
    for k in range(count):
        total += weight[k, g]
    if not total > 0.0:
        return False
    off[g] /= total
    for k in range(count):
        weight[k, g] /= total
    return True


@kernel
def _decide(found: Candidates, count: int, weight: F64, off: F64, i: int, out: Found) -> None:
    """The likeliest limit's likeliest candidate, by the older generation.

    Candidates that have the same limit are one: between them there is nothing to decide.
    """
    best, best_group = -1, 0.0
    for k in range(count):
        total = 0.0
        for j in range(count):
            if found.group[j] == found.group[k]:
                total += weight[j, 0]
        if total > best_group or (
            total == best_group and best >= 0 and weight[k, 0] > weight[best, 0]
        ):
            best, best_group = k, total
    if best < 0 or off[0] > best_group:
        out.edge[i], out.is_backward[i], out.confidence[i] = -1, False, 0.0
    else:
        out.edge[i] = found.edge[best]
        out.is_backward[i] = found.is_backward[best]
        out.confidence[i] = best_group


@kernel
def _keep(
    state: State,
    v: int,
    fixes: Fixes,
    i: int,
    span: int,
    found: Candidates,
    count: int,
    weight: F64,
    off: F64,
) -> None:
    state.time[v], state.span[v] = fixes.time[i], span
    state.lon[v], state.lat[v] = fixes.lon[i], fixes.lat[i]
    state.known[v] = count
    for k in range(count):
        state.edge[v, k] = found.edge[k]
        state.is_backward[v, k] = found.is_backward[k]
        state.place_m[v, k] = found.place_m[k]
        state.weight[v, k, 0], state.weight[v, k, 1] = weight[k, 0], weight[k, 1]
    state.off[v, 0], state.off[v, 1] = off[0], off[1]


@kernel
def advance(
    state: State,
    roads: Roads,
    params: Any,
    memory_us: int,
    fixes: Fixes,
    near: Near,
    found: Candidates,
    out: Found,
) -> None:
    """Take fixes in: fill `out`, change `state`. near, found: room to work in."""
    weight, off = np.zeros((2 * MOST_NEAR, 2)), np.zeros(2)
    for i in range(len(fixes.time)):
        v = fixes.vehicle[i]
        p = params[fixes.profile[i]]
        count = roads_near(
            roads.grid, roads.segments, roads.edges, fixes.lon[i], fixes.lat[i], fixes.time[i],
            p["roads_radius_m"], near,
        )  # fmt: skip
        count = _candidates(roads, near, count, fixes.heading[i], p, found)
        off_likely = gaussian(p["roads_off_road_m"] / p["roads_sigma_m"])
        span = fixes.time[i] // memory_us
        older = younger = False  # whether the generations go on
        if state.time[v] != NEVER and fixes.time[i] - state.time[v] <= p["roads_max_gap_us"]:
            if span == state.span[v] + 1:
                for k in range(state.known[v]):
                    state.weight[v, k, 0] = state.weight[v, k, 1]
                state.off[v, 0] = state.off[v, 1]
            older, younger = span <= state.span[v] + 1, span == state.span[v]
        if older:
            straight_m = haversine_m(state.lon[v], state.lat[v], fixes.lon[i], fixes.lat[i])
            scale_m = p["roads_detour_m"] + DETOUR_SHARE * straight_m
            _carry(state, v, roads, found, count, off_likely, straight_m, scale_m, weight, off)
        if not older or not _normalize(count, 0, weight, off):
            _begin(found, count, off_likely, 0, weight, off)
            _normalize(count, 0, weight, off)
        if not younger or not _normalize(count, 1, weight, off):
            _begin(found, count, off_likely, 1, weight, off)
            _normalize(count, 1, weight, off)
        _decide(found, count, weight, off, i, out)
        _keep(state, v, fixes, i, span, found, count, weight, off)
