"""Vehicles that are known to be overloaded: kind `overloaded_stretch`, docs/rules.md section 7.

Belongs here: how long what a weighing said is believed, and the stretch driven meanwhile. What the
stretch leads over is the question of `bridge_limit`, which is told here of what is known.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import F64, I32, I64
from devices.compile import kernel
from geofence.interval import Interval
from geofence.loads import NO_LOADS, Loads, Weighed
from geofence.roads.matcher import Matched
from geofence.rulebook import Rulebook
from geofence.rules.bridge_limit import BridgeLimit
from geofence.rules.rule import Findings, Key, Records, StatePerVehicle, Track
from geofence.rules.run import RUN_FIELDS, begin_run, extend_run, interval_of, rows_of

KIND: Final = "overloaded_stretch"

LEAST_FIXES: Final = 2
"""A stretch is driven from one fix to another: one fix alone is none."""

_UNKNOWN: Final = 0
_SLOW: Final = 1
_FAST: Final = 2

_STATE: Final = np.dtype(
    [
        *RUN_FIELDS,  # of the stretch, as far as it is certain; no fixes: none came yet
        ("is_known", np.bool_),  # that the vehicle is overloaded; all else has a meaning only then
        ("weighed", np.int64),
        ("mass_kg", np.float64),
        ("pace", np.uint8),  # of the last fix
        # Once the vehicle has stood long enough the stretch ends where it stopped. Until then what
        # came after the first fix of the stop is kept apart: it may or may not belong to it.
        ("is_standing", np.bool_),
        ("later_fixes", np.int32),
        ("later_m", np.float64),
        ("last", np.int64),
        ("last_lon", np.float64),
        ("last_lat", np.float64),
    ],
    align=True,
)
"""State by vehicle. All zero: nothing is known."""


@kernel
def _take_later(state: Any) -> None:
    """Let the stretch go up to the last fix."""
    if state["later_fixes"] > 0:
        state["fixes"] += state["later_fixes"]
        state["distance_m"] += state["later_m"]
        state["ended"] = state["last"]
        state["end_lon"] = state["last_lon"]
        state["end_lat"] = state["last_lat"]
    state["later_fixes"] = 0
    state["later_m"] = 0.0


@kernel
def _end(state: Any, out: Records, emitted: int) -> int:
    """End what is known; returns how many stretches have been emitted then."""
    if state["fixes"] >= LEAST_FIXES:
        out[emitted] = state
        emitted += 1
    state["is_known"] = False
    return emitted


@kernel
def _weigh(state: Any, time: int, mass_kg: float, out: Records, emitted: int) -> int:
    """Take in a weighing: whatever was known before it is not any more."""
    if state["is_known"]:
        _take_later(state)
        emitted = _end(state, out, emitted)
    if not np.isnan(mass_kg):
        state["is_known"] = True
        state["weighed"] = time
        state["mass_kg"] = mass_kg
        state["fixes"] = 0
        state["is_standing"] = False
        state["later_fixes"] = 0
        state["later_m"] = 0.0
    return emitted


@kernel
def _pace(state: Any, track: Track, i: int, p: Any) -> int:
    speed = track.speed_kmh[i]
    if np.isnan(speed) and state["fixes"] > 0:  # else the step is not one of the stretch
        speed = track.step_m[i] / (track.gap_us[i] / 1e6) * 3.6
    if np.isnan(speed):
        return _UNKNOWN
    return _SLOW if speed <= p["stops_stop_speed_kmh"] else _FAST


@kernel
def _stand(state: Any, track: Track, i: int) -> None:
    """Keep a fix apart: the vehicle stands, perhaps for long."""
    state["is_standing"] = True
    state["later_fixes"] += 1
    state["later_m"] += track.step_m[i]
    state["last"] = track.time[i]
    state["last_lon"] = track.lon[i]
    state["last_lat"] = track.lat[i]


@kernel
def _begin(state: Any, params: Records, track: Track, i: int) -> None:
    """Begin the stretch, unless too much time has passed since the weighing."""
    unloading_us = params[track.profile[i]]["overload_unloading_stop_us"]
    if track.time[i] - state["weighed"] >= unloading_us:
        state["is_known"] = False
    else:
        state["pace"] = _pace(state, track, i, params[track.profile[i]])
        begin_run(state, track, i)


@kernel
def _follow(state: Any, params: Records, track: Track, i: int, out: Records, emitted: int) -> int:
    """Take in a fix of a stretch that has begun; returns how many have been emitted then."""
    pace = _pace(state, track, i, params[track.profile[i]])
    before = state["pace"]
    state["pace"] = pace
    unloading_us = params[state["profile"]]["overload_unloading_stop_us"]
    stands_on = state["is_standing"] and not (pace == _FAST and before == _FAST)
    if stands_on or (not state["is_standing"] and pace == _SLOW and before == _SLOW):
        # The stretch, as far as it is certain, ends with the first fix of the stop.
        if track.time[i] - state["ended"] >= unloading_us:
            return _end(state, out, emitted)
        _stand(state, track, i)
        return emitted
    _take_later(state)
    state["is_standing"] = False
    if track.gap_us[i] >= unloading_us:
        return _end(state, out, emitted)
    extend_run(state, track, i, track.step_m[i])
    return emitted


@kernel
def _advance(
    states: Records,
    params: Records,
    track: Track,
    rows: I64,
    loads: tuple[I32, I64, F64],
    needs_from: I64,
    known: tuple[I64, F64],
    out: Records,
) -> int:
    """Advance the states by the fixes `rows`; returns how many stretches were emitted.

    known: shape (len(rows),) each, when the load that is known at a fix was weighed, and its mass;
    NaN: none is known.
    """
    load_vehicle, load_time, load_mass = loads
    known_since, known_mass = known
    vehicle, time, gap_us = track.vehicle, track.time, track.gap_us
    k, emitted = 0, 0
    for r in range(len(rows)):
        i = rows[r]
        v = vehicle[i]
        state = states[v]
        while k < len(load_time) and (
            load_vehicle[k] < v or (load_vehicle[k] == v and load_time[k] <= time[i])
        ):
            # Earlier ones were taken in with an earlier fix.
            if load_vehicle[k] == v and (gap_us[i] < 0 or load_time[k] > time[i] - gap_us[i]):
                emitted = _weigh(state, load_time[k], load_mass[k], out, emitted)
            k += 1
        if state["is_known"] and state["fixes"] == 0:
            _begin(state, params, track, i)
        elif state["is_known"]:
            emitted = _follow(state, params, track, i, out, emitted)
        known_mass[r] = np.nan
        if state["is_known"]:
            known_since[r] = state["weighed"]
            known_mass[r] = state["mass_kg"]
            needs_from[i] = min(needs_from[i], state["weighed"])
    return emitted


class KnownLoad(StatePerVehicle):
    """Of each vehicle whether it is known to be overloaded, and how far it has come since."""

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook, _STATE)
        self._weighed: dict[int, Weighed] = {}
        bridges = BridgeLimit(rulebook) if rulebook.roads else None
        self._bridges = None if bridges is None or bridges.is_idle else bridges

    def make_room(self, vehicles: int) -> None:
        """See Stateful."""
        super().make_room(vehicles)
        if self._bridges:
            self._bridges.make_room(vehicles)

    def advance(
        self,
        track: Track,
        matched: Matched | None,
        loads: Loads,
        needs_from: I64,
        *,
        emit: bool,
    ) -> list[Findings]:
        """Take fixes in, and the weighings before and among them; as Rule's.

        loads: those later than a vehicle's last fix are not taken in, those that were taken in
            before do no harm.
        """
        rows = self._concerned(track, loads)
        if not len(rows):
            return []
        known = np.empty(len(rows), np.int64), np.full(len(rows), np.nan)
        stretches = np.empty(
            len(loads) + len(self._weighed), _STATE
        )  # each ends what one weighing said
        columns = loads.vehicle, loads.time, loads.mass_kg
        emitted = _advance(
            self._states, self._rulebook.params, track, rows, columns, needs_from, known, stretches
        )
        stretches = stretches[:emitted]
        found: list[Findings] = []
        if emit:
            found.append(self._found(stretches, loads, is_open=False))
        if self._bridges and matched:
            passed = self._bridges.advance(track, matched, rows, *known)
            if emit:
                found.append(self._bridges.found(passed, self._of(passed, loads), is_open=False))
        self._remember(np.unique(track.vehicle[rows]), loads)
        return found

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        super().forget(vehicles)
        if self._bridges:
            self._bridges.forget(vehicles)
        if self._weighed:
            for vehicle in vehicles.tolist():
                self._weighed.pop(vehicle, None)

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule."""
        known = self._known(vehicles)
        found = [self._found(known[known["fixes"] >= LEAST_FIXES], NO_LOADS, is_open=True)]
        if self._bridges and self._weighed:
            runs = self._bridges.open_runs(vehicles)
            found.append(self._bridges.found(runs, self._of(runs, NO_LOADS), is_open=True))
        return found

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        keys: list[Key] = [
            (KIND, run.vehicle, self._weighed[run.vehicle].station, run.started)
            for run in rows_of(self._known(vehicles))
            if run.fixes > 0
        ]
        if self._bridges and self._weighed:
            keys += self._bridges.pending(vehicles)
        return keys

    def _known(self, vehicles: I32) -> Records:
        if not self._weighed:
            return np.empty(0, _STATE)
        known: Records = self._states[vehicles[self._states["is_known"][vehicles]]]
        return known

    def _concerned(self, track: Track, loads: Loads) -> I64:
        """Rows of the fixes of vehicles that are known to be overloaded, or were weighed."""
        if not self._weighed and not len(loads):
            return np.empty(0, np.int64)
        concerned = np.unique(np.concatenate([[*self._weighed], loads.vehicle]).astype(np.int32))
        first = np.searchsorted(track.vehicle, concerned)
        last = np.searchsorted(track.vehicle, concerned, side="right")
        spans = [np.arange(*span) for span in zip(first, last, strict=True) if span[0] < span[1]]
        return np.concatenate([np.empty(0, np.int64), *spans])

    def _of(self, runs: Records, loads: Loads) -> list[Weighed]:
        """Of each run the weighing that it began with."""
        found: list[Weighed] = []
        for vehicle, time in zip(runs["vehicle"].tolist(), runs["weighed"].tolist(), strict=True):
            before = self._weighed.get(vehicle)
            weighed = before if before and before.time == time else loads.last_at(vehicle, time)
            assert weighed is not None
            found.append(weighed)
        return found

    def _remember(self, vehicles: I32, loads: Loads) -> None:
        """Keep the weighings that are believed of these vehicles, and no others."""
        states = self._states[vehicles]
        columns = vehicles.tolist(), states["is_known"].tolist(), states["weighed"].tolist()
        for vehicle, is_known, time in zip(*columns, strict=True):
            before = self._weighed.get(vehicle)
            if not is_known:
                self._weighed.pop(vehicle, None)
            elif before is None or before.time != time:
                found = loads.last_at(vehicle, time)
                assert found is not None
                self._weighed[vehicle] = found

    def _found(self, runs: Records, loads: Loads, *, is_open: bool) -> Findings:
        weighed = self._of(runs, loads)
        return Findings(runs, partial(self._describe, weighed=weighed, is_open=is_open))

    def _describe(self, runs: Records, weighed: list[Weighed], *, is_open: bool) -> list[Interval]:
        profiles = self._rulebook.profiles
        return [
            interval_of(
                run, KIND, load.station, profiles[run.profile].id, load.stretch_details,
                is_open=is_open,
            )
            for run, load in zip(rows_of(runs), weighed, strict=True)
        ]  # fmt: skip
