"""A country to be judged: communes, fences, roads and a fleet that drives among them for a day."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow.parquet
import shapely

from benchmarks.parts.data import data_folder
from benchmarks.parts.zones import EAST, NORTH, SOUTH, WEST, many_zones
from devices.batch import F64, FixBatch
from geofence.profile import shipped_profile
from geofence.quality import Delays, Region, mark_arrival
from geofence.registry import VehicleRule, Zone, ZoneKind
from geofence.roads.matcher import RoadIndex
from geofence.roads.network import RoadNetwork
from geofence.roads.ways import Attributes, RoadKind, WayList, place_nodes
from geofence.rulebook import Rulebook
from simulators.fleet import Fleet, FleetOptions
from simulators.motion import Line
from simulators.world import World, load_world

COMMUNES = data_folder() / "vn_admin" / "wards_simpl_1e-4deg.parquet"

START_US = 1_790_000_000_000_000
HOUR_US = 3_600_000_000
FENCES = 2000
FENCE_KINDS: tuple[ZoneKind, ...] = ("speed", "watch", "stop", "banned", "watch")
STREETS_EVERY_DEG = 0.005


@dataclass(frozen=True, slots=True)
class Nation:
    """What is judged by, and who drives. communes: how many zones are communes, 0 without data."""

    fleet: Fleet
    rulebook: Rulebook
    communes: int
    road_edges: int

    def vehicles(self) -> Sequence[VehicleRule]:
        return [vehicle.rule for vehicle in self.fleet.vehicles]


def communes(first_id: int) -> list[Zone]:
    """The country's communes, each with a speed limit; none where the data are not there."""
    if not COMMUNES.exists():
        return []
    table = pyarrow.parquet.read_table(COMMUNES)
    shapes = shapely.from_wkb(table["geometry"].to_pylist())
    return [
        Zone(
            first_id + number,
            f"commune-{number}",
            "speed",
            json.loads(shapely.to_geojson(shape)),
            speed_limits={"*": 80.0},
        )
        for number, shape in enumerate(shapes)
    ]


def fences(world: World) -> list[Zone]:
    """The world's zones and 2,000 fences of every kind."""
    zones = many_zones(world, FENCES)
    own = len(world.zones)
    for at in range(own, len(zones)):
        kind = FENCE_KINDS[at % len(FENCE_KINDS)]
        zones[at] = replace(
            zones[at],
            kind=kind,
            speed_limits={"*": 60.0} if kind == "speed" else {},
            weekly_hours=(("mon", "06:00", "09:00"),) if kind == "banned" else None,
        )
    return zones


def network(world: World) -> RoadNetwork:
    """The roads that the fleet drives, and streets every 500 m all over the land."""
    ways = WayList()
    for number, line in enumerate(world.roads.values()):
        _add(ways, number, RoadKind.SECONDARY, 80.0, *_degrees(line))
    lons = np.arange(WEST, EAST, STREETS_EVERY_DEG)
    lats = np.arange(SOUTH, NORTH, STREETS_EVERY_DEG)
    for number, lat in enumerate(lats):
        _add(ways, 100_000 + number, RoadKind.RESIDENTIAL, 50.0, lons, np.full(len(lons), lat))
    for number, lon in enumerate(lons):
        _add(ways, 200_000 + number, RoadKind.RESIDENTIAL, 50.0, np.full(len(lats), lon), lats)
    return RoadNetwork.build(ways.ways())


def _degrees(line: Line) -> tuple[F64, F64]:
    return np.ascontiguousarray(line.lon), np.ascontiguousarray(line.lat)


def _add(ways: WayList, way: int, kind: RoadKind, kmh: float, lon: F64, lat: F64) -> None:
    nodes = place_nodes(lon, lat).tolist()
    ways.add(
        Attributes(way, kind, forward_kmh=kmh, backward_kmh=kmh),
        list(zip(lon.tolist(), lat.tolist(), nodes, strict=True)),
    )


def nation(vehicles: int, *, roads: bool) -> Nation:
    """A fleet of so many vehicles and everything that it is judged by."""
    fleet = Fleet(load_world(), FleetOptions(vehicles, 1, "json", START_US))
    zones = fences(fleet.world)
    of_land = communes(len(zones) + 1)
    net = network(fleet.world) if roads else None
    rulebook = Rulebook.build(
        [shipped_profile("qcvn31")],
        [*zones, *of_land],
        fleet.world.routes,
        [vehicle.rule for vehicle in fleet.vehicles],
        roads=None if net is None else RoadIndex.build(net),
    )
    return Nation(fleet, rulebook, len(of_land), 0 if net is None else len(net.edges))


def stretch(fleet: Fleet, hours: Iterable[int], interval_s: int = 10) -> FixBatch:
    """What the whole fleet sends in some hours, sorted by vehicle and time."""
    parts = [
        fleet.due(START_US + hour * HOUR_US, START_US + (hour + 1) * HOUR_US, interval_s)
        for hour in hours
    ]
    fixes = FixBatch.concat(parts)
    fixes = mark_arrival(
        fixes.with_columns(vehicle=fixes.vehicle + 1), Region(), Delays.of(shipped_profile())
    )
    return fixes.take(fixes.order())


def batches(fixes: FixBatch, size: int) -> Iterator[FixBatch]:
    """The fixes in pieces of a size, in their order."""
    for begin in range(0, len(fixes), size):
        yield fixes.take(np.arange(begin, min(begin + size, len(fixes))))
