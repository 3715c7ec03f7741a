"""Kind speeding, docs/rules.md section 1."""

import itertools
import math

from tests.oracle.earth import great_circle_m
from tests.oracle.runs import interval, is_joined, runs
from tests.oracle.world import gap_s

GAP = "speeding.max_gap_s"


def speeding(world, vehicle, fixes):
    return by_fix(world, vehicle, fixes) + by_step(world, vehicle, fixes)


def mode(world, fix):
    return world.profile(fix.time).choice("speeding.mode")


def is_long_enough(world, first, last):
    least = world.number(first.time, "speeding.min_duration_s")
    if world.number(first.time, "speeding.min_duration_is_strict"):
        return gap_s(first, last) > least
    return gap_s(first, last) >= least


def by_fix(world, vehicle, fixes):
    over = []
    for fix in fixes:
        limit, _, _ = world.limit(vehicle, fix)
        tolerance = world.number(fix.time, "speeding.tolerance_kmh")
        over.append(mode(world, fix) == "fix" and fix.rule_speed_kmh > limit + tolerance)
    joined = [is_joined(world, a, b, GAP) for a, b in itertools.pairwise(fixes)]
    found = []
    for first, last in runs(over, joined):
        own = fixes[first : last + 1]
        if is_long_enough(world, own[0], own[-1]):
            speeds = [(fix.rule_speed_kmh, *world.limit(vehicle, fix)) for fix in own]
            is_open = last == len(fixes) - 1
            found.append(describe(world, vehicle, own, speeds, is_open))
    return found


def by_step(world, vehicle, fixes):
    steps = list(itertools.pairwise(fixes))
    speeds: list[tuple[float, float, str, str | None]] = []
    over = []
    for a, b in steps:
        if mode(world, a) != "step" or not is_joined(world, a, b, GAP):
            speeds.append((math.nan, math.nan, "", None))
            over.append(False)
            continue
        if gap_s(a, b) > world.number(a.time, "speeding.pair_distance_over_s"):
            speed = great_circle_m(a.place, b.place) / gap_s(a, b) * 3.6
        else:
            speed = (a.rule_speed_kmh + b.rule_speed_kmh) / 2
        limit, source, zone = world.limit(vehicle, a)
        speeds.append((speed, limit, source, zone))
        over.append(speed - world.number(a.time, "speeding.tolerance_kmh") > limit)
    found = []
    for first, last in runs(over, [True] * len(over)):
        own = fixes[first : last + 2]
        if is_long_enough(world, own[0], own[-1]):
            # With a profile that goes by fixes in force, no further step can belong to it.
            is_open = last == len(steps) - 1 and mode(world, own[-1]) == "step"
            found.append(describe(world, vehicle, own, speeds[first : last + 1], is_open))
    return found


def describe(world, vehicle, own, speeds, is_open):
    excess, limit, source, zone = -1e9, None, None, None
    for speed, here, its_source, its_zone in speeds:
        if speed - here > excess:
            excess, limit, source, zone = speed - here, here, its_source, its_zone
    edges = [0, *world.profile(own[0].time).edges("speeding.bands_kmh")]
    band = f"{edges[-1]:g}_up"
    for low, high in itertools.pairwise(edges):
        if excess < high:
            band = f"{low:g}_{high:g}" if low > 0 else f"under_{high:g}"
            break
    details = {
        "max_speed_kmh": max(s[0] for s in speeds),
        "mean_speed_kmh": sum(s[0] for s in speeds) / len(speeds),
        "limit_kmh": limit,
        "limit_source": source,
        "limit_zone": zone,
        "max_excess_kmh": excess,
        "band": band,
    }
    return interval(world, vehicle, "speeding", "", own, details, is_open)
