"""Kinds route_trip, unscheduled_stop, missed_stop, wrong_order, docs/rules.md section 3."""

import itertools
import math
from dataclasses import dataclass

from geofence.registry import Route
from tests.oracle.cleaning import implied_kmh
from tests.oracle.earth import great_circle_m, is_inside, to_segment
from tests.oracle.off_route import IN_TERMINAL, On, trips
from tests.oracle.runs import interval, is_joined
from tests.oracle.visits import inside_any, visits
from tests.oracle.world import gap_s


@dataclass
class Trip:
    """Fixes first..last of a vehicle. is_over: it has ended; is_through: at the other terminal.

    is_back: at the terminal that it left.
    """

    route: Route
    direction: str
    first: int
    last: int
    is_over: bool
    is_through: bool
    is_back: bool = False

    @property
    def stops(self):
        own = [stop for stop in self.route.stops if stop.direction == self.direction]
        return sorted(own, key=lambda stop: stop.seq)


def route_stops(world, vehicle, fixes):
    codes = sorted({r.route_code for r in vehicle.routes})
    on, known = {}, len(fixes)
    for code in codes:
        on[code], first = trips(world, vehicle, fixes, code)
        known = min(known, first)
    found = []
    for code in codes:
        for trip in trips_made(world, vehicle, fixes, on[code], known):
            if trip.is_through:
                found += announced(world, vehicle, fixes, trip)
            found += unscheduled(world, vehicle, fixes, trip, list(on.values()))
            found.append(route_trip(world, vehicle, fixes, trip))
    return found


def trips_made(world, vehicle, fixes, on, known):
    made: list[Trip] = []
    for at in range(known):
        here = on[at]
        if not isinstance(here, On):
            continue
        if made and made[-1].last == at - 1:
            made[-1].last = at
        else:
            made.append(Trip(here.route, here.direction, at, at, False, False))
    for trip in made:
        after = trip.last + 1
        trip.is_over = after < known
        if trip.is_over:
            there, back = trip.route.terminal_b, trip.route.terminal_a
            if trip.direction == "inbound":
                there, back = back, there
            trip.is_through = arrives(world, vehicle, fixes, on, trip, after, there)
            trip.is_back = arrives(world, vehicle, fixes, on, trip, after, back)
    return made


def route_trip(world, vehicle, fixes, trip):
    """The trip from the last fix in one terminal to the first in the next."""
    own = fixes[trip.first - 1 : trip.last + 1]
    outcome = "broken_off" if trip.is_over else "under_way"
    if trip.is_through or trip.is_back:
        own = fixes[trip.first - 1 : trip.last + 2]
        outcome = "arrived" if trip.is_through else "returned"
    details = {
        "route_id": trip.route.id,
        "direction": trip.direction,
        "outcome": outcome,
        "unseen_s": unseen_s(world, own),
    }
    is_open = not trip.is_over
    return interval(world, vehicle, "route_trip", trip.route.code, own, details, is_open)


def unseen_s(world, fixes):
    """How long the steps took that are not joined."""
    steps = itertools.pairwise(fixes)
    unseen = [gap_s(a, b) for a, b in steps if not is_joined(world, a, b, "route_stops.max_gap_s")]
    return float(sum(unseen))


def arrives(world, vehicle, fixes, on, trip, at, code):
    """Whether a fix belongs to a visit to one of the terminals of the trip's route."""
    if on[at] != IN_TERMINAL:
        return False
    route = trip.route
    if world.route_at(vehicle, route.code, fixes[at].time) is not route:
        return False
    first = last = at
    while first > 0 and world.route_at(vehicle, route.code, fixes[first - 1].time) is route:
        first -= 1
    while last + 1 < len(fixes) and (
        world.route_at(vehicle, route.code, fixes[last + 1].time) is route
    ):
        last += 1
    own = fixes[first : last + 1]
    here = inside_any(world, vehicle, own, world.zones_by_code("terminal")[code], closed=False)
    stays, _ = visits(world, own, [zone is not None for zone in here])
    return any(stay.first <= at - first <= stay.last for stay in stays)


