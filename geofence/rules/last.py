"""The last clean fix of each vehicle: where the step into the first fix of a batch begins.

Belongs here: what several rules need of a step's first fix. They read it while they advance; the
judge brings it forward when all of them have.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from devices.batch import F32, I32, I64, U8
from devices.compile import kernel
from geofence.rules.rule import Records, Track, grown
from geofence.rules.run import RUN_FIELDS, begin_run

LAST_DTYPE: Final = np.dtype(
    [
        ("is_seen", np.bool_),
        ("limit_source", np.uint8),
        ("driver", np.int32),
        ("profile", np.int32),
        ("limit_zone", np.int32),
        ("limit_kmh", np.float32),
        ("time", np.int64),
        ("lon", np.float64),
        ("lat", np.float64),
        ("speed_kmh", np.float64),
        ("motion_kmh", np.float64),
    ],
    align=True,
)
"""A fix as in Track and Located. motion_kmh: see `motion_kmh`. All zero: no fix."""

STEP_DTYPE: Final = np.dtype([*RUN_FIELDS, ("speed_kmh", np.float64)], align=True)
"""A step as a run of its two fixes, with a speed that the rule says the meaning of."""

FindSteps = Callable[[Records, Records, Track, Records], int]
"""A kernel (last, params, track, out) that fills `out` with steps: how many, -1 without room."""


@kernel
def motion_kmh(speed_kmh: float, gap_us: int, step_m: float) -> float:
    """A fix's speed; where it is unknown that of the step into it, NaN where there is none."""
    if np.isnan(speed_kmh) and gap_us >= 0:
        return step_m / (gap_us / 1e6) * 3.6
    return speed_kmh


@kernel
def motion_before(last: Records, track: Track, i: int) -> float:
    """`motion_kmh` of the fix at which the step into fix i begins."""
    if i > 0 and track.vehicle[i - 1] == track.vehicle[i]:
        return motion_kmh(track.speed_kmh[i - 1], track.gap_us[i - 1], track.step_m[i - 1])
    return float(last[track.vehicle[i]]["motion_kmh"])


@kernel
def begin_before(run: Any, last: Records, track: Track, i: int) -> None:
    """Make the fix at which the step into fix i begins the only one of the run."""
    if i > 0 and track.vehicle[i - 1] == track.vehicle[i]:
        begin_run(run, track, i - 1)
        return
    fix = last[track.vehicle[i]]
    run["vehicle"] = track.vehicle[i]
    run["driver"] = fix["driver"]
    run["profile"] = fix["profile"]
    run["fixes"] = 1
    run["started"] = fix["time"]
    run["ended"] = fix["time"]
    run["start_lon"] = fix["lon"]
    run["start_lat"] = fix["lat"]
    run["end_lon"] = fix["lon"]
    run["end_lat"] = fix["lat"]
    run["distance_m"] = 0.0


@kernel
def _remember(
    last: Records, track: Track, limit_kmh: F32, limit_source: U8, limit_zone: I32, needs_from: I64
) -> None:
    vehicle, time, gap_us, speed_kmh = track.vehicle, track.time, track.gap_us, track.speed_kmh
    n = len(time)
    for i in range(n):
        if np.isnan(speed_kmh[i]) and gap_us[i] >= 0:
            needs_from[i] = min(needs_from[i], time[i] - gap_us[i])
        if i + 1 < n and vehicle[i + 1] == vehicle[i]:
            continue
        fix = last[vehicle[i]]
        fix["is_seen"] = True
        fix["driver"] = track.driver[i]
        fix["profile"] = track.profile[i]
        fix["time"] = time[i]
        fix["lon"] = track.lon[i]
        fix["lat"] = track.lat[i]
        fix["speed_kmh"] = speed_kmh[i]
        fix["motion_kmh"] = motion_kmh(speed_kmh[i], gap_us[i], track.step_m[i])
        fix["limit_kmh"] = limit_kmh[i]
        fix["limit_source"] = limit_source[i]
        fix["limit_zone"] = limit_zone[i]


class LastFixes:
    """One record for each vehicle; `records` may be another array after growth."""

    def __init__(self) -> None:
        self.records: Records = np.zeros(0, LAST_DTYPE)

    def make_room(self, vehicles: int) -> None:
        """Have a record for every vehicle id below `vehicles`."""
        self.records = grown(self.records, vehicles, np.zeros((), LAST_DTYPE))

    def forget(self, vehicles: I32) -> None:
        """Have no fix of these vehicles."""
        self.records[vehicles] = np.zeros((), LAST_DTYPE)

    def times(self, vehicles: I32) -> list[tuple[int, int]]:
        """(vehicle, time of its last clean fix) of those of the vehicles that have one."""
        seen = vehicles[self.records["is_seen"][vehicles]]
        return list(zip(seen.tolist(), self.records["time"][seen].tolist(), strict=True))

    def remember(
        self, track: Track, limit_kmh: F32, limit_source: U8, limit_zone: I32, needs_from: I64
    ) -> None:
        """Take over each vehicle's last fix of the track, with the limit in force at it.

        needs_from: as in Rule.advance.
        """
        _remember(self.records, track, limit_kmh, limit_source, limit_zone, needs_from)

    def steps(self, find: FindSteps, params: Records, track: Track) -> Records:
        """The steps (STEP_DTYPE) that a kernel finds in a track; at most one for each fix."""
        room = 64
        while True:
            out = np.empty(room, STEP_DTYPE)
            found = find(self.records, params, track, out)
            if found >= 0:
                return out[:found]
            room = min(16 * room, len(track.time))
