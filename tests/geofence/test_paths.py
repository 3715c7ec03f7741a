"""Offsets from paths against a loop over every segment."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.geodesy import haversine_m, lon_scale_m, segment_offset
from geofence.paths import CHUNK, Paths, find_near, path_offset
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


def measured(paths, path, lon, lat):
    return path_offset(
        lon, lat, path, paths.start, paths.ends, paths.along_m, paths.length_m, paths.chunk_start,
        paths.chunk_box,
    )  # fmt: skip


def measure(outbound, inbound, points):
    """Offsets and ways along, shape (n, 2)."""
    paths = Paths.build([outbound, inbound])
    found = [[measured(paths, path, *point) for path in range(2)] for point in points]
    offset, along = np.moveaxis(np.array(found).reshape(-1, 2, 2), 2, 0)
    return offset, along


def wandering(seed, points):
    rng = np.random.default_rng(seed)
    return np.array([105.8, 21.0]) + np.cumsum(rng.normal(0, 0.004, (points, 2)), axis=0)


near = st.tuples(st.floats(105.2, 106.4), st.floats(20.4, 21.6))


@settings(max_examples=60, deadline=None)
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


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([2, 3, CHUNK, CHUNK + 1, CHUNK + 2, 5 * CHUNK + 7]),
    near,
    st.integers(-50, 400),
    st.booleans(),
)
def test_a_point_is_near_if_its_offset_says_so_wherever_one_begins_to_look(
    seed, points, place, likely, is_far
):
    line = wandering(seed, points)
    lon, lat = place if is_far else (line[points // 2] + 0.001 * np.sin([seed, 2 * seed])).tolist()
    paths = Paths.build([wandering(seed + 1, points), line])
    offset, _ = measured(paths, 1, lon, lat)
    begin, end = paths.start[1:].tolist()
    for within_m in (offset, np.nextafter(offset, 0), 1.5 * offset + 1, 0.5 * offset):
        found = find_near(
            lon, lat, lon_scale_m(lat), 1, within_m, likely, paths.start, paths.ends,
            paths.chunk_start, paths.chunk_box,
        )  # fmt: skip
        assert (found >= 0) == (offset <= within_m)
        assert found < 0 or begin <= found < end


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
    rows = np.repeat(np.arange(len(lines)), [len(line) for line in lines]).tolist()
    found = [measured(paths, 2 * row, *place) for row, *place in zip(rows, lon, lat, strict=True)]
    assert max(offset for offset, _ in found) < 1e-6
    assert all(along >= 0 for _, along in found)
