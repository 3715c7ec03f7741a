"""A feed as it was read: its routes, stops, days, trips and shapes, and which routes are wrong.

Belongs here: what the files of a feed say and whether they agree. What of it a registry can hold is
`routes`'s.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

from geofence.hours import DAYS
from hanhtrinh.gtfs_import.lines import Line, lines_of
from hanhtrinh.gtfs_import.service_days import DAY, Span, spans_of
from storage.bulk.problems import Effect, Problem, Problems

NEEDED: Final = ("agency.txt", "routes.txt", "stops.txt", "trips.txt", "stop_times.txt")
DAY_NAMES: Final = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
NOT_SERVED: Final = 1
"""pickup_type and drop_off_type: nobody gets on, nobody gets off."""
REGULAR: Final = 0


class FeedRoute(NamedTuple):
    """A line of routes.txt."""

    id: str
    name: str
    kind: int
    line: int


class FeedStop(NamedTuple):
    """A line of stops.txt."""

    name: str
    lon: float
    lat: float


class Call(NamedTuple):
    """A trip at a stop. departs_s: after midnight of its day; None: between two that are timed."""

    seq: int
    stop: str
    departs_s: int | None
    is_compulsory: bool
    line: int


class Headway(NamedTuple):
    """A trip that leaves again and again, from a time until before another."""

    first_s: int
    until_s: int
    every_s: int
    is_exact: bool
    line: int


@dataclass(slots=True)
class Trip:
    """A line of trips.txt, with its calls in order. direction: "0", "1" or "" (not said)."""

    id: str
    route: str
    service: str
    shape: str
    direction: str
    line: int
    calls: list[Call] = field(default_factory=list)
    headways: list[Headway] = field(default_factory=list)


@dataclass(slots=True)
class Feed:
    """What a feed says of the routes that were asked for.

    timezones: of agencies, with the first line that says each. services: the spans of days of each.
    shapes: (sequence, lon, lat), unordered while reading.
    refused: routes of which something is wrong; wrong_stops, wrong_shapes and wrong_services make
    them so.
    other_routes, other_trips: those that were not asked for.
    """

    problems: Problems = field(default_factory=Problems)
    timezones: dict[str, int] = field(default_factory=dict)
    routes: dict[str, FeedRoute] = field(default_factory=dict)
    stops: dict[str, FeedStop] = field(default_factory=dict)
    services: dict[str, list[Span]] = field(default_factory=dict)
    trips: dict[str, Trip] = field(default_factory=dict)
    shapes: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    wrong_stops: set[str] = field(default_factory=set)
    wrong_shapes: set[str] = field(default_factory=set)
    wrong_services: set[str] = field(default_factory=set)
    other_routes: set[str] = field(default_factory=set)
    other_trips: set[str] = field(default_factory=set)

    def check_timezone(self, expected: str) -> None:
        """Refuse times that are of another timezone than the deployment's."""
        for name, line in self.timezones.items():
            if name != expected:
                self.report(
                    "agency.txt", line, "agency_timezone", f"expected {expected}, got {name!r}"
                )

    def report(
        self, file: str, line: int, column: str, said: str, effect: Effect = "refused"
    ) -> None:
        """Report what is wrong, or in doubt, at a line of a file."""
        self.problems.add(Problem(file, line, column, said, effect, "line"))


def read_feed(files: Mapping[str, bytes], only: Collection[str] = ()) -> Feed:
    """Read the files of a feed. only: ids of routes, none: all; the others are not looked at."""
    feed, content = Feed(), dict(files)
    missing = [name for name in NEEDED if name not in content]
    for name in missing:
        feed.report(name, 0, "", "expected this file, got none")
    if missing:
        return feed
    _read_agencies(feed, content)
    _read_routes(feed, content, only)
    _read_stops(feed, content)
    _read_services(feed, content)
    _read_shapes(feed, content)
    _read_trips(feed, content)
    _read_calls(feed, content)
    if "frequencies.txt" in content:
        _read_headways(feed, content)
    _check_trips(feed)
    return feed


def _read_agencies(feed: Feed, files: dict[str, bytes]) -> None:
    for line in lines_of(files, "agency.txt", feed.problems, ("agency_timezone",)):
        feed.timezones.setdefault(line.text("agency_timezone"), line.number)


