"""Signs of the simulated country that only a map of roads tells of: bridges with a mass limit.

Belongs here: where they stand, and the map that has them. Does not belong here: who passes them
(violators.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from geofence.registry import GeoJson
from geofence.roads.ways import Attributes, RoadKind, WayList, place_nodes
from simulators.motion import Line

AROUND_M: Final = 2_000.0
"""How much of the road the map has before a sign and behind it."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A posted mass limit. way: the map's id of what it holds on; from_m, to_m: along `road`."""

    way: int
    road: str
    from_m: float
    to_m: float
    max_weight_kg: float

    @classmethod
    def of(
        cls, geometry: GeoJson, properties: Mapping[str, Any], roads: Mapping[str, Line]
    ) -> "Sign":
        """The sign of a feature whose line lies on its road, in the road's direction."""
        road = roads[properties["road"]]
        begin, end = (road.nearest_m(*geometry["coordinates"][at]) for at in (0, -1))
        kg = 1000.0 * properties["max_weight_t"]
        return cls(properties["way"], properties["road"], begin, end, kg)


def ways_of(signs: Sequence[Sign], roads: Mapping[str, Line]) -> WayList:
    """The map: of each sign's road the part around it, as service roads, which have no speed limit.

    Nobody else's limit depends on the map, then.
    """
    ways = WayList()
    for sign in signs:
        road = roads[sign.road]
        cuts = (sign.from_m - AROUND_M, sign.from_m, sign.to_m, sign.to_m + AROUND_M)
        limits = (np.nan, sign.max_weight_kg, np.nan)
        for part, (begin, end, kg) in enumerate(zip(cuts[:-1], cuts[1:], limits, strict=True)):
            inner = road.along_m[(road.along_m > begin) & (road.along_m < end)]
            lon, lat, _ = road.at(np.concatenate(([begin], inner, [end])))
            nodes = place_nodes(lon, lat).tolist()
            # Ways count from the bridge's id on; the road before it comes behind.
            way = sign.way + (part + 2) % 3
            ways.add(
                Attributes(way, RoadKind.SERVICE, max_weight_kg=float(kg)),
                list(zip(lon.tolist(), lat.tolist(), nodes, strict=True)),
            )
    return ways
