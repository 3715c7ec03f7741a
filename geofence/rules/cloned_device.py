"""Two devices with one identity: kind `cloned_device`, docs/rules.md section 6.

Belongs here: series of leaps to and fro between two places or ways. Cleaning marks the fixes on one
of the sides `jump`, so this rule sees all fixes that have a position. A single wrong position is a
leap there and a leap back, and no series.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import I32, I64, Bool
from devices.compile import kernel
from geofence.geodesy import haversine_m
from geofence.interval import Details, Interval
from geofence.quality import kmh_of
from geofence.rulebook import Rulebook
from geofence.rules.rule import Findings, Heard, Key, Records, grown
from geofence.rules.run import RUN_FIELDS, interval_of, rows_of

KIND: Final = "cloned_device"

_STATE: Final = np.dtype(
    [
        *RUN_FIELDS,  # of the series: from before its first to after its last leap
        ("leaps", np.int32),  # of the series, 0: there is none
        ("is_dense", np.bool_),  # enough of them came in so short a time
        ("last_leap", np.int64),
        ("after", np.int32),  # fixes since then
        ("max_kmh", np.float64),
        ("apart_m", np.float64),
        # The last fix, and in a series the last one on the other side.
        ("has_last", np.bool_),
        ("last_driver", np.int32),
        ("last_profile", np.int32),
        ("last_time", np.int64),
        ("last_lon", np.float64),
        ("last_lat", np.float64),
        ("other_time", np.int64),
        ("other_lon", np.float64),
        ("other_lat", np.float64),
    ],
    align=True,
)


@kernel
def _close(state: Any, out: Records, emitted: int) -> int:
    """End the series, if there is one. Returns how many have been emitted then."""
    if state["leaps"] > 0 and state["is_dense"]:
        out[emitted] = state
        emitted += 1
    state["leaps"] = 0
    return emitted


@kernel
def _begin(state: Any, vehicle: int) -> None:
    """Begin a series at the last fix."""
    state["vehicle"] = vehicle
    state["driver"] = state["last_driver"]
    state["profile"] = state["last_profile"]
    state["fixes"] = 1
    state["started"] = state["last_time"]
    state["start_lon"] = state["last_lon"]
    state["start_lat"] = state["last_lat"]
    state["distance_m"] = 0.0
    state["is_dense"] = False
    state["after"] = 0
    state["max_kmh"] = 0.0
    state["apart_m"] = 0.0


@kernel
def _leap(state: Any, params: Records, heard: Heard, i: int, recent: I64) -> None:
    """Add the leap to fix i. recent: times of the series' last leaps, leap n at n % its length."""
    recent[state["leaps"] % len(recent)] = heard.time[i]
    state["leaps"] += 1
    state["fixes"] += state["after"] + 1
    state["after"] = 0
    state["ended"] = heard.time[i]
    state["end_lon"] = heard.lon[i]
    state["end_lat"] = heard.lat[i]
    state["last_leap"] = heard.time[i]
    state["other_time"] = state["last_time"]
    state["other_lon"] = state["last_lon"]
    state["other_lat"] = state["last_lat"]
    p = params[state["profile"]]
    times = p["cloned_device_times"]
    if state["leaps"] >= times:
        first = recent[(state["leaps"] - times) % len(recent)]
        state["is_dense"] |= heard.time[i] - first <= p["cloned_device_within_us"]


@kernel
def _take(
    state: Any, params: Records, heard: Heard, i: int, recent: I64, out: Records, emitted: int
) -> int:
    """Take fix i, which has a position and is not the first."""
    time, lon, lat = heard.time[i], heard.lon[i], heard.lat[i]
    if time - state["last_leap"] > params[state["profile"]]["cloned_device_within_us"]:
        emitted = _close(state, out, emitted)
    over_kmh = params[state["last_profile"]]["cloned_device_over_kmh"]
    distance_m = haversine_m(state["last_lon"], state["last_lat"], lon, lat)
    kmh = kmh_of(distance_m, time - state["last_time"])
    if not kmh > over_kmh:
        state["after"] += 1
        return emitted
    if state["leaps"] > 0:
        back_m = haversine_m(state["other_lon"], state["other_lat"], lon, lat)
        if kmh_of(back_m, time - state["other_time"]) > over_kmh:
            emitted = _close(state, out, emitted)
    if state["leaps"] == 0:
        _begin(state, heard.vehicle[i])
    _leap(state, params, heard, i, recent)
    state["max_kmh"] = max(state["max_kmh"], kmh)
    state["apart_m"] = max(state["apart_m"], distance_m)
    return emitted


