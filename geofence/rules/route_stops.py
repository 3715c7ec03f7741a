"""Stops on fixed routes: `unscheduled_stop`, `missed_stop`, `wrong_order`, docs/rules.md section 3.

Belongs here: the announced stops that each trip came by, and the rule as a whole. Which fixes
belong to a trip is decided by `route_trip`; what a vehicle's own stops are, by `unscheduled_stop`.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import F64, I32, I64, Bool
from geofence.compile import kernel
from geofence.geodesy import METRES_PER_DEGREE, haversine_m, segment_offset
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.route_trip import (
    IN_VISIT,
    ITEM_DTYPE,
    NO_ROUTE,
    TERMINAL_DTYPE,
    TRIP_DTYPE,
    arrive,
    begin_at,
    drop_first,
    extend_to,
    is_decided,
    is_in_trip,
    is_in_visit,
    needs_since,
)
from geofence.rules.rule import Findings, Key, Records, Track
from geofence.rules.run import RUN_FIELDS
from geofence.rules.stop_findings import STOP_KINDS, TRIP_KINDS, describe_stop, describe_trip
from geofence.rules.unscheduled_stop import KIND as UNSCHEDULED_STOP
from geofence.rules.unscheduled_stop import (
    SLOW,
    STOP_DTYPE,
    end_stop,
    may_begin,
    pace_of,
    select_reported,
    take_pace,
)
from geofence.zone_table import ZoneCode

Stops = tuple[I64, F64, F64, I32]
"""Columns start, lon, lat and number of StopTable."""

FAR_ENOUGH: Final = 1.01
"""A stop this much farther north or south than fix and step reach need not be measured."""

_PROGRESS: Final = np.dtype(
    [
        *RUN_FIELDS,  # of the fixes of the trip
        ("route", np.int32),
        ("direction", np.int8),
        ("is_on_trip", np.bool_),
        ("needs", np.int64),  # the fixes from which this and what else was on in the trip is known
        ("unseen_us", np.int64),
    ],
    align=True,
)

_NOTE: Final = np.dtype(
    [
        ("speed_kmh", np.float64),
        ("in_terminal", np.bool_),  # of any route
    ],
    align=True,
)
"""What else is known of a fix that waits, by vehicle and place in the queue."""

_PLACE: Final = np.dtype([("lon", np.float64), ("lat", np.float64)])
"""Of the last decided fix, by vehicle."""


@kernel
def _come_by(
    trip: Any, item: Any, place: Any, params: Records, stops: Stops, ordinal: int, seen: I32
) -> None:
    """Note which stops the trip visits at a fix, or on the step into it from `place`.

    seen: shape (2, m), the ordinals of the first and the last fix at which each stop was visited.
    """
    start, lon, lat, number = stops
    radius_m = params[item["profile"]]["route_stops_stop_radius_m"]
    p = params[item["step_profile"]]
    is_joined = item["gap_us"] <= p["route_stops_max_gap_us"]
    farthest_m = max(radius_m, p["route_stops_stop_radius_m"]) + item["step_m"]
    reach_deg = FAR_ENOUGH * farthest_m / METRES_PER_DEGREE
    path = 2 * trip["route"] + trip["direction"]
    for k in range(start[path], start[path + 1]):
        if number[k] < 0 or abs(lat[k] - item["lat"]) > reach_deg:
            continue
        near = haversine_m(lon[k], lat[k], item["lon"], item["lat"]) <= radius_m
        if not near and is_joined:
            offset_m, share = segment_offset(
                lon[k], lat[k], place["lon"], place["lat"], item["lon"], item["lat"]
            )
            # What is nearest to its first fix was visited there, if at all.
            near = share > 0.0 and offset_m <= p["route_stops_stop_radius_m"]
        if near:
            if seen[0, number[k]] == 0:
                seen[0, number[k]] = ordinal
            seen[1, number[k]] = ordinal
    if not is_joined:
        trip["unseen_us"] += item["gap_us"]


@kernel
def _may_stop(items: Records, note: Any, params: Records, stops: Stops) -> bool:
    """Whether a fix lies where the vehicle may stop: in a terminal or near an announced stop."""
    if note["in_terminal"]:
        return True
    start, lon, lat, _ = stops
    for r in range(len(items)):
        item = items[r]
        if is_in_visit(item):
            return True
        if not is_in_trip(item):
            continue
        radius_m = params[item["profile"]]["route_stops_stop_radius_m"]
        path = 2 * item["route"] + item["direction"]
        for k in range(start[path], start[path + 1]):
            if haversine_m(lon[k], lat[k], item["lon"], item["lat"]) <= radius_m:
                return True
    return False


@kernel
def _needs(items: Records) -> int:
    """The fixes from which it is known what trips a decided fix belongs to."""
    needs = items[0]["time"]
    for r in range(len(items)):
        if is_in_visit(items[r]):
            needs = min(needs, items[r]["visit_since"])
        if is_in_trip(items[r]):
            needs = min(needs, items[r]["left_since"])
    return int(needs)


@kernel
def _end_trip(
    trip: Any, item: Any, place: Any, params: Records, stops: Stops, seen: I32,
    out: Records, out_seen: I32, emitted: int,
) -> int:  # fmt: skip
    """End a trip before a fix; emit it if it went from one terminal to the other."""
    trip["is_on_trip"] = False
    same_route = item["route"] == trip["route"]
    if not same_route or item["side"][1 - trip["direction"]] != IN_VISIT:
        return emitted
    _come_by(trip, item, place, params, stops, trip["fixes"] + 1, seen)
    out[emitted] = trip
    out_seen[emitted] = seen
    return emitted + 1


@kernel
def _judge(
    trips: Records, own_stops: Records, seen: I32, items: Records, note: Any, place: Any,
    params: Records, stops: Stops, out: tuple[Records, Records, I32], emitted: tuple[int, int],
) -> tuple[int, int]:  # fmt: skip
    """Judge a decided fix: its items, and the vehicle's trips by slot."""
    out_stops, out_trips, out_seen = out
    n_stops, n_trips = emitted
    needs = _needs(items)
    pace = pace_of(note["speed_kmh"], params[items[0]["profile"]])
    unscheduled, is_asked = False, False
    for r in range(len(items)):
        trip, stop, item = trips[r], own_stops[r], items[r]
        if not is_in_trip(item):
            if trip["is_on_trip"]:
                n_stops = end_stop(stop, params, out_stops, n_stops)
                n_trips = _end_trip(
                    trip, item, place, params, stops, seen[r], out_trips, out_seen, n_trips
                )
            continue
        if trip["is_on_trip"]:
            extend_to(trip, item)
            trip["needs"] = min(trip["needs"], needs)
        else:
            begin_at(trip, item)
            trip["is_on_trip"] = True
            trip["needs"] = needs
            trip["unseen_us"] = 0
            seen[r] = 0
        _come_by(trip, item, place, params, stops, trip["fixes"], seen[r])
        if not is_asked and may_begin(stop, pace):
            unscheduled, is_asked = not _may_stop(items, note, params, stops), True
        n_stops = take_pace(stop, item, pace, unscheduled, params, out_stops, n_stops)
    return n_stops, n_trips


