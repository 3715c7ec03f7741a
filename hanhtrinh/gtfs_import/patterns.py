"""What the trips of one direction have in common: the stops and the path that most of them take.

Belongs here: choosing it, and saying which trips do not fit. A route of the registry has one
path to a direction.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Final, TypeVar

import numpy as np
import shapely

from devices.batch import F64
from geofence.geodesy import METRES_PER_DEGREE
from geofence.registry import Direction
from hanhtrinh.gtfs_import.feed import Call, Feed, Trip
from storage.bulk.problems import Effect

T = TypeVar("T")
Place = tuple[float, float]
DECIMALS: Final = 6
"""Of degrees: a decimetre."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The stops and the path of a direction, and the trips that take them.

    path: (lon, lat), two or more, from the first stop to the last.
    """

    direction: Direction
    calls: tuple[Call, ...]
    path: tuple[Place, ...]
    trips: tuple[Trip, ...]

    @property
    def line(self) -> int:
        """Of trips.txt, the first trip's."""
        return self.trips[0].line


def metres(places: Sequence[Place], lat: float) -> F64:
    """Places in a plane, metres, shape (n, 2): good to 0.1 % within 50 km of the latitude."""
    scale = (METRES_PER_DEGREE * cos(radians(lat)), METRES_PER_DEGREE)
    plane: F64 = np.array(places, np.float64).reshape(-1, 2) * scale
    return plane


def farthest_m(places: Sequence[Place], path: Sequence[Place]) -> float:
    """How far the farthest of some places lies from a path, metres."""
    lat = path[0][1]
    points = shapely.points(metres(places, lat))
    return float(shapely.distance(shapely.LineString(metres(path, lat)), points).max())


def main_pattern(
    feed: Feed, direction: Direction, trips: Sequence[Trip], corridor_m: float
) -> Pattern:
    """The pattern of most trips (of as many, the first). Reports the trips beside it.

    trips: at least one. Trips with the same stops whose path stays within the corridor take it.
    """
    by_stops: dict[tuple[str, ...], list[Trip]] = defaultdict(list)
    for trip in trips:
        by_stops[tuple(call.stop for call in trip.calls)].append(trip)
    stops = max(by_stops, key=lambda stops: len(by_stops[stops]))
    same = by_stops.pop(stops)
    for others, left in by_stops.items():
        _note(
            feed, left[0].line, "trip_id",
            f"{len(left)} of {len(trips)} trips, {left[0].id!r} the first, call at other stops "
            f"({len(others)}) than most trips ({len(stops)}): a route has one path to a direction",
            "left_out",
        )  # fmt: skip
    paths = {trip.shape: _path(feed, trip) for trip in same}
    path = _most(paths[trip.shape] for trip in same)
    off_m = {shape: farthest_m(other, path) for shape, other in paths.items() if other != path}
    away = {shape for shape, distance in off_m.items() if distance > corridor_m}
    for shape in sorted(away):
        first = next(trip for trip in same if trip.shape == shape)
        count = sum(trip.shape == shape for trip in same)
        _note(
            feed, first.line, "shape_id",
            f"{count} trips go up to {off_m[shape]:.0f} m off the path that most trips take: "
            "a route has one path to a direction", "left_out",
        )  # fmt: skip
    kept = tuple(trip for trip in same if trip.shape not in away)
    pattern = Pattern(direction, tuple(kept[0].calls), path, kept)
    _check_path(feed, pattern, corridor_m)
    return pattern


def _most(values: Iterable[T]) -> T:
    return Counter(values).most_common(1)[0][0]


def _path(feed: Feed, trip: Trip) -> tuple[Place, ...]:
    """The places of a trip's shape, else those of its stops; repeated ones once."""
    if trip.shape:
        places = [(lon, lat) for _, lon, lat in feed.shapes[trip.shape]]
    else:
        stops = [feed.stops[call.stop] for call in trip.calls]
        places = [(stop.lon, stop.lat) for stop in stops]
    rounded = [(round(lon, DECIMALS), round(lat, DECIMALS)) for lon, lat in places]
    return tuple(place for at, place in enumerate(rounded) if at == 0 or place != rounded[at - 1])


def _check_path(feed: Feed, pattern: Pattern, corridor_m: float) -> None:
    if not pattern.trips[0].shape:
        said = "no shape: the path is straight from stop to stop"
        _note(feed, pattern.line, "shape_id", said, "noted")
        return
    for call in pattern.calls:
        stop = feed.stops[call.stop]
        off_m = farthest_m([(stop.lon, stop.lat)], pattern.path)
        if off_m > corridor_m:
            said = f"stop {call.stop!r} lies {off_m:.0f} m off the path, outside its corridor"
            feed.report("stop_times.txt", call.line, "stop_id", said, "noted")


def _note(feed: Feed, line: int, column: str, said: str, effect: Effect) -> None:
    feed.report("trips.txt", line, column, said, effect)
