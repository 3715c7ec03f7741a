"""How many fixes are judged a second, by all rules? Baseline: where they are, and nothing else.

A day of some vehicles goes through cleaning, locating (communes, 2,000 fences of every kind, roads,
routes) and every rule, in arrays: 250,000 fixes at a time in order of vehicle, as a month is judged
again, and 4,096 at a time in order of arrival, as they come. The baseline is one bulk query of the
same fixes in a shapely STRtree of the same zones: what plain shapely takes for the question "which
zones", before any rule is asked. Then what each part costs.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import shapely

from benchmarks.parts.nation import Nation, batches, nation, stretch
from benchmarks.report import Result, rate, rates, run
from devices.batch import FixBatch
from geofence import judge as judge_module
from geofence.geodesy import METRES_PER_DEGREE
from geofence.judge import Judge
from geofence.registry import Zone

LARGE, LIVE = 250_000, 4096
PARTS: Final = ("clean", "locate")
"""Functions of the judge that are timed beside the rules."""


def judged(nation: Nation, pieces: Sequence[FixBatch]) -> int:
    """Judge all of them by a judge that has seen nothing; how many fixes there were."""
    judge = Judge(nation.rulebook)
    for piece in pieces:
        judge.advance(piece, np.zeros(len(piece), np.bool_))
    return sum(map(len, pieces))


def shape(zone: Zone) -> shapely.Geometry:
    """A zone as a polygon in degrees."""
    drawn = shapely.from_geojson(json.dumps(zone.geometry))
    reach_m = zone.radius_m or zone.corridor_m
    return drawn if reach_m is None else drawn.buffer(reach_m / METRES_PER_DEGREE, quad_segs=16)


def live_batches(fixes: FixBatch) -> list[FixBatch]:
    """The fixes in the batches in which a worker sees them: by time, each sorted by vehicle."""
    order = np.argsort(fixes.time, kind="stable")
    parts = [fixes.take(order[at : at + LIVE]) for at in range(0, len(order), LIVE)]
    return [part.take(part.order()) for part in parts]


class Meter:
    """Adds up the processor time of functions, by name."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)

    def on(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, measured."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent[name] += time.process_time() - started

        return measured


def costs_once(nation: Nation, pieces: Sequence[FixBatch]) -> dict[str, float]:
    """Seconds of processor time by part of the judge, "all" for everything."""
    meter, judge = Meter(), Judge(nation.rulebook)
    rules: tuple[Any, ...] = judge._all_rules  # noqa: SLF001 - to look inside is the purpose
    for rule in rules:
        rule.advance = meter.on(type(rule).__name__, rule.advance)
    if judge._matcher:  # noqa: SLF001
        match = meter.on("roads", judge._matcher.advance)  # noqa: SLF001
        judge._matcher.advance = match  # type: ignore[method-assign] # noqa: SLF001
    before = {name: getattr(judge_module, name) for name in PARTS}
    try:
        for name, function in before.items():
            setattr(judge_module, name, meter.on(name, function))
        whole = meter.on("all", judge.advance)
        found = [whole(piece, np.zeros(len(piece), np.bool_)) for piece in pieces]
    finally:
        for name, function in before.items():
            setattr(judge_module, name, function)
    say = meter.on("intervals as objects", lambda: [each.intervals for each in found])
    say()
    return dict(meter.spent)


def costs(nation: Nation, pieces: Sequence[FixBatch], repeats: int) -> dict[str, str]:
    """Nanoseconds of a fix by part of the judge, the least of some runs, and its share."""
    runs = [costs_once(nation, pieces) for _ in range(repeats)]
    least = {name: min(one[name] for one in runs) for name in runs[0]}
    whole, fixes = least["all"], sum(map(len, pieces))
    order = sorted(least, key=lambda name: -least[name])
    return {n: f"{least[n] / fixes * 1e9:.0f} ns, {least[n] / whole:.1%}" for n in order}


def measure(quick: bool) -> Result:
    """Judge a day of vehicles among communes, fences and roads."""
    vehicles, repeats = (20, 2) if quick else (60, 5)
    with_roads = nation(vehicles, roads=True)
    without = nation(vehicles, roads=False)
    fixes = stretch(with_roads.fleet, range(6 if quick else 24))
    large, live = list(batches(fixes, LARGE)), live_batches(fixes)
    tree = shapely.STRtree([shape(zone) for zone in with_roads.rulebook.zones])

    def baseline() -> int:
        for piece in large:
            tree.query(shapely.points(piece.lon, piece.lat), predicate="intersects")
        return len(fixes)

    for each in (with_roads, without):  # kernels are loaded
        judged(each, large)
    ours, theirs = rates(lambda: judged(with_roads, large), baseline, repeats)
    return Result(
        "fixes judged by all rules", "fixes/s", ours, theirs,
        "shapely STRtree bulk query of the same fixes and zones: no cleaning, no rules",
        {
            "fixes": len(fixes), "vehicles": vehicles, "zones": len(with_roads.rulebook.zones),
            "communes": with_roads.communes, "road_edges": with_roads.road_edges,
            "without_roads": round(rate(lambda: judged(without, large), repeats)),
            "in_batches_of_4096": round(rate(lambda: judged(with_roads, live), repeats)),
            "costs": costs(with_roads, large, repeats),
        },
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
