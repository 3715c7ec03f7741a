"""Distances and membership, by the book."""

import itertools
import json
import math

import shapely

R = 6_371_008.8


def great_circle_m(a, b):
    (lon1, lat1), (lon2, lat2) = a, b
    p1, p2 = math.radians(lat1), math.radians(lat2)
    dp, dl = p2 - p1, math.radians(lon2 - lon1)
    h = math.sin(dp / 2) ** 2 + math.cos(p1) * math.cos(p2) * math.sin(dl / 2) ** 2
    return 2 * R * math.asin(math.sqrt(min(1.0, h)))


def to_segment(point, a, b):
    """Metres from a point to a segment in the plane at the point, and the share of it passed."""
    k = math.radians(1) * R
    scale = math.cos(math.radians(point[1]))
    ax, ay = (a[0] - point[0]) * k * scale, (a[1] - point[1]) * k
    bx, by = (b[0] - point[0]) * k * scale, (b[1] - point[1]) * k
    length2 = (bx - ax) ** 2 + (by - ay) ** 2
    share = 0.0
    if length2 > 0:
        share = min(1.0, max(0.0, -(ax * (bx - ax) + ay * (by - ay)) / length2))
    return math.hypot(ax + share * (bx - ax), ay + share * (by - ay)), share


def to_path(point, line):
    """Metres from a point to a line, and how far along the line the nearest point lies."""
    best, along, passed = math.inf, 0.0, 0.0
    for a, b in itertools.pairwise(line):
        length = great_circle_m(a, b)
        distance, share = to_segment(point, a, b)
        if distance < best:
            best, along = distance, passed + share * length
        passed += length
    return best, along


def lines_of(geometry):
    coordinates = geometry["coordinates"]
    return [coordinates] if geometry["type"] == "LineString" else coordinates


def is_inside(zone, point):
    if zone.geometry["type"] == "Point":
        return great_circle_m(zone.geometry["coordinates"], point) <= zone.radius_m
    if zone.geometry["type"] in ("LineString", "MultiLineString"):
        return min(to_path(point, line)[0] for line in lines_of(zone.geometry)) <= zone.corridor_m
    shape = shapely.from_geojson(json.dumps(zone.geometry))
    return bool(shapely.intersects(shape, shapely.Point(point)))
