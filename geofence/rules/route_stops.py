"""Announced stops of fixed routes: which of them a trip visits. docs/rules.md, section 3.

Belongs here: kernels that measure fixes and steps of a trip against the stops of its path. What was
missed is said in `stop_findings`; `route_trips` puts it together.
"""

from typing import Any, Final

from devices.batch import F64, I32, I64
from devices.compile import inlined_kernel, kernel
from geofence.geodesy import (
    METRES_PER_DEGREE,
    haversine_m,
    lon_difference,
    segment_offset,
)
from geofence.rules.rule import Records

FAR_ENOUGH: Final = 1.01
"""A stop this much farther away, along either axis, than fix and step reach is not measured."""

NEARBY_M: Final = 500_000.0
"""Up to here a degree of longitude is as long as at the fix, to much less than FAR_ENOUGH."""


@kernel
def reach_of(fix: Any, metres: float) -> tuple[float, float]:
    """Degrees of longitude and latitude within which all lies that is `metres` from a fix."""
    metres *= FAR_ENOUGH
    lon_deg = 360.0
    if metres < NEARBY_M:
        lon_deg = metres / max(1e-9, fix["scale_m"])
    return lon_deg, metres / METRES_PER_DEGREE


@inlined_kernel
def come_by(
    path: int, ordinal: int, fix: Any, last: Any, params: Records,
    start: I64, lon: F64, lat: F64, number: I32, seen: I32, s: int,
) -> None:  # fmt: skip
    """Note which stops of a path a trip visits at a fix, or on the step into it from `last`.

    ordinal: of the fix in the trip. start, lon, lat, number: columns of StopTable. seen: shape
    (slots, 2, most), of which row s has the ordinals of the first and the last fix at which each
    stop was visited, 0: it was not.
    """
    radius_m = params[fix["profile"]]["route_stops_stop_radius_m"]
    p = params[fix["step_profile"]]
    farthest_m = max(radius_m, p["route_stops_stop_radius_m"]) + fix["step_m"]
    reach_lon, reach_lat = reach_of(fix, farthest_m)
    for k in range(start[path], start[path + 1]):
        if number[k] < 0 or abs(lat[k] - fix["lat"]) > reach_lat:
            continue
        if abs(lon_difference(lon[k], fix["lon"])) > reach_lon:
            continue
        near = haversine_m(lon[k], lat[k], fix["lon"], fix["lat"]) <= radius_m
        if not near and fix["gap_us"] <= p["route_stops_max_gap_us"]:
            offset_m, share = segment_offset(
                lon[k], lat[k], last["lon"], last["lat"], fix["lon"], fix["lat"]
            )
            # What is nearest to its first fix was visited there, if at all.
            near = share > 0.0 and offset_m <= p["route_stops_stop_radius_m"]
        if near:
            if seen[s, 0, number[k]] == 0:
                seen[s, 0, number[k]] = ordinal
            seen[s, 1, number[k]] = ordinal


@inlined_kernel
def is_at_stop(path: int, fix: Any, params: Records, start: I64, lon: F64, lat: F64) -> bool:
    """Whether a fix lies at an announced stop of a path, compulsory or not."""
    radius_m = params[fix["profile"]]["route_stops_stop_radius_m"]
    reach_lon, reach_lat = reach_of(fix, radius_m)
    found = False
    for k in range(start[path], start[path + 1]):
        if abs(lat[k] - fix["lat"]) > reach_lat:
            continue
        if abs(lon_difference(lon[k], fix["lon"])) <= reach_lon:
            found |= haversine_m(lon[k], lat[k], fix["lon"], fix["lat"]) <= radius_m
    return found
