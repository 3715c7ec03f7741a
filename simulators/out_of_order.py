"""Buses and lorries that do not do in turn what they should: stops, timetables, weigh stations.

Belongs here: builders of scripts about what happens on the way from one place to another.
"""

from typing import Final

import numpy as np

from devices.batch import F64, Bool
from geofence.registry import Route
from simulators.drives import TERMINAL_STAY_S, careful_drive, route_halts, route_line
from simulators.motion import Drive, Halt, Line
from simulators.roster import without_rest
from simulators.script import CONFIRM, REST_S, Script, runs_where
from simulators.truth import Stretch
from simulators.vehicles import BUS, Make
from simulators.world import World

SHORT_ROUTE: Final = "2999.1404.A"
STAY_S: Final = 240.0
STOP_KMH: Final = 3.0
UNSCHEDULED_S: Final = 180.0

ROUND_S: Final = 4 * 3600.0
"""The bus by the timetable is back at its first terminal after so long."""

READY_S: Final = 120.0
"""How soon after its slot it leaves there."""

LATE_S: Final = 25 * 60.0
"""And how late it leaves the other one."""


def unscheduled(world: World) -> Script:
    """A bus that stops where it is not to, between its first two stops."""
    route = world.route(SHORT_ROUTE)
    line, outbound_m = route_line(route)
    stops = [line.nearest_m(stop.lon, stop.lat) for stop in route.stops[:2]]
    at = sum(stops) / 2
    # It passes the announced stops: a halt there, a minute away, might be one with this.
    halts = [Halt(0.0, REST_S), Halt(at, STAY_S), Halt(outbound_m, TERMINAL_STAY_S)]
    drive = careful_drive(world, BUS, line, halts)
    middle = drive.when(at) + STAY_S / 2

    def stands(_lon: F64, _lat: F64, speed_kmh: F64) -> Bool:
        return np.asarray(speed_kmh <= STOP_KMH, np.bool_)

    (stop,) = [run for run in runs_where(drive, stands) if run[0] < middle < run[1]]
    plan = (Stretch("unscheduled_stop", route.code, *stop, UNSCHEDULED_S, 2),)
    return Script(BUS, drive, plan, (0.0, REST_S - 60.0), route.code)


def elsewhere(world: World, kind: str, road: str) -> Script:
    """A bus that goes out another way, by which it misses a stop or comes to it out of order."""
    route = world.route(SHORT_ROUTE)
    out = world.roads[road]
    points = list(zip(out.lon.tolist(), out.lat.tolist(), strict=True))
    line = Line.of([*points, *route.inbound["coordinates"]])
    halts = [Halt(0.0, REST_S), Halt(out.length_m, TERMINAL_STAY_S)]
    drive = careful_drive(world, BUS, line, halts)
    departs, arrives = _trips(world, route, drive)[0]
    plan = (Stretch(kind, route.code, departs, arrives, 0.0, 1, CONFIRM),)
    # The trip must be seen to begin: the bus joins while it still stands in its terminal.
    return Script(BUS, drive, plan, (0.0, REST_S - 60.0), route.code)


def late(world: World, code: str) -> Script:
    """A bus that goes by its timetable, but that it leaves the second terminal late."""
    route = world.route(code)
    line, outbound_m = route_line(route)
    stops = [halt for halt in route_halts(route, outbound_m) if _is_between(halt, outbound_m)]

    def drive_with(wait_s: float, home_s: float) -> Drive:
        stays = [Halt(0.0, READY_S), Halt(outbound_m, wait_s), Halt(line.length_m, home_s)]
        halts = sorted([*stops, *stays], key=lambda halt: halt.along_m)
        return careful_drive(world, BUS, line, halts)

    bare = drive_with(0.0, 0.0)
    wait_s = ROUND_S / 2 + LATE_S - bare.when(outbound_m)
    drive = drive_with(wait_s, ROUND_S - bare.period_s - wait_s)
    (leaves, _), (departs, _) = _trips(world, route, drive)
    plan = (
        Stretch(
            *("late_departure", route.code, departs, departs, 0.0, 0, CONFIRM),
            details={"late_s": round(departs - ROUND_S / 2)},
        ),
    )
    return Script(
        *(BUS, drive, plan, (0.0, ROUND_S), route.code),
        roster=without_rest(drive.period_s),
        by_the_clock=True,
        departs_s=(leaves, departs),
    )


def avoiding(world: World, code: str, road: str, make: Make) -> Script:
    """A lorry that leaves the road to a weigh station, and comes back to it behind the station."""
    station = world.station(code)
    corridor_m = station.corridor_m or 0.0
    drive = careful_drive(world, make, world.roads[road], [Halt(0.0, REST_S)])
    first, last = drive.phase_s[0], drive.period_s

    def off(lon: F64, lat: F64, _: F64) -> Bool:
        return np.asarray(world.distance_m(code, lon, lat) > corridor_m, np.bool_)

    aside = [run for run in runs_where(drive, off) if run[0] > first and run[1] < last - 1.0]
    plan = tuple(Stretch("station_avoided", code, *run, 0.0, 2, CONFIRM) for run in aside)
    return Script(make, drive, plan, (0.0, REST_S - 40.0))


def _is_between(halt: Halt, outbound_m: float) -> bool:
    return halt.along_m not in (0.0, outbound_m)


def _trips(world: World, route: Route, drive: Drive) -> list[tuple[float, float]]:
    """The phases from leaving one terminal to reaching the other, in order of driving."""

    def outside(lon: F64, lat: F64, _: F64) -> Bool:
        within = world.inside(route.terminal_a, lon, lat)
        return np.asarray(~within & ~world.inside(route.terminal_b, lon, lat), np.bool_)

    return runs_where(drive, outside)
