"""The announced stops of routes as arrays.

Belongs here: which stops each path has, in order, and which of them a trip must visit. What a trip
made of them is for the rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from devices.batch import F64, I32, I64
from geofence.registry import Direction, Route, RouteStop
from geofence.zone_table import ZoneTable

DIRECTIONS: tuple[Direction, Direction] = ("outbound", "inbound")


@dataclass(frozen=True, slots=True, eq=False)
class StopTable:
    """Stops by path; outbound and inbound of route row i are paths 2 * i and 2 * i + 1.

    start: shape (2 * n_routes + 1,), offsets into the columns of stops, which are in order of seq.
    lon, lat: shape (k,), degrees. number: the stop's place among those of its path that must be
        visited, -1: it need not be.
    compulsory: by path, the stops that must be visited. most: the most of any path.
    """

    start: I64
    lon: F64
    lat: F64
    number: I32
    compulsory: tuple[tuple[RouteStop, ...], ...]
    most: int

    @classmethod
    def build(cls, routes: Sequence[Route], zones: ZoneTable) -> "StopTable":
        """The stops of some routes.

        A stop that lies in a terminal of its route need not be visited: to be there is to be on no
        trip.
        """
        stops: list[RouteStop] = []
        counts: list[int] = []
        terminals: list[tuple[int, int]] = []
        for route in routes:
            ends = zones.places[route.terminal_a], zones.places[route.terminal_b]
            for direction in DIRECTIONS:
                own = [stop for stop in route.stops if stop.direction == direction]
                stops += sorted(own, key=lambda stop: stop.seq)
                counts.append(len(own))
                terminals += [ends] * len(own)
        lon = np.array([stop.lon for stop in stops], np.float64)
        lat = np.array([stop.lat for stop in stops], np.float64)
        in_terminal = _in_terminal(zones, lon, lat, terminals)
        start = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.array(counts, np.int64))])
        number = np.full(len(stops), -1, np.int32)
        compulsory: list[tuple[RouteStop, ...]] = []
        for begin, end in zip(start[:-1].tolist(), start[1:].tolist(), strict=True):
            must = [
                row for row in range(begin, end) if stops[row].compulsory and not in_terminal[row]
            ]
            number[must] = np.arange(len(must))
            compulsory.append(tuple(stops[row] for row in must))
        return cls(
            start=start,
            lon=lon,
            lat=lat,
            number=number,
            compulsory=tuple(compulsory),
            most=max(map(len, compulsory), default=0),
        )


def _in_terminal(
    zones: ZoneTable, lon: F64, lat: F64, terminals: Sequence[tuple[int, int]]
) -> list[bool]:
    """Whether each stop lies in any version of one of its two terminals, given by place."""
    start, row = zones.index.contains(lon, lat)
    place = zones.rows["place"][row].tolist()
    return [
        not set(ends).isdisjoint(place[start[at] : start[at + 1]])
        for at, ends in enumerate(terminals)
    ]
