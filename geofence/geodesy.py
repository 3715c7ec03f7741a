"""Distances on the Earth: the sphere, and the local plane at a point.

Belongs here: scalar kernels that other kernels call. Degrees in, metres out, `lon, lat` order.
"""

import math
from typing import Final

from devices.compile import kernel

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius of the Earth (docs/rules.md, section 0)."""

METRES_PER_DEGREE: Final = math.pi / 180.0 * EARTH_RADIUS_M
"""Length of one degree along a meridian."""

_SERIES_RAD: Final = math.radians(0.25)
"""Half the distance up to which `near_haversine_m` uses series."""


NEAR_DEG: Final = 0.1
"""Up to this difference of longitudes and latitudes short series are as exact as doubles are."""


@kernel
def haversine_m(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """Great-circle distance of two points, metres; 0 for equal ones, never NaN for finite ones.

    Most steps are short: for them sines and cosines of small angles are the first terms of their
    series, which leaves one cosine to the library, by cos a cos b = (cos(a - b) + cos(a + b)) / 2.
    """
    phi1 = math.radians(lat1)
    phi2 = math.radians(lat2)
    d_phi = phi2 - phi1
    d_lambda = math.radians(lon2 - lon1)
    if abs(lat2 - lat1) > NEAR_DEG or abs(lon2 - lon1) > NEAR_DEG:
        half_lat = math.sin(d_phi * 0.5)
        half_lon = math.sin(d_lambda * 0.5)
        h = half_lat * half_lat + math.cos(phi1) * math.cos(phi2) * half_lon * half_lon
        # Rounding may carry h a hair over 1 at antipodes.
        return 2.0 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, h)))
    half_lat = _small_sin(d_phi * 0.5)
    half_lon = _small_sin(d_lambda * 0.5)
    square = d_phi * d_phi
    cosines = 0.5 * (1.0 - square * (0.5 - square / 24.0) + math.cos(phi1 + phi2))
    h = half_lat * half_lat + cosines * half_lon * half_lon
    # asin x = x + x^3 / 6 + 3 x^5 / 40 + ...
    return 2.0 * EARTH_RADIUS_M * math.sqrt(h) * (1.0 + h * (1.0 / 6.0 + h * 0.075))


@kernel
def _small_sin(x: float) -> float:
    """The sine of a small x: x - x^3 / 6 + x^5 / 120 - ..."""
    square = x * x
    return x * (1.0 - square * (1.0 / 6.0 - square / 120.0))


@kernel
def near_haversine_m(
    lon1: float, lat1: float, cosine1: float, lon2: float, lat2: float, cosine2: float
) -> float:
    """As `haversine_m`, with the cosines of both latitudes at hand: fast for places near by.

    Up to half a degree apart series take the place of sines, exact to the last digit or two:
    what they leave out is under 1e-16 of the distance.
    """
    half_lat = math.radians(lat2 - lat1) * 0.5
    half_lon = math.radians(lon2 - lon1) * 0.5
    if max(abs(half_lat), abs(half_lon)) > _SERIES_RAD:
        return haversine_m(lon1, lat1, lon2, lat2)
    a, b = half_lat * half_lat, half_lon * half_lon
    half_lat *= 1.0 - a * (1.0 / 6.0 - a * (1.0 / 120.0 - a / 5040.0))
    half_lon *= 1.0 - b * (1.0 / 6.0 - b * (1.0 / 120.0 - b / 5040.0))
    h = half_lat * half_lat + cosine1 * cosine2 * half_lon * half_lon
    arc = 1.0 + h * (1.0 / 6.0 + h * (3.0 / 40.0 + h * (15.0 / 336.0 + h * (105.0 / 3456.0))))
    return 2.0 * EARTH_RADIUS_M * math.sqrt(h) * arc


@kernel
def lon_scale_m(lat: float) -> float:
    """Metres per degree of longitude at a latitude."""
    return METRES_PER_DEGREE * math.cos(math.radians(lat))


@kernel
def lon_difference(lon1: float, lon2: float) -> float:
    """lon2 - lon1 by the shorter way round, degrees in [-180, 180]."""
    difference = lon2 - lon1
    if difference > 180.0:
        return difference - 360.0
    if difference < -180.0:
        return difference + 360.0
    return difference


@kernel
def scaled_segment_offset(
    lon: float, lat: float, scale: float, lon1: float, lat1: float, lon2: float, lat2: float
) -> tuple[float, float]:
    """As `segment_offset`, with the point's `lon_scale_m` at hand: for many segments to a point."""
    x1 = lon_difference(lon, lon1) * scale
    y1 = (lat1 - lat) * METRES_PER_DEGREE
    dx = lon_difference(lon1, lon2) * scale
    dy = (lat2 - lat1) * METRES_PER_DEGREE
    length_squared = dx * dx + dy * dy
    fraction = 0.0
    if length_squared > 0.0:
        fraction = min(1.0, max(0.0, -(x1 * dx + y1 * dy) / length_squared))
    x, y = x1 + fraction * dx, y1 + fraction * dy
    return math.sqrt(x * x + y * y), fraction


@kernel
def segment_offset(
    lon: float, lat: float, lon1: float, lat1: float, lon2: float, lat2: float
) -> tuple[float, float]:
    """Distance from a point to a segment, and where on the segment the nearest point lies.

    In the local equirectangular plane at the point: (metres, fraction of the segment in [0, 1]).
    A segment of no length is its point, fraction 0.
    """
    return scaled_segment_offset(lon, lat, lon_scale_m(lat), lon1, lat1, lon2, lat2)
