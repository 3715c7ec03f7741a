"""Plain fixes of vehicles on routes: those that decide nothing, which nearly all are.

Belongs here: the short way for a vehicle of which no fix waits and that stays in a terminal, away
from all, or near the path of its trip. It does what `route_trip` and the kernels of the kinds would
do with such a fix, without the queue. Kernels take arrays, not tuples of them: it is quicker.
"""

from typing import Any, Final

from devices.batch import F64, I32, I64
from devices.compile import inlined_kernel
from geofence.paths import find_near
from geofence.rules.route_stops import come_by, is_at_stop
from geofence.rules.route_trip import NO_ROUTE, extend_to
from geofence.rules.rule import Records
from geofence.rules.trip_facts import note_gap
from geofence.rules.unscheduled_stop import (
    FAST,
    is_reported,
    may_begin,
    pace_of,
    slow_down,
    take_pace,
)
from geofence.rules.visit import FREE, OPEN

NOT_PLAIN: Final = 0
AWAY: Final = 1
"""In no terminal, on no trip."""
IN_A: Final = 2
IN_B: Final = 3
"""In a terminal, as at the fix before."""
ON_TRIP: Final = 4
"""On a trip, as at the fix before, in no terminal."""


@inlined_kernel
def stand_of(
    fix: Any, route: int, known: Any, trip: Any, off: Any, visit_a: Any, visit_b: Any,
    in_a: bool, in_b: bool, params: Records,
) -> int:  # fmt: skip
    """What a fix is to one slot, of whose vehicle no fix waits: AWAY, ... or NOT_PLAIN."""
    is_same = known["is_known"] == (route != NO_ROUTE) and (
        not known["is_known"] or known["route"] == route
    )
    is_out = not in_a and not in_b and visit_a["stage"] == FREE and visit_b["stage"] == FREE
    stand = NOT_PLAIN
    if not is_same:
        stand = NOT_PLAIN
    elif route == NO_ROUTE:
        stand = NOT_PLAIN if trip["is_on_trip"] else AWAY
    elif is_out:
        if not known["has_left"]:
            stand = AWAY
        elif trip["is_on_trip"] and not off["is_off"]:
            stand = ON_TRIP
    elif fix["gap_us"] <= params[fix["step_profile"]]["visits_max_gap_us"]:
        if in_a and not in_b and visit_a["stage"] == OPEN and visit_b["stage"] == FREE:
            stand = IN_A
        if in_b and not in_a and visit_b["stage"] == OPEN and visit_a["stage"] == FREE:
            stand = IN_B
    return stand


@inlined_kernel
def stays_near(
    fix: Any, trip: Any, routes: Records, near: I32, s: int,
    start: I64, ends: F64, chunk_start: I64, chunk_box: F64,
) -> bool:  # fmt: skip
    """Whether a fix of a trip lies in the corridor of its route."""
    found = find_near(
        fix["lon"], fix["lat"], fix["scale_m"], 2 * trip["route"] + trip["direction"],
        routes[trip["route"]]["corridor_m"], near[s], start, ends, chunk_start, chunk_box,
    )  # fmt: skip
    if found >= 0:
        near[s] = found
    return bool(found >= 0)


@inlined_kernel
def stops_plainly(
    fix: Any, trip: Any, stop: Any, params: Records, start: I64, lon: F64, lat: F64
) -> bool:
    """Whether a fix of a trip leads to no stop where the vehicle is not to stop."""
    pace = pace_of(fix["speed_kmh"], params[fix["profile"]])
    plain = True
    if may_begin(stop, pace):
        path = 2 * trip["route"] + trip["direction"]
        plain = fix["in_terminal"] or is_at_stop(path, fix, params, start, lon, lat)
    elif stop["is_standing"] and stop["pace"] == FAST and pace == FAST:
        plain = not is_reported(stop, params)
    return plain


@inlined_kernel
def stay_in(visit: Any, fix: Any) -> None:
    """Make a fix the last of an open visit to a terminal, as the one before it was."""
    visit["fixes"] += 1
    visit["ended"] = fix["time"]
    visit["end_lon"] = fix["lon"]
    visit["end_lat"] = fix["lat"]
    visit["distance_m"] += fix["step_m"]
    visit["end_driver"] = fix["driver"]
    visit["end_profile"] = fix["profile"]


@inlined_kernel
def drive_on(
    fix: Any, trip: Any, stop: Any, last: Any, needs: int, params: Records,
    stop_start: I64, stop_lon: F64, stop_lat: F64, stop_number: I32, seen: I32, s: int,
    out: Records,
) -> None:  # fmt: skip
    """Take a fix of a trip that stays near and stops plainly: `out` gets nothing."""
    extend_to(trip, fix)
    trip["needs"] = min(trip["needs"], needs)
    note_gap(trip, fix, params)
    path = 2 * trip["route"] + trip["direction"]
    come_by(
        path, trip["fixes"], fix, last, params, stop_start, stop_lon, stop_lat, stop_number, seen, s
    )
    pace = pace_of(fix["speed_kmh"], params[fix["profile"]])
    if may_begin(stop, pace):
        slow_down(stop, trip["vehicle"], fix, trip, False, 0.0)
    else:
        take_pace(stop, fix, pace, params, out, 0)
