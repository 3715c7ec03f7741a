"""Membership of zones against shapely for polygons and plain loops for circles and corridors."""

import json

import numpy as np
import pyarrow.parquet
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from geofence.geodesy import EARTH_RADIUS_M, haversine_m, segment_offset
from geofence.geometry import Shape, parse_shape
from geofence.index import ZoneIndex
from tests.data_folder import real_data

SPHERE = Geod(a=EARTH_RADIUS_M, b=EARTH_RADIUS_M)


def memberships(shapes, points):
    """What the index says, as one list of rows per point."""
    lon, lat = np.array(points, np.float64).reshape(-1, 2).T
    start, row = ZoneIndex(shapes).contains(np.ascontiguousarray(lon), np.ascontiguousarray(lat))
    assert start.shape == (len(points) + 1,)
    assert start[-1] == len(row)
    assert row.dtype == np.int32
    return [row[start[i] : start[i + 1]].tolist() for i in range(len(points))]


def contains(shape, lon, lat):
    """The slow, obvious twin: one shape, one point."""
    if shape.kind == "polygon":
        return bool(shapely.intersects(shape.geometry, shapely.Point(lon, lat)))
    if shape.kind == "circle":
        return haversine_m(lon, lat, shape.geometry.x, shape.geometry.y) <= shape.reach_m
    return any(
        segment_offset(lon, lat, *one, *other)[0] <= shape.reach_m
        for line in getattr(shape.geometry, "geoms", [shape.geometry])
        for one, other in zip(line.coords, line.coords[1:], strict=False)
        if one != other
    )


def expected_memberships(shapes, points):
    return [[r for r, shape in enumerate(shapes) if contains(shape, *p)] for p in points]


# A coarse lattice, so that vertices, edges and points meet often.
lattice = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(
    lambda cell: (105.0 + cell[0] * 0.125, 21.0 + cell[1] * 0.125)
)
anywhere = st.tuples(st.floats(104.9, 106.1), st.floats(20.9, 22.1))


@st.composite
def polygons(draw):
    """Valid polygons and multipolygons with holes: unions and differences of triangles."""
    triangles = draw(st.lists(st.tuples(lattice, lattice, lattice), min_size=1, max_size=4))
    solids = [shapely.Polygon(t) for t in triangles]
    shape = shapely.union_all([s for s in solids if s.area > 0] or [shapely.box(105, 21, 106, 22)])
    if draw(st.booleans()):
        hole = shapely.Polygon(draw(st.tuples(lattice, lattice, lattice)))
        cut = shape.difference(hole) if hole.area > 0 else shape
        shape = cut if cut.geom_type in ("Polygon", "MultiPolygon") and not cut.is_empty else shape
    return Shape("polygon", shape, 0.0)


circles = st.builds(
    lambda at, radius: parse_shape({"type": "Point", "coordinates": list(at)}, radius_m=radius),
    lattice,
    st.sampled_from([1.0, 500.0, 12_000.0, 60_000.0]),
)
corridors = st.builds(
    lambda line, reach: parse_shape(
        {"type": "LineString", "coordinates": [list(p) for p in line]}, corridor_m=reach
    ),
    st.lists(lattice, min_size=2, max_size=6).filter(lambda line: len(set(line)) > 1),
    st.sampled_from([1.0, 250.0, 12_000.0]),
)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.one_of(polygons(), circles, corridors), max_size=5),
    st.lists(st.one_of(lattice, anywhere), max_size=30),
)
def test_membership_is_what_one_shape_and_one_point_say(shapes, points):
    assert memberships(shapes, points) == expected_memberships(shapes, points)


@settings(max_examples=60, deadline=None)
@given(polygons(), st.floats(0, 1), st.data())
def test_vertices_and_points_of_edges_agree_with_shapely_exactly(shape, share, data):
    vertices = shapely.get_coordinates(shape.geometry)
    edge = data.draw(st.integers(0, len(vertices) - 2))
    on_edge = vertices[edge] + share * (vertices[edge + 1] - vertices[edge])
    points = [*map(tuple, vertices.tolist()), tuple(on_edge.tolist())]
    got = memberships([shape], points)
    assert got == expected_memberships([shape], points)
    assert all(rows == [0] for rows in got[:-1])


SQUARE = [[105.0, 21.0], [105.5, 21.0], [105.5, 21.5], [105.0, 21.5], [105.0, 21.0]]
HOLE = [[105.125, 21.125], [105.25, 21.125], [105.25, 21.25], [105.125, 21.25], [105.125, 21.125]]


def test_boundaries_are_inside_and_the_inside_of_a_hole_is_not():
    shape = parse_shape({"type": "Polygon", "coordinates": [SQUARE, HOLE]})
    inside = [(105.0, 21.0), (105.25, 21.0), (105.5, 21.25), (105.125, 21.2), (105.25, 21.25)]
    outside = [(105.2, 21.2), (104.9999999999, 21.25), (105.25, 21.5000000001)]
    assert memberships([shape], inside) == [[0]] * 5
    assert memberships([shape], outside) == [[]] * 3


