"""Route trips: which fixes lie between leaving a terminal and reaching the next. docs/rules.md, 3.

Belongs here: the visits to the terminals of each vehicle's routes, and the queue of fixes that are
not decided yet. A visit's begin and end are known some fixes later than they are, so each fix waits
until both terminals of all the vehicle's routes have decided whether it lay in a visit: fewer than
`confirm_in` or `confirm_out` fixes, whichever is more.

A fix belongs to a trip of a route if it lies in no visit to either terminal and some visit to one
of them ended before. The terminal left last gives the direction; of both at once, A. A trip is on
one version of a route: a change of version ends it.
"""

from typing import Any, Final

import numpy as np

from devices.batch import F64, I32
from geofence.compile import kernel
from geofence.rules.rule import Records, Track
from geofence.rules.visit import ENTERING, FREE, OPEN, VISIT_FIELDS, breaks_off, take_side

NO_ROUTE: Final = -1
OUTBOUND: Final = 0

UNDECIDED: Final = 0
IN_VISIT: Final = 1
BETWEEN: Final = 2
NO_TRIP: Final = 3
"""No route, or one that was replaced before it was decided."""

TERMINAL_DTYPE: Final = np.dtype(VISIT_FIELDS, align=True)
"""The visit to a terminal: state by vehicle, slot, and side (0 A, 1 B)."""

_LEFT_FIELDS: Final[list[tuple[str, Any]]] = [
    # The last visit to a terminal that is over: its last fix, its first, and the way it leads.
    ("has_left", np.bool_),
    ("left", np.int64),
    ("left_since", np.int64),
    ("direction", np.int8),
]

TRIP_DTYPE: Final = np.dtype(
    [("is_known", np.bool_), ("route", np.int32), *_LEFT_FIELDS], align=True
)
"""State by vehicle and slot: what is known for the fixes to come."""

ITEM_DTYPE: Final = np.dtype(
    [
        ("vehicle", np.int32),
        ("driver", np.int32),
        ("profile", np.int32),
        ("step_profile", np.int32),
        ("time", np.int64),
        ("gap_us", np.int64),
        ("step_m", np.float64),
        ("lon", np.float64),
        ("lat", np.float64),
        ("route", np.int32),
        ("side", np.uint8, (2,)),  # UNDECIDED, IN_VISIT, BETWEEN or NO_TRIP, for terminals A and B
        ("visit_since", np.int64),  # the first fix of the visit that it lies in, else its own time
        ("offset_m", np.float64, (2,)),
        ("along_m", np.float64, (2,)),
        *_LEFT_FIELDS,
    ],
    align=True,
)
"""A fix that waits, by vehicle, place in the queue, and slot."""


@kernel
def is_decided(items: Records) -> bool:
    """Whether it is known of a fix, for every slot, whether it belongs to a trip."""
    for r in range(len(items)):
        side = items[r]["side"]
        if side[0] == UNDECIDED or side[1] == UNDECIDED:
            return False
    return True


@kernel
def is_in_trip(item: Any) -> bool:
    """Whether a decided fix belongs to a trip of the slot's route."""
    side = item["side"]
    outside = side[0] == BETWEEN and side[1] == BETWEEN
    return bool(outside and item["has_left"])


@kernel
def is_in_visit(item: Any) -> bool:
    """Whether a decided fix belongs to a visit to a terminal of the slot's route."""
    side = item["side"]
    return bool(side[0] == IN_VISIT or side[1] == IN_VISIT)


@kernel
def begin_at(run: Any, item: Any) -> None:
    """Make a fix the only one of a run on its trip."""
    run["vehicle"] = item["vehicle"]
    run["driver"] = item["driver"]
    run["profile"] = item["profile"]
    run["route"] = item["route"]
    run["direction"] = item["direction"]
    run["fixes"] = 1
    run["started"] = item["time"]
    run["ended"] = item["time"]
    run["start_lon"] = item["lon"]
    run["start_lat"] = item["lat"]
    run["end_lon"] = item["lon"]
    run["end_lat"] = item["lat"]
    run["distance_m"] = 0.0


@kernel
def extend_to(run: Any, item: Any) -> None:
    """Make a fix the last of the run; the fix before it is the last one so far."""
    run["fixes"] += 1
    run["ended"] = item["time"]
    run["end_lon"] = item["lon"]
    run["end_lat"] = item["lat"]
    run["distance_m"] += item["step_m"]


@kernel
def drop_first(queue: Records, queued: int) -> None:
    """Move the queue up by one."""
    for k in range(1, queued):
        for r in range(queue.shape[1]):
            queue[k - 1, r] = queue[k, r]


