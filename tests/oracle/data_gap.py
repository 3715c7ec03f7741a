"""Kind data_gap, docs/rules.md section 6."""

import math

from tests.oracle.cleaning import implied_kmh
from tests.oracle.runs import interval
from tests.oracle.world import gap_s


def data_gaps(world, vehicle, fixes):
    found = []
    for at in range(len(fixes) - 1):
        last, after = fixes[at], fixes[at + 1]
        speed = last.rule_speed_kmh
        if math.isnan(speed) and at > 0:
            speed = implied_kmh(fixes[at - 1], last)
        is_moving = speed > world.number(last.time, "data_gap.moving_kmh")
        if is_moving and gap_s(last, after) > world.number(last.time, "data_gap.over_s"):
            details = {"last_speed_kmh": speed}
            found.append(interval(world, vehicle, "data_gap", "", [last, after], details, False))
    return found
