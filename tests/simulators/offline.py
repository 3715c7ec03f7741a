"""A simulated fleet judged with no broker and no database, for comparison with its truth."""

import numpy as np

from devices.batch import FixBatch
from geofence.driving_time import judge_drivers
from geofence.interval import Interval
from geofence.judge import Judge
from geofence.loads import Loads, Weighed
from geofence.profile import shipped_profile
from geofence.quality import Delays, Region, is_judged, mark_arrival
from geofence.roads.matcher import RoadIndex
from geofence.roads.network import RoadNetwork
from geofence.rulebook import Rulebook
from geofence.rules.overload import judge_weighing
from simulators.fleet import Fleet
from simulators.signs import ways_of
from simulators.world import World

START_US = 1_790_000_000_000_000
US = 1_000_000

FACTS = ("zone_visit", "route_trip", "driving")


def rulebook_of(fleet: Fleet) -> Rulebook:
    return Rulebook.build(
        [shipped_profile()],
        fleet.world.zones,
        fleet.world.routes,
        [vehicle.rule for vehicle in fleet.vehicles],
        stations=fleet.world.stations,
        roads=roads_of(fleet.world),
    )


def roads_of(world: World) -> RoadIndex | None:
    """The map with the signs, if the world is driven with it."""
    if not world.signs:
        return None
    return RoadIndex.build(RoadNetwork.build(ways_of(world.signs, world.roads).ways()))


def loads_of(fleet: Fleet, rulebook: Rulebook, until_us: int) -> Loads:
    """What the fleet's weighings up to a time say."""
    weighings = fleet.weighbridges.between(START_US, until_us)
    by_plate = {vehicle.plate: vehicle.rule for vehicle in fleet.vehicles}
    found: list[Weighed] = []
    for row in range(len(weighings)):
        vehicle = by_plate[weighings.plate[row]]
        station = fleet.world.station(weighings.station[row])
        when = int(weighings.time[row])
        profile, limits = rulebook.profile_at(when), rulebook.load_limits_at(when)
        overloads = judge_weighing(weighings, row, vehicle, station, profile, limits)
        found.append(Weighed.of(weighings, row, vehicle.id, station, overloads))
    return Loads.of(found)


def judged(fleet: Fleet, fixes: FixBatch, until_us: int) -> list[Interval]:
    """Violations and warnings in the fixes (vehicle: rows of the fleet from 0, in any order)."""
    fixes = mark_arrival(
        fixes.with_columns(vehicle=fixes.vehicle + 1), Region(), Delays.of(shipped_profile())
    )
    fixes = fixes.take(is_judged(fixes, Region()))
    ordered = fixes.take(fixes.order())
    rulebook = rulebook_of(fleet)
    loads = loads_of(fleet, rulebook, until_us)
    settled = np.zeros(len(ordered), np.bool_)
    found = Judge(rulebook).advance(ordered, settled, loads).intervals
    spans = [interval for interval in found if interval.kind == "driving"]
    found = found + judge_drivers(rulebook, spans)
    return [each for each in found if each.kind not in FACTS]