@kernel
def _remember(state: Any, heard: Heard, i: int) -> None:
    state["has_last"] = True
    state["last_driver"] = heard.driver[i]
    state["last_profile"] = heard.profile[i]
    state["last_time"] = heard.time[i]
    state["last_lon"] = heard.lon[i]
    state["last_lat"] = heard.lat[i]


@kernel
def _advance(
    states: Records, recent: I64, params: Records, heard: Heard, needs_from: I64, out: Records
) -> int:
    """Advance the states; returns how many series were emitted: at most one for a fix.

    A clean fix right after a clean one is no leap: cleaning has measured that step. Unless a series
    is on, it is remembered only if what follows it has to be looked at.
    """
    vehicle, profile, is_clean = heard.vehicle, heard.profile, heard.is_clean
    has_position, gap_us, step_m = heard.has_position, heard.gap_us, heard.step_m
    n = len(vehicle)
    emitted, passes = 0, False
    for i in range(n):
        state = states[vehicle[i]]
        follows = i + 1 < n and is_clean[i] and is_clean[i + 1] and vehicle[i + 1] == vehicle[i]
        over_kmh = params[profile[i]]["cloned_device_over_kmh"]
        next_passes = follows and not _is_leap(step_m[i + 1], gap_us[i + 1], over_kmh)
        if passes and state["leaps"] == 0:
            if not next_passes:
                _remember(state, heard, i)
        elif has_position[i]:
            if state["has_last"]:
                own = recent[vehicle[i]]
                emitted = _take(state, params, heard, i, own, out, emitted)
            _remember(state, heard, i)
        if not passes or state["leaps"] > 0:
            since = state["started"] if state["leaps"] > 0 else state["last_time"]
            if state["has_last"]:
                needs_from[i] = min(needs_from[i], since)
        passes = next_passes
    return emitted


@kernel
def _is_leap(step_m: float, gap_us: int, over_kmh: float) -> bool:
    # Without a division for what is far below; the factor is more than rounding could make of it.
    if step_m * 3.6e6 < 0.999 * over_kmh * gap_us:
        return False
    return kmh_of(step_m, gap_us) > over_kmh


class ClonedDevice:
    """The last fix of each vehicle that has a position, and the series of leaps that it is in."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._states = np.zeros(0, _STATE)
        most = int(rulebook.params["cloned_device_times"].max())
        self._recent = np.zeros((0, most), np.int64)

    def make_room(self, vehicles: int) -> None:
        """See Rule."""
        self._states = grown(self._states, vehicles, np.zeros((), _STATE))
        self._recent = grown(self._recent, vehicles, np.zeros((), np.int64))

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        self._states[vehicles] = np.zeros((), _STATE)

    def advance(self, heard: Heard, needs_from: I64, *, emit: bool) -> list[Findings]:
        """See RawRule."""
        out = np.empty(len(heard.time), _STATE)
        emitted = _advance(
            self._states, self._recent, self._rulebook.params, heard, needs_from, out
        )
        return [Findings(out[:emitted].copy(), self._describe)] if emit else []

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule."""
        series = self._series(vehicles)
        dense: Bool = series["is_dense"]
        return [Findings(series[dense], partial(self._describe, is_open=True))]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        # The next step may be a leap, and a series begins at its first fix.
        leaping = vehicles[self._states["leaps"][vehicles] > 0]
        return [
            (KIND, vehicle, "", time)
            for of, column in ((vehicles, "last_time"), (leaping, "started"))
            for vehicle, time in zip(of.tolist(), self._states[column][of].tolist(), strict=True)
        ]

    def _series(self, vehicles: I32) -> Records:
        series: Records = self._states[vehicles[self._states["leaps"][vehicles] > 0]]
        return series

    def _describe(self, records: Records, *, is_open: bool = False) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(records):
            profile = self._rulebook.profiles[run.profile].id
            details: Details = {
                "leaps": run.leaps,
                "max_kmh": run.max_kmh,
                "apart_m": run.apart_m,
            }
            intervals.append(interval_of(run, KIND, "", profile, details, is_open=is_open))
        return intervals
