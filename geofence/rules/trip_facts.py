"""Trips on fixed routes as facts: kind `route_trip`, docs/rules.md section 3. No violation.

Belongs here: kernels that follow one trip from leaving a terminal on, and what is said of it. Which
fixes belong to a trip is decided by `route_trip`; `route_trips` puts it together.
"""

from typing import Any, Final

import numpy as np

from devices.compile import inlined_kernel, kernel
from geofence.interval import Details, Interval
from geofence.rulebook import Rulebook
from geofence.rules.route_trip import IN_VISIT, begin_at, extend_to, is_in_visit
from geofence.rules.rule import Records
from geofence.rules.run import RUN_FIELDS, interval_of, rows_of
from geofence.stop_table import DIRECTIONS

KIND: Final = "route_trip"

UNDER_WAY: Final = 0
ARRIVED: Final = 1
RETURNED: Final = 2
BROKEN_OFF: Final = 3
OUTCOMES: Final = ("under_way", "arrived", "returned", "broken_off")
"""How a trip ended: at the terminal that it leads to, at the one it left, or at none."""

FACTS_DTYPE: Final = np.dtype(
    [
        *RUN_FIELDS,  # of the fixes of the trip, which are those between the terminals
        ("route", np.int32),
        ("direction", np.int8),
        ("is_on_trip", np.bool_),
        ("outcome", np.uint8),
        ("needs", np.int64),  # the fixes from which this and what else was on in the trip is known
        ("unseen_us", np.int64),
        # The last fix in the terminal, and the step from it.
        ("left", np.int64),
        ("left_lon", np.float64),
        ("left_lat", np.float64),
        ("left_driver", np.int32),
        ("left_profile", np.int32),
        ("left_m", np.float64),
    ],
    align=True,
)
"""State by slot. All zero: no trip was seen."""

LAST_DTYPE: Final = np.dtype(
    [
        ("time", np.int64),
        ("lon", np.float64),
        ("lat", np.float64),
        ("driver", np.int32),
        ("profile", np.int32),
        ("step_m", np.float64),
    ],
    align=True,
)
"""One fix: the last decided one of a vehicle, or the one at which a trip ended."""


@inlined_kernel
def copy_fix(last: Any, fix: Any) -> None:
    """Keep a fix of the queue."""
    last["time"] = fix["time"]
    last["lon"] = fix["lon"]
    last["lat"] = fix["lat"]
    last["driver"] = fix["driver"]
    last["profile"] = fix["profile"]
    last["step_m"] = fix["step_m"]


@kernel
def go_on(trip: Any, vehicle: int, fix: Any, item: Any, last: Any, needs: int) -> None:
    """Take a fix of the trip; it begins the trip if it is the first. last: the fix before it."""
    if trip["is_on_trip"]:
        extend_to(trip, fix)
        trip["needs"] = min(trip["needs"], needs)
        return
    begin_at(trip, vehicle, fix, item)
    trip["is_on_trip"] = True
    trip["outcome"] = UNDER_WAY
    trip["needs"] = needs
    trip["unseen_us"] = 0
    # The fix before the first of a trip is the last one in the terminal.
    trip["left"] = last["time"]
    trip["left_lon"] = last["lon"]
    trip["left_lat"] = last["lat"]
    trip["left_driver"] = last["driver"]
    trip["left_profile"] = last["profile"]
    trip["left_m"] = fix["step_m"]


@inlined_kernel
def note_gap(trip: Any, fix: Any, params: Records) -> None:
    """Count the time of a step that is too long to tell the way."""
    if fix["gap_us"] > params[fix["step_profile"]]["route_stops_max_gap_us"]:
        trip["unseen_us"] += fix["gap_us"]


@kernel
def outcome_at(trip: Any, item: Any) -> int:
    """How a trip ended, given the first fix that does not belong to it."""
    if item["route"] != trip["route"] or not is_in_visit(item):
        return BROKEN_OFF
    return ARRIVED if item["side"][1 - trip["direction"]] == IN_VISIT else RETURNED


def describe_trips(rulebook: Rulebook, trips: Records, ends: Records | None) -> list[Interval]:
    """Trips (FACTS_DTYPE) with the fixes in the terminals at which they ended; None: they go on."""
    stops = [None] * len(trips) if ends is None else rows_of(ends)
    return [_interval(rulebook, *each) for each in zip(rows_of(trips), stops, strict=True)]


def _interval(rulebook: Rulebook, trip: Any, end: Any) -> Interval:
    """A trip as the interval from the last fix in one terminal to the first in the other."""
    whole = trip._replace(
        driver=trip.left_driver,
        profile=trip.left_profile,
        fixes=trip.fixes + 1,
        started=trip.left,
        start_lon=trip.left_lon,
        start_lat=trip.left_lat,
        distance_m=trip.left_m + trip.distance_m,
    )
    if trip.outcome in (ARRIVED, RETURNED):
        whole = whole._replace(
            fixes=whole.fixes + 1,
            ended=end.time,
            end_lon=end.lon,
            end_lat=end.lat,
            distance_m=whole.distance_m + end.step_m,
        )
    route = rulebook.routes[trip.route]
    details: Details = {
        "route_id": route.id,
        "direction": DIRECTIONS[trip.direction],
        "outcome": OUTCOMES[trip.outcome],
        "unseen_s": trip.unseen_us / 1e6,
    }
    profile = rulebook.profiles[whole.profile].id
    is_open = trip.outcome == UNDER_WAY
    return interval_of(whole, KIND, route.code, profile, details, is_open=is_open)
