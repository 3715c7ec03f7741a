"""Weigh stations that may be avoided, as arrays.

Belongs here: checking the approaches of stations and laying them out for kernels. What a vehicle
does on an approach is for `rules.station_avoided`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from devices.batch import F64, I32, Bool
from geofence.errors import GeometryError, RegistryError
from geofence.geometry import parse_path, parse_shape
from geofence.hours import WEEK_MINUTES, weekly_minutes
from geofence.index import ZoneIndex
from geofence.paths import Paths, path_offset
from geofence.registry import StationRule


@dataclass(frozen=True, slots=True, eq=False)
class StationTable:
    """Stations with an approach, by row; one that weighs both directions has two.

    codes: of each row. corridor: shape (k,), which shape of the index it is. index: the corridors.
    paths: the approaches in the direction that is weighed. at_m: shape (k,), how far along the
    station lies. is_open: shape (k, 10080), by minute of the week.
    """

    codes: tuple[str, ...]
    corridor: I32
    index: ZoneIndex
    paths: Paths
    at_m: F64
    is_open: Bool

    @classmethod
    def build(cls, stations: Sequence[StationRule]) -> "StationTable":
        """The table of those of some stations that have an approach. Raises RegistryError."""
        watched = [station for station in stations if station.approach is not None]
        shapes = [
            parse_shape(s.approach, corridor_m=s.corridor_m)
            for s in map(checked_station, watched)
            if s.approach is not None
        ]
        lines: list[F64] = []
        rows: list[int] = []
        for number, station in enumerate(watched):
            assert station.approach is not None
            line = parse_path(station.approach)
            for way in (line, line[::-1].copy()) if station.is_two_way else (line,):
                lines.append(way)
                rows.append(number)
        paths = Paths.build(lines)
        of = [watched[number] for number in rows]
        minutes = [weekly_minutes(station.weekly_hours) for station in of]
        return cls(
            codes=tuple(station.code for station in of),
            corridor=np.array(rows, np.int32),
            index=ZoneIndex(shapes),
            paths=paths,
            at_m=np.array([_place(paths, row, station)[1] for row, station in enumerate(of)]),
            is_open=np.array(minutes, np.bool_).reshape(len(of), WEEK_MINUTES),
        )

    def __len__(self) -> int:
        return len(self.codes)


def _place(paths: Paths, row: int, station: StationRule) -> tuple[float, float]:
    """How far a station lies from a path, and how far along it, metres."""
    return path_offset(
        station.lon, station.lat, row, paths.start, paths.ends, paths.along_m, paths.length_m,
        paths.chunk_start, paths.chunk_box,
    )  # fmt: skip


def checked_station(station: StationRule) -> StationRule:
    """The station. Raises RegistryError where it could not be part of a rulebook.

    What writes stations to the registry calls it first, so that a rulebook can always be built.
    """
    try:
        weekly_minutes(station.weekly_hours)
        if station.approach is not None:
            _check_approach(station, parse_path(station.approach, "approach"))
    except (GeometryError, RegistryError) as error:
        raise RegistryError(f"weigh station {station.code!r}: {error}") from error
    return station


def _check_approach(station: StationRule, line: F64) -> None:
    assert station.approach is not None
    reach_m = parse_shape(station.approach, corridor_m=station.corridor_m).reach_m
    if math.isnan(station.lon) or math.isnan(station.lat):
        raise RegistryError("approach: expected a place of the station, there is none")
    apart_m, _ = _place(Paths.build([line]), 0, station)
    if apart_m > reach_m:
        raise RegistryError(
            f"approach: expected a road within {reach_m:g} m of the station, "
            f"got one that comes no nearer than {apart_m:.0f} m"
        )
