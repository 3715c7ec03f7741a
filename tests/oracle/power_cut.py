"""Kind power_cut, docs/rules.md section 6."""

from devices.batch import Input, inputs_states
from tests.oracle.runs import interval
from tests.oracle.world import gap_s


def power_cuts(world, vehicle, fixes):
    says = [inputs_states(fix.inputs).get(Input.POWER_CUT) for fix in fixes]
    telling = [at for at, cut in enumerate(says) if cut is not None]
    found = []
    for place, at in enumerate(telling):
        if not says[at] or (place > 0 and says[telling[place - 1]]):
            continue
        after = [later for later in telling[place:] if not says[later]]
        last = after[0] if after else telling[-1]
        if gap_s(fixes[at], fixes[last]) < world.number(fixes[at].time, "power_cut.min_duration_s"):
            continue
        own, count = fixes[at : last + 1], sum(at <= k <= last for k in telling)
        found.append(interval(world, vehicle, "power_cut", "", own, {}, not after, count))
    return found
