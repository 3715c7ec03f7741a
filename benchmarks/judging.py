"""How many fixes are judged a second, by all rules? Baseline: where they are, and nothing else.

The fixes of a simulated fleet, in batches as the worker takes them, go through cleaning, locating
(zones, limits, routes) and every rule. The baseline is one bulk query of the same fixes in a
shapely STRtree of the same zones: what plain shapely takes for the question "which zones", before
any rule is asked.
"""

import json

import numpy as np
import shapely

from benchmarks.parts.zones import many_zones
from benchmarks.report import Result, rates, run
from devices.batch import FixBatch
from geofence.geodesy import METRES_PER_DEGREE
from geofence.judge import Judge
from geofence.profile import shipped_profile
from geofence.quality import Region, mark_arrival
from geofence.registry import Zone
from geofence.rulebook import Rulebook
from simulators.fleet import Fleet, FleetOptions
from simulators.world import load_world

START_US = 1_790_000_000_000_000
INTERVAL_S = 10
BATCH = 4096
MADE_ZONES = 2000


def made_batches(fleet: Fleet, n: int) -> list[FixBatch]:
    """The fleet's first fixes in the batches that a worker makes of them, each sorted."""
    span_us = n // len(fleet.vehicles) * INTERVAL_S * 1_000_000
    fixes = fleet.due(START_US, START_US + span_us, INTERVAL_S)
    fixes = mark_arrival(fixes.with_columns(vehicle=fixes.vehicle + 1), Region())
    parts = [fixes.take(rows) for rows in np.array_split(np.arange(len(fixes)), n // BATCH)]
    return [part.take(part.order()) for part in parts]


def shape(zone: Zone) -> shapely.Geometry:
    """A zone as a polygon in degrees."""
    drawn = shapely.from_geojson(json.dumps(zone.geometry))
    reach_m = zone.radius_m or zone.corridor_m
    return drawn if reach_m is None else drawn.buffer(reach_m / METRES_PER_DEGREE, quad_segs=16)


def measure(quick: bool) -> Result:
    """Judge batches of 4,096 fixes of 5,000 vehicles among 2,000 zones and three routes."""
    fleet = Fleet(load_world(), FleetOptions(5000, 1, "json", START_US))
    zones = many_zones(fleet.world, MADE_ZONES)
    batches = made_batches(fleet, 50_000 if quick else 300_000)
    judge = Judge(
        Rulebook.build(
            [shipped_profile("qcvn31")],
            zones,
            fleet.world.routes,
            [vehicle.rule for vehicle in fleet.vehicles],
        )
    )
    tree = shapely.STRtree([shape(zone) for zone in zones])
    everybody = np.unique(np.concatenate([batch.vehicle for batch in batches]))

    def ours() -> int:
        judge.forget(everybody)
        for batch in batches:
            judge.advance(batch, np.zeros(len(batch), np.bool_))
        return sum(map(len, batches))

    def baseline() -> int:
        for batch in batches:
            tree.query(shapely.points(batch.lon, batch.lat), predicate="intersects")
        return sum(map(len, batches))

    ours()  # kernels are loaded, arrays have their size
    repeats = 2 if quick else 5
    return Result(
        "fixes judged by all rules", "fixes/s", *rates(ours, baseline, repeats),
        "shapely STRtree bulk query of the same fixes and zones: no cleaning, no rules",
        {"zones": len(zones), "vehicles": len(fleet.vehicles), "fixes": sum(map(len, batches))},
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
