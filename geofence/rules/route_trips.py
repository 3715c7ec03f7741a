"""Trips on fixed routes and all that is judged of them, docs/rules.md section 3.

Kinds `route_trip`, `off_route`, `unscheduled_stop`, `missed_stop`, `wrong_order`.

Belongs here: the state of each vehicle that is ever registered for a route, and the loop that hands
each decided fix to the kernels of the kinds. What each of them does is in its own file.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import I32, I64, Bool
from devices.compile import inlined_kernel, kernel
from geofence.locate import Located
from geofence.route_table import route_in_force
from geofence.rulebook import Rulebook
from geofence.rules.off_route import KIND as OFF_ROUTE
from geofence.rules.off_route import (
    OFF_DTYPE,
    describe_off,
    select_long_enough,
)
from geofence.rules.plain_fix import (
    AWAY,
    IN_A,
    NOT_PLAIN,
    ON_TRIP,
    drive_on,
    stand_of,
    stay_in,
    stays_near,
    stops_plainly,
)
from geofence.rules.route_judging import take_in
from geofence.rules.route_state import Found, RouteBook, RouteState, new_found, new_state
from geofence.rules.route_trip import (
    NO_ROUTE,
    Queue,
    fill,
    is_in_terminal,
    new_queue,
    place_of,
)
from geofence.rules.rule import Findings, Key, Records, Track
from geofence.rules.stop_findings import STOP_KINDS, TRIP_KINDS, describe_stop, describe_trip
from geofence.rules.trip_facts import (
    ARRIVED,
    FACTS_DTYPE,
    copy_fix,
    describe_trips,
)
from geofence.rules.trip_facts import KIND as ROUTE_TRIP
from geofence.rules.unscheduled_stop import KIND as UNSCHEDULED_STOP
from geofence.rules.unscheduled_stop import (
    SLOW,
    STOP_DTYPE,
    select_reported,
)
from geofence.rules.visit import OPEN
from geofence.zone_table import ZoneCode

ROOM: Final = 256
"""Findings of one kind that are collected before they are described."""


class _Registered(NamedTuple):
    """Who is registered for what, columns of RouteTable; row_of: by vehicle its row v, -1 none."""

    row_of: I32
    start: I64
    route: I32
    slot: I32
    begins: I64
    ends: I64


class _Zones(NamedTuple):
    """In which terminals fixes lie, as in `is_in_terminal`."""

    start: I64
    row: I32
    applies: Bool
    terminal_of: I32


@inlined_kernel
def _ask_registry(
    registered: _Registered,
    queue: Queue,
    state: RouteState,
    vehicle: int,
    v: int,
    time: int,
    now: I32,
) -> bool:
    """Fill in the route in each slot of a vehicle; False: it has none, and nothing is going on."""
    begin, end = queue.slot_start[v], queue.slot_start[v + 1]
    concerned = queue.queued[v] > 0
    for s in range(begin, end):
        route = route_in_force(
            vehicle, s - begin, time, registered.start, registered.route, registered.slot,
            registered.begins, registered.ends,
        )  # fmt: skip
        now[s - begin] = route
        concerned |= route != NO_ROUTE or queue.trips[s]["is_known"]
        concerned |= state.trips[s]["is_on_trip"]
    return bool(concerned)


@inlined_kernel
def _look_round(
    zones: _Zones, routes: Records, i: int, slots: int, now: I32, inside: Bool, fix: Any
) -> None:
    """Note which terminals a fix lies in."""
    start, row, applies, terminal_of = zones
    in_terminal = is_in_terminal(i, -1, start, row, applies, terminal_of)
    fix["in_terminal"] = in_terminal
    for k in range(slots):
        for side in range(2):
            inside[k, side] = False
            if in_terminal and now[k] != NO_ROUTE:
                route = routes[now[k]]
                place = route["terminal_a"] if side == 0 else route["terminal_b"]
                inside[k, side] = is_in_terminal(i, place, start, row, applies, terminal_of)


@inlined_kernel
def _is_plain(
    queue: Queue,
    state: RouteState,
    book: RouteBook,
    v: int,
    fix: Any,
    now: I32,
    inside: Bool,
    stand: I32,
) -> bool:
    """Whether a fix is plain to all slots of a vehicle of which none waits; what it is to each."""
    plain, begin = True, queue.slot_start[v]
    for s in range(begin, queue.slot_start[v + 1]):
        k, trip = s - begin, state.trips[s]
        stand[k] = stand_of(
            fix, now[k], queue.trips[s], trip, state.off[s], queue.terminals[s, 0],
            queue.terminals[s, 1], inside[k, 0], inside[k, 1], book.params,
        )  # fmt: skip
        plain &= stand[k] != NOT_PLAIN
        if stand[k] == ON_TRIP and plain:
            plain = stays_near(
                fix, trip, book.routes, state.near, s, book.start, book.ends, book.chunk_start,
                book.chunk_box,
            )  # fmt: skip
            plain &= stops_plainly(
                fix, trip, state.stops[s], book.params, book.stop_start, book.stop_lon,
                book.stop_lat,
            )  # fmt: skip
    return plain


@inlined_kernel
def _pass(
    queue: Queue, state: RouteState, found: Found, book: RouteBook, v: int, fix: Any, stand: I32
) -> int:
    """Take a plain fix; returns from when on the state depends on fixes."""
    begin, end = queue.slot_start[v], queue.slot_start[v + 1]
    needs = fix["time"]
    for s in range(begin, end):
        if stand[s - begin] == ON_TRIP:
            needs = min(needs, queue.trips[s]["left_since"])
        elif stand[s - begin] != AWAY:
            visit = queue.terminals[s, stand[s - begin] - IN_A]
            stay_in(visit, fix)
            needs = min(needs, visit["started"])
    since = needs
    for s in range(begin, end):
        if stand[s - begin] == ON_TRIP:
            drive_on(
                fix, state.trips[s], state.stops[s], state.last[v], needs, book.params,
                book.stop_start, book.stop_lon, book.stop_lat, book.stop_number, state.seen, s,
                found.stops,
            )  # fmt: skip
            since = min(since, state.trips[s]["needs"])
    copy_fix(state.last[v], fix)
    return int(since)


@kernel
def _advance(
    queue: Queue, state: RouteState, found: Found, book: RouteBook, registered: _Registered,
    zones: _Zones, track: Track, needs_from: I64, first: int, now: I32, inside: Bool, stand: I32,
) -> int:  # fmt: skip
    """Advance from fix `first` on; returns the fix that it stopped before, as `found` is full.

    now, inside, stand: of each slot the route, whether the fix lies in its terminals, and what
    `stand_of` says; shape (R,), (R, 2), (R,), of no meaning before and after.
    """
    row_of, vehicle, time = registered.row_of, track.vehicle, track.time
    head, queued, slot_start, count = queue.head, queue.queued, queue.slot_start, found.counts
    room = queue.fixes.shape[1]
    stopped = len(time)
    for i in range(first, len(time)):
        v = row_of[vehicle[i]]
        if v < 0 or not _ask_registry(registered, queue, state, vehicle[i], v, time[i], now):
            continue
        if max(count[0], count[1], count[2]) > ROOM or queued[v] == room:
            stopped = i
            break
        fix = queue.fixes[v, place_of(head[v], queued[v], room)]
        fill(fix, track, i)
        slots = slot_start[v + 1] - slot_start[v]
        _look_round(zones, book.routes, i, slots, now, inside, fix)
        if queued[v] == 0 and _is_plain(queue, state, book, v, fix, now, inside, stand):
            since = _pass(queue, state, found, book, v, fix, stand)
        else:
            since = take_in(queue, state, found, book, track, i, v, now, inside)
        needs_from[i] = min(needs_from[i], since)
    return stopped


class RouteTrips:
    """Trips of each vehicle that is ever registered for a route, on each of its routes."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        params, table, stops = rulebook.params, rulebook.route_table, rulebook.stop_table
        # A side is decided within this many fixes: the queue never grows longer.
        room = int(max(params["visits_confirm_in"].max(), params["visits_confirm_out"].max())) + 1
        slots = table.slots_of_vehicles()
        self._vehicle_of = np.flatnonzero(slots > 0)
        self._queue = new_queue(slots[slots > 0], room)
        self._state = new_state(len(self._queue.head), len(self._queue.trips), stops.most)
        self._found = new_found(ROOM + 1 + room * table.slots, stops.most)
        paths = table.paths
        self._book = RouteBook(
            params, table.rows, paths.start, paths.ends, paths.along_m, paths.length_m,
            paths.chunk_start, paths.chunk_box,
            stops.start, stops.lon, stops.lat, stops.number,
        )  # fmt: skip
        self._registered = _Registered(
            np.where(slots > 0, np.cumsum(slots > 0) - 1, -1).astype(np.int32),
            table.period_start, table.period_route, table.period_slot, table.period_from,
            table.period_to,
        )  # fmt: skip
        self._now = np.zeros(table.slots, np.int32)
        self._inside = np.zeros((table.slots, 2), np.bool_)
        self._stand = np.zeros(table.slots, np.int32)
        zones = rulebook.zone_table.rows
        is_terminal = zones["kind"] == ZoneCode.TERMINAL
        self._terminal_of = np.where(is_terminal, zones["place"], -1).astype(np.int32)

    def make_room(self, vehicles: int) -> None:
        """See Rule. There is room already: the rulebook says who is registered."""

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        queue, state = self._queue, self._state
        rows = self._rows(vehicles)
        slots = self._slots(rows)
        queue.queued[rows] = 0
        queue.trips[slots] = np.zeros((), queue.trips.dtype)
        queue.terminals[slots] = np.zeros((), queue.terminals.dtype)
        state.trips[slots] = np.zeros((), FACTS_DTYPE)
        state.off[slots] = np.zeros((), OFF_DTYPE)
        state.stops[slots] = np.zeros((), STOP_DTYPE)

    def advance(
        self, track: Track, located: Located, needs_from: I64, *, emit: bool
    ) -> list[Findings]:
        """See Rule."""
        if not len(self._queue.head):
            return []
        zones = _Zones(
            located.zone_start, located.zone_row, located.zone_applies, self._terminal_of
        )
        findings: list[Findings] = []
        at, n = 0, len(track.time)
        while at < n:
            self._found.counts[:] = 0
            stopped = _advance(
                self._queue, self._state, self._found, self._book, self._registered, zones, track,
                needs_from, at, self._now, self._inside, self._stand,
            )  # fmt: skip
            if stopped == at:
                raise RuntimeError("route_trips: a side was not decided within the fixes it takes")
            if emit:
                findings += self._collect()
            at = stopped
        return findings

    def _collect(self) -> list[Findings]:
        """What has been found to be over."""
        found = self._found
        off, stops, trips = found.counts.tolist()
        arrived = found.trips[:trips]["outcome"] == ARRIVED
        book, seen = self._rulebook, found.seen[:trips][arrived]
        ends = found.ends[:trips].copy()
        return [
            Findings(found.off[:off].copy(), partial(describe_off, book, is_open=False)),
            Findings(found.stops[:stops].copy(), partial(describe_stop, book, is_open=False)),
            Findings(found.trips[:trips][arrived], partial(describe_trip, book, seen=seen)),
            Findings(found.trips[:trips].copy(), partial(describe_trips, book, ends=ends)),
        ]

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule. Only fixes of which it is certain that they belong to the trip are in it.

        Which stops a trip missed is judged when it is over.
        """
        rows = self._rows(vehicles)
        if not len(rows):
            return []
        slots = self._slots(rows)
        params, state = self._rulebook.params, self._state
        trips, off, stops = state.trips[slots], state.off[slots], state.stops[slots]
        is_long: Bool = np.empty(len(off), np.bool_)
        select_long_enough(off, params, is_long)
        is_stop: Bool = np.empty(len(stops), np.bool_)
        select_reported(stops, params, is_stop)
        book = self._rulebook
        return [
            Findings(trips[trips["is_on_trip"]], partial(describe_trips, book, ends=None)),
            Findings(off[is_long], partial(describe_off, book, is_open=True)),
            Findings(stops[is_stop], partial(describe_stop, book, is_open=True)),
        ]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        rows = self._rows(vehicles)
        keys: list[Key] = []
        for row in rows[self._queue.queued[rows] > 0].tolist():
            keys += self._undecided(row)
        slots = self._slots(rows)
        counts = self._queue.slot_start[rows + 1] - self._queue.slot_start[rows]
        vehicle = np.repeat(self._vehicle_of[rows], counts)
        for kinds, has_begun, route, began in self._begun(slots):
            codes = [self._rulebook.routes[number].code for number in route[has_begun].tolist()]
            begins = zip(vehicle[has_begun].tolist(), codes, began[has_begun].tolist(), strict=True)
            keys += [(kind, *begin) for begin in begins for kind in kinds]
        return keys

    def _undecided(self, row: int) -> list[Key]:
        """What may have begun, or departed, at fixes of a vehicle that are not decided."""
        queue, vehicle = self._queue, int(self._vehicle_of[row])
        places = (queue.head[row] + np.arange(queue.queued[row])) % queue.fixes.shape[1]
        times = queue.fixes[row, places]["time"].tolist()
        keys: list[Key] = []
        for slot in range(int(queue.slot_start[row]), int(queue.slot_start[row + 1])):
            items = queue.items[slot, places]
            keys += self._waiting(vehicle, times, items["route"])
            left = items[items["has_left"] & (items["route"] != NO_ROUTE)]
            keys += [
                (ROUTE_TRIP, vehicle, self._rulebook.routes[route].code, at)
                for route, at in zip(left["route"].tolist(), left["left"].tolist(), strict=True)
            ]
        return keys

    def _waiting(self, vehicle: int, times: list[int], routes: I32) -> list[Key]:
        """What may have begun at fixes that are not decided."""
        return [
            (kind, vehicle, self._rulebook.routes[route].code, time)
            for time, route in zip(times, routes.tolist(), strict=True)
            if route != NO_ROUTE
            for kind in (ROUTE_TRIP, OFF_ROUTE, *STOP_KINDS)
        ]

    def _begun(self, slots: I64) -> Iterator[tuple[Sequence[str], Bool, I32, I64]]:
        """What has begun and is not over: (kinds, in which slots, their routes, since when)."""
        trips, on, off, stops, terminals = (
            self._queue.trips[slots], self._state.trips[slots], self._state.off[slots],
            self._state.stops[slots], self._queue.terminals[slots],
        )  # fmt: skip
        # A trip that has departed, even if no fix is known yet to belong to it.
        departed = trips["has_left"] & (trips["route"] != NO_ROUTE)
        yield [ROUTE_TRIP], departed, trips["route"], trips["left"]
        yield [ROUTE_TRIP], on["is_on_trip"], on["route"], on["left"]
        yield TRIP_KINDS, on["is_on_trip"], on["route"], on["started"]
        yield [OFF_ROUTE], off["is_off"], off["route"], off["started"]
        lingers = stops["is_standing"] | (stops["pace"] == SLOW)
        yield [UNSCHEDULED_STOP], lingers, stops["route"], stops["started"]
        for visit in terminals.T:  # its last fix so far may be that from which a trip begins
            yield [ROUTE_TRIP], visit["stage"] == OPEN, trips["route"], visit["ended"]

    def _rows(self, vehicles: I32) -> I32:
        """Rows of those of the vehicles that are ever registered for a route."""
        rows = self._registered.row_of[vehicles[vehicles < len(self._registered.row_of)]]
        return rows[rows >= 0]

    def _slots(self, rows: I32) -> I64:
        """The slots of all these rows."""
        begin = self._queue.slot_start[rows].astype(np.int64)
        count = self._queue.slot_start[rows + 1] - begin
        return np.repeat(begin - np.cumsum(count) + count, count) + np.arange(count.sum())
