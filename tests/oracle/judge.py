"""Everything about one vehicle's fixes at once."""

from tests.oracle.cleaning import clean
from tests.oracle.cloned_device import cloned_device
from tests.oracle.crossings import crossings
from tests.oracle.data_gap import data_gaps
from tests.oracle.driving import driving
from tests.oracle.gps_lost import gps_lost
from tests.oracle.known_load import overloaded_stretches
from tests.oracle.moved_unseen import moved_unseen
from tests.oracle.off_route import off_route
from tests.oracle.power_cut import power_cuts
from tests.oracle.route_stops import route_stops
from tests.oracle.speeding import speeding
from tests.oracle.station_avoided import stations_avoided
from tests.oracle.visits import zone_kinds


def judge(world, vehicle, fixes, loads=()):
    """The intervals of a vehicle's fixes, in time order; sets their quality bits.

    loads: the vehicle's weighings, in order.
    """
    fixes = [fix for fix in fixes if "future" not in fix.quality]
    placed = [fix for fix in fixes if "no_position" not in fix.quality]
    seen = clean(world, placed)
    return [
        *speeding(world, vehicle, seen),
        *data_gaps(world, vehicle, seen),
        *zone_kinds(world, vehicle, seen),
        *crossings(world, vehicle, seen),
        *off_route(world, vehicle, seen),
        *route_stops(world, vehicle, seen),
        *moved_unseen(world, vehicle, seen),
        *power_cuts(world, vehicle, seen),
        *driving(world, vehicle, seen),
        *gps_lost(world, vehicle, [fix for fix in fixes if "jump" not in fix.quality]),
        *cloned_device(world, vehicle, placed),
        *stations_avoided(world, vehicle, seen),
        *overloaded_stretches(world, vehicle, seen, loads),
    ]
