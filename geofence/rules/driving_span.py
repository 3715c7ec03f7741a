"""Spans of driving: the state of one vehicle's, as kernels. docs/rules.md, section 4.

Belongs here: how one span begins, pauses, goes on, is cut at midnight and ends, step after step.
Who drives, and what is not decided while nobody knows, is for `driving`.
"""

from typing import Any, Final

import numpy as np

from devices.batch import I64
from devices.compile import kernel
from geofence.rules.rule import Records, Track
from geofence.rules.run import RUN_FIELDS, begin_run, extend_run

UNKNOWN: Final = 0
SLOW: Final = 1
FAST: Final = 2

NEVER_US: Final = np.iinfo(np.int64).max

SPAN_DTYPE: Final = np.dtype(
    [
        *RUN_FIELDS,  # up to the last fix, also while the vehicle stands
        ("is_active", np.bool_),
        ("is_standing", np.bool_),  # in a stop that is no rest yet: the span may end where it began
        ("is_cut", np.bool_),  # midnight lies in that stop
        ("continues", np.bool_),  # it begins where midnight cut the one before
        ("unseen_us", np.int64),
        ("day_ends", np.int64),  # the first midnight after its start
        ("since", np.int64),  # replaying from here gives the same span
        ("anchor", np.int64),  # replaying from here finds the vehicle driving, too
        ("rest_us", np.int64),  # how long the stop, or silence about the driver, must last
        ("stop_at", np.int64),
        ("stop_lon", np.float64),
        ("stop_lat", np.float64),
        ("stop_m", np.float64),
        ("stop_fixes", np.int32),
        ("cut_at", np.int64),
        ("cut_lon", np.float64),
        ("cut_lat", np.float64),
        ("cut_m", np.float64),
        ("cut_fixes", np.int32),
        ("fixes_at_cut", np.int32),  # 1: a fix was taken at midnight; it belongs to both sides
        ("lost_at", np.int64),  # of a span held: the first fix without a driver
    ],
    align=True,
)
"""A span that goes on. stop_*: where and how far it was when the stop began; cut_*: at midnight."""

LAST_DTYPE: Final = np.dtype(
    [
        ("time", np.int64),
        ("since", np.int64),  # its pace depends on the fixes since then
        ("lon", np.float64),
        ("lat", np.float64),
        ("driver", np.int32),
        ("profile", np.int32),
        ("pace", np.uint8),
    ],
    align=True,
)
"""The last clean fix of a vehicle."""


@kernel
def note_last(last: Any, track: Track, i: int, params: Records) -> None:
    """Make fix i the last one."""
    speed, since = track.speed_kmh[i], track.time[i]
    if np.isnan(speed) and track.gap_us[i] >= 0:
        speed = track.step_m[i] / (track.gap_us[i] / 1e6) * 3.6
        since -= track.gap_us[i]
    last["time"] = track.time[i]
    last["since"] = since
    last["lon"] = track.lon[i]
    last["lat"] = track.lat[i]
    last["driver"] = track.driver[i]
    last["profile"] = track.profile[i]
    last["pace"] = _pace(speed, params[track.profile[i]])


@kernel
def _pace(speed_kmh: float, params: Any) -> int:
    if np.isnan(speed_kmh):
        return UNKNOWN
    return SLOW if speed_kmh <= params["stops_stop_speed_kmh"] else FAST


@kernel
def emit_span(span: Any, out: Records, emitted: int) -> int:
    """Put the span out as it stands; one without length is none."""
    if span["ended"] <= span["started"]:
        return emitted
    out[emitted] = span
    return emitted + 1


@kernel
def end_at_stop(span: Any) -> None:
    """Take back what came since the stop began."""
    span["ended"] = span["stop_at"]
    span["end_lon"] = span["stop_lon"]
    span["end_lat"] = span["stop_lat"]
    span["distance_m"] = span["stop_m"]
    span["fixes"] = span["stop_fixes"]


@kernel
def change_driver(
    span: Any, track: Track, i: int, midnights: I64, out: Records, emitted: int
) -> int:
    """End the span, and begin the next driver's unless the vehicle stands; returns emitted."""
    if span["is_standing"]:
        end_at_stop(span)
        span["is_active"] = False
        return emit_span(span, out, emitted)
    emitted = emit_span(span, out, emitted)
    begin_run(span, track, i)
    _refresh(span, midnights)
    span["since"] = span["anchor"]
    return emitted


