"""Roads and drives whose road is known, for measuring how often a match is right."""

import csv
import json
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from devices.batch import F64, I64, Bool, FixBatch
from geofence.geodesy import METRES_PER_DEGREE
from geofence.roads.network import RoadNetwork
from geofence.roads.ways import Attributes, RoadKind, WayList, place_nodes

START_US = 1_790_000_000_000_000
APART_M = 15.0
COPY = 1_000_000
"""Ways from this id on are the disturbing copies."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A network, fixes sorted by (vehicle, time), and the limit that is right for each."""

    network: RoadNetwork
    fixes: FixBatch
    limit_kmh: F64


def add_line(ways: WayList, way: int, kmh: float, lon: F64, lat: F64) -> None:
    nodes = place_nodes(lon, lat).tolist()
    ways.add(
        Attributes(way, RoadKind.SECONDARY, forward_kmh=kmh, backward_kmh=kmh),
        list(zip(lon.tolist(), lat.tolist(), nodes, strict=True)),
    )


def placed(x: Any, y: Any, turned_deg: float) -> tuple[F64, F64]:
    """Metres along and across a road to degrees, around 106 E 16 N; the road heads turned_deg."""
    heading = math.radians(turned_deg)
    east = x * math.sin(heading) + y * math.cos(heading)
    north = x * math.cos(heading) - y * math.sin(heading)
    scale = METRES_PER_DEGREE * math.cos(math.radians(16.0))
    return 106.0 + east / scale, 16.0 + north / METRES_PER_DEGREE


def parallels(turned_deg: float, sigma_m: float, kept: float, vehicles: int, seed: int) -> Scene:
    """Two roads 15 m apart, limits 60 and 40, with a side street every 500 m that joins both.

    Each vehicle stays on one of them for 5 km at 30 to 70 km/h, a fix every 10 s with speed and
    heading. sigma_m: of each axis of a fix; kept: how much of an error the next fix repeats.
    """
    random = np.random.default_rng(seed)
    ways = WayList()
    x = np.arange(0.0, 5001.0, 500.0)
    add_line(ways, 1, 60.0, *placed(x, np.zeros(len(x)), turned_deg))
    add_line(ways, 2, 40.0, *placed(x, np.full(len(x), APART_M), turned_deg))
    for number, at in enumerate(x):
        side = np.array([-300.0, 0.0, APART_M, 300.0])
        add_line(ways, 10 + number, 30.0, *placed(np.full(4, at), side, turned_deg))
    parts, limits = [], []
    for vehicle in range(vehicles):
        kmh, second, back = random.uniform(30, 70), vehicle % 2 == 1, vehicle % 4 >= 2
        n = int(5000 / (kmh / 3.6 * 10))
        along = np.arange(n) * kmh / 3.6 * 10
        along = 5000 - along if back else along
        error = np.empty((n, 2))
        error[0] = random.normal(0, sigma_m, 2)
        for k in range(1, n):
            fresh = random.normal(0, sigma_m * math.sqrt(1 - kept**2), 2)
            error[k] = kept * error[k - 1] + fresh
        lon, lat = placed(along + error[:, 0], second * APART_M + error[:, 1], turned_deg)
        heading = (turned_deg + 180 * back + random.normal(0, 8, n)) % 360
        time = START_US + vehicle * 1_000_000 + np.arange(n) * 10_000_000
        parts.append(
            FixBatch.blank(
                n, vehicle=np.full(n, vehicle), time=time, received=time, lon=lon, lat=lat,
                speed_kmh=np.full(n, kmh), heading=heading,
            )
        )  # fmt: skip
        limits.append(np.full(n, 40.0 if second else 60.0))
    return Scene(RoadNetwork.build(ways.ways()), FixBatch.concat(parts), np.concatenate(limits))


