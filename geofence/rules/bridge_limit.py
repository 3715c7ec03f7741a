"""Bridges and roads that do not bear the vehicle: kind `bridge_limit`, docs/rules.md section 7.

Belongs here: where a known load meets posted mass limits. What is known of the load is decided by
`known_load`, which is the caller; what road a fix is on by `roads`.
"""

from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import F32, F64, I32, I64
from devices.compile import kernel
from geofence.interval import Details, Interval
from geofence.loads import Weighed
from geofence.roads.matcher import Matched
from geofence.roads.posted import MARGIN_SIGMAS, Posted
from geofence.rulebook import Rulebook
from geofence.rules.rule import Findings, Key, Records, StatePerVehicle, Track
from geofence.rules.run import RUN_FIELDS, begin_run, extend_run, interval_of, rows_of

KIND: Final = "bridge_limit"

NOWHERE: Final = -1

_STATE: Final = np.dtype(
    [
        *RUN_FIELDS,  # on the span that the last fix lies on
        ("over", np.int32),  # that span's row and one; 0: it lies on none
        ("weighed", np.int64),
        ("mass_kg", np.float64),
        ("is_known", np.bool_),  # that the load was known at the last fix; else the rest is void
        ("stroke", np.int32),  # of the last fix, NOWHERE: not sure of any
        ("place_m", np.float64),
        ("last", np.int64),
        ("last_lon", np.float64),
        ("last_lat", np.float64),
        ("last_driver", np.int32),
        ("last_profile", np.int32),
    ],
    align=True,
)
"""State by vehicle. All zero: no load is known."""


class OnRoad(NamedTuple):
    """What is known of some clean fixes, shape (r,): their rows, roads and loads.

    mass_kg: NaN: no load is known. weighed: when it was.
    """

    row: I64
    stroke: I32
    place_m: F64
    confidence: F32
    weighed: I64
    mass_kg: F64


@kernel
def _leave(state: Any, out: Records, emitted: int) -> int:
    """End the run; returns how many have been emitted then."""
    if state["over"] > 0:
        out[emitted] = state
        emitted += 1
    state["over"] = 0
    return emitted


@kernel
def _begin_before(run: Any, state: Any, vehicle: int) -> None:
    """Make the last fix the only one of a run."""
    run["vehicle"] = vehicle
    run["driver"] = state["last_driver"]
    run["profile"] = state["last_profile"]
    run["fixes"] = 1
    run["started"] = state["last"]
    run["ended"] = state["last"]
    run["start_lon"] = state["last_lon"]
    run["start_lat"] = state["last_lat"]
    run["end_lon"] = state["last_lon"]
    run["end_lat"] = state["last_lat"]
    run["distance_m"] = 0.0
    run["weighed"] = state["weighed"]


@kernel
def _reach(posted: Posted, s: int, state: Any, time: int, p: Any) -> tuple[float, float]:
    """Between which places a sign certainly holds for the load: none if the first is greater."""
    is_valid = posted.valid_from[s] <= time < posted.valid_to[s]
    if not (is_valid and posted.limit_kg[s] < state["mass_kg"]):
        return np.inf, -np.inf
    length_m = posted.end_m[s] - posted.begin_m[s]
    margin_m = min(MARGIN_SIGMAS * p["roads_sigma_m"], 0.5 * length_m)
    return posted.begin_m[s] + margin_m, posted.end_m[s] - margin_m


@kernel
def _enter(
    state: Any, s: int, is_way_known: bool, track: Track, i: int, out: Records, emitted: int
) -> int:
    """Begin a run on the span that fix i lies on; returns how many have been emitted then."""
    emitted = _leave(state, out, emitted)
    if is_way_known:
        _begin_before(state, state, track.vehicle[i])
        extend_run(state, track, i, track.step_m[i])
    else:
        begin_run(state, track, i)
    state["over"] = s + 1
    return emitted


@kernel
def _pass_spans(
    state: Any, posted: Posted, track: Track, i: int, place_m: float, is_way_known: bool,
    p: Any, out: Records, emitted: int,
) -> int:  # fmt: skip
    """Take in a fix on a stroke, and the way to it along the stroke where that is known."""
    low = min(place_m, state["place_m"]) if is_way_known else place_m
    high = max(place_m, state["place_m"]) if is_way_known else place_m
    is_on = False
    over = state["over"]
    if over > 0:
        begin_m, end_m = _reach(posted, over - 1, state, track.time[i], p)
        if posted.stroke[over - 1] == state["stroke"] and begin_m <= high and low <= end_m:
            extend_run(state, track, i, track.step_m[i])
            is_on = begin_m <= place_m <= end_m
    first = np.searchsorted(posted.stroke, state["stroke"])
    for s in range(first, np.searchsorted(posted.stroke, state["stroke"] + 1)):
        begin_m, end_m = _reach(posted, s, state, track.time[i], p)
        if s + 1 == over or begin_m > high or low > end_m:
            continue
        if not is_on and begin_m <= place_m <= end_m:
            emitted = _enter(state, s, is_way_known, track, i, out, emitted)
            is_on = True
        elif is_way_known:
            _begin_before(out[emitted], state, track.vehicle[i])
            extend_run(out[emitted], track, i, track.step_m[i])
            out[emitted]["over"] = s + 1
            emitted += 1
    return emitted if is_on else _leave(state, out, emitted)


