"""The network and its grid: what is found near a point is what looking at every road finds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geofence.roads.matcher import RoadIndex
from geofence.roads.near import MOST_NEAR, NEAR_DTYPE, roads_near
from geofence.roads.network import RoadNetwork
from geofence.roads.ways import WayList
from tests.geofence.roads import twin
from tests.geofence.roads.town import INDEX, NETWORK, OPENS_US, network_of, place, signed

METRES = st.integers(-40, 40).map(lambda k: 10.0 * k)
POINT = st.tuples(METRES, METRES)
ROADS = st.lists(st.lists(POINT, min_size=2, max_size=6), min_size=0, max_size=8)


def near(index, lon, lat, time=0, radius_m=50.0):
    found, roads = np.zeros(MOST_NEAR, NEAR_DTYPE), index.roads
    count = roads_near(
        roads.grid, roads.lines, roads.edges, float(lon), float(lat), time, radius_m, found
    )
    return twin.nearest_first(found[:count])


def check(index, lon, lat, time=0, radius_m=50.0):
    found = near(index, lon, lat, time, radius_m)
    expected = twin.roads_near(index.network, float(lon), float(lat), time, radius_m, MOST_NEAR)
    assert found.keys() == expected.keys()
    for road, (distance, _, _) in expected.items():
        assert found[road][0] == pytest.approx(distance, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(ROADS, st.lists(POINT, min_size=1, max_size=5), st.sampled_from([1.0, 50.0, 60.0, 200.0]))
def test_the_roads_near_a_point_are_those_that_looking_at_all_finds(roads, points, radius_m):
    network = network_of([(signed(way, 50.0), road) for way, road in enumerate(roads)])
    index = RoadIndex.build(network)
    for east, north in points:
        # A little aside: of roads equally far apart any may come first.
        lon, lat = place(east + 0.1234, north + 0.0567)
        if len(twin.roads_near(network, lon, lat, 0, radius_m, 99)) <= MOST_NEAR:
            check(index, lon, lat, 0, radius_m)


def test_in_town_the_nearest_roads_are_found_everywhere():
    random = np.random.default_rng(7)
    for east, north in random.uniform((-100, -400), (2100, 400), (400, 2)):
        lon, lat = place(east, north)
        check(INDEX, lon, lat, OPENS_US)


def test_a_road_that_is_not_there_yet_is_not_found():
    lon, lat = place(300, -37)
    before = near(INDEX, lon, lat, OPENS_US - 1)
    after = near(INDEX, lon, lat, OPENS_US)
    assert len(after) == len(before) + 1


def test_a_long_segment_is_found_all_along():
    network = network_of([(signed(1, 50.0), [(0, 0), (9_000, 6_000)])])
    index = RoadIndex.build(network)
    for share in np.linspace(0, 1, 50):
        assert len(near(index, *place(9_000 * share, 6_000 * share + 20))) == 1


@pytest.mark.parametrize("lat", [-60.0, -10.0, 0.0, 45.0, 70.0])
@pytest.mark.parametrize("radius_m", [50.0, 120.0])
def test_roads_are_found_at_every_latitude(lat, radius_m):
    random, ways = np.random.default_rng(5), WayList()
    degree = 111_195.0
    wide = degree * math.cos(math.radians(lat))
    for way, (east, north) in enumerate(random.uniform(-400, 400, (30, 2))):
        ends = np.array([(east, north)] * 2)
        ends[1] += random.uniform(-200, 200, 2)
        lon, lats = -170.0 + ends[:, 0] / wide, lat + ends[:, 1] / degree
        ways.add(signed(way, 50.0), list(zip(lon.tolist(), lats.tolist(), [2 * way, 2 * way + 1],
                                             strict=True)))  # fmt: skip
    index = RoadIndex.build(RoadNetwork.build(ways.ways()))
    for east, north in random.uniform(-500, 500, (200, 2)):
        check(index, -170.0 + east / wide, lat + north / degree, 0, radius_m)


def test_a_network_without_roads_has_nothing_near():
    network = RoadNetwork.build(WayList().ways())
    assert near(RoadIndex.build(network), 106.0, 10.0) == {}


def strokes_of(roads):
    network = network_of([(signed(way, 50.0), road) for way, road in enumerate(roads)])
    found: dict[int, set[int]] = {}
    for edge in network.edges:
        found.setdefault(int(network.ways["way"][edge["row"]]), set()).add(int(edge["stroke"]))
    return found


def test_a_road_goes_on_straight_over_a_crossing():
    strokes = strokes_of(
        [[(-100, 0), (0, 0)], [(0, 0), (100, 5)], [(0, -100), (0, 0)], [(0, 0), (3, 100)]]
    )
    assert strokes[0] == strokes[1]
    assert strokes[2] == strokes[3]
    assert strokes[0] != strokes[2]


def test_the_arms_of_a_road_that_turns_back_are_two_strokes():
    strokes = strokes_of([[(0, 0), (500, 0)], [(500, 0), (505, 8), (0, 15)]])
    assert strokes[0] == strokes[1]
    strokes = strokes_of([[(0, 0), (500, 0)], [(500, 0), (0, 15)]])
    assert strokes[0] != strokes[1]


def test_places_along_a_stroke_grow_by_the_lengths_of_its_edges():
    edges = NETWORK.edges
    for stroke in np.unique(edges["stroke"]):
        own = np.sort(edges[edges["stroke"] == stroke], order="offset_m")
        lengths = np.cumsum(own["length_m"]) - own["length_m"]
        assert own["offset_m"] == pytest.approx(lengths)


def test_a_roundabout_leads_back_into_itself():
    edge = NETWORK.edges[NETWORK.ways["way"][NETWORK.edges["row"]] == 9]
    assert NETWORK.loop_m[edge["stroke"][0]] == pytest.approx(edge["length_m"].sum())


@pytest.mark.parametrize(
    ("lon", "lat"), [(181.0, 0.0), (0.0, 91.0), (float("nan"), 0.0), (0.0, float("inf"))]
)
def test_a_vertex_that_is_nowhere_is_refused(lon, lat):
    ways = WayList()
    ways.add(signed(1, 50.0), [(0.0, 0.0, 1), (lon, lat, 2)])
    with pytest.raises(ValueError, match="lon, lat: expected"):
        RoadNetwork.build(ways.ways())


def test_a_way_of_one_vertex_is_refused():
    with pytest.raises(ValueError, match="way 1: expected two vertices, got 1"):
        WayList().add(signed(1, 50.0), [(0.0, 0.0, 1)])