@kernel
def needs_since(trips: Records, terminals: Records, queue: Records, queued: int, since: int) -> int:
    """The earlier of `since` and the oldest fix that one vehicle's trips depend on."""
    for r in range(len(trips)):
        if trips[r]["has_left"]:
            since = min(since, trips[r]["left_since"])
        for side in range(2):
            if terminals[r, side]["stage"] != FREE:
                since = min(since, terminals[r, side]["started"])
        for k in range(queued):
            since = min(since, queue[k, r]["visit_since"])
            if queue[k, r]["has_left"]:
                since = min(since, queue[k, r]["left_since"])
    return since


@kernel
def arrive(
    trips: Records,
    terminals: Records,
    queue: Records,
    queued: int,
    params: Records,
    routes: Records,
    track: Track,
    i: int,
    inside: I32,
    route_row: I32,
    offset_m: F64,
    along_m: F64,
) -> None:
    """Take fix i of one vehicle in: put it at the end of the queue, and decide what can be.

    inside: places of the terminals that the fix lies in. route_row, offset_m, along_m: its own rows
    of those columns of Located.
    """
    for r in range(len(trips)):
        _change_route(trips[r], terminals[r], queue, queued, r, route_row[r])
        item = queue[queued, r]
        _fill(item, track, i, route_row[r], offset_m[r], along_m[r])
        if route_row[r] == NO_ROUTE:
            continue
        route = routes[route_row[r]]
        for side in range(2):
            place = route["terminal_a"] if side == 0 else route["terminal_b"]
            is_inside = False
            for other in inside:
                is_inside |= other == place
            _visit(
                trips[r], terminals[r, side], queue, queued, r, side, is_inside, track, i, params
            )
        item["has_left"] = trips[r]["has_left"]
        item["left"] = trips[r]["left"]
        item["left_since"] = trips[r]["left_since"]
        item["direction"] = trips[r]["direction"]
        for side in range(2):
            visit = terminals[r, side]
            if visit["stage"] == OPEN and visit["outside"] == 0:
                # Fixes after this visit will have left it, whatever was left before.
                trips[r]["has_left"] = False


@kernel
def _change_route(
    trip: Any, terminals: Records, queue: Records, queued: int, r: int, route: int
) -> None:
    """Where the slot's route is another from now on, what was not decided comes to nothing."""
    if trip["is_known"] and trip["route"] != route:
        trip["has_left"] = False
        for side in range(2):
            terminals[side]["stage"] = FREE
            for k in range(queued):
                if queue[k, r]["side"][side] == UNDECIDED:
                    queue[k, r]["side"][side] = NO_TRIP
    trip["is_known"] = route != NO_ROUTE
    trip["route"] = route


@kernel
def _fill(item: Any, track: Track, i: int, route: int, offset_m: F64, along_m: F64) -> None:
    item["vehicle"] = track.vehicle[i]
    item["driver"] = track.driver[i]
    item["profile"] = track.profile[i]
    item["step_profile"] = track.step_profile[i]
    item["time"] = track.time[i]
    item["gap_us"] = track.gap_us[i]
    item["step_m"] = track.step_m[i]
    item["lon"] = track.lon[i]
    item["lat"] = track.lat[i]
    item["route"] = route
    item["has_left"] = False
    item["visit_since"] = track.time[i]
    for way in range(2):
        item["side"][way] = NO_TRIP if route == NO_ROUTE else UNDECIDED
        item["offset_m"][way] = offset_m[way]
        item["along_m"][way] = along_m[way]


@kernel
def _visit(
    trip: Any,
    visit: Any,
    queue: Records,
    queued: int,
    r: int,
    side: int,
    inside: bool,
    track: Track,
    i: int,
    params: Records,
) -> None:
    """Take fix i into the visit to a terminal; decide that side of the queue, fix i included."""
    started, ended, is_over = visit["started"], visit["ended"], False
    if breaks_off(visit, track, i, params):
        is_over = visit["stage"] == OPEN
        visit["stage"] = FREE
        take_side(visit, inside, track, i, params)
    elif take_side(visit, inside, track, i, params):
        is_over = True
        visit["stage"] = FREE
    if is_over:
        _leave(trip, started, ended, side)
    for k in range(queued + 1):
        item = queue[k, r]
        time = item["time"]
        if is_over and time > ended:
            _leave(item, started, ended, side)
        if item["side"][side] != UNDECIDED:
            continue
        if is_over and started <= time <= ended:
            item["side"][side] = IN_VISIT
            item["visit_since"] = min(item["visit_since"], started)
        elif visit["stage"] == FREE or time < visit["started"]:
            item["side"][side] = BETWEEN
        elif visit["stage"] != ENTERING and time <= visit["ended"]:
            item["side"][side] = IN_VISIT
            item["visit_since"] = min(item["visit_since"], visit["started"])


@kernel
def _leave(left: Any, started: int, ended: int, side: int) -> None:
    """Note that a terminal was left, if none was left later; of both at once, A counts."""
    if left["has_left"] and (left["left"] > ended or (left["left"] == ended and side != 0)):
        return
    left["has_left"] = True
    left["left"] = ended
    left["left_since"] = started
    left["direction"] = OUTBOUND + side
