"""The road file of the simulated country."""

from pathlib import Path

from geofence.roads.network import RoadNetwork
from hanhtrinh.road_import.files import write_roads
from simulators.signs import ways_of
from simulators.world import World


def write_simulated(world: World, file: Path) -> RoadNetwork:
    """Write the map that the world's signs stand in; it has to have some (`has_map`)."""
    network = RoadNetwork.build(ways_of(world.signs, world.roads).ways())
    write_roads(network, file)
    return network