@kernel
def _advance(
    states: Records,
    params: Records,
    track: Track,
    posted: Posted,
    loop_m: F64,
    on: OnRoad,
    first: int,
    room: int,
    out: Records,
) -> tuple[int, int]:
    """Advance from fix `first` on: the fix that it stopped before, and how many were emitted.

    room: how many runs one fix may end. It stops where `out` might have less.
    """
    emitted = 0
    for r in range(first, len(on.row)):
        if emitted + room > len(out):
            return r, emitted
        i = on.row[r]
        state = states[track.vehicle[i]]
        if state["is_known"] and not (
            on.weighed[r] == state["weighed"] and on.mass_kg[r] == state["mass_kg"]
        ):
            emitted = _leave(state, out, emitted)
            state["is_known"] = False
        if np.isnan(on.mass_kg[r]):
            continue
        p = params[track.profile[i]]
        max_gap_us = params[track.step_profile[i]]["roads_max_gap_us"]
        is_joined = state["is_known"] and track.gap_us[i] <= max_gap_us
        is_sure = on.stroke[r] != NOWHERE and on.confidence[r] >= p["roads_confidence"]
        stroke = on.stroke[r] if is_sure else NOWHERE
        if not is_joined or not is_sure:
            emitted = _leave(state, out, emitted)
        # On a loop there are two ways from one place to another.
        is_way_known = is_joined and is_sure and stroke == state["stroke"] and loop_m[stroke] == 0.0
        state["is_known"] = True
        state["weighed"], state["mass_kg"] = on.weighed[r], on.mass_kg[r]
        state["stroke"] = stroke
        if is_sure:
            emitted = _pass_spans(
                state, posted, track, i, on.place_m[r], is_way_known, p, out, emitted
            )
        state["place_m"] = on.place_m[r]
        state["last"] = track.time[i]
        state["last_lon"], state["last_lat"] = track.lon[i], track.lat[i]
        state["last_driver"], state["last_profile"] = track.driver[i], track.profile[i]
    return len(on.row), emitted


class BridgeLimit(StatePerVehicle):
    """Of each vehicle whose load is known the last fix, and the sign that it drives past."""

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook, _STATE)
        assert rulebook.roads is not None
        self._index = rulebook.roads.index
        self._posted = self._index.posted
        counts = np.unique(self._posted.stroke, return_counts=True)[1]
        self._room = int(counts.max(initial=0)) + 2

    @property
    def is_idle(self) -> bool:
        """Whether there is no sign anywhere."""
        return not len(self._posted.stroke)

    def advance(
        self, track: Track, matched: Matched, rows: I64, weighed: I64, mass_kg: F64
    ) -> Records:
        """Take the fixes `rows` in. Returns the runs that they ended; `describe` tells of them.

        weighed, mass_kg: shape (len(rows),), the load known at each, NaN none.
        """
        edge = matched.edge[rows]
        stroke = np.full(len(rows), NOWHERE, np.int32)
        stroke[edge >= 0] = self._index.network.edges["stroke"][edge[edge >= 0]]
        on = OnRoad(
            rows, stroke, matched.place_m[rows], matched.road_confidence[rows], weighed, mass_kg
        )
        room = len(rows) + self._room
        found: list[Records] = []
        at = 0
        while at < len(rows):
            out = np.empty(room, _STATE)
            at, emitted = _advance(
                self._states, self._rulebook.params, track, self._posted,
                self._index.network.loop_m, on, at, self._room, out,
            )  # fmt: skip
            found.append(out[:emitted])
        return np.concatenate(found)

    def open_runs(self, vehicles: I32) -> Records:
        """Runs of these vehicles that are not over."""
        states: Records = self._states[vehicles]
        chosen: Records = states[states["is_known"] & (states["over"] > 0)]
        return chosen

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule. What the next fix passes begins with the last one so far."""
        states = self._states[vehicles]
        keys: set[Key] = set()
        posted = self._posted
        for vehicle, state in zip(vehicles.tolist(), states, strict=True):
            if not state["is_known"]:
                continue
            if state["over"] > 0:
                way = str(int(posted.way[state["over"] - 1]))
                keys.add((KIND, vehicle, way, int(state["started"])))
            first, last = np.searchsorted(posted.stroke, [state["stroke"], state["stroke"] + 1])
            last_time = int(state["last"])
            keys |= {(KIND, vehicle, str(way), last_time) for way in posted.way[first:last]}
        return sorted(keys)

    def found(self, runs: Records, weighed: list[Weighed], *, is_open: bool) -> Findings:
        """Runs as what a rule found; weighed and is_open as in `describe`."""
        return Findings(runs, partial(self.describe, weighed=weighed, is_open=is_open))

    def describe(self, runs: Records, weighed: list[Weighed], *, is_open: bool) -> list[Interval]:
        """Runs as intervals. weighed: of each the weighing that its load is known by."""
        found: list[Interval] = []
        for run, load in zip(rows_of(runs), weighed, strict=True):
            limit_kg = float(self._posted.limit_kg[run.over - 1])
            details: Details = {
                "measured_kg": load.gross_kg,
                "limit_kg": limit_kg,
                "tolerance": load.tolerance,
                "excess_percent": (load.mass_kg - limit_kg) * 100.0 / limit_kg,
                "station": load.station,
                "weighed_at": load.weighed_at,
                "indicative": load.is_indicative,
            }
            way = str(int(self._posted.way[run.over - 1]))
            profile = self._rulebook.profiles[run.profile].id
            found.append(interval_of(run, KIND, way, profile, details, is_open=is_open))
        return found
