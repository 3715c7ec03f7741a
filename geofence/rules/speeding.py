"""Speeding: kind `speeding`, docs/rules.md section 1.

Belongs here: runs of fixes, or of steps, over the limit. Which limit is in force at a fix and where
it comes from is decided by `locate`.
"""

from bisect import bisect_right
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np

from devices.batch import F32, I32, I64, U8, Bool
from geofence.compile import kernel
from geofence.interval import Details, Interval
from geofence.locate import LimitSource, Located
from geofence.parameters import SPEEDING_MODES
from geofence.rulebook import Rulebook
from geofence.rules.rule import Key, Records, StatePerVehicle, Track
from geofence.rules.run import RUN_FIELDS, begin_run, extend_run, interval_of, rows_of

KIND: Final = "speeding"
_SOURCES: Final = tuple(source.name.lower() for source in LimitSource)

_BY_FIX: Final = SPEEDING_MODES.index("fix")
_BY_STEP: Final = SPEEDING_MODES.index("step")

_STATE: Final = np.dtype(
    [
        *RUN_FIELDS,
        ("is_over", np.bool_),
        ("by_step", np.bool_),
        ("samples", np.int64),
        ("speed_sum", np.float64),
        ("max_speed_kmh", np.float64),
        ("max_excess_kmh", np.float64),
        ("limit_kmh", np.float64),
        ("limit_source", np.uint8),
        ("limit_zone", np.int32),
        # The last clean fix, where a run of steps would begin.
        ("last_time", np.int64),
        ("last_lon", np.float64),
        ("last_lat", np.float64),
        ("last_driver", np.int32),
        ("last_profile", np.int32),
        ("last_speed_kmh", np.float64),
        ("last_limit_kmh", np.float64),
        ("last_limit_source", np.uint8),
        ("last_limit_zone", np.int32),
    ],
    align=True,
)


@kernel
def _sample(state: Any, speed: float, limit: float, source: int, zone: int) -> None:
    """Count a speed over the limit; the limit of the earliest greatest excess is kept."""
    state["samples"] += 1
    state["speed_sum"] += speed
    state["max_speed_kmh"] = max(state["max_speed_kmh"], speed)
    if speed - limit > state["max_excess_kmh"]:
        state["max_excess_kmh"] = speed - limit
        state["limit_kmh"] = limit
        state["limit_source"] = source
        state["limit_zone"] = zone


@kernel
def _start(state: Any, by_step: bool) -> None:
    state["is_over"] = True
    state["by_step"] = by_step
    state["samples"] = 0
    state["speed_sum"] = 0.0
    state["max_speed_kmh"] = 0.0
    state["max_excess_kmh"] = -np.inf


@kernel
def _begin_at_last(state: Any, vehicle: int) -> None:
    """Begin the run at the last clean fix."""
    state["vehicle"] = vehicle
    state["driver"] = state["last_driver"]
    state["profile"] = state["last_profile"]
    state["fixes"] = 1
    state["started"] = state["last_time"]
    state["ended"] = state["last_time"]
    state["start_lon"] = state["last_lon"]
    state["start_lat"] = state["last_lat"]
    state["end_lon"] = state["last_lon"]
    state["end_lat"] = state["last_lat"]
    state["distance_m"] = 0.0


@kernel
def _step_speed_kmh(last_kmh: float, own_kmh: float, step_m: float, gap_us: int, p: Any) -> float:
    if gap_us > p["speeding_pair_distance_over_us"]:
        return step_m / (gap_us / 1e6) * 3.6
    return (last_kmh + own_kmh) / 2.0


@kernel
def _is_long_enough(state: Any, params: Records) -> bool:
    p = params[state["profile"]]
    duration_us = state["ended"] - state["started"]
    if p["speeding_min_duration_is_strict"] != 0:
        return bool(duration_us > p["speeding_min_duration_us"])
    return bool(duration_us >= p["speeding_min_duration_us"])


@kernel
def _close(state: Any, params: Records, out: Records, emitted: int) -> int:
    """End the run, if there is one. Returns how many have been emitted then."""
    if not state["is_over"]:
        return emitted
    state["is_over"] = False
    if not _is_long_enough(state, params):
        return emitted
    out[emitted] = state
    return emitted + 1


@kernel
def _take_step(state: Any, track: Track, i: int, params: Records) -> bool:
    """Add the step into fix i, judged by the profile at its first fix; whether it is over."""
    p = params[track.step_profile[i]]
    gap_us = track.gap_us[i]
    if gap_us < 0 or gap_us > p["speeding_max_gap_us"] or p["speeding_mode"] != _BY_STEP:
        return False
    own_kmh = track.speed_kmh[i]
    speed = _step_speed_kmh(state["last_speed_kmh"], own_kmh, track.step_m[i], gap_us, p)
    limit = state["last_limit_kmh"]
    if not speed - p["speeding_tolerance_kmh"] > limit:  # NaN is not over
        return False
    if not state["is_over"]:
        _start(state, True)
        _begin_at_last(state, track.vehicle[i])
    extend_run(state, track, i, track.step_m[i])
    _sample(state, speed, limit, state["last_limit_source"], state["last_limit_zone"])
    return True


