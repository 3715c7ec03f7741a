"""The drives of a law-abiding fleet: buses on their routes, lorries past weigh stations, cars.

Belongs here: turning places of the world into timed drives that break no rule. Does not belong
here: drives that break one (violators.py).
"""

from collections.abc import Sequence
from typing import Final

from devices.batch import F64
from geofence.registry import Route, StationRule
from simulators.motion import Drive, Halt, Line, plan_drive
from simulators.vehicles import BUS, Make
from simulators.world import World

BELOW_LIMIT_KMH: Final = 6.0
"""A careful driver keeps this much under the limit; noise of the receiver is far smaller."""

AHEAD_M: Final = 40.0
"""And obeys a zone's limit this far before its edge."""

STOP_STAY_S: Final = 35.0
TERMINAL_STAY_S: Final = 300.0
WEIGH_STAY_S: Final = 25.0


def careful_caps(world: World, make: Make, line: Line, grid: F64) -> F64:
    """Speeds (m/s) that keep every limit along the line, at each point of the grid."""
    lon, lat, _ = line.at(grid)
    limit = world.limit_kmh(make.vehicle_class, make.speed_limit_kmh, lon, lat, AHEAD_M)
    return (limit - BELOW_LIMIT_KMH) / 3.6


def careful_drive(world: World, make: Make, line: Line, halts: Sequence[Halt]) -> Drive:
    """Drive the line within every limit."""
    grid = line.grid([halt.along_m for halt in halts])
    return plan_drive(line, grid, careful_caps(world, make, line, grid), halts)


def route_line(route: Route) -> tuple[Line, float]:
    """The route out and back as one closed line, and how long the way out is."""
    outbound = Line.of(route.outbound["coordinates"])
    there_and_back = [*route.outbound["coordinates"], *route.inbound["coordinates"]]
    return Line.of(there_and_back), outbound.length_m


def route_halts(route: Route, outbound_m: float) -> list[Halt]:
    """The stays of a bus: both terminals and every announced stop, in driving order."""
    halts = [Halt(0.0, TERMINAL_STAY_S), Halt(outbound_m, TERMINAL_STAY_S)]
    inbound = Line.of(route.inbound["coordinates"])
    outbound = Line.of(route.outbound["coordinates"])
    for stop in route.stops:
        if stop.direction == "outbound":
            halts.append(Halt(outbound.nearest_m(stop.lon, stop.lat), STOP_STAY_S))
        else:
            halts.append(Halt(outbound_m + inbound.nearest_m(stop.lon, stop.lat), STOP_STAY_S))
    return sorted(halts, key=lambda halt: halt.along_m)


def bus_drive(world: World, route: Route) -> Drive:
    """A bus out and back on its route."""
    line, outbound_m = route_line(route)
    return careful_drive(world, BUS, line, route_halts(route, outbound_m))


def station_halts(stations: Sequence[StationRule], line: Line) -> list[Halt]:
    """Static scales are driven onto and stood on; weigh-in-motion ones are driven over."""
    return [
        Halt(line.nearest_m(station.lon, station.lat), WEIGH_STAY_S)
        for station in stations
        if station.kind == "static"
    ]


def on_line(line: Line, stations: Sequence[StationRule]) -> list[StationRule]:
    """The stations that the line passes."""
    near = []
    for station in stations:
        lon, lat, _ = line.at(line.grid(()))
        if min(abs(lon - station.lon) + abs(lat - station.lat)) < 2e-4:
            near.append(station)
    return near


def lorry_drive(world: World, make: Make, road: str) -> Drive:
    """A lorry round its road, weighed wherever a station stands."""
    line = world.roads[road]
    return careful_drive(world, make, line, station_halts(on_line(line, world.stations), line))


def car_drive(world: World, make: Make, road: str) -> Drive:
    """A car round its road, with a rest where it closes."""
    return careful_drive(world, make, world.roads[road], [Halt(0.0, TERMINAL_STAY_S)])
