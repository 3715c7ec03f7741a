"""Judging what waits: the fixes of vehicles on routes that are near a terminal, or tell something.

Belongs here: kernels that take a fix into the queue and hand each decided one to the kernels of the
kinds. Plain fixes go the short way of `plain_fix`.
"""

from typing import Any

from devices.batch import I32, Bool
from devices.compile import kernel
from geofence.paths import find_near, path_offset
from geofence.rules.off_route import come_back, stray
from geofence.rules.route_state import Found, RouteBook, RouteState
from geofence.rules.route_stops import come_by, is_at_stop
from geofence.rules.route_trip import (
    Queue,
    arrive,
    is_decided,
    is_in_trip,
    is_in_visit,
    needs_since,
    place_of,
)
from geofence.rules.rule import Track
from geofence.rules.trip_facts import (
    ARRIVED,
    BROKEN_OFF,
    copy_fix,
    go_on,
    note_gap,
    outcome_at,
)
from geofence.rules.unscheduled_stop import end_stop, may_begin, pace_of, slow_down, take_pace


@kernel
def _is_off_all(queue: Queue, state: RouteState, book: RouteBook, v: int, pos: int) -> bool:
    """Whether a decided fix that lies in no visit is off every route that it is on a trip of."""
    fix = queue.fixes[v, pos]
    for s in range(queue.slot_start[v], queue.slot_start[v + 1]):
        item = queue.items[s, pos]
        if not is_in_trip(item):
            continue
        near = find_near(
            fix["lon"], fix["lat"], fix["scale_m"], 2 * item["route"] + item["direction"],
            book.routes[item["route"]]["corridor_m"], state.near[s],
            book.start, book.ends, book.chunk_start, book.chunk_box,
        )  # fmt: skip
        if near >= 0:
            state.near[s] = near
            return False
    return True


@kernel
def _place(book: RouteBook, fix: Any, item: Any) -> tuple[float, float]:
    """How far from the path of its trip a fix lies, and how far along it."""
    return path_offset(
        fix["lon"], fix["lat"], 2 * item["route"] + item["direction"], book.start, book.ends,
        book.along_m, book.length_m, book.chunk_start, book.chunk_box,
    )  # fmt: skip


@kernel
def _may_stop(queue: Queue, book: RouteBook, v: int, pos: int) -> bool:
    """Whether a fix lies where the vehicle may stop: in a terminal or near an announced stop."""
    fix = queue.fixes[v, pos]
    if fix["in_terminal"]:
        return True
    for s in range(queue.slot_start[v], queue.slot_start[v + 1]):
        item = queue.items[s, pos]
        if is_in_visit(item):
            return True
        path = 2 * item["route"] + item["direction"]
        if is_in_trip(item) and is_at_stop(
            path, fix, book.params, book.stop_start, book.stop_lon, book.stop_lat
        ):
            return True
    return False


@kernel
def _end_trip(
    queue: Queue, state: RouteState, found: Found, book: RouteBook, v: int, s: int, pos: int
) -> None:
    """End the trip of a slot before a decided fix that does not belong to it."""
    fix, item, trip = queue.fixes[v, pos], queue.items[s, pos], state.trips[s]
    count, params = found.counts, book.params
    count[0] = come_back(state.off[s], params, found.off, count[0])
    count[1] = end_stop(state.stops[s], params, found.stops, count[1])
    trip["is_on_trip"] = False
    trip["outcome"] = outcome_at(trip, item)
    if trip["outcome"] != BROKEN_OFF:
        note_gap(trip, fix, params)
    if trip["outcome"] == ARRIVED:
        path = 2 * trip["route"] + trip["direction"]
        come_by(
            path, trip["fixes"] + 1, fix, state.last[v], params, book.stop_start, book.stop_lon,
            book.stop_lat, book.stop_number, state.seen, s,
        )  # fmt: skip
    found.trips[count[2]] = trip
    for k in range(state.seen.shape[2]):
        found.seen[count[2], 0, k] = state.seen[s, 0, k]
        found.seen[count[2], 1, k] = state.seen[s, 1, k]
    copy_fix(found.ends[count[2]], fix)
    count[2] += 1