@kernel
def take_step(
    span: Any,
    last: Any,
    pace: int,
    track: Track,
    i: int,
    params: Records,
    profile_from: I64,
    midnights: I64,
    may_anchor: bool,
    out: Records,
    emitted: int,
) -> int:
    """Take the step into fix i, as driven by whoever drove at its first fix; returns emitted.

    pace: of fix i. may_anchor: whether a replay from the step's first fix would agree on who
    drives.
    """
    gap_us, step = track.gap_us[i], params[track.step_profile[i]]
    is_long = gap_us > step["driving_max_gap_us"]
    is_unseen = (
        is_long
        and track.step_m[i] > step["driving_same_place_m"]
        and gap_us <= step["driving_unseen_up_to_us"]
    )
    drives = is_unseen or (not is_long and pace == FAST and last["pace"] == FAST)
    if not span["is_active"]:
        if not drives:
            return emitted
        _begin_at_last(span, last, track.vehicle[i], midnights)
    elif drives:
        if span["is_standing"]:
            emitted = _drive_on(span, profile_from, midnights, out, emitted)
    elif not span["is_standing"] and (is_long or (pace == SLOW and last["pace"] == SLOW)):
        _stand_since_last(span, params[last["profile"]]["driving_rest_us"])
    if span["is_standing"] and track.time[i] - span["stop_at"] >= span["rest_us"]:
        end_at_stop(span)
        span["is_active"] = False
        return emit_span(span, out, emitted)
    if drives and may_anchor:
        span["anchor"] = last["time"] if is_unseen else last["since"]
    if track.time[i] > span["day_ends"] and not span["is_cut"]:
        emitted = _cross_midnight(
            span, last, track, i, profile_from, midnights, is_unseen, out, emitted
        )
    driven_us = track.time[i] - span["ended"]
    if is_unseen:
        span["unseen_us"] += driven_us
    share = 1.0 if driven_us == gap_us else driven_us / gap_us
    extend_run(span, track, i, track.step_m[i] * share)
    return emitted


@kernel
def coast(span: Any, last: Any, track: Track, first: int, params: Records, needs_from: I64) -> int:
    """Take the fixes from `first` on in which nothing happens; returns the one to go on with.

    It does what `take_step` would, in a fraction of the time: almost every fix is of this sort.
    """
    vehicle, time, speed_kmh, driver = track.vehicle, track.time, track.speed_kmh, track.driver
    profile, step_profile, gap_us = track.profile, track.step_profile, track.gap_us
    step_m = track.step_m
    if first >= len(time) or vehicle[first] != vehicle[first - 1]:
        return first
    is_active, own_driver, until = span["is_active"], span["driver"], _quiet_until(span)
    turn = SLOW if is_active and not span["is_standing"] else FAST
    since = span["since"] if is_active else NEVER_US
    anchor, distance_m = span["anchor"], span["distance_m"]
    own_vehicle, row, step_row = vehicle[first], profile[first], step_profile[first]
    stop_kmh = params[row]["stops_stop_speed_kmh"]
    max_gap_us = params[step_row]["driving_max_gap_us"]
    last_pace, last_since = last["pace"], last["since"]
    i = first
    while i < len(time) and vehicle[i] == own_vehicle:
        if profile[i] != row or step_profile[i] != step_row or gap_us[i] > max_gap_us:
            break
        pace = SLOW if speed_kmh[i] <= stop_kmh else FAST
        if np.isnan(speed_kmh[i]) or (pace == turn and last_pace == turn):
            break
        if is_active and (driver[i] != own_driver or time[i] > until):
            break
        if pace == FAST and last_pace == FAST:
            anchor = last_since
        distance_m += step_m[i]
        needs_from[i] = min(needs_from[i], since, time[i])
        last_pace, last_since = pace, time[i]
        i += 1
    if i > first:
        note_last(last, track, i - 1, params)
    if i > first and is_active:
        span["fixes"] += i - first
        span["ended"] = time[i - 1]
        span["end_lon"] = track.lon[i - 1]
        span["end_lat"] = track.lat[i - 1]
        span["distance_m"] = distance_m
        span["anchor"] = anchor
    return i


@kernel
def _quiet_until(span: Any) -> int:
    """Up to when neither midnight nor a stop that becomes a rest comes in a span's way."""
    until = NEVER_US if span["is_cut"] else span["day_ends"]
    if span["is_standing"]:
        until = min(until, span["stop_at"] + span["rest_us"] - 1)
    return until


