"""Zones for benchmarks: those of the simulated world, and many polygons of made-up shape."""

import numpy as np

from geofence.registry import Zone
from simulators.world import World

WEST, SOUTH, EAST, NORTH = 105.2, 20.6, 106.4, 21.5
CORNERS = 24


def many_zones(world: World, n: int) -> list[Zone]:
    """The world's zones, and N star-shaped polygons of 0.2 to 2 km strewn over the same land."""
    rng = np.random.default_rng(7)
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    made = list(world.zones)
    for number in range(n):
        lon, lat = rng.uniform(WEST, EAST), rng.uniform(SOUTH, NORTH)
        reach = rng.uniform(0.002, 0.02) * rng.uniform(0.6, 1.0, CORNERS)
        ring = np.column_stack([lon + reach * np.cos(angle), lat + reach * np.sin(angle)])
        made.append(
            Zone(
                id=len(world.zones) + 1 + number,
                code=f"made-{number}",
                kind="speed" if number % 2 else "watch",
                speed_limits={"*": 60.0} if number % 2 else {},
                geometry={
                    "type": "Polygon", "coordinates": [np.vstack([ring, ring[:1]]).tolist()],
                },
            )
        )  # fmt: skip
    return made
