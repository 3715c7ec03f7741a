"""Stops and trips of one vehicle from its fixes, as docs/rules.md section 5 defines them.

Works on whole arrays: a year of fixes costs a few passes over its columns, and a Python loop runs
only over the stops and trips that were found.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.batch import DISQUALIFYING, F64, I64, Bool, FixBatch, Quality
from geofence.geodesy import EARTH_RADIUS_M


@dataclass(frozen=True, slots=True)
class StopRule:
    """Parameters of stops and trips (docs/rules.md section 5).

    stop_speed_kmh: at or under it a fix is slow.
    min_stop_s: shorter stops are pauses and are not reported.
    trip_stop_s: a stop at least this long divides two trips.
    min_trip_m: shorter trips are manoeuvring and are not reported.
    impossible_kmh: a step that implies more is left out of every distance.
    """

    stop_speed_kmh: float = 3.0
    min_stop_s: float = 180.0
    trip_stop_s: float = 900.0
    min_trip_m: float = 250.0
    impossible_kmh: float = 250.0


@dataclass(frozen=True, slots=True)
class Stop:
    """started, ended: microseconds since 1970-01-01 UTC, of the first slow and first fast fix.

    lon, lat: mean place of its fixes, degrees. is_open: it had not ended at the last fix, and
    `ended` is that fix's time.
    """

    started: int
    ended: int
    lon: float
    lat: float
    fixes: int
    is_open: bool

    @property
    def duration_s(self) -> float:
        return (self.ended - self.started) / 1e6


@dataclass(frozen=True, slots=True)
class Trip:
    """started, ended: microseconds since 1970-01-01 UTC; start, end: (lon, lat) there, degrees.

    is_open_start, is_open_end: no stop bounds it on that side, only the first or last fix does.
    """

    started: int
    ended: int
    start: tuple[float, float]
    end: tuple[float, float]
    distance_m: float
    is_open_start: bool
    is_open_end: bool

    @property
    def duration_s(self) -> float:
        return (self.ended - self.started) / 1e6


@dataclass(frozen=True, slots=True)
class Journey:
    """What one vehicle did over a stretch of fixes.

    fixes, clean_fixes: how many were given, and how many of them were clean.
    distance_m: along the clean fixes, without steps of an impossible speed.
    stops, trips: in order of time; stops of at least `min_stop_s`, trips of at least `min_trip_m`.
    """

    fixes: int
    clean_fixes: int
    distance_m: float
    stops: tuple[Stop, ...]
    trips: tuple[Trip, ...]


def summarize(fixes: FixBatch, rule: StopRule) -> Journey:
    """Stops, trips and distance of one vehicle; `fixes` in strict order of time, n may be 0."""
    clean = (fixes.quality & np.uint16(DISQUALIFYING)) == 0
    time, lon, lat = fixes.time[clean], fixes.lon[clean], fixes.lat[clean]
    length_m, step_kmh = steps(time, lon, lat)
    known = fixes.speed_kmh[clean].astype(np.float64)
    known[(fixes.quality[clean] & np.uint16(Quality.SPEED_IMPLAUSIBLE)) != 0] = np.nan
    length_m[step_kmh > rule.impossible_kmh] = 0.0
    driven_m = np.concatenate((np.zeros(1), np.cumsum(length_m)))
    speed_kmh = speeds(known, step_kmh)
    first, last, is_open = stop_bounds(speed_kmh, rule.stop_speed_kmh)
    kept = _stops(time, lon, lat, first, last, is_open, rule.min_stop_s)
    return Journey(
        fixes=len(fixes),
        clean_fixes=len(time),
        distance_m=float(driven_m[-1]),
        stops=kept,
        trips=_trips(time, lon, lat, driven_m, first, last, is_open, rule),
    )


def steps(time: I64, lon: F64, lat: F64) -> tuple[F64, F64]:
    """Length (m) and speed (km/h) of the step from each fix to the next; shape (max(n - 1, 0),).

    Great-circle distances by the haversine formula, exact to the last millimetre for short steps.
    """
    rad_lon, rad_lat = np.radians(lon), np.radians(lat)
    half_lat = np.sin(np.diff(rad_lat) / 2) ** 2
    half_lon = np.sin(np.diff(rad_lon) / 2) ** 2
    chord = half_lat + np.cos(rad_lat[:-1]) * np.cos(rad_lat[1:]) * half_lon
    length_m = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    gap_s = np.diff(time) / 1e6
    return length_m, length_m / gap_s * 3.6


def speeds(known_kmh: F64, step_kmh: F64) -> F64:
    """Each fix's own speed, else that of the step that led to it (of the first fix: leads away).

    known_kmh: shape (n,), NaN unknown; step_kmh: shape (max(n - 1, 0),). A lone fix stays NaN.
    """
    if len(known_kmh) < 2:
        return known_kmh
    derived = np.concatenate((step_kmh[:1], step_kmh))
    return np.where(np.isnan(known_kmh), derived, known_kmh)


def stop_bounds(
    speed_kmh: F64, stop_speed_kmh: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], Bool]:
    """Rows at which stops of any length begin and end, and whether each is still open.

    A stop begins at the first of two consecutive slow fixes and ends at the first of two
    consecutive fast ones; an open one ends at the last row.
    """
    slow, fast = speed_kmh <= stop_speed_kmh, speed_kmh > stop_speed_kmh
    sign = np.zeros(len(speed_kmh), np.int8)
    sign[:-1][slow[:-1] & slow[1:]] = 1
    sign[:-1][fast[:-1] & fast[1:]] = -1
    told = np.flatnonzero(sign)
    said = sign[told]
    turns = told[np.concatenate((np.ones(min(len(told), 1), np.bool_), said[1:] != said[:-1]))]
    first = turns[sign[turns] == 1]
    ends = turns[sign[turns] == -1]
    ends = ends[ends > first[0]] if len(first) else ends[:0]
    is_open = np.zeros(len(first), np.bool_)
    if len(ends) < len(first):
        is_open[-1] = True
        ends = np.append(ends, len(speed_kmh) - 1)
    return first, ends, is_open


def _stops(
    time: I64, lon: F64, lat: F64,
    first: NDArray[np.intp], last: NDArray[np.intp], is_open: Bool, min_stop_s: float,
) -> tuple[Stop, ...]:  # fmt: skip
    """The stops that are long enough. The fix that ends a closed stop is not one of its fixes."""
    found = []
    for begin, end, still in zip(first.tolist(), last.tolist(), is_open.tolist(), strict=True):
        started, ended = int(time[begin]), int(time[end])
        if ended - started < min_stop_s * 1e6:
            continue
        stood = slice(begin, end + 1 if still else end)
        found.append(
            Stop(
                started, ended, _mean_lon(lon[stood]), float(lat[stood].mean()),
                stood.stop - stood.start, still,
            )
        )  # fmt: skip
    return tuple(found)


def _mean_lon(lon: F64) -> float:
    """The mean of longitudes near each other, also over the antimeridian; in [-180, 180]."""
    if np.ptp(lon) <= 180.0:
        return float(lon.mean())
    east = float(np.where(lon < 0.0, lon + 360.0, lon).mean())
    return east - 360.0 if east > 180.0 else east


def _trips(
    time: I64, lon: F64, lat: F64, driven_m: F64,
    first: NDArray[np.intp], last: NDArray[np.intp], is_open: Bool, rule: StopRule,
) -> tuple[Trip, ...]:  # fmt: skip
    """What lies between stops that divide trips, and is long enough."""
    if not len(time):
        return ()
    divides = time[last] - time[first] >= rule.trip_stop_s * 1e6
    begins = [0, *last[divides & ~is_open].tolist()]
    ends = first[divides].tolist()
    ends_in_stop = bool(len(first) and divides[-1] and is_open[-1])
    if not ends_in_stop:
        ends.append(len(time) - 1)
    found = []
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        length_m = float(driven_m[end] - driven_m[begin])
        if length_m < rule.min_trip_m:
            continue
        found.append(
            Trip(
                int(time[begin]), int(time[end]),
                (float(lon[begin]), float(lat[begin])), (float(lon[end]), float(lat[end])),
                length_m,
                is_open_start=number == 0,
                is_open_end=number == len(ends) - 1 and not ends_in_stop,
            )
        )  # fmt: skip
    return tuple(found)
