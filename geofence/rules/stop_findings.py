"""What is said of stops on fixed routes: intervals of what the kernels of `route_stops` found.

Belongs here: the kinds, what makes a stop missed or out of order once a trip is over, and details.
"""

from collections.abc import Sequence
from typing import Any, Final

from devices.batch import I32
from geofence.interval import Details, Interval
from geofence.registry import RouteStop
from geofence.rulebook import Rulebook
from geofence.rules.rule import Records
from geofence.rules.run import interval_of, rows_of
from geofence.rules.unscheduled_stop import KIND as UNSCHEDULED_STOP
from geofence.stop_table import DIRECTIONS

MISSED_STOP: Final = "missed_stop"
WRONG_ORDER: Final = "wrong_order"
TRIP_KINDS: Final = (MISSED_STOP, WRONG_ORDER)
STOP_KINDS: Final = (UNSCHEDULED_STOP, *TRIP_KINDS)


def describe_stop(rulebook: Rulebook, records: Records, *, is_open: bool) -> list[Interval]:
    """Stops (STOP_DTYPE) where the vehicle was not to stop."""
    intervals: list[Interval] = []
    for run in rows_of(records):
        details: Details = {"along_m": run.along_m}
        intervals.append(_interval(rulebook, run, UNSCHEDULED_STOP, details, is_open=is_open))
    return intervals


def describe_trip(rulebook: Rulebook, records: Records, seen: I32) -> list[Interval]:
    """What trips from one terminal to the other made of the stops that they had to visit.

    seen: shape (k, 2, m), ordinals of the first and last fixes at which each stop was visited, 0:
    it was not.
    """
    intervals: list[Interval] = []
    for run, (first, last) in zip(rows_of(records), seen.tolist(), strict=True):
        stops = rulebook.stop_table.compulsory[2 * run.route + run.direction]
        count = len(stops)
        missed = [stop for stop, ordinal in zip(stops, first, strict=False) if ordinal == 0]
        late = [
            stop
            for at, stop in enumerate(stops)
            if any(0 < last[after] < first[at] for after in range(at + 1, count))
        ]
        for kind, found in zip(TRIP_KINDS, (missed, late), strict=True):
            if found:
                details = {**_named(found), "unseen_s": run.unseen_us / 1e6}
                intervals.append(_interval(rulebook, run, kind, details, is_open=False))
    return intervals


def _named(stops: Sequence[RouteStop]) -> dict[str, int | str]:
    return {
        "stops": len(stops),
        "stop_seqs": " ".join(str(stop.seq) for stop in stops),
        "stop_names": "; ".join(stop.name for stop in stops),
    }


def _interval(
    rulebook: Rulebook, run: Any, kind: str, details: Details, *, is_open: bool
) -> Interval:
    route = rulebook.routes[run.route]
    details = {"route_id": route.id, "direction": DIRECTIONS[run.direction], **details}
    profile = rulebook.profiles[run.profile].id
    return interval_of(run, kind, route.code, profile, details, is_open=is_open)
