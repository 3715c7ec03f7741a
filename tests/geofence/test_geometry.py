"""GeoJSON geometries: what is accepted, and how the rest is refused or mended."""

import copy
import math

import pytest
import shapely

from geofence.errors import GeometryError
from geofence.geometry import parse_path, parse_shape

SQUARE = [[105.0, 21.0], [105.2, 21.0], [105.2, 21.2], [105.0, 21.2], [105.0, 21.0]]
HOLE = [[105.05, 21.05], [105.1, 21.05], [105.1, 21.1], [105.05, 21.1], [105.05, 21.05]]
BOW_TIE = [[105.0, 21.0], [105.2, 21.2], [105.2, 21.0], [105.0, 21.2], [105.0, 21.0]]
FAR = [[106.0, 21.0], [106.2, 21.0], [106.2, 21.2], [106.0, 21.0]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [*rings]}


def test_polygons_keep_their_holes():
    shape = parse_shape(polygon(SQUARE, HOLE))
    assert shape.kind == "polygon"
    assert shape.geometry.area == pytest.approx(0.04 - 0.0025)
    assert shape.repairs == ()


def test_multi_polygons_keep_their_parts():
    shape = parse_shape({"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [FAR]]})
    assert shape.kind == "polygon"
    assert len(shape.geometry.geoms) == 2


def test_rings_may_run_either_way_and_carry_altitudes():
    backwards = [[*position, 12.5] for position in reversed(SQUARE)]
    assert parse_shape(polygon(backwards)).geometry.area == pytest.approx(0.04)


def test_points_are_circles_and_lines_corridors():
    circle = parse_shape({"type": "Point", "coordinates": [105.1, 21.0]}, radius_m=150)
    assert (circle.kind, circle.reach_m) == ("circle", 150.0)
    line = {"type": "LineString", "coordinates": SQUARE[:3]}
    corridor = parse_shape(line, corridor_m=40)
    assert (corridor.kind, corridor.reach_m) == ("corridor", 40.0)
    lines = {"type": "MultiLineString", "coordinates": [SQUARE[:3], FAR[:2]]}
    assert len(parse_shape(lines, corridor_m=40).geometry.geoms) == 2


def test_a_shape_becomes_the_geojson_that_it_came_from():
    shape = parse_shape(polygon(SQUARE, HOLE))
    assert parse_shape(_lists(shape.geojson())).geometry.equals(shape.geometry)


def _lists(value):
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


AT = "geometry.coordinates"
REFUSED = {
    "no object": ([1, 2], "geometry: expected a GeoJSON object"),
    "a feature": ({"type": "Feature"}, "geometry.type: expected one of Polygon"),
    "a collection": ({"type": "GeometryCollection"}, "geometry.type: expected one of"),
    "no type": ({"coordinates": [SQUARE]}, "geometry.type: expected one of"),
    "no coordinates": ({"type": "Polygon"}, f"{AT}: expected at least 1 rings, got None"),
    "no rings": (polygon(), f"{AT}: expected at least 1 rings"),
    "a short ring": (polygon(SQUARE[:2]), f"{AT}[0]: expected at least 3 positions"),
    "a triangle of three": (
        polygon([SQUARE[0], SQUARE[1], SQUARE[0]]),
        f"{AT}[0]: expected at least 4 positions, got 3",
    ),
    "an open ring": (polygon(SQUARE[:4]), f"{AT}[0]: ring is not closed: it starts at (105.0, 21"),
    "a ring of one place": (polygon([SQUARE[0]] * 4), f"{AT}[0]: expected at least 3 different"),
    "a bow tie": (polygon(BOW_TIE), f"{AT}[0]: ring crosses itself at (105.1, 21.1)"),
    "a crossing hole": (polygon(SQUARE, BOW_TIE), f"{AT}[1]: ring crosses itself at (105.1, 21.1)"),
    "a hole outside": (polygon(SQUARE, FAR), f"{AT}: hole lies outside the outer ring at (106"),
    "nested holes": (
        polygon(SQUARE, HOLE, [[105.06, 21.06], [105.07, 21.06], [105.07, 21.07], [105.06, 21.06]]),
        f"{AT}: one hole lies within another at (105.0",
    ),
    "polygons one on another": (
        {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]},
        f"{AT}: ",
    ),
    "a position of one": (polygon([[105.0], *SQUARE]), f"{AT}[0][0]: expected a position"),
    "text": (polygon([["105", "21"], *SQUARE]), f"{AT}[0][0]: expected numbers"),
    "truth": (polygon([[True, 21.0], *SQUARE]), f"{AT}[0][0]: expected numbers"),
    "not a number": (polygon([[math.nan, 21.0], *SQUARE]), f"{AT}[0][0]: expected finite numbers"),
    "infinity": (polygon([*SQUARE, [105.0, math.inf]]), f"{AT}[0][5]: expected finite numbers"),
    "out of range": (polygon([[181.0, 121.0], *SQUARE]), f"{AT}[0][0]: expected lon -180..180"),
    "exchanged": (
        polygon([[lat, lon] for lon, lat in SQUARE]),
        f"{AT}[0][0]: expected [lon, lat], got [lat, lon] [21.0, 105.0]",
    ),
}


@pytest.mark.parametrize(("geometry", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_geometries_are_refused_with_reason_and_place(geometry, message):
    with pytest.raises(GeometryError) as caught:
        parse_shape(geometry)
    assert str(caught.value).startswith(message)
    assert str(caught.value) == f"{caught.value.place}: {caught.value.reason}"


@pytest.mark.parametrize(
    ("geometry", "reach", "message"),
    [
        ({"type": "Point", "coordinates": [105, 21]}, {}, "radius_m: expected metres over 0"),
        ({"type": "Point", "coordinates": [105, 21]}, {"radius_m": 0}, "radius_m: expected metres"),
        ({"type": "Point", "coordinates": [105, 21]}, {"radius_m": math.nan}, "radius_m: expected"),
        ({"type": "Point", "coordinates": [105, 21]}, {"radius_m": 1e7}, "radius_m: expected"),
        (
            {"type": "Point", "coordinates": [105, 21]},
            {"radius_m": 5, "corridor_m": 5},
            "corridor_m: expected none with a Point",
        ),
        ({"type": "LineString", "coordinates": SQUARE}, {}, "corridor_m: expected metres over 0"),
        (polygon(SQUARE), {"radius_m": 10}, "radius_m: expected none with a Polygon, got 10"),
    ],
)
def test_reach_belongs_to_its_kind_of_geometry(geometry, reach, message):
    with pytest.raises(GeometryError) as caught:
        parse_shape(geometry, **reach)
    assert str(caught.value).startswith(message)


def test_lines_need_length_and_stay_on_their_side_of_the_antimeridian():
    with pytest.raises(
        GeometryError, match=r"coordinates: expected at least 2 different positions"
    ):
        parse_shape({"type": "LineString", "coordinates": [SQUARE[0]] * 2}, corridor_m=5)
    with pytest.raises(GeometryError, match=r"coordinates\[1\]: expected lines cut at"):
        parse_shape({"type": "LineString", "coordinates": [[179, 1], [-179, 1]]}, corridor_m=5)


def test_repair_makes_a_bow_tie_two_triangles_and_says_so():
    shape = parse_shape(polygon(BOW_TIE), repair=True)
    assert shape.geometry.is_valid
    assert shape.geometry.area == pytest.approx(0.02)
    assert shape.repairs == (
        "geometry.coordinates: ring crosses itself at (105.1, 21.1): made valid",
    )


def test_repair_closes_open_rings_and_says_so():
    shape = parse_shape(polygon(SQUARE[:4]), repair=True)
    assert shape.geometry.equals(shapely.Polygon(SQUARE))
    assert len(shape.repairs) == 1
    assert shape.repairs[0].endswith(": closed")


def test_repair_joins_polygons_that_overlap():
    geometry = {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]}
    assert parse_shape(geometry, repair=True).geometry.area == pytest.approx(0.04)


def test_repair_leaves_valid_geometries_and_the_input_alone():
    geometry = polygon(SQUARE, HOLE)
    before = copy.deepcopy(geometry)
    assert parse_shape(geometry, repair=True).repairs == ()
    assert geometry == before


def test_repair_mends_neither_positions_nor_nothing():
    with pytest.raises(GeometryError, match="expected finite numbers"):
        parse_shape(polygon([[math.nan, 1.0], *SQUARE]), repair=True)
    flat = [[105.0, 21.0], [105.25, 21.25], [105.5, 21.5], [105.0, 21.0]]
    with pytest.raises(GeometryError, match="nothing with an area is left"):
        parse_shape(polygon(flat), repair=True)
    with pytest.raises(GeometryError):
        parse_shape(polygon(flat))


def test_paths_are_line_strings_only():
    path = parse_path({"type": "LineString", "coordinates": SQUARE[:3]})
    assert path.tolist() == SQUARE[:3]
    with pytest.raises(GeometryError, match=r"^outbound: expected a LineString"):
        parse_path({"type": "MultiLineString", "coordinates": [SQUARE]}, "outbound")
    with pytest.raises(GeometryError, match=r"^inbound.coordinates\[0\]: expected \[lon, lat\]"):
        parse_path({"type": "LineString", "coordinates": [[21, 105], [21, 106]]}, "inbound")