@kernel
def _begin_at_last(span: Any, last: Any, vehicle: int, midnights: I64) -> None:
    """A span of the last fix alone. What led to it may be read again from that fix on."""
    span["vehicle"] = vehicle
    span["driver"] = last["driver"]
    span["profile"] = last["profile"]
    span["fixes"] = 1
    span["started"] = last["time"]
    span["ended"] = last["time"]
    span["start_lon"] = last["lon"]
    span["start_lat"] = last["lat"]
    span["end_lon"] = last["lon"]
    span["end_lat"] = last["lat"]
    span["distance_m"] = 0.0
    _refresh(span, midnights)
    span["since"] = last["since"]
    span["anchor"] = last["since"]


@kernel
def _refresh(span: Any, midnights: I64) -> None:
    """What every span begins with, whose `started` is set."""
    span["is_active"] = True
    span["is_standing"] = False
    span["is_cut"] = False
    span["continues"] = False
    span["unseen_us"] = 0
    at = np.searchsorted(midnights, span["started"], side="right")
    span["day_ends"] = midnights[at] if at < len(midnights) else NEVER_US


@kernel
def _stand_since_last(span: Any, rest_us: int) -> None:
    span["is_standing"] = True
    span["is_cut"] = False
    span["rest_us"] = rest_us
    span["stop_at"] = span["ended"]
    span["stop_lon"] = span["end_lon"]
    span["stop_lat"] = span["end_lat"]
    span["stop_m"] = span["distance_m"]
    span["stop_fixes"] = span["fixes"]


@kernel
def _cross_midnight(
    span: Any,
    last: Any,
    track: Track,
    i: int,
    profile_from: I64,
    midnights: I64,
    is_unseen: bool,
    out: Records,
    emitted: int,
) -> int:
    """Cut the span at the midnights in the step; while the vehicle stands, note where one lies."""
    gap_us = track.gap_us[i]
    while track.time[i] > span["day_ends"]:
        midnight = span["day_ends"]
        share = (midnight - last["time"]) / gap_us
        driven_us = midnight - span["ended"]
        span["is_cut"] = True
        span["cut_at"] = midnight
        span["cut_lon"] = last["lon"] + (track.lon[i] - last["lon"]) * share
        span["cut_lat"] = last["lat"] + (track.lat[i] - last["lat"]) * share
        span["cut_m"] = span["distance_m"] + track.step_m[i] * (driven_us / gap_us)
        span["cut_fixes"] = span["fixes"]
        span["fixes_at_cut"] = 1 if midnight == last["time"] else 0
        if span["is_standing"]:
            break
        if is_unseen:
            span["unseen_us"] += driven_us
        span["ended"] = midnight
        span["distance_m"] = span["cut_m"]
        emitted = _cut(span, profile_from, midnights, out, emitted)
    return emitted


@kernel
def _cut(span: Any, profile_from: I64, midnights: I64, out: Records, emitted: int) -> int:
    """Put out what lies before the cut, and leave what lies after it; returns emitted."""
    ended, end_lon, end_lat = span["ended"], span["end_lon"], span["end_lat"]
    distance_m, fixes = span["distance_m"], span["fixes"]
    span["ended"] = span["cut_at"]
    span["end_lon"] = span["cut_lon"]
    span["end_lat"] = span["cut_lat"]
    span["distance_m"] = span["cut_m"]
    span["fixes"] = span["cut_fixes"]
    emitted = emit_span(span, out, emitted)
    span["profile"] = np.searchsorted(profile_from[1:], span["cut_at"], side="right")
    span["started"] = span["cut_at"]
    span["start_lon"] = span["cut_lon"]
    span["start_lat"] = span["cut_lat"]
    span["ended"] = ended
    span["end_lon"] = end_lon
    span["end_lat"] = end_lat
    span["distance_m"] = distance_m - span["cut_m"]
    span["fixes"] = fixes - span["cut_fixes"] + span["fixes_at_cut"]
    _refresh(span, midnights)
    span["continues"] = True
    span["since"] = span["anchor"]
    return emitted


@kernel
def _drive_on(span: Any, profile_from: I64, midnights: I64, out: Records, emitted: int) -> int:
    """The stop was none that ends a span: it belongs to it. Returns emitted."""
    span["is_standing"] = False
    if span["is_cut"]:
        return _cut(span, profile_from, midnights, out, emitted)
    return emitted