def test_zones_one_upon_another_are_all_there_in_ascending_order():
    square = parse_shape({"type": "Polygon", "coordinates": [SQUARE]})
    circle = parse_shape({"type": "Point", "coordinates": [105.2, 21.2]}, radius_m=1000)
    line = {"type": "LineString", "coordinates": [[105.1, 21.2], [105.2, 21.2], [105.2, 21.3]]}
    corridor = parse_shape(line, corridor_m=100)
    shapes = [corridor, square, circle, square]
    assert memberships(shapes, [(105.2, 21.2), (105.4, 21.4)]) == [[0, 1, 2, 3], [1, 3]]


def test_no_points_and_no_zones_are_nothing():
    square = parse_shape({"type": "Polygon", "coordinates": [SQUARE]})
    assert memberships([square], []) == []
    assert memberships([], [(105.0, 21.0)]) == [[]]
    assert memberships([], []) == []


@pytest.mark.parametrize("lat", [-60.0, 0.0, 21.0, 70.0, 89.5])
@pytest.mark.parametrize("radius_m", [10.0, 5_000.0, 400_000.0])
def test_circles_lose_no_point_at_their_rim(lat, radius_m):
    circle = parse_shape({"type": "Point", "coordinates": [179.99, lat]}, radius_m=radius_m)
    bearings = np.linspace(0, 360, 73)
    for reach, is_inside in ((radius_m * 0.9999, True), (radius_m * 1.0001, False)):
        lon, at, _ = SPHERE.fwd(np.full(73, 179.99), np.full(73, lat), bearings, np.full(73, reach))
        got = memberships([circle], np.column_stack([lon, at]).tolist())
        assert got == [[0] if is_inside else []] * 73


def test_corridors_lose_no_point_at_their_rim_even_where_meridians_meet():
    line = {"type": "LineString", "coordinates": [[10.0, 70.0], [10.5, 70.2], [10.5, 70.2]]}
    corridor = parse_shape(line, corridor_m=30_000)
    rng = np.random.default_rng(5)
    points = list(zip(rng.uniform(8, 12.5, 4000), rng.uniform(69.5, 70.7, 4000), strict=True))
    got = memberships([corridor], points)
    assert got == expected_memberships([corridor], points)
    assert 500 < sum(map(len, got)) < 3500


@pytest.mark.data
def test_communes_of_vietnam_hold_the_points_that_shapely_says():
    path = real_data("vn_admin/wards_simpl_1e-4deg.parquet")
    table = pyarrow.parquet.read_table(path)
    column = next(name for name in table.column_names if "geom" in name or "wkb" in name)
    communes = shapely.from_wkb(table[column].to_pylist())
    shapes = [Shape("polygon", commune, 0.0) for commune in communes]
    rng = np.random.default_rng(17)
    west, south, east, north = 102.1, 8.5, 109.5, 23.4
    lon, lat = rng.uniform(west, east, 60_000), rng.uniform(south, north, 60_000)
    corners = shapely.get_coordinates(communes)
    chosen = corners[rng.choice(len(corners), 40_000, replace=False)]
    lon, lat = np.concatenate([lon, chosen[:, 0]]), np.concatenate([lat, chosen[:, 1]])

    start, row = ZoneIndex(shapes).contains(lon, lat)
    got = set(
        zip(np.repeat(np.arange(len(lon)), np.diff(start)).tolist(), row.tolist(), strict=True)
    )
    expected: set[tuple[int, int]] = set()
    boxes = shapely.bounds(communes)
    for zone, commune in enumerate(communes):
        box = boxes[zone]
        close = np.flatnonzero(
            (lon >= box[0]) & (lat >= box[1]) & (lon <= box[2]) & (lat <= box[3])
        )
        hit = close[shapely.intersects_xy(commune, lon[close], lat[close])]
        expected.update((point, zone) for point in hit.tolist())
    assert got == expected
    assert len(got) > 60_000


@pytest.mark.data
def test_the_hardest_commune_agrees_with_shapely():
    document = json.loads(real_data("vn_admin/ward_06994_van_don.geojson").read_text("utf-8"))
    while "geometry" not in document:
        document = document["features"][0]
    geometry = document["geometry"]
    shape = parse_shape(geometry, repair=True)
    west, south, east, north = shape.geometry.bounds
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(west, east, 2_000), rng.uniform(south, north, 2_000)
    start, _ = ZoneIndex([shape]).contains(lon, lat)
    shapely.prepare(shape.geometry)
    assert np.array_equal(np.diff(start) == 1, shapely.intersects_xy(shape.geometry, lon, lat))
