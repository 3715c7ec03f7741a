"""Kind moved_unseen, docs/rules.md section 6."""

import itertools

from tests.oracle.cleaning import implied_kmh
from tests.oracle.earth import great_circle_m
from tests.oracle.runs import interval
from tests.oracle.world import gap_s


def moved_unseen(world, vehicle, fixes):
    found = []
    for a, b in itertools.pairwise(fixes):
        is_long = gap_s(a, b) > world.number(a.time, "moved_unseen.over_s")
        is_far = great_circle_m(a.place, b.place) > world.number(a.time, "moved_unseen.over_m")
        if is_long and is_far:
            details = {"mean_speed_kmh": implied_kmh(a, b)}
            found.append(interval(world, vehicle, "moved_unseen", "", [a, b], details, False))
    return found
