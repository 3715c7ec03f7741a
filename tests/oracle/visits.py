"""Visits and the kinds that follow from them, docs/rules.md section 2."""

from dataclasses import dataclass

from tests.oracle.earth import is_inside
from tests.oracle.runs import interval, is_joined
from tests.oracle.world import gap_s


@dataclass
class Visit:
    first: int
    last: int
    is_open: bool


def stretches(world, fixes):
    """(first, last) of the parts of the fixes that no gap divides."""
    found: list[tuple[int, int]] = []
    for at in range(len(fixes)):
        if at and is_joined(world, fixes[at - 1], fixes[at], "visits.max_gap_s"):
            found[-1] = found[-1][0], at
        else:
            found.append((at, at))
    return found


def visits(world, fixes, inside):
    """The visits, and the first of the last fixes of which it is not certain where they belong."""
    found = []
    undecided = len(fixes)
    for first, last in stretches(world, fixes):
        is_last = last == len(fixes) - 1
        at = first
        while at <= last:
            need = int(world.number(fixes[at].time, "visits.confirm_in"))
            ahead = inside[at : min(at + need, last + 1)]
            if not all(ahead):
                at += 1
                continue
            if len(ahead) < need:  # the stretch ends before it is confirmed
                undecided = min(undecided, at) if is_last else undecided
                break
            visit, at = follow(world, fixes, inside, at, last)
            visit.is_open &= is_last
            found.append(visit)
            if visit.is_open:
                undecided = min(undecided, visit.last + 1)
    return found, undecided


def follow(world, fixes, inside, first, last):
    """The visit that begins at `first`, within a stretch that ends at `last`; where to go on."""
    need = int(world.number(fixes[first].time, "visits.confirm_out"))
    final = first
    for at in range(first, last + 1):
        if inside[at]:
            final = at
        elif at - final == need:
            return Visit(first, final, is_open=False), at + 1
    return Visit(first, final, is_open=True), last + 1


def inside_any(world, vehicle, fixes, zones, *, closed):
    """Whether each fix lies in a version of a zone that is in force.

    A banned zone is in force by its dates, and closed to the vehicle where it applies to it; every
    other zone is in force where it applies.
    """
    flags = []
    for fix in fixes:
        here = None
        for zone in zones:
            owner = zone.operator_id
            if zone.kind == "banned" and not closed:
                in_force = zone.valid_from <= fix.time < zone.valid_to and (
                    owner is None or owner == vehicle.operator_id
                )
            else:
                in_force = world.applies(zone, vehicle, fix.time)
            if here is None and in_force and is_inside(zone, fix.place):
                here = zone
        flags.append(here)
    return flags


def zone_kinds(world, vehicle, fixes):
    found = []
    for code, zones in world.zones_by_code("banned", "terminal", "stop", "watch").items():
        here = inside_any(world, vehicle, fixes, zones, closed=False)
        for visit in visits(world, fixes, [zone is not None for zone in here])[0]:
            found += of_visit(world, vehicle, code, fixes, here, visit)
        if zones[0].kind != "banned":
            continue
        here = inside_any(world, vehicle, fixes, zones, closed=True)
        for visit in visits(world, fixes, [zone is not None for zone in here])[0]:
            zone = here[visit.first]
            if gap_s(fixes[visit.first], fixes[visit.last]) >= zone.min_duration_s:
                more = {"min_duration_s": zone.min_duration_s}
                found.append(whole(world, vehicle, "banned_zone", fixes, here, visit, more))
    return found


def whole(world, vehicle, kind, fixes, here, visit, more):
    zone = here[visit.first]
    own = fixes[visit.first : visit.last + 1]
    count = sum(1 for z in here[visit.first : visit.last + 1] if z is not None)
    details = {"zone_id": zone.id, "zone_kind": zone.kind, **more}
    return interval(world, vehicle, kind, zone.code, own, details, visit.is_open, count)


def of_visit(world, vehicle, code, fixes, here, visit):
    zone = here[visit.first]
    found = [whole(world, vehicle, "zone_visit", fixes, here, visit, {})]
    stay_s = gap_s(fixes[visit.first], fixes[visit.last])
    if zone.max_stay_s is not None and stay_s > zone.max_stay_s:
        more = {"max_stay_s": zone.max_stay_s}
        found.append(whole(world, vehicle, "zone_dwell", fixes, here, visit, more))
    if zone.kind == "watch":
        details = {"zone_id": zone.id, "zone_kind": zone.kind}
        entry = [fixes[visit.first]]
        found.append(interval(world, vehicle, "zone_entry", code, entry, details, False))
        if not visit.is_open:
            leaving = [fixes[visit.last]]
            found.append(interval(world, vehicle, "zone_exit", code, leaving, details, False))
    return found
