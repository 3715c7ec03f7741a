"""Route trips: which fixes lie between leaving a terminal and reaching the next. docs/rules.md, 3.

Belongs here: the visits to the terminals of each vehicle's routes, and the queue of fixes that are
not decided yet. A visit's begin and end are known some fixes later than they are, so each fix waits
until both terminals of all the vehicle's routes have decided whether it lay in a visit: fewer than
`confirm_in` or `confirm_out` fixes, whichever is more.

A fix belongs to a trip of a route if it lies in no visit to either terminal and some visit to one
of them ended before. The terminal left last gives the direction; of both at once, A. A trip is on
one version of a route: a change of version ends it.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import I32, I64, Bool
from devices.compile import inlined_kernel, kernel
from geofence.geodesy import lon_scale_m
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
"""The visit to a terminal: state by slot and side (0 A, 1 B)."""

_LEFT_FIELDS: Final[list[tuple[str, Any]]] = [
    # The last visit to a terminal that is over: its last fix, its first, and the way it leads.
    ("has_left", np.bool_),
    ("direction", np.int8),
    ("left", np.int64),
    ("left_since", np.int64),
]

TRIP_DTYPE: Final = np.dtype(
    [("route", np.int32), ("is_known", np.bool_), *_LEFT_FIELDS], align=True
)
"""State by slot: what is known for the fixes to come."""

FIX_DTYPE: Final = np.dtype(
    [
        ("driver", np.int32),
        ("profile", np.int32),
        ("step_profile", np.int32),
        ("in_terminal", np.bool_),  # of any route
        ("time", np.int64),
        ("gap_us", np.int64),
        ("step_m", np.float64),
        ("lon", np.float64),
        ("lat", np.float64),
        ("scale_m", np.float64),  # metres to a degree of longitude there
        ("speed_kmh", np.float64),  # where it is unknown that of the step into it
    ],
    align=True,
)
"""A fix that waits, by vehicle row and place in the queue."""

ITEM_DTYPE: Final = np.dtype(
    [
        ("route", np.int32),
        ("side", np.uint8, (2,)),  # UNDECIDED, IN_VISIT, BETWEEN or NO_TRIP, for terminals A and B
        *_LEFT_FIELDS,
        ("visit_since", np.int64),  # the first fix of the visit that it lies in, else its own time
    ],
    align=True,
)
"""What a fix that waits is to a route, by slot and place in the queue."""


class Queue(NamedTuple):
    """The fixes of each vehicle that are not decided, a ring of `room` places for each.

    Rows v are vehicles that are ever registered for a route, rows s their slots for routes: those
    of v are slot_start[v]:slot_start[v + 1]. head, queued: shape (n,), the place of the oldest fix
    that waits, and how many do. fixes: shape (n, room), FIX_DTYPE. items: shape (m, room),
    ITEM_DTYPE. trips: shape (m,), TRIP_DTYPE. terminals: shape (m, 2), TERMINAL_DTYPE.
    """

    slot_start: I32
    head: I32
    queued: I32
    fixes: Records
    items: Records
    trips: Records
    terminals: Records


def new_queue(slots: I32, room: int) -> Queue:
    """A queue of `room` places for vehicles with `slots` slots each; nothing was seen."""
    n, m = len(slots), int(slots.sum())
    return Queue(
        slot_start=np.concatenate([np.zeros(1, np.int32), np.cumsum(slots, dtype=np.int32)]),
        head=np.zeros(n, np.int32),
        queued=np.zeros(n, np.int32),
        fixes=np.zeros((n, room), FIX_DTYPE),
        items=np.zeros((m, room), ITEM_DTYPE),
        trips=np.zeros(m, TRIP_DTYPE),
        terminals=np.zeros((m, 2), TERMINAL_DTYPE),
    )


@inlined_kernel
def is_in_terminal(
    i: int, place: int, zone_start: I64, zone_row: I32, zone_applies: Bool, terminal_of: I32
) -> bool:
    """Whether fix i lies in the terminal of a place that binds its vehicle; -1: in any.

    zone_start, zone_row, zone_applies: as in Located. terminal_of: by zone row, the terminal's
    place as in ROUTE_DTYPE, -1: the zone is no terminal.
    """
    found = False
    for k in range(zone_start[i], zone_start[i + 1]):
        here = terminal_of[zone_row[k]]
        found |= here >= 0 and (place < 0 or here == place) and zone_applies[k]
    return found


@kernel
def is_decided(item: Any) -> bool:
    """Whether it is known of a fix whether it belongs to a trip of the slot's route."""
    return bool(item["side"][0] != UNDECIDED and item["side"][1] != UNDECIDED)


@kernel
def is_in_trip(item: Any) -> bool:
    """Whether a decided fix belongs to a trip of the slot's route."""
    outside = item["side"][0] == BETWEEN and item["side"][1] == BETWEEN
    return bool(outside and item["has_left"])


@kernel
def is_in_visit(item: Any) -> bool:
    """Whether a decided fix belongs to a visit to a terminal of the slot's route."""
    return bool(item["side"][0] == IN_VISIT or item["side"][1] == IN_VISIT)


