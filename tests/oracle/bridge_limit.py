"""Kind bridge_limit, docs/rules.md section 7, from where fixes are said to lie on roads."""

import math
from dataclasses import dataclass
from itertools import pairwise

from tests.oracle.known_load import beliefs, weighed_at
from tests.oracle.runs import interval, is_joined


@dataclass
class OnRoad:
    """Where a fix lies: metres along a stroke, and how sure that is. stroke None: on no road."""

    stroke: int | None
    place_m: float
    confidence: float


@dataclass
class Sign:
    """A posted limit, and from where to where along a stroke it holds."""

    way: int
    stroke: int
    begin_m: float
    end_m: float
    limit_kg: float
    valid_from: int
    valid_to: int


def signs_of(network):
    """Every sign of a network."""
    found: dict[tuple[int, int], Sign] = {}
    for edge in network.edges:
        way = network.ways[edge["row"]]
        if math.isnan(way["max_weight_kg"]):
            continue
        begin, end = edge["offset_m"], edge["offset_m"] + edge["length_m"]
        key = int(edge["stroke"]), int(edge["row"])
        if key in found:
            begin, end = min(begin, found[key].begin_m), max(end, found[key].end_m)
        found[key] = Sign(
            int(way["way"]), int(edge["stroke"]), float(begin), float(end),
            float(way["max_weight_kg"]), int(way["valid_from"]), int(way["valid_to"]),
        )  # fmt: skip
    return list(found.values())


def bridge_limits(world, vehicle, fixes, loads, roads, network):
    """roads: OnRoad by the time of the fix."""
    found = []
    for belief in beliefs(world, fixes, loads):
        for sign in signs_of(network):
            if sign.limit_kg < belief.weighed.mass_kg:
                found += passages(world, vehicle, belief, roads, sign, network.loop_m)
    return found


def passages(world, vehicle, belief, roads, sign, loop_m):
    held = belief.held
    on = [is_on(world, fix, roads[fix.time], sign) for fix in held]
    passed = [is_passed(world, a, b, roads, sign, loop_m) for a, b in pairwise(held)]
    found, at = [], 0
    while at < len(held):
        first = last = at
        if on[at]:
            while last + 1 < len(held) and on[last + 1] and joined(world, held, last):
                last += 1
            at = last + 1
            if first > 0 and passed[first - 1]:
                first -= 1
            is_open = belief.is_open and last == len(held) - 1
            if last + 1 < len(held) and passed[last]:
                last += 1
        else:
            at += 1
            if at == len(held) or on[at] or not passed[first]:
                continue
            last, is_open = at, False
        found.append(describe(world, vehicle, held[first : last + 1], belief, sign, is_open))
    return found


def joined(world, held, at):
    return is_joined(world, held[at], held[at + 1], "roads.max_gap_s")


def is_sure(world, fix, road, sign):
    enough = world.number(fix.time, "roads.confidence")
    return road.stroke == sign.stroke and road.confidence >= enough


def bounds(world, fix, sign):
    """From where to where it is certain that the sign holds."""
    margin = min(2 * world.number(fix.time, "roads.sigma_m"), (sign.end_m - sign.begin_m) / 2)
    return sign.begin_m + margin, sign.end_m - margin


def is_on(world, fix, road, sign):
    begin, end = bounds(world, fix, sign)
    is_valid = sign.valid_from <= fix.time < sign.valid_to
    return is_valid and is_sure(world, fix, road, sign) and begin <= road.place_m <= end


def is_passed(world, a, b, roads, sign, loop_m):
    if not (is_sure(world, a, roads[a.time], sign) and is_sure(world, b, roads[b.time], sign)):
        return False
    if loop_m[sign.stroke] or not is_joined(world, a, b, "roads.max_gap_s"):
        return False
    begin, end = bounds(world, b, sign)
    places = roads[a.time].place_m, roads[b.time].place_m
    is_valid = sign.valid_from <= b.time < sign.valid_to
    return is_valid and begin <= max(places) and min(places) <= end


def describe(world, vehicle, fixes, belief, sign, is_open):
    load = belief.weighed
    details = {
        "measured_kg": load.gross_kg,
        "limit_kg": sign.limit_kg,
        "tolerance": load.tolerance,
        "excess_percent": (load.gross_kg * (1 - load.tolerance) / sign.limit_kg - 1) * 100,
        "station": load.station,
        "weighed_at": weighed_at(world, load),
        "indicative": load.is_indicative,
    }
    return interval(world, vehicle, "bridge_limit", str(sign.way), fixes, details, is_open)
