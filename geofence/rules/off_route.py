"""Leaving a fixed route: kind `off_route`, docs/rules.md section 3.

Belongs here: the runs of fixes off the path of a route that the vehicle is on a trip of. Whether a
fix belongs to a trip is decided by `route_trip`; how far it lies from a path, by `locate`.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from devices.batch import I32, I64, Bool
from geofence.compile import kernel
from geofence.interval import Details, Interval
from geofence.locate import Located
from geofence.rulebook import Rulebook
from geofence.rules.route_trip import (
    ITEM_DTYPE,
    NO_ROUTE,
    TERMINAL_DTYPE,
    TRIP_DTYPE,
    arrive,
    drop_first,
    is_decided,
    is_in_trip,
    is_in_visit,
    needs_since,
)
from geofence.rules.rule import Findings, Key, Records, Track
from geofence.rules.run import RUN_FIELDS, interval_of, rows_of

KIND: Final = "off_route"
DIRECTIONS: Final = ("outbound", "inbound")

_RUN: Final = np.dtype(
    [
        *RUN_FIELDS,
        ("is_in_trip", np.bool_),
        ("needs", np.int64),  # the fixes from which this and what else was on in the trip is known
        ("is_off", np.bool_),
        ("route", np.int32),
        ("direction", np.int8),
        ("max_offset_m", np.float64),
        ("left_at_m", np.float64),
        ("returned_at_m", np.float64),
    ],
    align=True,
)


@kernel
def _is_long_enough(run: Any, params: Records) -> bool:
    p = params[run["profile"]]
    duration_us = run["ended"] - run["started"]
    enough = run["fixes"] >= p["off_route_min_fixes"]
    return bool(enough and duration_us >= p["off_route_min_duration_us"])


@kernel
def _select(runs: Records, params: Records, chosen: Bool) -> None:
    for k in range(len(runs)):
        chosen[k] = _is_long_enough(runs[k], params)


@kernel
def _close(run: Any, params: Records, out: Records, emitted: int) -> int:
    """End the run, if there is one. Returns how many have been emitted then."""
    if run["is_off"]:
        run["is_off"] = False
        if _is_long_enough(run, params):
            out[emitted] = run
            emitted += 1
    return emitted


@kernel
def _begin(run: Any, item: Any) -> None:
    run["is_off"] = True
    run["vehicle"] = item["vehicle"]
    run["driver"] = item["driver"]
    run["profile"] = item["profile"]
    run["fixes"] = 0
    run["started"] = item["time"]
    run["start_lon"] = item["lon"]
    run["start_lat"] = item["lat"]
    run["distance_m"] = 0.0
    run["route"] = item["route"]
    run["direction"] = item["direction"]
    run["max_offset_m"] = 0.0
    run["left_at_m"] = item["along_m"][item["direction"]]


@kernel
def _extend(run: Any, item: Any, step_m: float) -> None:
    direction = item["direction"]
    run["fixes"] += 1
    run["ended"] = item["time"]
    run["end_lon"] = item["lon"]
    run["end_lat"] = item["lat"]
    run["distance_m"] += step_m
    run["max_offset_m"] = max(run["max_offset_m"], item["offset_m"][direction])
    run["returned_at_m"] = item["along_m"][direction]


@kernel
def _is_off(item: Any, routes: Records) -> bool:
    return bool(item["offset_m"][item["direction"]] > routes[item["route"]]["corridor_m"])


@kernel
def _judge(
    runs: Records, items: Records, params: Records, routes: Records, out: Records, emitted: int
) -> int:
    """Judge a decided fix: its items and the vehicle's runs, by slot.

    Where the vehicle is registered for several routes, a fix in a terminal of one of them, or near
    the path of one that it is on a trip of, is off none.
    """
    is_off = True
    needs = items[0]["time"]
    for r in range(len(items)):
        if is_in_visit(items[r]):
            needs = min(needs, items[r]["visit_since"])
            is_off = False
        if is_in_trip(items[r]):
            needs = min(needs, items[r]["left_since"])
            is_off &= _is_off(items[r], routes)
    for r in range(len(items)):
        run, item = runs[r], items[r]
        if is_in_trip(item):
            run["needs"] = min(run["needs"], needs) if run["is_in_trip"] else needs
            run["is_in_trip"] = True
        else:
            run["is_in_trip"] = False
        if not is_off or not run["is_in_trip"]:
            emitted = _close(run, params, out, emitted)
            continue
        if item["gap_us"] > params[item["step_profile"]]["off_route_max_gap_us"]:
            emitted = _close(run, params, out, emitted)
        step_m = item["step_m"] if run["is_off"] else 0.0
        if not run["is_off"]:
            _begin(run, item)
        _extend(run, item, step_m)
    return emitted


@kernel
def _advance(
    runs: Records,
    trips: Records,
    terminals: Records,
    queue: Records,
    queued: I32,
    params: Records,
    routes: Records,
    track: Track,
    row: I32,
    zone_start: I64,
    terminal: I32,
    located: tuple[I32, Any, Any],
    needs_from: I64,
    first: int,
    out: Records,
) -> tuple[int, int]:
    """Advance from fix `first` on: (the fix that it stopped before, how many were emitted).

    row: of the fix's vehicle in the states, -1: it is registered for no route at any time. It stops
    where `out` might need more room than there is.
    """
    emitted = 0
    route_row, offset_m, along_m = located
    for i in range(first, len(track.time)):
        v = row[i]
        if v < 0:
            continue
        if queued[v] == 0 and not _has_routes(route_row[i], trips[v], runs[v]):
            continue
        if emitted + queue.shape[1] * queue.shape[2] > len(out) or queued[v] == queue.shape[1]:
            return i, emitted
        inside = terminal[zone_start[i] : zone_start[i + 1]]
        arrive(
            trips[v], terminals[v], queue[v], queued[v], params, routes,
            track, i, inside, route_row[i], offset_m[i], along_m[i],
        )  # fmt: skip
        queued[v] += 1
        while queued[v] > 0 and is_decided(queue[v, 0]):
            emitted = _judge(runs[v], queue[v, 0], params, routes, out, emitted)
            drop_first(queue[v], queued[v])
            queued[v] -= 1
        since = needs_since(trips[v], terminals[v], queue[v], queued[v], needs_from[i])
        for r in range(runs.shape[1]):
            if runs[v, r]["is_in_trip"]:
                since = min(since, runs[v, r]["needs"])
        needs_from[i] = since
    return len(track.time), emitted


@kernel
def _has_routes(route_row: I32, trips: Records, runs: Records) -> bool:
    """Whether the vehicle is registered for a route, or what it did on one is not judged yet."""
    for r in range(len(route_row)):
        if route_row[r] != NO_ROUTE or trips[r]["is_known"] or runs[r]["is_in_trip"]:
            return True
    return False


class OffRoute:
    """Trips and runs of each vehicle that is ever registered for a route, on each of its routes."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        params, slots = rulebook.params, rulebook.routes_per_vehicle
        # A side is decided within this many fixes: the queue never grows longer.
        confirm = max(params["visits_confirm_in"].max(), params["visits_confirm_out"].max())
        registered = np.diff(rulebook.route_table.period_start) > 0
        n = int(np.count_nonzero(registered))
        self._row_of = np.where(registered, np.cumsum(registered) - 1, -1).astype(np.int32)
        self._runs = np.zeros((n, slots), _RUN)
        self._trips = np.zeros((n, slots), TRIP_DTYPE)
        self._terminals = np.zeros((n, slots, 2), TERMINAL_DTYPE)
        self._queue = np.zeros((n, int(confirm) + 1, slots), ITEM_DTYPE)
        self._queued = np.zeros(n, np.int32)

    def make_room(self, vehicles: int) -> None:
        """See Rule. There is room already: the rulebook says who is registered."""

    def forget(self, vehicles: I32) -> None:
        """See Rule."""
        rows = self._rows(vehicles)
        self._runs[rows] = np.zeros((), _RUN)
        self._trips[rows] = np.zeros((), TRIP_DTYPE)
        self._terminals[rows] = np.zeros((), TERMINAL_DTYPE)
        self._queued[rows] = 0

    def advance(
        self, track: Track, located: Located, needs_from: I64, *, emit: bool
    ) -> list[Findings]:
        """See Rule."""
        rows = self._rulebook.zone_table.rows[located.zone_row]
        # A fix is in a terminal while the zone binds the vehicle; -1 is no terminal's place.
        terminal = np.where(located.zone_applies, rows["place"], -1).astype(np.int32)
        found: list[Findings] = []
        most = self._queue.shape[1] * self._queue.shape[2]
        out = np.empty(len(track.time) + most, _RUN)
        at, n = 0, len(track.time)
        while at < n:
            stopped, emitted = _advance(
                self._runs, self._trips, self._terminals, self._queue, self._queued,
                self._rulebook.params, self._rulebook.route_table.rows,
                track, self._row_of[track.vehicle],
                located.zone_start, terminal,
                (located.route_row, located.offset_m, located.along_m),
                needs_from, at, out,
            )  # fmt: skip
            if stopped == at:
                raise RuntimeError("off_route: a side was not decided within the fixes it takes")
            if emit:
                found.append(Findings(out[:emitted].copy(), self._describe))
            at = stopped
        return found

    def open_intervals(self, vehicles: I32) -> list[Findings]:
        """See Rule. Fixes of which it is not certain that they belong to the trip are left out."""
        rows = self._rows(vehicles)
        row, slot = np.nonzero(self._runs["is_off"][rows])
        off = self._runs[rows[row], slot]
        chosen = np.empty(len(off), np.bool_)
        _select(off, self._rulebook.params, chosen)
        return [Findings(off[chosen], partial(self._describe, is_open=True))]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule."""
        keys: list[Key] = []
        for row in self._rows(vehicles).tolist():
            items = self._queue[row, : self._queued[row]]
            keys += [self._key(item, item["time"]) for item in items[items["route"] != NO_ROUTE]]
            runs = self._runs[row]
            keys += [self._key(run, run["started"]) for run in runs[runs["is_off"]]]
        return keys

    def _rows(self, vehicles: I32) -> I32:
        """Rows of those of the vehicles that are ever registered for a route."""
        rows = self._row_of[vehicles[vehicles < len(self._row_of)]]
        return rows[rows >= 0]

    def _key(self, of: Records, started: int) -> Key:
        return KIND, int(of["vehicle"]), self._rulebook.routes[int(of["route"])].code, int(started)

    def _describe(self, records: Records, *, is_open: bool = False) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(records):
            route = self._rulebook.routes[run.route]
            details: Details = {
                "route_id": route.id,
                "direction": DIRECTIONS[run.direction],
                "corridor_m": float(route.corridor_m),
                "max_offset_m": run.max_offset_m,
                "left_at_m": run.left_at_m,
                "returned_at_m": run.returned_at_m,
            }
            profile = self._rulebook.profiles[run.profile].id
            intervals.append(interval_of(run, KIND, route.code, profile, details, is_open=is_open))
        return intervals
