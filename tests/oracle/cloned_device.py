"""Kind cloned_device, docs/rules.md section 6."""

from dataclasses import replace

from tests.oracle.cleaning import implied_kmh
from tests.oracle.earth import great_circle_m
from tests.oracle.runs import interval
from tests.oracle.world import gap_s


def cloned_device(world, vehicle, fixes):
    """fixes: all that have a position, jumps among them."""
    leaps = [at for at in range(1, len(fixes)) if is_over(world, fixes, at - 1, at)]
    series: list[list[int]] = []
    for at in leaps:
        if series and goes_on(world, fixes, series[-1], at):
            series[-1].append(at)
        else:
            series.append([at])
    dense = [own for own in series if is_dense(world, fixes, own)]
    return [describe(world, vehicle, fixes, own, leaps[-1]) for own in dense]


def is_over(world, fixes, a, b):
    """Whether the way from a to b is implausible; judged by the profile at the fix before b."""
    over_kmh = world.number(fixes[b - 1].time, "cloned_device.over_kmh")
    return implied_kmh(fixes[a], fixes[b]) > over_kmh


def is_within(world, fixes, own, a, b):
    first = fixes[own[0] - 1]
    return gap_s(fixes[a], fixes[b]) <= world.number(first.time, "cloned_device.within_s")


def goes_on(world, fixes, own, at):
    """Whether a leap is soon enough and leads back to the side that the last one left."""
    return is_within(world, fixes, own, own[-1], at) and not is_over(world, fixes, own[-1] - 1, at)


def is_dense(world, fixes, own):
    times = int(world.number(fixes[own[0] - 1].time, "cloned_device.times"))
    enough = zip(own, own[times - 1 :], strict=False)
    return any(is_within(world, fixes, own, a, b) for a, b in enough)


def describe(world, vehicle, fixes, own, last_leap):
    steps = [(fixes[at - 1], fixes[at]) for at in own]
    details = {
        "leaps": len(own),
        "max_kmh": max(implied_kmh(a, b) for a, b in steps),
        "apart_m": max(great_circle_m(a.place, b.place) for a, b in steps),
    }
    first, last = own[0] - 1, own[-1]
    is_open = last == last_leap and is_within(world, fixes, own, last, len(fixes) - 1)
    made = interval(world, vehicle, "cloned_device", "", fixes[first : last + 1], details, is_open)
    return replace(made, distance_m=0.0)