def announced(world, vehicle, fixes, trip):
    """What a trip made of the stops that it had to visit."""
    terminals = world.zones_by_code("terminal")
    ends = [*terminals[trip.route.terminal_a], *terminals[trip.route.terminal_b]]
    stops = [
        stop
        for stop in trip.stops
        if stop.compulsory and not any(is_inside(zone, (stop.lon, stop.lat)) for zone in ends)
    ]
    came = [came_by(world, fixes, trip, (stop.lon, stop.lat)) for stop in stops]
    missed = [stop for stop, times in zip(stops, came, strict=True) if not times]
    late = [
        stop
        for k, stop in enumerate(stops)
        if came[k] and any(times and times[-1] < came[k][0] for times in came[k + 1 :])
    ]
    found = []
    for kind, these in (("missed_stop", missed), ("wrong_order", late)):
        if these:
            details = {
                "route_id": trip.route.id,
                "direction": trip.direction,
                "stops": len(these),
                "stop_seqs": " ".join(str(stop.seq) for stop in these),
                "stop_names": "; ".join(stop.name for stop in these),
                "unseen_s": unseen_s(world, fixes[trip.first - 1 : trip.last + 2]),
            }
            own = fixes[trip.first : trip.last + 1]
            found.append(interval(world, vehicle, kind, trip.route.code, own, details, False))
    return found


def came_by(world, fixes, trip, stop):
    """The fixes, up to the first in the terminal, at which the trip visits a stop."""
    found = []
    for at in range(trip.first, trip.last + 2):
        before, fix = fixes[at - 1], fixes[at]
        radius_m = world.number(fix.time, "route_stops.stop_radius_m")
        is_near = great_circle_m(stop, fix.place) <= radius_m
        if is_joined(world, before, fix, "route_stops.max_gap_s"):
            radius_m = world.number(before.time, "route_stops.stop_radius_m")
            offset_m, share = to_segment(stop, before.place, fix.place)
            is_near |= share > 0 and offset_m <= radius_m
        if is_near:
            found.append(at)
    return found


def unscheduled(world, vehicle, fixes, trip, on):
    pace = [pace_of(world, fixes, at) for at in range(trip.first, trip.last + 1)]
    found, at = [], 0
    while at + 1 < len(pace):
        if pace[at : at + 2] != ["slow", "slow"]:
            at += 1
            continue
        first, last, is_open = at, len(pace) - 1, not trip.is_over
        for k in range(first + 1, len(pace) - 1):
            if pace[k : k + 2] == ["fast", "fast"]:
                last, is_open = k, False
                break
        own = fixes[trip.first + first : trip.first + last + 1]
        least = world.number(own[0].time, "route_stops.min_stop_s")
        if gap_s(own[0], own[-1]) >= least and not may_stop(
            world, vehicle, fixes, trip.first + first, on
        ):
            along = next(
                here.along_m
                for here in [codes[trip.first + first] for codes in on]
                if isinstance(here, On) and here.route is trip.route
            )
            details = {
                "route_id": trip.route.id,
                "direction": trip.direction,
                "along_m": along,
            }
            code = trip.route.code
            found.append(interval(world, vehicle, "unscheduled_stop", code, own, details, is_open))
        at = last + 1
    return found


def pace_of(world, fixes, at):
    speed = fixes[at].rule_speed_kmh
    if math.isnan(speed) and at > 0:
        speed = implied_kmh(fixes[at - 1], fixes[at])
    if math.isnan(speed):
        return "unknown"
    slow = world.number(fixes[at].time, "stops.stop_speed_kmh")
    return "slow" if speed <= slow else "fast"


def may_stop(world, vehicle, fixes, at, on):
    """Whether a fix lies in a terminal, or near a stop of any route that it is on a trip of."""
    fix = fixes[at]
    for zones in world.zones_by_code("terminal").values():
        if inside_any(world, vehicle, [fix], zones, closed=False) != [None]:
            return True
    radius_m = world.number(fix.time, "route_stops.stop_radius_m")
    for codes in on:
        here = codes[at]
        if here == IN_TERMINAL:
            return True
        if isinstance(here, On):
            for stop in here.route.stops:
                near = great_circle_m((stop.lon, stop.lat), fix.place) <= radius_m
                if stop.direction == here.direction and near:
                    return True
    return False
