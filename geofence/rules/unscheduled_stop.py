"""Stops of a vehicle on a route trip: kind `unscheduled_stop`, docs/rules.md section 3.

Belongs here: kernels that follow one trip's stops (docs/rules.md, section 5), fix after fix. Which
fixes belong to a trip is decided by `route_trip`; `route_trips` puts it together.
"""

from typing import Any, Final

import numpy as np

from devices.batch import Bool
from devices.compile import inlined_kernel, kernel
from geofence.rules.route_trip import begin_at, extend_to
from geofence.rules.rule import Records
from geofence.rules.run import RUN_FIELDS

KIND: Final = "unscheduled_stop"

UNKNOWN: Final = 0
SLOW: Final = 1
FAST: Final = 2

STOP_DTYPE: Final = np.dtype(
    [
        *RUN_FIELDS,  # of the stop; while the vehicle is not standing, of the last slow fix alone
        ("route", np.int32),
        ("direction", np.int8),
        ("pace", np.uint8),  # of the trip's last fix: SLOW or FAST, else UNKNOWN
        ("is_standing", np.bool_),
        ("is_unscheduled", np.bool_),
        ("along_m", np.float64),
    ],
    align=True,
)
"""State by slot. All zero: no fix of a trip was seen."""


@kernel
def pace_of(speed_kmh: float, params: Any) -> int:
    """Whether a fix is slow, as a stop's fixes are."""
    if np.isnan(speed_kmh):
        return UNKNOWN
    return SLOW if speed_kmh <= params["stops_stop_speed_kmh"] else FAST


@kernel
def may_begin(stop: Any, pace: int) -> bool:
    """Whether a stop begins at the fix of this pace if the next is slow too."""
    return bool(pace == SLOW and not stop["is_standing"] and stop["pace"] != SLOW)


@inlined_kernel
def take_pace(stop: Any, fix: Any, pace: int, params: Records, out: Records, emitted: int) -> int:
    """Take a fix of the trip at which no stop may begin; returns how many are emitted then."""
    if stop["is_standing"]:
        if pace == FAST and stop["pace"] == FAST:
            emitted = end_stop(stop, params, out, emitted)
        else:
            extend_to(stop, fix)
    elif pace == SLOW:
        stop["is_standing"] = True
        extend_to(stop, fix)
    stop["pace"] = pace
    return emitted


@kernel
def slow_down(
    stop: Any, vehicle: int, fix: Any, item: Any, unscheduled: bool, along_m: float
) -> None:
    """Take a fix of the trip at which a stop may begin.

    unscheduled: whether it lies where the vehicle is not to stop.
    """
    begin_at(stop, vehicle, fix, item)
    stop["is_unscheduled"] = unscheduled
    stop["along_m"] = along_m
    stop["pace"] = SLOW


@inlined_kernel
def end_stop(stop: Any, params: Records, out: Records, emitted: int) -> int:
    """End the stop, if there is one: with its last fix so far. The trip may be over, too."""
    if is_reported(stop, params):
        out[emitted] = stop
        emitted += 1
    stop["is_standing"] = False
    stop["pace"] = UNKNOWN
    return emitted


@kernel
def is_reported(stop: Any, params: Records) -> bool:
    """Whether the vehicle stood long enough where it is not to stop."""
    least_us = params[stop["profile"]]["route_stops_min_stop_us"]
    is_long = stop["ended"] - stop["started"] >= least_us
    return bool(stop["is_standing"] and stop["is_unscheduled"] and is_long)


@kernel
def select_reported(stops: Records, params: Records, chosen: Bool) -> None:
    """Which of some stops have to be reported as they are."""
    for k in range(len(stops)):
        chosen[k] = is_reported(stops[k], params)
