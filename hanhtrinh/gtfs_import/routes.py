"""Routes of the registry from a feed.

Belongs here: which routes of a feed are the two directions of one, and what makes a whole route
unfit. Paths, departures and terminals have modules of their own.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from api.models.base import CODE
from geofence.errors import RegistryError
from geofence.registry import Direction, Route, RouteStop, Zone
from geofence.route_table import check_route
from geofence.zone_table import check_zone
from hanhtrinh.gtfs_import.departures import slots_of
from hanhtrinh.gtfs_import.feed import Feed, FeedRoute, Trip
from hanhtrinh.gtfs_import.patterns import Pattern, Place, main_pattern
from hanhtrinh.gtfs_import.terminals import terminal_zone, touch
from storage.bulk.problems import Effect

MOST_PARTS: Final = 2_000
"""Stops, or slots, of a route: as many as the API takes."""

BUSES: Final = {3, 11, *range(200, 300), *range(700, 800)}
"""route_type of buses, trolleybuses and coaches, the extended types included."""

OTHER_WAY: Final[dict[Direction, Direction]] = {"outbound": "inbound", "inbound": "outbound"}
BY_ID: Final[dict[str, Direction]] = {"0": "outbound", "1": "inbound", "": "outbound"}


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """How the routes of a feed become routes of the registry.

    prefix: of every code. endings: of the ids of routes that are the directions of one, outbound
    and inbound; None: direction_id says it. corridor_m: of every route. terminal_m: radius.
    today: the first day on which departures matter.
    """

    today: date
    prefix: str = ""
    endings: tuple[str, str] | None = None
    corridor_m: float = 200.0
    terminal_m: float = 100.0


@dataclass(frozen=True, slots=True)
class Built:
    """A route with its terminals. line: of routes.txt. of: ids of the feed."""

    route: Route
    terminals: tuple[Zone, Zone]
    line: int
    of: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    """The routes of a feed that are one of ours, and its trips by direction."""

    code: str
    routes: list[FeedRoute]
    trips: dict[Direction, list[Trip]]


def build_routes(feed: Feed, options: RouteOptions) -> list[Built]:
    """The routes that the registry can hold, in the feed's order. Reports those that it cannot."""
    groups = _groups(feed, options)
    built = (_build(feed, group, options) for group in groups)
    return [found for found in built if found is not None]


def _groups(feed: Feed, options: RouteOptions) -> list[_Group]:
    groups: dict[str, _Group] = {}
    sides: dict[str, tuple[str, Direction | None]] = {}
    for route in feed.routes.values():
        base, side = _side(route.id, options.endings)
        code = options.prefix + base
        sides[route.id] = code, side
        group = groups.setdefault(code, _Group(code, [], defaultdict(list)))
        group.routes.append(route)
    for trip in feed.trips.values():
        if trip.route in sides and trip.route not in feed.refused:
            code, side = sides[trip.route]
            groups[code].trips[side or BY_ID[trip.direction]].append(trip)
    return list(groups.values())


def _side(route: str, endings: tuple[str, str] | None) -> tuple[str, Direction | None]:
    """The id without its ending, and the direction that the ending says; None: it has none."""
    directions: tuple[Direction, Direction] = ("outbound", "inbound")
    for ending, direction in zip(endings or (), directions, strict=False):
        if route.endswith(ending) and len(route) > len(ending):
            return route.removesuffix(ending), direction
    return route, None


