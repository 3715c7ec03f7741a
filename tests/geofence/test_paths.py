"""Offsets from paths against a loop over every segment."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.geodesy import haversine_m, segment_offset
from geofence.paths import CHUNK, Paths, path_offsets
from tests.data_folder import real_data


def slow_offset(line, lon, lat):
    """Distance from a polyline and along it to the first of its nearest points."""
    best, along, driven = math.inf, 0.0, 0.0
    for one, other in pairwise(line.tolist()):
        distance, fraction = segment_offset(lon, lat, *one, *other)
        length = haversine_m(*one, *other)
        if distance < best:
            best, along = distance, driven + fraction * length
        driven += length
    return best, along


def measure(outbound, inbound, points):
    lon, lat = np.array(points, np.float64).reshape(-1, 2).T.copy()
    rows = np.zeros((len(points), 1), np.int32)
    offset, along = path_offsets(Paths.build([outbound, inbound]), lon, lat, rows)
    assert offset.shape == along.shape == (len(points), 1, 2)
    return offset[:, 0], along[:, 0]


def wandering(seed, points):
    rng = np.random.default_rng(seed)
    return np.array([105.8, 21.0]) + np.cumsum(rng.normal(0, 0.004, (points, 2)), axis=0)


near = st.tuples(st.floats(105.2, 106.4), st.floats(20.4, 21.6))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([2, 3, CHUNK, CHUNK + 1, CHUNK + 2, 5 * CHUNK + 7]),
    st.lists(near, min_size=1, max_size=5),
)
def test_offsets_are_those_of_the_nearest_segment(seed, points, places):
    outbound, inbound = wandering(seed, points), wandering(seed + 1, points)
    offset, along = measure(outbound, inbound, [*places, tuple(outbound[points // 2])])
    for row, (lon, lat) in enumerate([*places, tuple(outbound[points // 2])]):
        for direction, line in enumerate((outbound, inbound)):
            distance, metres = slow_offset(line, lon, lat)
            assert offset[row, direction] == pytest.approx(distance, rel=1e-12, abs=1e-9)
            assert along[row, direction] == pytest.approx(metres, rel=1e-9, abs=1e-6)


def test_of_two_passes_over_one_place_the_first_counts():
    there_and_back = np.array([[105.0, 21.0], [105.1, 21.0], [105.0, 21.0]])
    offset, along = measure(there_and_back, there_and_back, [(105.05, 21.0)])
    assert offset[0, 0] == 0.0
    assert along[0, 0] == pytest.approx(haversine_m(105.0, 21.0, 105.05, 21.0), rel=1e-6)


def test_the_way_along_grows_from_nothing_to_the_length_of_the_path():
    line = wandering(3, 200)
    _, along = measure(line, line[::-1].copy(), [tuple(line[0]), tuple(line[-1])])
    length = sum(haversine_m(*a, *b) for a, b in pairwise(line.tolist()))
    assert along[:, 0] == pytest.approx([0.0, length])
    assert along[:, 1] == pytest.approx([length, 0.0])


def test_steps_of_no_length_do_no_harm():
    line = np.array([[105.0, 21.0], [105.0, 21.0], [105.1, 21.0], [105.1, 21.0]])
    offset, along = measure(line, line, [(105.0, 21.0), (105.1, 21.0), (105.05, 21.01)])
    assert np.isfinite(offset).all()
    assert along[1, 0] == pytest.approx(haversine_m(105.0, 21.0, 105.1, 21.0))


def test_no_route_is_not_a_number_and_no_routes_are_nothing():
    lon, lat = np.array([105.0]), np.array([21.0])
    offset, along = path_offsets(Paths.build([]), lon, lat, np.full((1, 2), -1, np.int32))
    assert np.isnan(offset).all()
    assert np.isnan(along).all()
    empty = np.empty(0)
    assert path_offsets(Paths.build([]), empty, empty, np.empty((0, 2), np.int32))[0].size == 0


@pytest.mark.data
def test_every_corner_of_the_bus_lines_of_ho_chi_minh_city_lies_on_its_line():
    document = json.loads(real_data("hcmc_bus_routes/routes.geojson").read_text("utf-8"))
    lines = [
        np.array(feature["geometry"]["coordinates"], np.float64)[:, :2]
        for feature in document["features"]
        if feature["geometry"]["type"] == "LineString"
    ][:100]
    assert len(lines) > 50
    paths = Paths.build([line for line in lines for _ in range(2)])
    lon, lat = np.concatenate(lines).T.copy()
    rows = np.repeat(np.arange(len(lines), dtype=np.int32), [len(line) for line in lines])
    offset, along = path_offsets(paths, lon, lat, rows[:, None])
    assert offset.max() < 1e-6
    assert (along >= 0).all()
