"""Runs of fixes: what every rule keeps of the stretch that it is building.

Belongs here: the columns that all intervals have in common, and kernels that begin and extend them.
"""

from collections import namedtuple
from functools import cache
from typing import Any, Final

import numpy as np

from devices.compile import kernel
from geofence.interval import Details, Interval
from geofence.rules.rule import Heard, Records, Track

RUN_FIELDS: Final[list[tuple[str, Any]]] = [
    ("vehicle", np.int32),
    ("driver", np.int32),
    ("profile", np.int32),
    ("fixes", np.int32),
    ("started", np.int64),
    ("ended", np.int64),
    ("start_lon", np.float64),
    ("start_lat", np.float64),
    ("end_lon", np.float64),
    ("end_lat", np.float64),
    ("distance_m", np.float64),
]
"""Columns of a run; vehicle, driver and profile are those of its first fix."""


@kernel
def begin_run(run: Any, track: Track | Heard, i: int) -> None:
    """Make fix i the only fix of the run."""
    run["vehicle"] = track.vehicle[i]
    run["driver"] = track.driver[i]
    run["profile"] = track.profile[i]
    run["fixes"] = 1
    run["started"] = track.time[i]
    run["ended"] = track.time[i]
    run["start_lon"] = track.lon[i]
    run["start_lat"] = track.lat[i]
    run["end_lon"] = track.lon[i]
    run["end_lat"] = track.lat[i]
    run["distance_m"] = 0.0


@kernel
def extend_run(run: Any, track: Track | Heard, i: int, distance_m: float) -> None:
    """Make fix i the last fix of the run; `distance_m` lies between it and the last one so far."""
    run["fixes"] += 1
    run["ended"] = track.time[i]
    run["end_lon"] = track.lon[i]
    run["end_lat"] = track.lat[i]
    run["distance_m"] += distance_m


def rows_of(records: Records) -> list[Any]:
    """Records as tuples of plain numbers with their fields as names: quick to read one by one."""
    assert records.dtype.names is not None
    make = _row_type(records.dtype.names)._make
    return [make(record) for record in records.tolist()]


@cache
def _row_type(names: tuple[str, ...]) -> Any:
    return namedtuple("row", names)  # noqa: PYI024 - names of a dtype


def interval_of(
    run: Any, kind: str, subject: str, profile: str, details: Details, *, is_open: bool
) -> Interval:
    """One run (a row with RUN_FIELDS) as an interval."""
    return Interval(
        kind,
        run.vehicle,
        subject,
        profile,
        run.driver,
        run.started,
        run.ended,
        run.distance_m,
        run.fixes,
        (run.start_lon, run.start_lat),
        (run.end_lon, run.end_lat),
        is_open,
        details,
    )
