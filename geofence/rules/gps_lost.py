"""Messages without a position: kind `gps_lost`, docs/rules.md section 6.

Belongs here: runs of fixes without a position that follow a clean fix at which the vehicle moved.
Where they were taken nobody knows: such a run lies between the clean fixes before and after it.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import I32, I64, Bool
from devices.compile import kernel
from geofence.interval import Details, Interval
from geofence.rulebook import Rulebook
from geofence.rules.last import motion_kmh
from geofence.rules.rule import Findings, Heard, Key, Records, StatePerVehicle
from geofence.rules.run import RUN_FIELDS, interval_of, rows_of

KIND: Final = "gps_lost"

_WAITING: Final = 0
"""For a clean fix at which the vehicle moves."""
_MOVING: Final = 1
_LOST: Final = 2

_STATE: Final = np.dtype(
    [
        *RUN_FIELDS,  # of the fixes without a position; its places are those of clean fixes
        ("stage", np.uint8),
        # In later stages: the last clean fix, the time that its speed is known from, and the last
        # fix of either sort.
        ("seen_since", np.int64),
        ("seen_lon", np.float64),
        ("seen_lat", np.float64),
        ("speed_kmh", np.float64),
        ("last_time", np.int64),
        ("last_profile", np.int32),
    ],
    align=True,
)


@kernel
def _is_long_enough(run: Any, params: Records) -> bool:
    least_us = params[run["profile"]]["gps_lost_min_duration_us"]
    return bool(run["ended"] - run["started"] >= least_us)


@kernel
def _select(runs: Records, params: Records, chosen: Bool) -> None:
    for k in range(len(runs)):
        chosen[k] = _is_long_enough(runs[k], params)


@kernel
def _close(state: Any, params: Records, out: Records, emitted: int) -> int:
    """End the run, if there is one. Returns how many have been emitted then."""
    is_lost = state["stage"] == _LOST
    state["stage"] = _WAITING
    if is_lost and _is_long_enough(state, params):
        out[emitted] = state
        emitted += 1
    return emitted


@kernel
def _see(state: Any, params: Records, heard: Heard, i: int) -> None:
    """Take a clean fix: whether the vehicle moves at it."""
    speed = motion_kmh(heard.speed_kmh[i], heard.gap_us[i], heard.step_m[i])
    is_moving = speed > params[heard.profile[i]]["data_gap_moving_kmh"]
    state["stage"] = _MOVING if is_moving else _WAITING
    state["seen_since"] = heard.time[i]
    if np.isnan(heard.speed_kmh[i]) and heard.gap_us[i] >= 0:
        state["seen_since"] -= heard.gap_us[i]
    state["seen_lon"] = heard.lon[i]
    state["seen_lat"] = heard.lat[i]
    state["speed_kmh"] = speed
    state["last_time"] = heard.time[i]
    state["last_profile"] = heard.profile[i]


@kernel
def _lose(state: Any, heard: Heard, i: int) -> None:
    """Take a fix without a position, which the vehicle's last fix is joined with."""
    if state["stage"] == _MOVING:
        state["stage"] = _LOST
        state["vehicle"] = heard.vehicle[i]
        state["driver"] = heard.driver[i]
        state["profile"] = heard.profile[i]
        state["fixes"] = 0
        state["started"] = heard.time[i]
        state["start_lon"] = state["seen_lon"]
        state["start_lat"] = state["seen_lat"]
        state["end_lon"] = state["seen_lon"]
        state["end_lat"] = state["seen_lat"]
        state["distance_m"] = 0.0
    state["fixes"] += 1
    state["ended"] = heard.time[i]


@kernel
def _take(state: Any, params: Records, heard: Heard, i: int, out: Records, emitted: int) -> int:
    """Take fix i, which is clean or has no position, in; returns how many have been emitted."""
    is_joined = (
        state["stage"] != _WAITING
        and heard.time[i] - state["last_time"]
        <= params[state["last_profile"]]["gps_lost_max_gap_us"]
    )
    if not is_joined:
        emitted = _close(state, params, out, emitted)
    if heard.is_clean[i]:
        if state["stage"] == _LOST:
            state["end_lon"] = heard.lon[i]
            state["end_lat"] = heard.lat[i]
            state["distance_m"] = heard.step_m[i]
            emitted = _close(state, params, out, emitted)
        _see(state, params, heard, i)
        return emitted
    if is_joined:
        _lose(state, heard, i)
    state["last_time"] = heard.time[i]
    state["last_profile"] = heard.profile[i]
    return emitted


@kernel
def _advance(states: Records, params: Records, heard: Heard, needs_from: I64, out: Records) -> int:
    """Advance the states; returns how many runs were emitted: at most one for a fix.

    Of clean fixes one after the other only the last matters: the others pass by.
    """
    vehicle, time, is_clean = heard.vehicle, heard.time, heard.is_clean
    has_position, speed_kmh, gap_us = heard.has_position, heard.speed_kmh, heard.gap_us
    n = len(vehicle)
    emitted = 0
    for i in range(n):
        state = states[vehicle[i]]
        if is_clean[i]:
            if np.isnan(speed_kmh[i]) and gap_us[i] >= 0:
                needs_from[i] = min(needs_from[i], time[i] - gap_us[i])
            passes = i + 1 < n and is_clean[i + 1] and vehicle[i + 1] == vehicle[i]
            if passes and state["stage"] != _LOST:
                continue
        if is_clean[i] or not has_position[i]:
            emitted = _take(state, params, heard, i, out, emitted)
        if state["stage"] != _WAITING:
            needs_from[i] = min(needs_from[i], state["seen_since"])
    return emitted


class GpsLost(StatePerVehicle):
    """Of each vehicle its last clean fix, if it moved there, and the fixes without a position."""

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook, _STATE)

    def advance(self, heard: Heard, needs_from: I64, *, emit: bool) -> list[Findings]:
        """See RawRule."""
        out = np.empty(len(heard.time), _STATE)
        emitted = _advance(self._states, self._rulebook.params, heard, needs_from, out)
        return [Findings(out[:emitted].copy(), self._describe)] if emit else []

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule."""
        lost = self._lost(vehicles)
        chosen = np.empty(len(lost), np.bool_)
        _select(lost, self._rulebook.params, chosen)
        return [Findings(lost[chosen], partial(self._describe, is_open=True))]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        lost = self._lost(vehicles)
        return [(KIND, run.vehicle, "", run.started) for run in rows_of(lost)]

    def _lost(self, vehicles: I32) -> Records:
        lost: Records = self._states[vehicles[self._states["stage"][vehicles] == _LOST]]
        return lost

    def _describe(self, records: Records, *, is_open: bool = False) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(records):
            profile = self._rulebook.profiles[run.profile].id
            details: Details = {"last_speed_kmh": run.speed_kmh}
            intervals.append(interval_of(run, KIND, "", profile, details, is_open=is_open))
        return intervals
