"""Compiling the kernels ahead of their first use, for `hanhtrinh warm` and `make setup`.

A kernel is compiled at its first call and kept in a cache between processes. Decoding a few fixes
of every format, and judging a short drive of the simulated fleet, calls them all: there are zones,
routes and every planned violation in it.
"""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from devices.batch import FixBatch, Quality
from devices.catalogue import CODECS
from geofence.judge import Judge
from geofence.loads import Loads
from geofence.profile import SHIPPED, shipped_profile
from geofence.quality import Delays, Region, mark_arrival
from geofence.registry import StationRule
from geofence.roads.matcher import RoadIndex
from geofence.roads.network import RoadNetwork
from geofence.roads.ways import Attributes, RoadKind, WayList, place_nodes
from geofence.rulebook import Rulebook
from geofence.warm import overloaded
from simulators.fleet import Fleet, FleetOptions
from simulators.world import load_world

START_US = 1_790_000_000_000_000
DRIVE_US = 600_000_000
VEHICLES = 40


def warm_kernels() -> None:
    """Call every kernel at least once, as the worker does.

    Those of the formats in a process beside those of the rules: numba compiles one at a time.
    """
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for part in [pool.submit(warm_rules), pool.submit(warm_formats)]:
            part.result()


def warm_formats() -> None:
    """Call every kernel of the codecs."""
    _, fixes = _drive()
    _decode(fixes.take(np.arange(2)))


def warm_rules() -> None:
    """Call every kernel of the judge."""
    fleet, fixes = _drive()
    for profile in SHIPPED:
        _judge(fleet, profile, fixes)


def _drive() -> tuple[Fleet, FixBatch]:
    """A short drive of the fleet, sorted by (vehicle, time)."""
    fleet = Fleet(load_world(), FleetOptions(VEHICLES, 1, "json", START_US))
    fixes = fleet.due(START_US, START_US + DRIVE_US, 30)
    fixes = fixes.with_columns(vehicle=fixes.vehicle + 1)
    return fleet, fixes.take(fixes.order())


def _decode(fixes: FixBatch) -> None:
    """Encode and decode fixes in every format."""
    plain = FixBatch.blank(len(fixes), time=fixes.time, lon=fixes.lon, lat=fixes.lat)
    for codec in CODECS.values():
        if codec.encode:
            payloads = codec.encode(plain, ["123456789012"] * len(plain), [])
            codec.decode(payloads, fixes.received)


def _roads(fleet: Fleet) -> RoadIndex:
    """The paths of the fleet's routes as roads."""
    ways = WayList()
    for number, route in enumerate(fleet.world.routes):
        lon, lat = np.array(route.outbound["coordinates"], np.float64)[:, :2].T.copy()
        nodes = place_nodes(lon, lat).tolist()
        vertices = list(zip(lon.tolist(), lat.tolist(), nodes, strict=True))
        ways.add(Attributes(number, RoadKind.PRIMARY, max_weight_kg=10_000.0), vertices)
    return RoadIndex.build(RoadNetwork.build(ways.ways()))


def _stations(fleet: Fleet) -> list[StationRule]:
    """A station on every road that lorries drive round."""
    found: list[StationRule] = []
    for number, road in enumerate(fleet.world.roads.values()):
        coordinates = np.column_stack([road.lon, road.lat]).tolist()
        line = {"type": "LineString", "coordinates": coordinates}
        lon, lat = coordinates[0]
        found.append(StationRule(number, f"T{number}", lon, lat, approach=line, corridor_m=100.0))
    return found


def _judge(fleet: Fleet, profile: str, fixes: FixBatch) -> None:
    rules = [vehicle.rule for vehicle in fleet.vehicles]
    rulebook = Rulebook.build(
        [shipped_profile(profile)],
        fleet.world.zones,
        fleet.world.routes,
        rules,
        roads=_roads(fleet),
        stations=_stations(fleet),
    )
    judge = Judge(rulebook)
    fixes = mark_arrival(fixes, Region(), Delays.at(rulebook, fixes.received))
    fixes = fixes.take(fixes.quality & np.uint16(Quality.FUTURE) == 0)  # which nobody judges
    vehicles = np.unique(fixes.vehicle).tolist()
    loads = Loads.of(overloaded(vehicle, START_US) for vehicle in vehicles)
    middle = np.median(fixes.time)
    for settled in (False, True):
        judge.forget(np.unique(fixes.vehicle))
        earlier, later = fixes.take(fixes.time <= middle), fixes.take(fixes.time > middle)
        judge.advance(earlier, np.full(len(earlier), settled), loads)
        judge.advance(later, np.zeros(len(later), np.bool_), loads)
