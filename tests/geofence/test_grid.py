"""The grid at its finest and its coarsest, where points meet edges, vertices and sides of cells."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.geometry import Shape
from geofence.grid.build import Fineness, build_grid
from geofence.grid.layout import lay_out
from geofence.index import ZoneIndex
from tests.geofence.test_index import (
    anywhere,
    circles,
    corridors,
    expected_memberships,
    lattice,
    polygons,
)

finenesses = st.sampled_from(
    [
        Fineness(1, 0.05),
        Fineness(2, 0.02),
        Fineness(3, 0.2),
        Fineness(1, 0.05, most_words=300),
        Fineness(),
    ]
)


def rows_of(index, points):
    lon, lat = np.array(points, np.float64).reshape(-1, 2).T
    start, row = index.contains(lon, lat)
    return [row[start[i] : start[i + 1]].tolist() for i in range(len(points))]


def cell_corners(shapes, fineness):
    """Corners of cells, where sides meet, exactly as the kernel computes them."""
    grid = build_grid(lay_out(shapes), fineness)
    steps = np.arange(0, 1 << min(grid.bits, 5)) * (1 << max(grid.bits - 5, 0))
    sides = [low + steps / grid.scale for low in (grid.west, grid.south)] if grid.bits else []
    return [(x, y) for x in sides[0][::3] for y in sides[1][::3]] if sides else []


def near(point, ulps):
    """A point moved by so many of the smallest steps."""
    lon, lat = point
    return lon + ulps[0] * np.spacing(lon), lat + ulps[1] * np.spacing(lat)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.one_of(polygons(), polygons(), circles, corridors), max_size=5),
    st.lists(st.one_of(lattice, anywhere), max_size=20),
    finenesses,
)
def test_cells_of_any_size_say_what_one_shape_and_one_point_say(shapes, points, fineness):
    points = points + cell_corners(shapes, fineness)
    assert rows_of(ZoneIndex(shapes, fineness), points) == expected_memberships(shapes, points)


@settings(max_examples=50, deadline=None)
@given(
    polygons(),
    st.lists(
        st.tuples(
            st.integers(0, 10_000), st.floats(0, 1), st.tuples(*[st.integers(-3, 3)] * 2),
            st.tuples(*[st.floats(-1e-12, 1e-12)] * 2),
        ),
        min_size=1, max_size=20,
    ),
    finenesses,
)  # fmt: skip
def test_points_a_hair_from_edges_and_vertices_are_where_shapely_says(shape, picks, fineness):
    vertices = shapely.get_coordinates(shape.geometry)
    points = []
    for pick, share, ulps, off in picks:
        a, b = vertices[pick % (len(vertices) - 1)], vertices[pick % (len(vertices) - 1) + 1]
        on = a + share * (b - a)
        points += [near(on, ulps), near(a, ulps), tuple(on + off), tuple(a + off)]
    assert rows_of(ZoneIndex([shape], fineness), points) == expected_memberships([shape], points)


def test_edges_in_doubt_are_left_to_shapely():
    """Points beside a slanted edge, nearer than the determinant's rounding."""
    shape = Shape("polygon", shapely.Polygon([(105, 21), (105.7, 21.3), (105.1, 21.9)]), 0.0)
    share = np.linspace(0.01, 0.99, 2000)
    lon, lat = 105 + share * 0.7, 21 + share * 0.3
    start, _ = ZoneIndex([shape], Fineness(1, 0.01)).contains(lon, lat)
    expected = shapely.intersects(shape.geometry, shapely.points(lon, lat))
    assert np.array_equal(np.diff(start) == 1, expected)
    assert 0 < expected.sum() < 2000


def test_slivers_thinner_than_rounding_hold_what_shapely_says():
    slivers = [
        Shape("polygon", shapely.Polygon([(105, 21), (106, 21 + thick), (106, 21)]), 0.0)
        for thick in (5e-15, 1e-13, 1e-10, 1e-6)
    ]
    rng = np.random.default_rng(4)
    points = [
        (105 + x, 21 + k * np.spacing(21.0))
        for x, k in zip(rng.uniform(0, 1, 300), rng.integers(-2, 30, 300), strict=True)
    ]
    assert rows_of(ZoneIndex(slivers), points) == expected_memberships(slivers, points)