@kernel
def _follow(
    state: RouteState, found: Found, book: RouteBook, v: int, s: int, fix: Any, item: Any,
    is_off: bool, may_stop: bool,
) -> None:  # fmt: skip
    """Take a fix of the trip that a slot is on: its stops, and the run off the route."""
    count, params, trip, stop = found.counts, book.params, state.trips[s], state.stops[s]
    come_by(
        2 * item["route"] + item["direction"], trip["fixes"], fix, state.last[v], params,
        book.stop_start, book.stop_lon, book.stop_lat, book.stop_number, state.seen, s,
    )  # fmt: skip
    pace = pace_of(fix["speed_kmh"], params[fix["profile"]])
    offset_m, along_m = 0.0, 0.0
    if is_off or may_begin(stop, pace):
        offset_m, along_m = _place(book, fix, item)
    if is_off:
        count[0] = stray(
            state.off[s], trip["vehicle"], fix, item, (offset_m, along_m), params, found.off,
            count[0],
        )  # fmt: skip
    else:
        count[0] = come_back(state.off[s], params, found.off, count[0])
    if may_begin(stop, pace):
        slow_down(stop, trip["vehicle"], fix, item, not may_stop, along_m)
    else:
        count[1] = take_pace(stop, fix, pace, params, found.stops, count[1])


@kernel
def _judge(
    queue: Queue, state: RouteState, found: Found, book: RouteBook, v: int, vehicle: int
) -> None:
    """Judge the oldest fix of a vehicle's queue, which is decided, on all of its routes.

    A fix in a terminal of one of them, or near the path of one that it is on a trip of, is off
    none.
    """
    pos = queue.head[v]
    fix = queue.fixes[v, pos]
    begin, end = queue.slot_start[v], queue.slot_start[v + 1]
    needs, in_visit, on_trip = fix["time"], False, False
    for s in range(begin, end):
        item = queue.items[s, pos]
        if is_in_visit(item):
            needs, in_visit = min(needs, item["visit_since"]), True
        elif is_in_trip(item):
            needs, on_trip = min(needs, item["left_since"]), True
    is_off = on_trip and not in_visit and _is_off_all(queue, state, book, v, pos)
    may_stop = on_trip and _may_stop(queue, book, v, pos)
    for s in range(begin, end):
        trip, item = state.trips[s], queue.items[s, pos]
        if is_in_trip(item):
            if not trip["is_on_trip"]:
                for k in range(state.seen.shape[2]):
                    state.seen[s, 0, k] = 0
                    state.seen[s, 1, k] = 0
            go_on(trip, vehicle, fix, item, state.last[v], needs)
            note_gap(trip, fix, book.params)
            _follow(state, found, book, v, s, fix, item, is_off, may_stop)
        elif trip["is_on_trip"]:
            _end_trip(queue, state, found, book, v, s, pos)


@kernel
def _is_decided(queue: Queue, v: int) -> bool:
    """Whether the oldest fix that waits is decided for every slot of the vehicle."""
    for s in range(queue.slot_start[v], queue.slot_start[v + 1]):
        if not is_decided(queue.items[s, queue.head[v]]):
            return False
    return True


@kernel
def take_in(
    queue: Queue, state: RouteState, found: Found, book: RouteBook, track: Track, i: int, v: int,
    now: I32, inside: Bool,
) -> int:  # fmt: skip
    """Take fix i, which stands at the queue's end, into it; judge what is decided.

    now: the route in each slot. inside: shape (slots, 2), whether it lies in their terminals.
    Returns from when on the state depends on fixes.
    """
    begin, end = queue.slot_start[v], queue.slot_start[v + 1]
    for s in range(begin, end):
        in_a, in_b = inside[s - begin, 0], inside[s - begin, 1]
        arrive(queue, v, s, now[s - begin], in_a, in_b, track, i, book.params)
    queue.queued[v] += 1
    while queue.queued[v] > 0 and _is_decided(queue, v):
        _judge(queue, state, found, book, v, track.vehicle[i])
        copy_fix(state.last[v], queue.fixes[v, queue.head[v]])
        queue.head[v] = place_of(queue.head[v], 1, queue.fixes.shape[1])
        queue.queued[v] -= 1
    since = needs_since(queue, v, track.time[i])
    for s in range(begin, end):
        if state.trips[s]["is_on_trip"]:
            since = min(since, state.trips[s]["needs"])
    return since
