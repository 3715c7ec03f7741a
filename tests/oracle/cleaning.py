"""The sequential quality bits, docs/rules.md section 9."""

import math

from tests.oracle.earth import great_circle_m
from tests.oracle.world import Fix, gap_s


def implied_kmh(a, b):
    return great_circle_m(a.place, b.place) / gap_s(a, b) * 3.6


def clean(world, fixes):
    """Set the sequential bits of one vehicle's fixes with a usable position, in time order."""
    anchor = None
    jumps: list[Fix] = []
    differs: list[bool] = []
    for at, fix in enumerate(fixes):
        number = {
            key: world.number(fix.time, f"quality.{key}")
            for key in (
                "jump_kmh", "jump_resume_fixes", "frozen_fixes", "frozen_speed_kmh",
                "speed_over_kmh", "speed_differs_kmh", "speed_differs_steps",
            )
        }  # fmt: skip
        if anchor is not None and implied_kmh(anchor, fix) > number["jump_kmh"]:
            if jumps and implied_kmh(jumps[-1], fix) > number["jump_kmh"]:
                jumps = []
            jumps.append(fix)
            if len(jumps) < number["jump_resume_fixes"]:
                fix.quality.add("jump")
        if "jump" not in fix.quality:
            if anchor is not None:
                off = abs(fix.speed_kmh - implied_kmh(anchor, fix))
                differs.append(not math.isnan(off) and off > number["speed_differs_kmh"])
            anchor, jumps = fix, []
            steps = int(number["speed_differs_steps"])
            if len(differs) >= steps and all(differs[-steps:]):
                fix.quality.add("speed_implausible")
        if fix.speed_kmh > number["speed_over_kmh"]:
            fix.quality.add("speed_implausible")
        frozen = fixes[max(0, at + 1 - int(number["frozen_fixes"])) : at + 1]
        if len(frozen) == number["frozen_fixes"] and all(
            other.place == fix.place and other.speed_kmh > number["frozen_speed_kmh"]
            for other in frozen
        ):
            fix.quality.add("frozen")
    return [fix for fix in fixes if "jump" not in fix.quality]