@kernel
def _note(note: Any, track: Track, i: int, inside: I32) -> None:
    speed = track.speed_kmh[i]
    if np.isnan(speed) and track.gap_us[i] >= 0:
        speed = track.step_m[i] / (track.gap_us[i] / 1e6) * 3.6
    note["speed_kmh"] = speed
    note["in_terminal"] = False
    for terminal in inside:
        note["in_terminal"] |= terminal >= 0


@kernel
def _has_routes(route_row: I32, known: Records, trips: Records) -> bool:
    """Whether the vehicle is registered for a route, or what it did on one is not judged yet."""
    for r in range(len(route_row)):
        if route_row[r] != NO_ROUTE or known[r]["is_known"] or trips[r]["is_on_trip"]:
            return True
    return False


@kernel
def _advance(
    state: tuple[Records, Records, I32, Records, Records, Records, I32, Records, Records],
    params: Records,
    routes: Records,
    stops: Stops,
    track: Track,
    row: I32,
    zone_start: I64,
    terminal: I32,
    located: tuple[I32, F64, F64],
    needs_from: I64,
    first: int,
    out: tuple[Records, Records, I32],
) -> tuple[int, int, int]:
    """Advance from fix `first` on: the fix that it stopped before, stops and trips emitted.

    row: of the fix's vehicle in the states, -1: it is registered for no route at any time. It stops
    where `out` might need more room than there is.
    """
    trips, own_stops, seen, known, terminals, queue, queued, notes, places = state
    route_row, offset_m, along_m = located
    emitted = (0, 0)
    for i in range(first, len(track.time)):
        v = row[i]
        if v < 0:
            continue
        if queued[v] == 0 and not _has_routes(route_row[i], known[v], trips[v]):
            continue
        full = max(emitted[0], emitted[1]) + queue.shape[1] * queue.shape[2] > len(out[0])
        if full or queued[v] == queue.shape[1]:
            return i, emitted[0], emitted[1]
        inside = terminal[zone_start[i] : zone_start[i + 1]]
        arrive(
            known[v], terminals[v], queue[v], queued[v], params, routes,
            track, i, inside, route_row[i], offset_m[i], along_m[i],
        )  # fmt: skip
        _note(notes[v, queued[v]], track, i, inside)
        queued[v] += 1
        while queued[v] > 0 and is_decided(queue[v, 0]):
            emitted = _judge(
                trips[v], own_stops[v], seen[v], queue[v, 0], notes[v, 0], places[v],
                params, stops, out, emitted,
            )  # fmt: skip
            places[v]["lon"] = queue[v, 0, 0]["lon"]
            places[v]["lat"] = queue[v, 0, 0]["lat"]
            drop_first(queue[v], queued[v])
            for k in range(1, queued[v]):
                notes[v, k - 1] = notes[v, k]
            queued[v] -= 1
        since = needs_since(known[v], terminals[v], queue[v], queued[v], needs_from[i])
        for r in range(trips.shape[1]):
            if trips[v, r]["is_on_trip"]:
                since = min(since, trips[v, r]["needs"])
        needs_from[i] = since
    return len(track.time), emitted[0], emitted[1]


