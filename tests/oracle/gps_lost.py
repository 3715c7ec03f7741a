"""Kind gps_lost, docs/rules.md section 6."""

import math
from dataclasses import replace

from tests.oracle.cleaning import implied_kmh
from tests.oracle.earth import great_circle_m
from tests.oracle.runs import interval, is_joined
from tests.oracle.world import gap_s


def gps_lost(world, vehicle, fixes):
    """fixes: the clean ones and those without a position."""
    found = []
    for at, seen in enumerate(fixes):
        if "no_position" in seen.quality or not is_moving(world, fixes, at):
            continue
        last = at
        while (
            last + 1 < len(fixes)
            and "no_position" in fixes[last + 1].quality
            and is_joined(world, fixes[last], fixes[last + 1], "gps_lost.max_gap_s")
        ):
            last += 1
        lost = fixes[at + 1 : last + 1]
        if not lost:
            continue
        least = world.number(lost[0].time, "gps_lost.min_duration_s")
        if gap_s(lost[0], lost[-1]) >= least:
            found.append(describe(world, vehicle, fixes, at, last))
    return found


def speed_at(fixes, at):
    fix = fixes[at]
    before = [f for f in fixes[:at] if "no_position" not in f.quality]
    if math.isnan(fix.rule_speed_kmh) and before:
        return implied_kmh(before[-1], fix)
    return fix.rule_speed_kmh


def is_moving(world, fixes, at):
    return speed_at(fixes, at) > world.number(fixes[at].time, "data_gap.moving_kmh")


def describe(world, vehicle, fixes, at, last):
    lost = fixes[at + 1 : last + 1]
    after = fixes[last + 1] if last + 1 < len(fixes) else None
    start = end = fixes[at].place
    if (
        after is not None
        and "no_position" not in after.quality
        and is_joined(world, lost[-1], after, "gps_lost.max_gap_s")
    ):
        end = after.place
    details = {"last_speed_kmh": speed_at(fixes, at)}
    made = interval(world, vehicle, "gps_lost", "", lost, details, after is None)
    return replace(made, start=start, end=end, distance_m=great_circle_m(start, end))
