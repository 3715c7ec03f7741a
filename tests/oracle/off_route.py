"""Kind off_route, docs/rules.md section 3."""

import itertools
from dataclasses import dataclass

from geofence.registry import Route
from tests.oracle.earth import to_path
from tests.oracle.runs import interval, is_joined, runs
from tests.oracle.visits import inside_any, visits
from tests.oracle.world import gap_s


@dataclass
class On:
    """That a fix belongs to a trip of a route."""

    route: Route
    direction: str
    offset_m: float
    along_m: float

    @property
    def is_off(self):
        return self.offset_m > self.route.corridor_m


IN_TERMINAL = "in a terminal of the route"


def off_route(world, vehicle, fixes):
    codes = sorted({r.route_code for r in vehicle.routes})
    on, undecided = {}, len(fixes)
    for code in codes:
        on[code], first = trips(world, vehicle, fixes, code)
        undecided = min(undecided, first)
    known = fixes[:undecided]
    joined = [is_joined(world, a, b, "off_route.max_gap_s") for a, b in itertools.pairwise(known)]
    found = []
    for code in codes:
        off = []
        for at in range(len(known)):
            here = [on[c][at] for c in codes if on[c][at] is not None]
            # In a terminal or within the corridor of one of its routes it is off none.
            is_off = IN_TERMINAL not in here and all(trip.is_off for trip in here)
            off.append(on[code][at] is not None and is_off)
        for first, last in runs(off, joined):
            own, trip = known[first : last + 1], on[code][first : last + 1]
            start = own[0].time
            if len(own) < world.number(start, "off_route.min_fixes"):
                continue
            if gap_s(own[0], own[-1]) < world.number(start, "off_route.min_duration_s"):
                continue
            details = {
                "route_id": trip[0].route.id,
                "direction": trip[0].direction,
                "corridor_m": trip[0].route.corridor_m,
                "max_offset_m": max(t.offset_m for t in trip),
                "left_at_m": trip[0].along_m,
                "returned_at_m": trip[-1].along_m,
            }
            is_open = last == len(known) - 1
            found.append(interval(world, vehicle, "off_route", code, own, details, is_open))
    return found


def trips(world, vehicle, fixes, code):
    """For each fix the trip of the route that it belongs to or None, and the first undecided."""
    on: list[On | str | None] = [None] * len(fixes)
    undecided = len(fixes)
    route = [world.route_at(vehicle, code, fix.time) for fix in fixes]
    first = 0
    while first < len(fixes):
        last = first
        while last + 1 < len(fixes) and route[last + 1] is route[first]:
            last += 1
        if route[first] is not None:
            own = fixes[first : last + 1]
            on[first : last + 1], loose = trips_of_version(world, vehicle, own, route[first])
            if last == len(fixes) - 1:
                undecided = first + loose
            else:  # what was undecided when the version changed comes to nothing
                on[first + loose : last + 1] = [None] * (last + 1 - first - loose)
        first = last + 1
    return on, undecided


def trips_of_version(world, vehicle, fixes, route):
    terminals = world.zones_by_code("terminal")
    stays, undecided = [], len(fixes)
    for direction, code in (("outbound", route.terminal_a), ("inbound", route.terminal_b)):
        here = inside_any(world, vehicle, fixes, terminals[code], closed=False)
        own, loose = visits(world, fixes, [zone is not None for zone in here])
        stays += [(visit.first, visit.last, direction) for visit in own]
        undecided = min(undecided, loose)
    on: list[On | str | None] = []
    for at, fix in enumerate(fixes):
        in_visit = any(first <= at <= last for first, last, _ in stays)
        left = [(last, direction) for _, last, direction in stays if last < at]
        if in_visit or not left:
            on.append(IN_TERMINAL if in_visit else None)
            continue
        # "outbound" is the greater word: of both terminals left at once, A gives the direction.
        _, direction = max(left)
        path = route.outbound if direction == "outbound" else route.inbound
        on.append(On(route, direction, *to_path(fix.place, path["coordinates"])))
    return on, undecided
