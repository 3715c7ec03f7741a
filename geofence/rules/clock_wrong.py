"""A clock that runs ahead: kind `clock_wrong`, docs/rules.md section 6.

Belongs here: runs of `future` fixes in order of arrival. Their own times are wrong, so this rule
stands beside the others: it goes by the server's clock (`received`), which they do not know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from devices.batch import FixBatch, Quality
from geofence.hours import local_us
from geofence.interval import Interval
from geofence.rulebook import Rulebook

KIND: Final = "clock_wrong"

_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, slots=True)
class ClockRun:
    """Fixes of one vehicle whose clock was ahead, in a row; instants by the server's clock.

    day: local, in days since 1970. ahead_us, most_ahead_us: the sum and the largest of the leads.
    """

    vehicle: int
    day: int
    profile: int
    driver: int
    started: int
    ended: int
    fixes: int
    ahead_us: int
    most_ahead_us: int
    start: tuple[float, float]
    end: tuple[float, float]


def is_wrong(fixes: FixBatch) -> FixBatch:
    """The fixes that this rule is about, sorted by (vehicle, received, time)."""
    wrong = fixes.take((fixes.quality & Quality.FUTURE) != 0)
    return wrong.take(np.lexsort((wrong.time, wrong.received, wrong.vehicle)))


def clock_runs(
    rulebook: Rulebook, wrong: FixBatch, before: Iterable[ClockRun] = ()
) -> list[ClockRun]:
    """The runs of these fixes, sorted as `is_wrong` does, in that order.

    before: the last run of each vehicle, which ended no later than its first fix arrives; it goes
        on, and is among the result, if the first fix belongs to it.
    """
    open_run = {run.vehicle: run for run in before}
    found: list[ClockRun] = []
    days = local_us(wrong.received, rulebook.timezone) // _DAY_US
    rows = zip(
        wrong.vehicle.tolist(), wrong.received.tolist(), wrong.time.tolist(), days.tolist(),
        rulebook.profile_row(wrong.received).tolist(), wrong.driver.tolist(),
        zip(wrong.lon.tolist(), wrong.lat.tolist(), strict=True), strict=True,
    )  # fmt: skip
    for vehicle, received, time, day, profile, driver, place in rows:
        ahead = time - received
        run = open_run.pop(vehicle, None)
        if run is not None and day == run.day and received - run.ended <= _gap_us(rulebook, run):
            run = replace(
                run,
                ended=received,
                fixes=run.fixes + 1,
                ahead_us=run.ahead_us + ahead,
                most_ahead_us=max(run.most_ahead_us, ahead),
                end=place,
            )
        else:
            if run is not None:
                found.append(run)
            run = ClockRun(
                vehicle, day, profile, driver, received, received, 1, ahead, ahead, place, place
            )
        open_run[vehicle] = run
    return sorted([*found, *open_run.values()], key=lambda run: (run.vehicle, run.started))


def _gap_us(rulebook: Rulebook, run: ClockRun) -> int:
    return int(rulebook.params["clock_wrong_max_gap_us"][run.profile])


def intervals_of(rulebook: Rulebook, runs: Sequence[ClockRun]) -> list[Interval]:
    """The runs that are long enough, in their order; the last run of each vehicle is open."""
    last = {run.vehicle: run for run in runs}
    least = rulebook.params["clock_wrong_min_fixes"]
    return [
        Interval(
            kind=KIND,
            vehicle=run.vehicle,
            subject="",
            profile=rulebook.profiles[run.profile].id,
            driver=run.driver,
            started=run.started,
            ended=run.ended,
            distance_m=0.0,
            fixes=run.fixes,
            start=run.start,
            end=run.end,
            is_open=last[run.vehicle] is run,
            details={
                "max_ahead_s": run.most_ahead_us / 1e6,
                "mean_ahead_s": run.ahead_us / run.fixes / 1e6,
            },
        )
        for run in runs
        if run.fixes >= least[run.profile]
    ]