class RouteStops:
    """Trips of each vehicle that is ever registered for a route, and the stops made on them."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        params, slots = rulebook.params, rulebook.routes_per_vehicle
        # A side is decided within this many fixes: the queue never grows longer.
        room = int(max(params["visits_confirm_in"].max(), params["visits_confirm_out"].max())) + 1
        registered = np.diff(rulebook.route_table.period_start) > 0
        n = int(np.count_nonzero(registered))
        table = rulebook.stop_table
        self._stops: Stops = (table.start, table.lon, table.lat, table.number)
        self._row_of = np.where(registered, np.cumsum(registered) - 1, -1).astype(np.int32)
        self._trips = np.zeros((n, slots), _PROGRESS)
        self._own_stops = np.zeros((n, slots), STOP_DTYPE)
        self._seen = np.zeros((n, slots, 2, table.most), np.int32)
        self._known = np.zeros((n, slots), TRIP_DTYPE)
        self._terminals = np.zeros((n, slots, 2), TERMINAL_DTYPE)
        self._queue = np.zeros((n, room, slots), ITEM_DTYPE)
        self._queued = np.zeros(n, np.int32)
        self._notes = np.zeros((n, room), _NOTE)
        self._places = np.zeros(n, _PLACE)

    def make_room(self, vehicles: int) -> None:
        """See Rule. There is room already: the rulebook says who is registered."""

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        rows = self._rows(vehicles)
        self._trips[rows] = np.zeros((), _PROGRESS)
        self._own_stops[rows] = np.zeros((), STOP_DTYPE)
        self._known[rows] = np.zeros((), TRIP_DTYPE)
        self._terminals[rows] = np.zeros((), TERMINAL_DTYPE)
        self._queued[rows] = 0

    def advance(
        self, track: Track, located: Located, needs_from: I64, *, emit: bool
    ) -> list[Findings]:
        """See Rule."""
        zones = self._rulebook.zone_table.rows[located.zone_row]
        # A fix is in a terminal while the zone binds the vehicle; -1 is no terminal's place.
        is_terminal = located.zone_applies & (zones["kind"] == ZoneCode.TERMINAL)
        terminal = np.where(is_terminal, zones["place"], -1).astype(np.int32)
        state = (
            self._trips, self._own_stops, self._seen, self._known, self._terminals, self._queue,
            self._queued, self._notes, self._places,
        )  # fmt: skip
        most = self._queue.shape[1] * self._queue.shape[2]
        out = (
            np.empty(len(track.time) + most, STOP_DTYPE),
            np.empty(len(track.time) + most, _PROGRESS),
            np.empty((len(track.time) + most, *self._seen.shape[2:]), np.int32),
        )
        found: list[Findings] = []
        at, n = 0, len(track.time)
        while at < n:
            stopped, stops, trips = _advance(
                state, self._rulebook.params, self._rulebook.route_table.rows, self._stops,
                track, self._row_of[track.vehicle], located.zone_start, terminal,
                (located.route_row, located.offset_m, located.along_m), needs_from, at, out,
            )  # fmt: skip
            if stopped == at:
                raise RuntimeError("route_stops: a side was not decided within the fixes it takes")
            if emit:
                stop = partial(describe_stop, self._rulebook, is_open=False)
                trip = partial(describe_trip, self._rulebook, seen=out[2][:trips].copy())
                found += [
                    Findings(out[0][:stops].copy(), stop),
                    Findings(out[1][:trips].copy(), trip),
                ]
            at = stopped
        return found

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule. A trip's stops are judged when it is over."""
        stops = self._own_stops[self._rows(vehicles)].reshape(-1)
        chosen: Bool = np.empty(len(stops), np.bool_)
        select_reported(stops, self._rulebook.params, chosen)
        return [Findings(stops[chosen], partial(describe_stop, self._rulebook, is_open=True))]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        keys: list[Key] = []
        for row in self._rows(vehicles).tolist():
            items = self._queue[row, : self._queued[row]]
            trips, stops = self._trips[row], self._own_stops[row]
            may_go_on = stops["is_standing"] | (stops["pace"] == SLOW)
            for item in items[items["route"] != NO_ROUTE]:
                keys += [self._key(kind, item, item["time"]) for kind in STOP_KINDS]
            for trip in trips[trips["is_on_trip"]]:
                keys += [self._key(kind, trip, trip["started"]) for kind in TRIP_KINDS]
            for stop in stops[may_go_on]:
                keys.append(self._key(UNSCHEDULED_STOP, stop, stop["started"]))
        return keys

    def _key(self, kind: str, of: Records, started: int) -> Key:
        return kind, int(of["vehicle"]), self._rulebook.routes[int(of["route"])].code, int(started)

    def _rows(self, vehicles: I32) -> I32:
        """Rows of those of the vehicles that are ever registered for a route."""
        rows = self._row_of[vehicles[vehicles < len(self._row_of)]]
        return rows[rows >= 0]