def _read_routes(feed: Feed, files: dict[str, bytes], only: Collection[str]) -> None:
    wanted = set(only)
    for line in lines_of(files, "routes.txt", feed.problems, ("route_id", "route_type")):
        route = line.text("route_id")
        if wanted and route not in wanted:
            feed.other_routes.add(route)
            continue
        if route in feed.routes:
            line.wrong("route_id", "expected every route once")
        name = line.given("route_long_name") or line.given("route_short_name") or route
        kind = line.count("route_type", 0, 1_799)
        feed.routes.setdefault(route, FeedRoute(route, name, kind, line.number))
        if not line.is_good:
            feed.refused.add(route)
    for route in sorted(wanted - feed.routes.keys()):
        feed.report("routes.txt", 0, "route_id", f"expected the route asked for, got no {route!r}")


def _read_stops(feed: Feed, files: dict[str, bytes]) -> None:
    for line in lines_of(files, "stops.txt", feed.problems, ("stop_id",)):
        stop = line.text("stop_id")
        if line.count("location_type", 0, 4, 0) > 1:
            continue  # entrances and boarding areas: no trip calls there
        lon = line.number_of("stop_lon", -180.0, 180.0)
        lat = line.number_of("stop_lat", -90.0, 90.0)
        if stop in feed.stops:
            line.wrong("stop_id", "expected every stop once")
        elif line.is_good and lon == lat == 0.0:
            line.wrong("stop_lon", "expected a place, not 0, 0")
        feed.stops.setdefault(stop, FeedStop(line.given("stop_name"), lon, lat))
        if not line.is_good:
            feed.wrong_stops.add(stop)


def _read_services(feed: Feed, files: dict[str, bytes]) -> None:
    weekly: dict[str, list[Span]] = {}
    if "calendar.txt" in files or "calendar_dates.txt" not in files:
        needed = ("service_id", *DAY_NAMES, "start_date", "end_date")
        for line in lines_of(files, "calendar.txt", feed.problems, needed):
            service = line.text("service_id")
            if service in weekly:
                line.wrong("service_id", "expected every service once")
            runs = [line.count(name, 0, 1) for name in DAY_NAMES]
            first, last = line.day("start_date"), line.day("end_date")
            if line.is_good and last < first:
                line.wrong("end_date", f"expected {first:%Y%m%d} or later")
            days = tuple(day for day, is_run in zip(DAYS, runs, strict=True) if is_run)
            is_held = line.is_good and days
            weekly[service] = [Span(days, first, last + DAY)] if is_held else []
            if not line.is_good:
                feed.wrong_services.add(service)
    changes: dict[tuple[str, int], set[date]] = defaultdict(set)
    if "calendar_dates.txt" in files:
        columns = ("service_id", "date", "exception_type")
        for line in lines_of(files, "calendar_dates.txt", feed.problems, columns):
            key = (line.text("service_id"), line.count("exception_type", 1, 2))
            day = line.day("date")
            changes[key].add(day)
            if not line.is_good:
                feed.wrong_services.add(key[0])
    for service in {*weekly, *(service for service, _ in changes)}:
        feed.services[service] = spans_of(
            weekly.get(service, ()), changes[service, 1], changes[service, 2]
        )


def _read_shapes(feed: Feed, files: dict[str, bytes]) -> None:
    if "shapes.txt" not in files:
        return
    needed = ("shape_id", "shape_pt_lat", "shape_pt_lon", "shape_pt_sequence")
    for line in lines_of(files, "shapes.txt", feed.problems, needed):
        shape = line.text("shape_id")
        at = line.count("shape_pt_sequence", 0, 1 << 31)
        lon = line.number_of("shape_pt_lon", -180.0, 180.0)
        lat = line.number_of("shape_pt_lat", -90.0, 90.0)
        feed.shapes.setdefault(shape, []).append((at, lon, lat))
        if not line.is_good:
            feed.wrong_shapes.add(shape)
    for points in feed.shapes.values():
        points.sort()


