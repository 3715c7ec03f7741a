"""Runs of fixes and the interval that they make, docs/rules.md section 0."""

import itertools

from geofence.interval import Interval
from tests.oracle.earth import great_circle_m
from tests.oracle.world import gap_s


def is_joined(world, a, b, key):
    """Whether the step from a to b is short enough; judged by the profile at its first fix."""
    return gap_s(a, b) <= world.number(a.time, key)


def runs(flags, joined):
    """Maximal (first, last) of consecutive true flags; joined[i]: i and i + 1 belong together."""
    found: list[tuple[int, int]] = []
    for i, flag in enumerate(flags):
        if not flag:
            continue
        if found and found[-1][1] == i - 1 and joined[i - 1]:
            found[-1] = found[-1][0], i
        else:
            found.append((i, i))
    return found


def length_m(fixes):
    return sum(great_circle_m(a.place, b.place) for a, b in itertools.pairwise(fixes))


def interval(world, vehicle, kind, subject, fixes, details, is_open, count=None):
    """The interval of consecutive fixes; `count` where not all of them belong to it."""
    first, last = fixes[0], fixes[-1]
    return Interval(
        kind=kind,
        vehicle=vehicle.id,
        subject=subject,
        profile=world.profile(first.time).id,
        driver=first.driver,
        started=first.time,
        ended=last.time,
        distance_m=length_m(fixes),
        fixes=len(fixes) if count is None else count,
        start=first.place,
        end=last.place,
        is_open=is_open,
        details=details,
    )