@kernel
def begin_at(run: Any, vehicle: int, fix: Any, item: Any) -> None:
    """Make a fix the only one of a run on its trip."""
    run["vehicle"] = vehicle
    run["driver"] = fix["driver"]
    run["profile"] = fix["profile"]
    run["route"] = item["route"]
    run["direction"] = item["direction"]
    run["fixes"] = 1
    run["started"] = fix["time"]
    run["ended"] = fix["time"]
    run["start_lon"] = fix["lon"]
    run["start_lat"] = fix["lat"]
    run["end_lon"] = fix["lon"]
    run["end_lat"] = fix["lat"]
    run["distance_m"] = 0.0


@kernel
def extend_to(run: Any, fix: Any) -> None:
    """Make a fix the last of the run; the fix before it is the last one so far."""
    run["fixes"] += 1
    run["ended"] = fix["time"]
    run["end_lon"] = fix["lon"]
    run["end_lat"] = fix["lat"]
    run["distance_m"] += fix["step_m"]


@kernel
def place_of(head: int, k: int, room: int) -> int:
    """The place of the fix that is k after the oldest one."""
    place = head + k
    return place if place < room else place - room


@inlined_kernel
def fill(fix: Any, track: Track, i: int) -> None:
    """Put fix i of the track into a place of the queue; in_terminal is left to others."""
    fix["driver"] = track.driver[i]
    fix["profile"] = track.profile[i]
    fix["step_profile"] = track.step_profile[i]
    fix["time"] = track.time[i]
    fix["gap_us"] = track.gap_us[i]
    fix["step_m"] = track.step_m[i]
    fix["lon"] = track.lon[i]
    fix["lat"] = track.lat[i]
    fix["scale_m"] = lon_scale_m(track.lat[i])
    fix["speed_kmh"] = track.speed_kmh[i]
    if np.isnan(track.speed_kmh[i]) and track.gap_us[i] >= 0:
        fix["speed_kmh"] = track.step_m[i] / (track.gap_us[i] / 1e6) * 3.6


@kernel
def needs_since(queue: Queue, v: int, since: int) -> int:
    """The earlier of `since` and the oldest fix that one vehicle's trips depend on."""
    room = queue.fixes.shape[1]
    for s in range(queue.slot_start[v], queue.slot_start[v + 1]):
        if queue.trips[s]["has_left"]:
            since = min(since, queue.trips[s]["left_since"])
        for side in range(2):
            if queue.terminals[s, side]["stage"] != FREE:
                since = min(since, queue.terminals[s, side]["started"])
        for k in range(queue.queued[v]):
            item = queue.items[s, place_of(queue.head[v], k, room)]
            since = min(since, item["visit_since"])
            if item["has_left"]:
                since = min(since, item["left_since"])
    return since


@kernel
def arrive(
    queue: Queue,
    v: int,
    s: int,
    route: int,
    in_a: bool,
    in_b: bool,
    track: Track,
    i: int,
    params: Records,
) -> None:
    """Take fix i of a vehicle into one of its slots, at the queue's end; decide what can be.

    in_a, in_b: whether it lies in the terminals of the route.
    """
    head, queued = queue.head[v], queue.queued[v]
    room = queue.fixes.shape[1]
    trip = queue.trips[s]
    _change_route(queue, v, s, route)
    item = queue.items[s, place_of(head, queued, room)]
    item["route"] = route
    item["has_left"] = False
    item["visit_since"] = track.time[i]
    for side in range(2):
        item["side"][side] = NO_TRIP if route == NO_ROUTE else UNDECIDED
    if route == NO_ROUTE:
        return
    for side in range(2):
        _visit(queue, v, s, side, in_a if side == 0 else in_b, track, i, params)
    item["has_left"] = trip["has_left"]
    item["left"] = trip["left"]
    item["left_since"] = trip["left_since"]
    item["direction"] = trip["direction"]
    for side in range(2):
        visit = queue.terminals[s, side]
        if visit["stage"] == OPEN and visit["outside"] == 0:
            # Fixes after this visit will have left it, whatever was left before.
            trip["has_left"] = False


@kernel
def _change_route(queue: Queue, v: int, s: int, route: int) -> None:
    """Where the slot's route is another from now on, what was not decided comes to nothing."""
    trip = queue.trips[s]
    if trip["is_known"] and trip["route"] != route:
        trip["has_left"] = False
        room = queue.fixes.shape[1]
        for side in range(2):
            queue.terminals[s, side]["stage"] = FREE
            for k in range(queue.queued[v]):
                item = queue.items[s, place_of(queue.head[v], k, room)]
                if item["side"][side] == UNDECIDED:
                    item["side"][side] = NO_TRIP
    trip["is_known"] = route != NO_ROUTE
    trip["route"] = route


@kernel
def _visit(
    queue: Queue, v: int, s: int, side: int, inside: bool, track: Track, i: int, params: Records
) -> None:
    """Take fix i into the visit to a terminal; decide that side of the queue, fix i included."""
    visit = queue.terminals[s, side]
    started, ended, is_over = visit["started"], visit["ended"], False
    if breaks_off(visit, track, i, params):
        is_over = visit["stage"] == OPEN
        visit["stage"] = FREE
        take_side(visit, inside, track, i, params)
    elif take_side(visit, inside, track, i, params):
        is_over = True
        visit["stage"] = FREE
    if is_over:
        _leave(queue.trips[s], started, ended, side)
    room = queue.fixes.shape[1]
    for k in range(queue.queued[v] + 1):
        place = place_of(queue.head[v], k, room)
        item = queue.items[s, place]
        time = queue.fixes[v, place]["time"]
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
