"""Distances against the WGS 84 ellipsoid and slow, obvious twins."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from geofence.geodesy import EARTH_RADIUS_M, haversine_m, near_haversine_m, segment_offset

SPHERE = Geod(a=EARTH_RADIUS_M, b=EARTH_RADIUS_M)

lons = st.floats(102.0, 110.0)
lats = st.floats(8.0, 24.0)
near = st.floats(-0.3, 0.3)


def great_circle_m(lon1, lat1, lon2, lat2):
    return SPHERE.inv(lon1, lat1, lon2, lat2)[2]


def offset_by_sampling(lon, lat, lon1, lat1, lon2, lat2, samples=4001):
    """Least great-circle distance to points spread evenly over the segment."""
    share = np.linspace(0.0, 1.0, samples)
    along_lon, along_lat = lon1 + share * (lon2 - lon1), lat1 + share * (lat2 - lat1)
    _, _, distances = SPHERE.inv(np.full(samples, lon), np.full(samples, lat), along_lon, along_lat)
    return distances.min()


@settings(max_examples=50, deadline=None)
@given(st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90))
def test_haversine_is_the_great_circle_of_the_sphere(lon1, lat1, lon2, lat2):
    expected = great_circle_m(lon1, lat1, lon2, lat2)
    got = haversine_m(lon1, lat1, lon2, lat2)
    # The formula loses digits near the antipodes, where nobody measures.
    tolerance = 1e-3 if expected < 19_000_000 else 100.0
    assert got == pytest.approx(expected, abs=tolerance)


def test_equal_points_are_no_distance_apart_and_antipodes_half_round():
    assert haversine_m(105.1, 21.0, 105.1, 21.0) == 0.0
    assert haversine_m(0.0, 0.0, 180.0, 0.0) == pytest.approx(math.pi * EARTH_RADIUS_M)


@settings(max_examples=60, deadline=None)
@given(st.floats(-180, 180), st.floats(-89, 89), st.integers(-12, 0), near, near)
def test_series_for_places_near_by_are_as_exact_as_sines(lon, lat, power, east, north):
    lon2, lat2 = lon + east * 10.0**power * 3.0, lat + north * 10.0**power * 3.0
    cosine1, cosine2 = math.cos(math.radians(lat)), math.cos(math.radians(lat2))
    got = near_haversine_m(lon, lat, cosine1, lon2, lat2, cosine2)
    assert got == pytest.approx(haversine_m(lon, lat, lon2, lat2), rel=1e-13, abs=1e-8)


def test_the_sphere_is_within_half_a_percent_of_the_ellipsoid():
    ellipsoid = Geod(ellps="WGS84")
    hanoi, saigon = (105.85, 21.03), (106.70, 10.78)
    assert haversine_m(*hanoi, *saigon) == pytest.approx(
        ellipsoid.inv(*hanoi, *saigon)[2], rel=5e-3
    )


@settings(max_examples=50, deadline=None)
@given(lons, lats, near, near, near, near)
def test_distance_to_a_segment_is_that_to_its_nearest_sample(lon, lat, x1, y1, x2, y2):
    ends = (lon + x1, lat + y1, lon + x2, lat + y2)
    got, fraction = segment_offset(lon, lat, *ends)
    length = great_circle_m(*ends)
    expected = offset_by_sampling(lon, lat, *ends)
    assert 0.0 <= fraction <= 1.0
    # Sampling itself is off by half a sample at the worst.
    slack = 0.5 + min(length / 8000, (length / 8000) ** 2 / max(expected, 1e-9))
    assert got == pytest.approx(expected, rel=1e-3, abs=slack)


@settings(max_examples=60, deadline=None)
@given(lons, lats, near, near, near, near)
def test_the_plane_is_the_one_that_shapely_would_measure_in(lon, lat, x1, y1, x2, y2):
    metres = math.radians(1.0) * EARTH_RADIUS_M
    scale = np.array([metres * math.cos(math.radians(lat)), metres])
    ends = np.array([[lon + x1, lat + y1], [lon + x2, lat + y2]])
    plane = (ends - np.array([lon, lat])) * scale
    expected = shapely.distance(shapely.LineString(plane), shapely.Point(0.0, 0.0))
    got, _ = segment_offset(lon, lat, *ends.ravel().tolist())
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_a_segment_of_no_length_is_its_point():
    got, fraction = segment_offset(105.0, 21.0, 105.1, 21.0, 105.1, 21.0)
    assert got == pytest.approx(great_circle_m(105.0, 21.0, 105.1, 21.0), rel=1e-3)
    assert fraction == 0.0
    assert segment_offset(105.0, 21.0, 105.0, 21.0, 105.0, 21.0) == (0.0, 0.0)


@pytest.mark.parametrize("share", [0.0, 0.25, 1 / 3, 0.5, 0.999, 1.0])
def test_a_point_on_the_line_is_on_it(share):
    lon, lat = 105.0 + 0.1 * share, 21.0 + 0.07 * share
    got, fraction = segment_offset(lon, lat, 105.0, 21.0, 105.1, 21.07)
    assert got == pytest.approx(0.0, abs=1e-6)
    assert fraction == pytest.approx(share, abs=1e-9)


def test_north_south_segments_have_no_trouble_with_their_direction():
    metres = great_circle_m(105.0, 21.05, 105.01, 21.05)
    for ends in ((105.0, 21.0, 105.0, 21.1), (105.0, 21.1, 105.0, 21.0)):
        got, fraction = segment_offset(105.01, 21.05, *ends)
        assert got == pytest.approx(metres, rel=1e-3)
        assert fraction == pytest.approx(0.5)


def test_eleven_kilometres_are_within_a_thousandth():
    got, _ = segment_offset(105.8, 21.1, 105.75, 21.0, 105.85, 21.0)
    assert got == pytest.approx(great_circle_m(105.8, 21.1, 105.8, 21.0), rel=1e-3)


def test_beyond_an_end_the_distance_is_to_the_end():
    got, fraction = segment_offset(105.2, 21.0, 105.0, 21.0, 105.1, 21.0)
    assert got == pytest.approx(great_circle_m(105.2, 21.0, 105.1, 21.0), rel=1e-3)
    assert fraction == 1.0


def test_the_antimeridian_is_no_edge_of_the_world():
    got, fraction = segment_offset(-179.99, 10.0, 179.98, 10.0, 179.99, 10.0)
    assert got == pytest.approx(great_circle_m(-179.99, 10.0, 179.99, 10.0), rel=1e-3)
    assert fraction == 1.0