def test_coordinates_too_small_for_products_are_left_to_shapely():
    tiny = Shape("polygon", shapely.Polygon([(0, 0), (1e-160, 2e-160), (2e-160, 0)]), 0.0)
    points = [(1e-160, 1e-160), (1e-160, 2e-160), (0.5e-160, 1e-160), (0.4e-160, 1e-160), (1, 1)]
    assert rows_of(ZoneIndex([tiny]), points) == expected_memberships([tiny], points)


def test_a_shape_that_is_not_valid_is_left_to_shapely():
    bow = Shape("polygon", shapely.Polygon([(105, 21), (106, 22), (106, 21), (105, 22)]), 0.0)
    square = Shape("polygon", shapely.box(105.2, 21.2, 105.8, 21.8), 0.0)
    rng = np.random.default_rng(2)
    points = list(zip(rng.uniform(104.9, 106.1, 500), rng.uniform(20.9, 22.1, 500), strict=True))
    shapes = [bow, square]
    for fineness in (Fineness(), Fineness(1, 0.05)):
        assert rows_of(ZoneIndex(shapes, fineness), points) == expected_memberships(shapes, points)


def star(vertices, seed):
    """A polygon of many vertices whose radius leaps from one to the next."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    radius = 0.4 * rng.uniform(0.6, 1.0, vertices)
    return shapely.Polygon(
        np.column_stack([105.5 + radius * np.cos(angle), 21.5 + radius * np.sin(angle)])
    )


def test_a_polygon_of_thirty_thousand_vertices_agrees_with_shapely():
    outer, hole = star(30_000, 1), shapely.affinity.scale(star(9_000, 2), 0.5, 0.5)
    shape = Shape("polygon", shapely.Polygon(outer.exterior, [hole.exterior]), 0.0)
    assert shape.geometry.is_valid
    rng = np.random.default_rng(3)
    corners = shapely.get_coordinates(shape.geometry)
    lon = np.concatenate([rng.uniform(105, 106, 30_000), corners[:, 0] + 1e-12, corners[:, 0]])
    lat = np.concatenate([rng.uniform(21, 22, 30_000), corners[:, 1], corners[:, 1]])
    start, _ = ZoneIndex([shape]).contains(lon, lat)
    shapely.prepare(shape.geometry)
    assert np.array_equal(np.diff(start) == 1, shapely.intersects_xy(shape.geometry, lon, lat))


def test_five_hundred_zones_with_one_border_are_told_apart():
    """Versions of one zone lie exactly on one another; no cell is small enough to part them."""
    shape = Shape("polygon", star(60, 5), 0.0)
    index = ZoneIndex([shape] * 500)
    assert index.nbytes < 200_000_000
    points = [(105.5, 21.5), (105.0, 21.0), tuple(shape.geometry.exterior.coords[7])]
    assert [len(rows) for rows in rows_of(index, points)] == [500, 0, 500]


def test_thousands_of_overlapping_zones_agree_with_shapely():
    rng = np.random.default_rng(6)
    at = rng.uniform(105, 105.4, (2000, 2))
    corners = rng.integers(3, 12, 2000)
    areas = [
        shapely.Point(*c).buffer(rng.uniform(0.01, 0.1), k)
        for c, k in zip(at, corners, strict=True)
    ]
    lon, lat = rng.uniform(104.9, 105.5, 3000), rng.uniform(-0.1, 0.5, 3000) + 105.0
    start, row = ZoneIndex([Shape("polygon", area, 0.0) for area in areas]).contains(lon, lat)
    point, area = shapely.STRtree(areas).query(shapely.points(lon, lat), predicate="intersects")
    order = np.lexsort((area, point))
    assert np.array_equal(np.repeat(np.arange(3000), np.diff(start)), point[order])
    assert np.array_equal(row, area[order])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_in_no_zone(value):
    world = Shape("polygon", shapely.box(-180, -90, 180, 90), 0.0)
    index = ZoneIndex([world])
    assert rows_of(index, [(value, 10.0), (10.0, value), (10.0, 10.0)]) == [[], [], [0]]


def test_columns_of_any_kind_may_be_asked_about():
    index = ZoneIndex([Shape("polygon", shapely.box(105, 21, 106, 22), 0.0)])
    table = np.array([[105.5, 21.5], [107.0, 21.5]])
    table.flags.writeable = False
    start, row = index.contains(table[:, 0], table[:, 1])
    assert (start.tolist(), row.tolist()) == ([0, 1, 1], [0])
