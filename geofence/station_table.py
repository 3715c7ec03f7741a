"""Weigh stations that may be avoided, as arrays.

Belongs here: checking the approaches of stations and laying them out for kernels. What a vehicle
does on an approach is for `rules.station_avoided`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from devices.batch import F64, I32, I64, Bool
from geofence.errors import GeometryError, RegistryError
from geofence.geometry import parse_path, parse_shape
from geofence.hours import WEEK_MINUTES, weekly_minutes
from geofence.index import ZoneIndex
from geofence.paths import Paths, path_offset
from geofence.registry import StationRule


@dataclass(frozen=True, slots=True, eq=False)
class StationTable:
    """Stations with an approach, as they were in time, by row; both directions are two rows.

    codes: of each row. corridor: shape (k,), which shape of the index it is. index: the corridors.
    paths: the approaches in the direction that is weighed. at_m: shape (k,), how far along the
    station lies. is_open: shape (k, 10080), by minute of the week. valid_from, valid_to: shape
    (k,), when the road is watched so.
    """

    codes: tuple[str, ...]
    corridor: I32
    index: ZoneIndex
    paths: Paths
    at_m: F64
    is_open: Bool
    valid_from: I64
    valid_to: I64

    @classmethod
    def build(cls, stations: Sequence[StationRule]) -> "StationTable":
        """The table of those of some stations that have an approach. Raises RegistryError.

        stations: every version of each, in the order of time.
        """
        watched = [checked_station(station) for station in _watched(stations)]
        shapes = [
            parse_shape(s.approach, corridor_m=s.corridor_m)
            for s in watched
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
            valid_from=np.array([station.valid_from for station in of], np.int64),
            valid_to=np.array([station.valid_to for station in of], np.int64),
        )

    def __len__(self) -> int:
        return len(self.codes)


def _watched(stations: Sequence[StationRule]) -> list[StationRule]:
    """Those with an approach; versions that follow each other and are watched alike are one."""
    found: list[StationRule] = []
    for station in stations:
        before = found[-1] if found else None
        if (
            before is not None
            and before.valid_to == station.valid_from
            and _watch(before) == _watch(station)
        ):
            found[-1] = replace(before, valid_to=station.valid_to)
        elif station.approach is not None:
            found.append(station)
    return found


def _watch(station: StationRule) -> tuple[object, ...]:
    """What it takes to see that a station is avoided."""
    return (
        station.code, station.lon, station.lat, station.approach, station.corridor_m,
        station.is_two_way, station.weekly_hours,
    )  # fmt: skip


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
