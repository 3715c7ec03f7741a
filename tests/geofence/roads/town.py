"""A small town of roads for tests, and drives through it.

Around 106 E 10 N, in metres east and north of it: a grid with crossings, a pair of parallel roads
15 m apart with different limits, a dual carriageway with a bridge in it, a hairpin, a roundabout
and a road that is there from some day on only. Some of them have signs for heavy vehicles.
"""

import math

import numpy as np

from geofence.profile import shipped_profile
from geofence.registry import VehicleRule
from geofence.roads.matcher import RoadIndex
from geofence.roads.network import RoadNetwork
from geofence.roads.ways import Attributes, RoadKind, WayList, place_nodes
from geofence.rulebook import Rulebook

LON, LAT = 106.0, 10.0
NORTH_M = 111_195.0802335
EAST_M = NORTH_M * math.cos(math.radians(LAT))
START_US = 1_700_000_000_000_000
OPENS_US = START_US + 600_000_000


def place(east, north):
    return LON + np.asarray(east) / EAST_M, LAT + np.asarray(north) / NORTH_M


def network_of(roads):
    """A network of (attributes, [(east, north), ...])."""
    ways = WayList()
    for attributes, vertices in roads:
        lon, lat = place(*np.array(vertices, np.float64).T)
        nodes = place_nodes(lon, lat)
        ways.add(attributes, list(zip(lon.tolist(), lat.tolist(), nodes.tolist(), strict=True)))
    return RoadNetwork.build(ways.ways())


def signed(way, kmh, kind=RoadKind.PRIMARY, **more):
    return Attributes(way, kind, forward_kmh=kmh, backward_kmh=kmh, **more)


def circle(x, y, radius, corners=12):
    turns = [2 * math.pi * (k % corners) / corners for k in range(corners + 1)]
    return [(x + radius * math.cos(t), y + radius * math.sin(t)) for t in turns]


ROADS = [
    (signed(1, 60.0), [(0, 0), (400, 0), (800, 0), (1200, 0), (2000, 30)]),
    (
        signed(2, 40.0, RoadKind.RESIDENTIAL, max_weight_kg=10_000.0),
        [(0, 15), (500, 15), (1200, 15)],
    ),
    (signed(3, 50.0), [(400, -600), (400, 0), (400, 600)]),
    (signed(4, 50.0, max_weight_kg=16_000.0), [(800, -600), (800, 0), (800, 600)]),
    (Attributes(5, RoadKind.RESIDENTIAL), [(400, 300), (800, 300), (1000, 420)]),
    (signed(6, 80.0, is_oneway=True, is_divided=True), [(0, -300), (1000, -300), (2000, -250)]),
    (
        signed(7, 80.0, is_oneway=True, is_divided=True),
        [(1200, -302), (1000, -312), (0, -312)],
    ),
    (
        signed(13, 80.0, is_oneway=True, is_divided=True, max_weight_kg=11_500.0),
        [(1240, -300), (1200, -302)],
    ),
    (signed(14, 80.0, is_oneway=True, is_divided=True), [(2000, -262), (1240, -300)]),
    (signed(8, 30.0), [(1200, 0), (1600, 200), (1610, 215), (1595, 220), (1210, 30)]),
    (signed(9, 30.0, is_oneway=True, max_weight_kg=5_000.0), circle(-60, 0, 25)),
    (signed(10, 70.0, valid_from=OPENS_US, max_weight_kg=8_000.0), [(0, -40), (900, -30)]),
    (
        Attributes(11, RoadKind.TRUNK, forward_kmh=70.0, backward_kmh=50.0),
        [(2000, 30), (3000, 30)],
    ),
    (Attributes(12, RoadKind.SERVICE, max_weight_kg=3_500.0), [(500, 15), (500, 0)]),
]
NETWORK = network_of(ROADS)
INDEX = RoadIndex.build(NETWORK)
PROFILE = shipped_profile()
ONE = (VehicleRule(1),)


def rulebook(zones=(), vehicles=ONE, profiles=(PROFILE,), index=INDEX):
    return Rulebook.build(profiles, zones, [], vehicles, roads=index)


def way_of(matched, network=NETWORK):
    """The way of each fix, -1 none."""
    rows = network.edges["row"][np.maximum(matched.edge, 0)]
    return np.where(matched.edge >= 0, network.ways["way"][rows], -1)
