"""Zones crossed between two fixes: kind `crossing`, docs/rules.md section 2.

Belongs here: joined steps that begin and end outside a zone and meet it in between. Only zones that
ask for it are looked at; for all others, and where there are none, this rule costs nothing.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import shapely

from devices.batch import F64, I32, I64, Bool
from devices.describe import rfc3339
from geofence.geodesy import METRES_PER_DEGREE
from geofence.geometry import Shape, parse_shape
from geofence.interval import Details, Interval
from geofence.locate import Located, binds
from geofence.rulebook import Rulebook
from geofence.rules.last import LastFixes
from geofence.rules.rule import Findings, Key, Records, Stateless, Track
from geofence.rules.run import RUN_FIELDS, interval_of, rows_of

KIND: Final = "crossing"

CORNERS: Final = 32
"""To a quarter of a circle: the outline is nowhere farther from it than 0.03 % of its radius."""

_CROSSING: Final = np.dtype(
    [
        *RUN_FIELDS,  # the step, as a run of its two fixes
        ("zone", np.int32),
        # Where the straight step first and last meets the zone.
        ("entered", np.int64),
        ("entered_lon", np.float64),
        ("entered_lat", np.float64),
        ("left", np.int64),
        ("left_lon", np.float64),
        ("left_lat", np.float64),
        ("inside_m", np.float64),
    ],
    align=True,
)


class _Steps(NamedTuple):
    """Steps as columns of shape (k,): from (lon, lat)[0] at time[0] to (lon, lat)[1] at time[1]."""

    row: I64
    driver: I32
    time: tuple[I64, I64]
    lon: tuple[F64, F64]
    lat: tuple[F64, F64]


def outline(shape: Shape) -> Any:
    """What a step is cut with: a polygon; that of a circle or corridor has many corners."""
    if shape.kind == "polygon":
        return shape.geometry
    middle = (shape.geometry.bounds[1] + shape.geometry.bounds[3]) / 2
    squeeze = np.array([np.cos(np.radians(middle)), 1.0])
    flat = shapely.transform(shape.geometry, lambda at: at * squeeze)
    wide = shapely.buffer(flat, shape.reach_m / METRES_PER_DEGREE, quad_segs=CORNERS)
    return shapely.transform(wide, lambda at: at / squeeze)


def part_inside(area: Any, lon: tuple[float, float], lat: tuple[float, float]) -> F64:
    """From where to where a straight step meets an area, as fractions of the step, shape (2,)."""
    step = shapely.LineString(list(zip(lon, lat, strict=True)))
    at = shapely.get_coordinates(shapely.intersection(area, step))
    if not len(at):  # they touch, and the place was rounded off both
        at = shapely.get_coordinates(shapely.shortest_line(step, area))[:1]
    dx, dy = lon[1] - lon[0], lat[1] - lat[0]
    along = ((at[:, 0] - lon[0]) * dx + (at[:, 1] - lat[0]) * dy) / (dx * dx + dy * dy)
    ends: F64 = np.clip(np.array([along.min(), along.max()]), 0.0, 1.0)
    return ends


class Crossings(Stateless):
    """Needs nothing of a vehicle but its last clean fix."""

    def __init__(self, rulebook: Rulebook, last: LastFixes) -> None:
        self._rulebook = rulebook
        self._last = last
        asking = [row for row, zone in enumerate(rulebook.zones) if zone.crossings]
        self._zone_row = np.array(asking, np.int32)
        self._outlines = np.empty(len(asking), np.object_)
        for at, row in enumerate(asking):
            zone = rulebook.zones[row]
            self._outlines[at] = outline(
                parse_shape(zone.geometry, radius_m=zone.radius_m, corridor_m=zone.corridor_m)
            )
        self._tree = shapely.STRtree(self._outlines)
        self._extent = shapely.bounds(shapely.geometrycollections(self._outlines))

    def advance(
        self,
        track: Track,
        located: Located,  # noqa: ARG002 - the interface of rules
        needs_from: I64,  # noqa: ARG002 - the last fix is the judge's to keep
        *,
        emit: bool,
    ) -> list[Findings]:
        """See Rule."""
        if not (emit and len(self._zone_row) and len(track.time)):
            return []
        steps = self._steps(track)
        ends = np.stack([np.stack(steps.lon, 1), np.stack(steps.lat, 1)], 2)
        step, zone = self._tree.query(shapely.linestrings(ends), predicate="intersects")
        crossed = self._are_crossings(track, steps, step, self._zone_row[zone])
        step, zone = step[crossed], zone[crossed]
        out = np.zeros(len(step), _CROSSING)
        for at in range(len(step)):
            self._fill(out, at, track, steps, int(step[at]), int(zone[at]))
        return [Findings(out, self._describe)]

    def pending(self, vehicles: I32) -> list[Key]:
        """See Rule. The next step begins at the last fix, and may cross any zone that asks."""
        codes = {self._rulebook.zones[row].code for row in self._zone_row.tolist()}
        times = self._last.times(vehicles) if codes else []
        return [(KIND, vehicle, code, time) for vehicle, time in times for code in sorted(codes)]

    def _steps(self, track: Track) -> _Steps:
        """The joined steps that pass the box of all zones that ask."""
        longest_us = self._rulebook.params["visits_max_gap_us"][track.step_profile]
        lon, lat, driver = (self._before(track, name) for name in ("lon", "lat", "driver"))
        west, south, east, north = self._extent
        row = np.flatnonzero(
            (track.gap_us > 0)
            & (track.gap_us <= longest_us)
            & ((lon != track.lon) | (lat != track.lat))
            # Drawn straight, a step over the antimeridian would lead round the whole Earth.
            & (np.abs(lon - track.lon) <= 180.0)
            & (np.maximum(lon, track.lon) >= west)
            & (np.minimum(lon, track.lon) <= east)
            & (np.maximum(lat, track.lat) >= south)
            & (np.minimum(lat, track.lat) <= north)
        )
        time = track.time[row]
        return _Steps(
            row=row,
            driver=driver[row],
            time=(time - track.gap_us[row], time),
            lon=(lon[row], track.lon[row]),
            lat=(lat[row], track.lat[row]),
        )

    def _before(self, track: Track, name: str) -> Any:
        """A column of Track, of the fix at which each step begins; of no meaning without a step."""
        column = getattr(track, name)
        before = np.roll(column, 1)
        first = np.flatnonzero(np.append(True, np.diff(track.vehicle) != 0))
        before[first] = self._last.records[name][track.vehicle[first]]
        return before

    def _are_crossings(self, track: Track, steps: _Steps, step: I64, zone_row: I32) -> Bool:
        """Of pairs of step and zone those that lie outside at both ends, and are bound there."""
        vehicle = track.vehicle[steps.row[step]]
        index = self._rulebook.zone_table.index
        crossed = np.ones(len(step), np.bool_)
        for end in range(2):
            start, row = index.contains(steps.lon[end][step], steps.lat[end][step])
            holder = np.repeat(np.arange(len(step)), np.diff(start))
            crossed[holder[row == zone_row[holder]]] = False
            crossed &= binds(self._rulebook, zone_row, vehicle, steps.time[end][step])
        return crossed

    def _fill(self, out: Records, at: int, track: Track, steps: _Steps, k: int, zone: int) -> None:
        row = int(steps.row[k])
        (lon1, lon2), (lat1, lat2) = ((c[0][k], c[1][k]) for c in (steps.lon, steps.lat))
        first, last = part_inside(self._outlines[zone], (lon1, lon2), (lat1, lat2))
        run = out[at]
        run["vehicle"] = track.vehicle[row]
        run["driver"] = steps.driver[k]
        run["profile"] = track.step_profile[row]
        run["fixes"] = 2
        run["started"], run["ended"] = steps.time[0][k], steps.time[1][k]
        run["start_lon"], run["start_lat"] = lon1, lat1
        run["end_lon"], run["end_lat"] = lon2, lat2
        run["distance_m"] = track.step_m[row]
        run["zone"] = self._zone_row[zone]
        for name, share in (("entered", first), ("left", last)):
            run[name] = run["started"] + round(share * int(track.gap_us[row]))
            run[f"{name}_lon"] = lon1 + share * (lon2 - lon1)
            run[f"{name}_lat"] = lat1 + share * (lat2 - lat1)
        run["inside_m"] = (last - first) * track.step_m[row]

    def _describe(self, crossings: Records) -> list[Interval]:
        intervals: list[Interval] = []
        for run in rows_of(crossings):
            zone = self._rulebook.zones[run.zone]
            profile = self._rulebook.profiles[run.profile].id
            details: Details = {
                "zone_id": zone.id,
                "zone_kind": zone.kind,
                "entered_at": rfc3339(run.entered),
                "entered_lon": run.entered_lon,
                "entered_lat": run.entered_lat,
                "left_at": rfc3339(run.left),
                "left_lon": run.left_lon,
                "left_lat": run.left_lat,
                "inside_m": run.inside_m,
            }
            intervals.append(interval_of(run, KIND, zone.code, profile, details, is_open=False))
        return intervals
