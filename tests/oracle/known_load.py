"""Kind overloaded_stretch, docs/rules.md section 7."""

import math
from dataclasses import dataclass
from datetime import UTC
from itertools import pairwise

from geofence.loads import Weighed
from tests.oracle.cleaning import implied_kmh
from tests.oracle.runs import interval
from tests.oracle.world import Fix, gap_s

SLOW, FAST = "slow", "fast"


@dataclass
class Belief:
    """What one weighing says, and the fixes at which it holds.

    stretch: up to where the vehicle came overloaded, as far as is certain. held: at which its load
    was believed when they came. is_open: still so at the last fix known.
    """

    weighed: Weighed
    stretch: list[Fix]
    held: list[Fix]
    is_open: bool


def beliefs(world, fixes, loads):
    """fixes: the clean ones; loads: the vehicle's weighings, in order."""
    last_of = {load.time: load for load in loads}  # of several at one time the last counts
    times = sorted(last_of)
    found = []
    for at, time in enumerate(times):
        if last_of[time].overload is None:
            continue
        until = times[at + 1] if at + 1 < len(times) else math.inf
        own = [fix for fix in fixes if time <= fix.time < until]
        weighed_again = any(fix.time >= until for fix in fixes)
        belief = follow(world, last_of[time], own, weighed_again)
        if belief is not None:
            found.append(belief)
    return found


def follow(world, load, own, weighed_again):
    if not own:
        return None
    enough = world.number(own[0].time, "overload.unloading_stop_s")
    if (own[0].time - load.time) / 1e6 >= enough:
        return None
    paces = [pace_of(world, own, at) for at in range(len(own))]
    for at in range(1, len(own)):
        stop = stop_at(paces, at)
        if stop is not None and gap_s(own[stop], own[at]) >= enough:
            return Belief(load, own[: stop + 1], own[:at], False)
        if gap_s(own[at - 1], own[at]) >= enough:
            return Belief(load, own[:at], own[:at], False)
    stop = None if weighed_again else stop_at(paces, len(own) - 1)
    certain = own if stop is None else own[: stop + 1]
    return Belief(load, certain, own, not weighed_again)


def pace_of(world, own, at):
    speed = own[at].rule_speed_kmh
    if math.isnan(speed) and at > 0:
        speed = implied_kmh(own[at - 1], own[at])
    if math.isnan(speed):
        return None
    return SLOW if speed <= world.number(own[at].time, "stops.stop_speed_kmh") else FAST


def stop_at(paces, at):
    """The first fix of the stop in which the vehicle stands at a fix, None: it does not."""
    begun = None
    for k, (one, other) in enumerate(pairwise(paces[: at + 1])):
        if begun is None and one == other == SLOW:
            begun = k
        elif begun is not None and one == other == FAST:
            begun = None
    return begun


def weighed_at(world, load):
    when = world.local(load.time).astimezone(UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{load.time // 1000 % 1000:03d}Z"


def overloaded_stretches(world, vehicle, fixes, loads):
    found = []
    for belief in beliefs(world, fixes, loads):
        load, stretch = belief.weighed, belief.stretch
        if len(stretch) < 2:
            continue
        said = load.overload.details
        details = {
            "overload_kind": load.overload.kind,
            **{
                name: said[name]
                for name in (
                    "measured_kg", "limit_kg", "tolerance", "excess_percent", "band", "group"
                )
            },
            "gross_kg": load.gross_kg,
            "weighed_at": weighed_at(world, load),
            "indicative": load.is_indicative,
        }  # fmt: skip
        found.append(
            interval(
                world, vehicle, "overloaded_stretch", load.station, stretch, details, belief.is_open
            )
        )
    return found
