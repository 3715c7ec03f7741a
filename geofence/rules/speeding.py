"""Speeding: kind `speeding`, docs/rules.md section 1.

Belongs here: runs of fixes, or of steps, over the limit. Which limit is in force at a fix and where
it comes from is decided by `locate`.
"""

from bisect import bisect_right
from functools import cache, partial
from itertools import pairwise
from typing import Any, Final

import numpy as np

from devices.batch import F32, I32, I64, U8, Bool
from devices.compile import kernel
from geofence.interval import Details, Interval
from geofence.locate import LimitSource, Located
from geofence.parameters import SPEEDING_MODES
from geofence.rulebook import Rulebook
from geofence.rules.last import LastFixes, begin_before
from geofence.rules.rule import Findings, Key, Records, StatePerVehicle, Track
from geofence.rules.run import RUN_FIELDS, begin_run, extend_run, interval_of, rows_of

KIND: Final = "speeding"
_SOURCES: Final = tuple(source.name.lower() for source in LimitSource)

Limits = tuple[F32, U8, I32]
"""limit_kmh, limit_source and limit_zone of Located."""

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
    ],
    align=True,
)


@kernel
def _sample(state: Any, speed: float, limit: float, source: Any, zone: Any) -> None:
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
def _before(
    last: Records, track: Track, limits: Limits, i: int
) -> tuple[float, np.float64, np.int64, np.int64]:
    """Of the fix at which the step into fix i begins: speed, limit, its source and its zone."""
    if i > 0 and track.vehicle[i - 1] == track.vehicle[i]:
        limit_kmh, source, zone = limits[0][i - 1], limits[1][i - 1], limits[2][i - 1]
        return track.speed_kmh[i - 1], np.float64(limit_kmh), np.int64(source), np.int64(zone)
    fix = last[track.vehicle[i]]
    source, zone = fix["limit_source"], fix["limit_zone"]
    return fix["speed_kmh"], np.float64(fix["limit_kmh"]), np.int64(source), np.int64(zone)


@kernel
def _take_step(
    state: Any, last: Records, track: Track, limits: Limits, i: int, params: Records
) -> bool:
    """Add the step into fix i, judged by the profile at its first fix; whether it is over."""
    p = params[track.step_profile[i]]
    gap_us = track.gap_us[i]
    if gap_us < 0 or gap_us > p["speeding_max_gap_us"] or p["speeding_mode"] != _BY_STEP:
        return False
    last_kmh, limit, source, zone = _before(last, track, limits, i)
    speed = _step_speed_kmh(last_kmh, track.speed_kmh[i], track.step_m[i], gap_us, p)
    if not speed - p["speeding_tolerance_kmh"] > limit:  # NaN is not over
        return False
    if not state["is_over"]:
        _start(state, True)
        begin_before(state, last, track, i)
    extend_run(state, track, i, track.step_m[i])
    _sample(state, speed, limit, source, zone)
    return True


@kernel
def _take_fix(
    state: Any, track: Track, limits: Limits, i: int, params: Records, out: Records, emitted: int
) -> int:
    """Take fix i, judged by itself; returns how many runs have been emitted then."""
    limit_kmh, limit_source, limit_zone = limits
    p = params[track.profile[i]]
    speed, limit = track.speed_kmh[i], np.float64(limit_kmh[i])
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
    return emitted


@kernel
def _advance(
    states: Records,
    params: Records,
    last: Records,
    track: Track,
    limits: Limits,
    needs_from: I64,
    out: Records,
) -> int:
    """Advance the states; returns how many runs were emitted: at most one for a fix."""
    vehicle, speed_kmh, gap_us = track.vehicle, track.speed_kmh, track.gap_us
    profile, step_profile, limit_kmh = track.profile, track.step_profile, limits[0]
    emitted = 0
    for i in range(len(vehicle)):
        state = states[vehicle[i]]
        p = params[profile[i]]
        by_fix = p["speeding_mode"] == _BY_FIX
        if not state["is_over"] and by_fix and params[step_profile[i]]["speeding_mode"] == _BY_FIX:
            limit = np.float64(limit_kmh[i])
            if not speed_kmh[i] > limit + p["speeding_tolerance_kmh"]:
                continue  # the common case, in short
        by_step = _take_step(state, last, track, limits, i, params)
        if state["by_step"]:
            goes_on = by_step
        else:
            goes_on = gap_us[i] <= params[step_profile[i]]["speeding_max_gap_us"]
        if not goes_on:
            emitted = _close(state, params, out, emitted)
        if by_fix:
            emitted = _take_fix(state, track, limits, i, params, out, emitted)
        elif not state["by_step"]:
            emitted = _close(state, params, out, emitted)
        if state["is_over"]:
            needs_from[i] = min(needs_from[i], state["started"])
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

    def __init__(self, rulebook: Rulebook, last: LastFixes) -> None:
        super().__init__(rulebook, _STATE)
        self._last = last

    def advance(
        self, track: Track, located: Located, needs_from: I64, *, emit: bool
    ) -> list[Findings]:
        """See Rule."""
        out = np.empty(len(track.time), _STATE)
        limits = (located.limit_kmh, located.limit_source, located.limit_zone)
        params, last = self._rulebook.params, self._last.records
        emitted = _advance(self._states, params, last, track, limits, needs_from, out)
        return [Findings(out[:emitted].copy(), self._describe)] if emit else []

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule."""
        over = self._states[vehicles[self._states["is_over"][vehicles]]]
        chosen = np.empty(len(over), np.bool_)
        _select(over, self._rulebook.params, chosen)
        return [Findings(over[chosen], partial(self._describe, is_open=True))]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        # The next step may be over the limit, and a run of steps begins at its first fix.
        keys: list[Key] = [(KIND, at, "", time) for at, time in self._last.times(vehicles)]
        over = self._states[vehicles[self._states["is_over"][vehicles]]]
        return keys + [(KIND, run.vehicle, "", run.started) for run in rows_of(over)]

    def _describe(self, records: Records, *, is_open: bool = False) -> list[Interval]:
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
