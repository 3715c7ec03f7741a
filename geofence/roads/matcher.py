"""RoadMatcher: on which road each fix is, and how sure that is.

Belongs here: the state of all vehicles under one network and the promise of what it depends on.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from devices.batch import F32, F64, I32, I64, Bool, FixBatch
from geofence.roads.filter import (
    NEVER,
    Fixes,
    Roads,
    advance,
    blank_found,
    blank_room,
    blank_state,
)
from geofence.roads.grid import build_grid, build_lines
from geofence.roads.network import RoadNetwork
from geofence.roads.posted import Posted, posted_spans
from geofence.roads.ways import Rows


@dataclass(frozen=True, slots=True, eq=False)
class RoadIndex:
    """A network with its grid: what fixes are matched to, made once for many matchers."""

    network: RoadNetwork
    roads: Roads
    posted: Posted

    @classmethod
    def build(cls, network: RoadNetwork) -> "RoadIndex":
        """The index of a network."""
        grid = build_grid(network)
        roads = Roads(grid, build_lines(network), network.edges, network.loop_m)
        return cls(network, roads, posted_spans(network))


class Matched(NamedTuple):
    """The roads of n fixes.

    edge: shape (n,), row of the network's edges, -1 on no road of the map. is_backward: against the
    direction of the edge. confidence: that the road's limit is right, 0 where there is no road.
    place_m: metres along the edge's stroke. road_confidence: that the fix is on that stroke; 0 and
    0 where there is no road.
    """

    edge: I32
    is_backward: Bool
    confidence: F32
    place_m: F64
    road_confidence: F32


class RoadMatcher:
    """Matches each vehicle's clean fixes as they come: from this fix and earlier ones only.

    A match depends on the fixes of the vehicle since `memory_from` of its time, and on none before:
    batches make no difference, and stored fixes give the same matches again.
    """

    def __init__(self, index: RoadIndex, params: Rows) -> None:
        """params: rows of PROFILE_DTYPE; the longest `roads.memory_s` of them holds for all."""
        self._roads = index.roads
        self._params = params
        self._memory_us = int(params["roads_memory_us"].max())
        self._state = blank_state(0)
        self._room = blank_room()

    def make_room(self, vehicles: int) -> None:
        """Have a state for every vehicle id below `vehicles`; new ones have seen nothing."""
        known = len(self._state.time)
        if known < vehicles:
            larger = blank_state(max(vehicles, 2 * known, 64))
            for name, column in larger._asdict().items():
                # The rest of zeros takes no memory until it is written to.
                column[:known] = getattr(self._state, name)
            self._state = larger

    @staticmethod
    def state_bytes() -> int:
        """Bytes of memory that each vehicle takes."""
        return sum(column.nbytes for column in blank_state(1))

    def forget(self, vehicles: I32) -> None:
        """Make the state of these vehicles that of vehicles never seen."""
        self._state.time[vehicles[vehicles < len(self._state.time)]] = NEVER

    def memory_from(self, time: I64) -> I64:
        """The time from which on fixes matter for a match at a time."""
        least = np.iinfo(np.int64).min
        span = time // self._memory_us - 1
        return np.where(time < least + 2 * self._memory_us, least, span * self._memory_us)

    def advance(self, fixes: FixBatch, speed_kmh: F64, profile: I32) -> Matched:
        """Match clean fixes, sorted by (vehicle, time), each later than what its state has seen.

        speed_kmh, profile: shape (n,), NaN not known; row of the profile in force at the fix.
        """
        n = len(fixes)
        if n:
            self.make_room(int(fixes.vehicle.max()) + 1)
        out = blank_found(n)
        columns = Fixes(
            np.require(fixes.vehicle, None, ["C", "W"]),
            np.require(fixes.time, None, ["C", "W"]),
            np.require(fixes.lon, None, ["C", "W"]),
            np.require(fixes.lat, None, ["C", "W"]),
            np.require(speed_kmh, None, ["C", "W"]),
            np.require(fixes.heading, None, ["C", "W"]),
            np.require(profile, None, ["C", "W"]),
        )
        advance(self._state, self._roads, self._params, self._memory_us, columns, self._room, out)
        return Matched(*out)