def _read_trips(feed: Feed, files: dict[str, bytes]) -> None:
    needed = ("route_id", "service_id", "trip_id")
    for line in lines_of(files, "trips.txt", feed.problems, needed):
        route = line.text("route_id")
        name = line.text("trip_id")
        if route in feed.other_routes:
            feed.other_trips.add(name)
            continue
        if route not in feed.routes:
            line.wrong("route_id", "expected a route of routes.txt")
        if line.text("service_id") not in feed.services:
            line.wrong("service_id", "expected a service of calendar.txt or calendar_dates.txt")
        shape = line.given("shape_id")
        if shape and shape not in feed.shapes:
            line.wrong("shape_id", "expected a shape of shapes.txt")
        direction = line.given("direction_id")
        if direction not in ("", "0", "1"):
            line.wrong("direction_id", "expected 0, 1 or nothing")
        if name in feed.trips:
            line.wrong("trip_id", "expected every trip once")
        trip = Trip(name, route, line.given("service_id"), shape, direction, line.number)
        feed.trips.setdefault(name, trip)
        is_fit = shape not in feed.wrong_shapes and trip.service not in feed.wrong_services
        if not line.is_good or not is_fit:
            feed.refused.add(route)


def _read_calls(feed: Feed, files: dict[str, bytes]) -> None:
    needed = ("trip_id", "stop_id", "stop_sequence", "departure_time")
    for line in lines_of(files, "stop_times.txt", feed.problems, needed):
        trip = _trip_of(feed, line)
        if trip is None:
            continue
        stop = line.text("stop_id")
        if stop not in feed.stops:
            line.wrong("stop_id", "expected a stop of stops.txt")
        seq = line.count("stop_sequence", 0, 1 << 31)
        departs = line.seconds("departure_time")
        line.seconds("arrival_time")
        ways = [line.count(name, 0, 3, REGULAR) for name in ("pickup_type", "drop_off_type")]
        trip.calls.append(Call(seq, stop, departs, REGULAR in ways, line.number))
        if ways == [NOT_SERVED, NOT_SERVED]:
            trip.calls.pop()  # the vehicle passes: nobody waits there
        if not line.is_good or stop in feed.wrong_stops:
            feed.refused.add(trip.route)


def _trip_of(feed: Feed, line: Line) -> Trip | None:
    """The trip of a line; None: of a route that is not looked at, or it is unknown and reported."""
    name = line.text("trip_id")
    if name in feed.other_trips:
        return None
    trip = feed.trips.get(name)
    if trip is None:
        line.wrong("trip_id", "expected a trip of trips.txt")
    elif not line.is_good:
        feed.refused.add(trip.route)
    return trip


def _read_headways(feed: Feed, files: dict[str, bytes]) -> None:
    needed = ("trip_id", "start_time", "end_time", "headway_secs")
    for line in lines_of(files, "frequencies.txt", feed.problems, needed):
        trip = _trip_of(feed, line)
        if trip is None:
            continue
        first, until = line.seconds("start_time"), line.seconds("end_time")
        every = line.count("headway_secs", 60, 86_400)
        is_exact = line.count("exact_times", 0, 1, 0) == 1
        if first is None or until is None or until <= first:
            line.wrong("end_time", "expected a time after start_time")
        if line.is_good and first is not None and until is not None:
            trip.headways.append(Headway(first, until, every, is_exact, line.number))
        else:
            feed.refused.add(trip.route)


def _check_trips(feed: Feed) -> None:
    """Put every trip's calls in order; refuse the routes of trips that make no sense."""
    for trip in feed.trips.values():
        trip.calls.sort()
        wrong = _wrong_calls(trip)
        if wrong:
            line, column, said = wrong
            file = "stop_times.txt" if trip.calls else "trips.txt"
            feed.report(file, line, column, said)
            feed.refused.add(trip.route)


def _wrong_calls(trip: Trip) -> tuple[int, str, str] | None:
    """Line, column and what is wrong with the calls of a trip; None: nothing."""
    if len(trip.calls) < 2:
        line = trip.calls[0].line if trip.calls else trip.line
        return line, "trip_id", f"expected at least 2 stops of trip {trip.id!r}"
    if trip.calls[0].departs_s is None:
        return trip.calls[0].line, "departure_time", "expected a time at the first stop, got ''"
    last_s, last_seq = -1, -1
    for call in trip.calls:
        if call.seq == last_seq:
            return call.line, "stop_sequence", f"expected every number once in trip {trip.id!r}"
        if call.departs_s is not None:
            if call.departs_s < last_s:
                return call.line, "departure_time", "expected a time not before the stop's before"
            last_s = call.departs_s
        last_seq = call.seq
    return None
