"""Leaving a fixed route: kind `off_route`, docs/rules.md section 3.

Belongs here: kernels that follow the runs of fixes off the path of a route that the vehicle is on a
trip of. Which fixes belong to a trip is decided by `route_trip`; `route_trips` puts it together.
"""

from typing import Any, Final

import numpy as np

from devices.batch import Bool
from devices.compile import kernel
from geofence.interval import Details, Interval
from geofence.rulebook import Rulebook
from geofence.rules.route_trip import begin_at, extend_to
from geofence.rules.rule import Records
from geofence.rules.run import RUN_FIELDS, interval_of, rows_of
from geofence.stop_table import DIRECTIONS

KIND: Final = "off_route"

OFF_DTYPE: Final = np.dtype(
    [
        *RUN_FIELDS,
        ("route", np.int32),
        ("direction", np.int8),
        ("is_off", np.bool_),
        ("max_offset_m", np.float64),
        ("left_at_m", np.float64),
        ("returned_at_m", np.float64),
    ],
    align=True,
)
"""State by slot: the run, if there is one. All zero: there is none."""


@kernel
def _is_long_enough(run: Any, params: Records) -> bool:
    p = params[run["profile"]]
    duration_us = run["ended"] - run["started"]
    enough = run["fixes"] >= p["off_route_min_fixes"]
    return bool(enough and duration_us >= p["off_route_min_duration_us"])


@kernel
def select_long_enough(runs: Records, params: Records, chosen: Bool) -> None:
    """Which of some runs have to be reported as they are."""
    for k in range(len(runs)):
        chosen[k] = runs[k]["is_off"] and _is_long_enough(runs[k], params)


@kernel
def come_back(run: Any, params: Records, out: Records, emitted: int) -> int:
    """End the run, if there is one. Returns how many have been emitted then."""
    if run["is_off"]:
        run["is_off"] = False
        if _is_long_enough(run, params):
            out[emitted] = run
            emitted += 1
    return emitted


@kernel
def stray(
    run: Any,
    vehicle: int,
    fix: Any,
    item: Any,
    place: tuple[float, float],
    params: Records,
    out: Records,
    emitted: int,
) -> int:
    """Take a fix of a trip that is off the route; returns how many have been emitted then.

    place: how far from the path of its direction it lies, and how far along it, metres.
    """
    if fix["gap_us"] > params[fix["step_profile"]]["off_route_max_gap_us"]:
        emitted = come_back(run, params, out, emitted)
    offset_m, along_m = place
    if run["is_off"]:
        extend_to(run, fix)
        run["max_offset_m"] = max(run["max_offset_m"], offset_m)
    else:
        begin_at(run, vehicle, fix, item)
        run["is_off"] = True
        run["max_offset_m"] = offset_m
        run["left_at_m"] = along_m
    run["returned_at_m"] = along_m
    return emitted


def describe_off(rulebook: Rulebook, records: Records, *, is_open: bool) -> list[Interval]:
    """Runs (OFF_DTYPE) that have to be reported."""
    intervals: list[Interval] = []
    for run in rows_of(records):
        route = rulebook.routes[run.route]
        details: Details = {
            "route_id": route.id,
            "direction": DIRECTIONS[run.direction],
            "corridor_m": float(route.corridor_m),
            "max_offset_m": run.max_offset_m,
            "left_at_m": run.left_at_m,
            "returned_at_m": run.returned_at_m,
        }
        profile = rulebook.profiles[run.profile].id
        intervals.append(interval_of(run, KIND, route.code, profile, details, is_open=is_open))
    return intervals
