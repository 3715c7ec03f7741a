"""How much memory does the judge take for each vehicle? Baseline: the 2 KB that it may.

A judge is made for a fleet, then every vehicle sends a few fixes, with all rules, roads among them.
Counted is what the process grew by: state, registry in arrays, and what the allocator keeps.
"""

import gc

import numpy as np
import psutil

from benchmarks.parts.nation import START_US, nation
from benchmarks.report import Result, run
from devices.batch import FixBatch
from geofence.judge import Judge
from geofence.registry import VehicleRule
from geofence.rulebook import Rulebook

AT_ONCE = 100_000
FIXES = 6
ALLOWED = 2048.0


def fixes_of(first: int, count: int) -> FixBatch:
    """A few fixes of vehicles first, first + 1, ..., driving north through the land."""
    vehicle = np.repeat(np.arange(first, first + count), FIXES)
    step = np.tile(np.arange(FIXES), count)
    random = np.random.default_rng(first)
    lon = np.repeat(random.uniform(105.5, 106.1, count), FIXES)
    lat = np.repeat(random.uniform(20.7, 21.2, count), FIXES) + step * 0.002
    time = START_US + step * 10_000_000
    return FixBatch.blank(
        len(vehicle), vehicle=vehicle, time=time, received=time, lon=lon, lat=lat,
        speed_kmh=np.full(len(vehicle), 80.0), heading=np.zeros(len(vehicle)),
    )  # fmt: skip


def measure(quick: bool) -> Result:
    """A million vehicles, or with --quick a hundred thousand."""
    vehicles = 100_000 if quick else 1_000_000
    land = nation(60, roads=True)
    process = psutil.Process()
    small = Judge(land.rulebook)
    small.advance(fixes_of(1, 60), np.zeros(60 * FIXES, np.bool_))  # kernels are loaded
    rules = [VehicleRule(number) for number in range(1, vehicles + 1)]
    gc.collect()
    before = process.memory_info().rss
    old = land.rulebook
    rulebook = Rulebook.build(
        list(old.profiles), old.zones, old.routes, rules,
        roads=None if old.roads is None else old.roads.index,
    )  # fmt: skip
    registry = process.memory_info().rss - before
    judge = Judge(rulebook)
    for first in range(1, vehicles + 1, AT_ONCE):
        batch = fixes_of(first, AT_ONCE)
        judge.advance(batch, np.zeros(len(batch), np.bool_))
    gc.collect()
    state = process.memory_info().rss - before - registry
    return Result(
        "state of the judge", "vehicles in 2 KB each", ALLOWED / (state / vehicles), 1.0,
        "a vehicle in 2 KB",
        {
            "vehicles": vehicles, "state_bytes_per_vehicle": round(state / vehicles),
            "registry_bytes_per_vehicle": round(registry / vehicles),
            "whole_process_mb": round(process.memory_info().rss / 1e6),
        },
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