def city(blocks: int, vehicles: int, fixes: int, seed: int) -> Scene:
    """A grid of streets 150 m apart, and vehicles that drive straight on one: for speed alone."""
    random = np.random.default_rng(seed)
    ways = WayList()
    at = np.arange(blocks) * 150.0
    for k in range(blocks):
        add_line(ways, k, 50.0, *placed(at, np.full(blocks, at[k]), 90.0))
        add_line(ways, blocks + k, 50.0, *placed(np.full(blocks, at[k]), at, 90.0))
    along = (np.arange(fixes) * 110.0)[None, :] + random.uniform(0, 5_000, vehicles)[:, None]
    along %= at[-1]
    across = np.repeat(random.choice(at, vehicles)[:, None], fixes, axis=1)
    noise = random.normal(0, 5, (2, vehicles, fixes))
    lon, lat = placed((along + noise[0]).ravel(), (across + noise[1]).ravel(), 90.0)
    n = vehicles * fixes
    time = np.tile(START_US + np.arange(fixes) * 10_000_000, vehicles)
    batch = FixBatch.blank(
        n, vehicle=np.repeat(np.arange(vehicles), fixes), time=time, received=time,
        lon=lon, lat=lat, speed_kmh=np.full(n, 40.0), heading=np.full(n, 90.0),
    )  # fmt: skip
    return Scene(RoadNetwork.build(ways.ways()), batch, np.full(n, 50.0))


def country(file: Path, vehicles: int, fixes: int, seed: int) -> Scene:
    """The main roads of a country (vn_roads), and vehicles that drive up and down one each.

    For speed alone: a fix every 10 s, each eighth drive stands for a while. The network is large
    and drives are far apart, so that little of what a fix needs is in the processor's cache.
    """
    random, ways, roads = np.random.default_rng(seed), WayList(), []
    for feature in json.loads(file.read_text())["features"]:
        shape = feature["geometry"]
        parts = [shape["coordinates"]] if shape["type"] == "LineString" else shape["coordinates"]
        for part in parts:
            if len(part) > 1:
                roads.append(np.array(part, np.float64)[:, :2])
                add_line(ways, len(roads), 60.0 + 10.0 * (len(roads) % 3), *roads[-1].T.copy())
    batches = []
    for vehicle in range(vehicles):
        road = roads[int(random.integers(len(roads)))]
        scale = METRES_PER_DEGREE * np.array([math.cos(math.radians(road[0, 1])), 1.0])
        metres = np.concatenate([[0.0], np.cumsum(np.hypot(*(np.diff(road, axis=0) * scale).T))])
        speed = random.uniform(25, 80) * (random.random(fixes) > (0.5 if vehicle % 8 == 0 else 0.0))
        driven = random.uniform(0, metres[-1]) + np.cumsum(speed / 3.6 * 10)
        along = metres[-1] - abs(driven % (2 * metres[-1]) - metres[-1])
        place = [np.interp(along, metres, road[:, axis]) for axis in (0, 1)]
        lon, lat = (place[a] + random.normal(0, 5, fixes) / scale[a] for a in (0, 1))
        time = START_US + np.arange(fixes) * 10_000_000
        batches.append(
            FixBatch.blank(
                fixes, vehicle=np.full(fixes, vehicle), time=time, received=time,
                lon=lon, lat=lat, speed_kmh=speed,
            )
        )  # fmt: skip
    batch = FixBatch.concat(batches)
    return Scene(RoadNetwork.build(ways.ways()), batch, np.full(len(batch), np.nan))


