"""A simulated fleet judged with no broker and no database, for comparison with its truth."""

import numpy as np

from devices.batch import FixBatch
from geofence.interval import Interval
from geofence.judge import Judge
from geofence.profile import shipped_profile
from geofence.quality import Region, mark_arrival
from geofence.rulebook import Rulebook
from simulators.fleet import Fleet

START_US = 1_790_000_000_000_000
US = 1_000_000


def rulebook_of(fleet: Fleet) -> Rulebook:
    return Rulebook.build(
        [shipped_profile()],
        fleet.world.zones,
        fleet.world.routes,
        [vehicle.rule for vehicle in fleet.vehicles],
    )


def judged(fleet: Fleet, fixes: FixBatch) -> list[Interval]:
    """The violations in the fixes (vehicle: rows of the fleet from 0, in any order)."""
    fixes = mark_arrival(fixes.with_columns(vehicle=fixes.vehicle + 1), Region())
    ordered = fixes.take(fixes.order())
    found = Judge(rulebook_of(fleet)).advance(ordered, np.zeros(len(ordered), np.bool_)).intervals
    return [interval for interval in found if interval.kind not in ("zone_visit", "route_trip")]