@kernel
def _advance(
    states: Records,
    params: Records,
    track: Track,
    limit_kmh: F32,
    limit_source: U8,
    limit_zone: I32,
    needs_from: I64,
    out: Records,
) -> int:
    """Advance the states; returns how many runs were emitted: at most one for a fix."""
    emitted = 0
    for i in range(len(track.time)):
        state = states[track.vehicle[i]]
        gap_us = track.gap_us[i]
        by_step = _take_step(state, track, i, params)
        if state["by_step"]:
            goes_on = by_step
        else:
            goes_on = gap_us <= params[track.step_profile[i]]["speeding_max_gap_us"]
        if not goes_on:
            emitted = _close(state, params, out, emitted)
        p = params[track.profile[i]]
        speed = track.speed_kmh[i]
        limit = np.float64(limit_kmh[i])
        if p["speeding_mode"] == _BY_FIX:
            is_over = speed > limit + p["speeding_tolerance_kmh"]
            if not is_over or state["by_step"]:
                emitted = _close(state, params, out, emitted)
            if is_over:
                if state["is_over"]:
                    extend_run(state, track, i, track.step_m[i])
                else:
                    _start(state, False)
                    begin_run(state, track, i)
                _sample(state, speed, limit, limit_source[i], limit_zone[i])
        elif not state["by_step"]:
            emitted = _close(state, params, out, emitted)
        state["last_time"] = track.time[i]
        state["last_lon"] = track.lon[i]
        state["last_lat"] = track.lat[i]
        state["last_driver"] = track.driver[i]
        state["last_profile"] = track.profile[i]
        state["last_speed_kmh"] = speed
        state["last_limit_kmh"] = limit
        state["last_limit_source"] = limit_source[i]
        state["last_limit_zone"] = limit_zone[i]
        since = state["started"] if state["is_over"] else track.time[i]
        needs_from[i] = min(needs_from[i], since)
    return emitted


@kernel
def _select(states: Records, params: Records, chosen: Bool) -> None:
    for k in range(len(states)):
        chosen[k] = _is_long_enough(states[k], params)


def band_of(excess_kmh: float, edges: tuple[float, ...]) -> str:
    """The band of an excess: "under_5", "5_10", ..., "35_up" for the edges 5, 10, ..., 35."""
    return _bands(edges)[bisect_right(edges, excess_kmh)]


@cache
def _bands(edges: tuple[float, ...]) -> tuple[str, ...]:
    between = [f"{low:g}_{high:g}" for low, high in pairwise(edges)]
    return (f"under_{edges[0]:g}", *between, f"{edges[-1]:g}_up")


class Speeding(StatePerVehicle):
    """Runs over the limit, by vehicle."""

    def __init__(self, rulebook: Rulebook) -> None:
        super().__init__(rulebook, _STATE)

    def advance(
        self, track: Track, located: Located, needs_from: I64, *, emit: bool
    ) -> list[Interval]:
        """See Rule."""
        out = np.empty(len(track.time), _STATE)
        emitted = _advance(
            self._states,
            self._rulebook.params,
            track,
            located.limit_kmh,
            located.limit_source,
            located.limit_zone,
            needs_from,
            out,
        )
        return self._describe(out[:emitted], is_open=False) if emit else []

    def open_intervals(self, vehicles: I32) -> list[Interval]:
        """See Rule."""
        over = self._states[vehicles[self._states["is_over"][vehicles]]]
        chosen = np.empty(len(over), np.bool_)
        _select(over, self._rulebook.params, chosen)
        return self._describe(over[chosen], is_open=True)

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        states = self._states[vehicles]
        keys: list[Key] = []
        for vehicle, state in zip(vehicles.tolist(), states, strict=True):
            # The next step may be over the limit, and a run of steps begins at its first fix.
            keys.append((KIND, vehicle, "", int(state["last_time"])))
            if state["is_over"]:
                keys.append((KIND, vehicle, "", int(state["started"])))
        return keys

    def _describe(self, records: Records, *, is_open: bool) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(records):
            profile = self._rulebook.profiles[run.profile]
            zone = run.limit_zone
            details: Details = {
                "max_speed_kmh": run.max_speed_kmh,
                "mean_speed_kmh": run.speed_sum / run.samples,
                "limit_kmh": run.limit_kmh,
                "limit_source": _SOURCES[run.limit_source],
                "limit_zone": self._rulebook.zones[zone].code if zone >= 0 else None,
                "max_excess_kmh": run.max_excess_kmh,
                "band": band_of(run.max_excess_kmh, profile.edges("speeding.bands_kmh")),
            }
            intervals.append(interval_of(run, KIND, "", profile.id, details, is_open=is_open))
        return intervals