@dataclass(frozen=True, slots=True)
class Traces:
    """Real fixes with the routes that people matched them to, in a plane of metres."""

    network: RoadNetwork
    fixes: FixBatch
    routes: list[shapely.Geometry]
    centre_lat: float

    def plane(self, lon_lat: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = METRES_PER_DEGREE * math.cos(math.radians(self.centre_lat))
        return np.asarray(lon_lat * np.array([scale, METRES_PER_DEGREE]))


def read_traces(folder: Path) -> Traces:
    """fcd_oberfranken. The roads are those of all routes together, each with a copy 15 m aside."""
    csv.field_size_limit(10_000_000)
    with (folder / "ground_truth.csv").open() as stream:
        lines = {int(row["id"]): shapely.from_wkt(row["WKT"]) for row in csv.DictReader(stream)}
    with (folder / "points.csv").open() as stream:
        rows = [
            (int(r["id"]), r["time"], shapely.from_wkt(r["geometry"]))
            for r in csv.DictReader(stream)
        ]
    ids = sorted(lines)
    vehicle = np.array([ids.index(row[0]) for row in rows])
    time = np.array([round(datetime.fromisoformat(row[1]).timestamp() * 1e6) for row in rows])
    batch = FixBatch.blank(
        len(rows), vehicle=vehicle, time=time, received=time,
        lon=np.array([row[2].x for row in rows]), lat=np.array([row[2].y for row in rows]),
    )  # fmt: skip
    batch = batch.take(batch.order())
    new = np.ones(len(batch), np.bool_)
    new[1:] = (np.diff(batch.vehicle) != 0) | (np.diff(batch.time) != 0)
    return Traces(_network(list(lines.values())), batch.take(new), [lines[k] for k in ids], 50.3)


def _network(lines: list[shapely.Geometry]) -> RoadNetwork:
    parts = [shapely.get_coordinates(part) for line in lines for part in shapely.get_parts(line)]
    pairs = np.concatenate([np.hstack([part[:-1], part[1:]]) for part in parts])
    swap = (pairs[:, 0] > pairs[:, 2]) | (
        (pairs[:, 0] == pairs[:, 2]) & (pairs[:, 1] > pairs[:, 3])
    )
    pairs[swap] = pairs[swap][:, [2, 3, 0, 1]]
    pairs = np.unique(np.round(pairs, 7), axis=0)
    pairs = pairs[np.any(pairs[:, :2] != pairs[:, 2:], axis=1)]
    ways = WayList()
    for way, (lon1, lat1, lon2, lat2) in enumerate(pairs):
        add_line(ways, way, 50.0, np.array([lon1, lon2]), np.array([lat1, lat2]))
    scale = np.array([METRES_PER_DEGREE * math.cos(math.radians(50.3)), METRES_PER_DEGREE])
    merged = shapely.line_merge(shapely.multilinestrings(pairs.reshape(-1, 2, 2) * scale))
    aside = shapely.offset_curve(shapely.get_parts(merged), APART_M)
    for number, line in enumerate(shapely.get_parts(aside)):
        at = shapely.get_coordinates(line) / scale
        if len(at) >= 2:
            add_line(ways, COPY + number, 30.0, at[:, 0].copy(), at[:, 1].copy())
    return RoadNetwork.build(ways.ways())


def ways_of(network: RoadNetwork, edge: NDArray[np.int32]) -> I64:
    """The way of each matched edge, -1 none."""
    rows = network.edges["row"][np.maximum(edge, 0)]
    return np.where(edge >= 0, network.ways["way"][rows], -1)


def is_on_route(traces: Traces, edge: NDArray[np.int32], within_m: float) -> Bool:
    """Whether the place of each fix on its matched edge lies on the route of its trace."""
    segments = traces.network.segments
    ends = np.column_stack([segments[name] for name in ("lon1", "lat1", "lon2", "lat2")])
    places = traces.plane(ends.reshape(-1, 2, 2))
    first = np.searchsorted(segments["edge"], np.arange(len(traces.network.edges) + 1))
    edges = [
        shapely.multilinestrings(list(places[first[e] : first[e + 1]]))
        for e in range(len(traces.network.edges))
    ]
    routes = [shapely.transform(route, traces.plane) for route in traces.routes]
    at = shapely.points(traces.plane(np.column_stack([traces.fixes.lon, traces.fixes.lat])))
    found = np.zeros(len(edge), np.bool_)
    for i in np.flatnonzero(edge >= 0):
        nearest = shapely.get_point(shapely.shortest_line(edges[edge[i]], at[i]), 0)
        found[i] = shapely.distance(nearest, routes[traces.fixes.vehicle[i]]) <= within_m
    return found
