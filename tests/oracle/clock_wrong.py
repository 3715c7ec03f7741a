"""Kind clock_wrong, docs/rules.md section 6."""

from datetime import timedelta

from geofence.interval import Interval

LOCAL = timedelta(hours=7)


def clock_wrong(world, vehicle, fixes):
    """fixes: (time, received, place) of `future` ones, microseconds."""
    runs: list[list[tuple[int, int, tuple[float, float]]]] = []
    for fix in sorted(fixes, key=lambda fix: (fix[1], fix[0])):
        if runs and belongs(world, runs[-1][-1], fix):
            runs[-1].append(fix)
        else:
            runs.append([fix])
    return [
        describe(world, vehicle, run, is_last=run is runs[-1])
        for run in runs
        if len(run) >= world.number(run[0][1], "clock_wrong.min_fixes")
    ]


def belongs(world, before, fix):
    gap_s = (fix[1] - before[1]) / 1e6
    same_day = local_day(before[1]) == local_day(fix[1])
    return same_day and gap_s <= world.number(before[1], "clock_wrong.max_gap_s")


def local_day(time):
    return (time + int(LOCAL.total_seconds() * 1e6)) // 86_400_000_000


def describe(world, vehicle, run, *, is_last):
    ahead_s = [(time - received) / 1e6 for time, received, _ in run]
    return Interval(
        kind="clock_wrong",
        vehicle=vehicle,
        subject="",
        profile=world.profile(run[0][1]).id,
        driver=-1,
        started=run[0][1],
        ended=run[-1][1],
        distance_m=0.0,
        fixes=len(run),
        start=run[0][2],
        end=run[-1][2],
        is_open=is_last,
        details={"max_ahead_s": max(ahead_s), "mean_ahead_s": sum(ahead_s) / len(ahead_s)},
    )
