"""Everything about one vehicle's fixes at once."""

from tests.oracle.cleaning import clean
from tests.oracle.data_gap import data_gaps
from tests.oracle.off_route import off_route
from tests.oracle.speeding import speeding
from tests.oracle.visits import zone_kinds


def judge(world, vehicle, fixes):
    """The intervals of a vehicle's fixes, in time order; sets their quality bits."""
    seen = clean(world, [f for f in fixes if not f.quality & {"no_position", "future"}])
    return [
        *speeding(world, vehicle, seen),
        *data_gaps(world, vehicle, seen),
        *zone_kinds(world, vehicle, seen),
        *off_route(world, vehicle, seen),
    ]