def _build(feed: Feed, group: _Group, options: RouteOptions) -> Built | None:
    if any(route.id in feed.refused for route in group.routes):
        return None
    first = group.routes[0]
    if first.kind not in BUSES:
        said = f"expected a kind of bus (3, 11, 200..299, 700..799), got {first.kind}"
        _leave_out(feed, first, "route_type", said)
        return None
    if not group.trips:
        _leave_out(feed, first, "route_id", f"no trip of route {first.id!r}")
        return None
    if not re.fullmatch(CODE, group.code):
        said = f"expected letters, digits, '.', '_' and '-', got the code {group.code!r}"
        _leave_out(feed, first, "route_id", said, "refused")
        return None
    patterns = {
        direction: main_pattern(feed, direction, trips, options.corridor_m)
        for direction, trips in sorted(group.trips.items(), reverse=True)
    }
    terminals = _terminals(feed, group.code, patterns, options)
    if touch(*terminals):
        said = f"route {group.code!r} begins and ends at one place: it needs two terminals apart"
        _leave_out(feed, first, "route_id", said)
        return None
    route = _route(feed, group, patterns, options, terminals)
    return _checked(feed, Built(route, terminals, first.line, tuple(r.id for r in group.routes)))


def _terminals(
    feed: Feed, code: str, patterns: dict[Direction, Pattern], options: RouteOptions
) -> tuple[Zone, Zone]:
    """The zones at A, where outbound trips begin, and at B, where they end."""
    ends: dict[str, list[Place]] = {"a": [], "b": []}
    names: dict[str, str] = {}
    for direction, pattern in patterns.items():
        sides = "ab" if direction == "outbound" else "ba"
        for side, call in zip(sides, (pattern.calls[0], pattern.calls[-1]), strict=True):
            stop = feed.stops[call.stop]
            ends[side].append((stop.lon, stop.lat))
            names.setdefault(side, stop.name)
    a, b = (
        terminal_zone(f"{code}-{side}", names[side], ends[side], options.terminal_m)
        for side in "ab"
    )
    return a, b


def _route(
    feed: Feed,
    group: _Group,
    patterns: dict[Direction, Pattern],
    options: RouteOptions,
    terminals: tuple[Zone, Zone],
) -> Route:
    paths = {direction: _line(pattern.path) for direction, pattern in patterns.items()}
    for direction, pattern in patterns.items():
        if OTHER_WAY[direction] not in patterns:
            paths[OTHER_WAY[direction]] = _line(pattern.path[::-1])
            other = OTHER_WAY[direction]
            said = f"one direction only: {other} is its path backwards, without stops"
            _note(feed, group.routes[0], "route_id", said, "noted")
    both = [pattern for _, pattern in sorted(patterns.items())]
    return Route(
        id=0,
        code=group.code,
        corridor_m=options.corridor_m,
        terminal_a=terminals[0].code,
        terminal_b=terminals[1].code,
        outbound=paths["outbound"],
        inbound=paths["inbound"],
        name=group.routes[0].name,
        stops=tuple(stop for pattern in both for stop in _stops(feed, pattern)),
        slots=tuple(slot for pattern in both for slot in slots_of(feed, pattern, options.today)),
    )


def _stops(feed: Feed, pattern: Pattern) -> list[RouteStop]:
    stops = []
    for seq, call in enumerate(pattern.calls, 1):
        stop = feed.stops[call.stop]
        place = (stop.lon, stop.lat)
        stops.append(RouteStop(pattern.direction, seq, *place, stop.name, call.is_compulsory))
    return stops


def _line(path: Sequence[Place]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [list(place) for place in path]}


def _checked(feed: Feed, built: Built) -> Built | None:
    """The route, if a rulebook can be built with it and the API could change it."""
    first = feed.routes[built.of[0]]
    for name, parts in (("stops", built.route.stops), ("departures", built.route.slots)):
        if len(parts) > MOST_PARTS:
            said = f"expected at most {MOST_PARTS} {name} of a route, got {len(parts)}"
            _leave_out(feed, first, "route_id", said)
            return None
    try:
        for zone in built.terminals:
            check_zone(zone)
        check_route(built.route, [zone.code for zone in built.terminals])
    except RegistryError as error:
        _leave_out(feed, first, "route_id", str(error), "refused")
        return None
    return built


def _leave_out(
    feed: Feed, route: FeedRoute, column: str, said: str, effect: Effect = "left_out"
) -> None:
    _note(feed, route, column, said, effect)


def _note(feed: Feed, route: FeedRoute, column: str, said: str, effect: Effect) -> None:
    feed.report("routes.txt", route.line, column, said, effect)
