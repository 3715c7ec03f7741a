"""The timetables of `--routes`, compared with the trips that were found in a file of positions.

Belongs here: which days are looked at, and between which instants a file knows all departures.
"""

from collections.abc import Iterable
from datetime import timedelta

from analytics.timetable import SlotRun, day_of, days_between, judge_day
from geofence.interval import Interval
from geofence.registry import Route
from geofence.rulebook import Rulebook
from geofence.rules.trip_facts import KIND as ROUTE_TRIP


def judge_timetables(
    rulebook: Rulebook, span: tuple[int, int] | None, found: Iterable[Interval]
) -> list[SlotRun]:
    """What became of the slots of all routes on all days of a file, by route and time.

    span: the first and the last instant of the file, None: it is empty.
    """
    by_code: dict[str, list[Route]] = {}
    for route in rulebook.routes:
        by_code.setdefault(route.code, []).append(route)
    if span is None or not any(route.slots for route in rulebook.routes):
        return []
    trips: dict[str, list[Interval]] = {code: [] for code in by_code}
    for interval in found:
        if interval.kind == ROUTE_TRIP:
            trips[interval.subject].append(interval)
    first, last = (day_of(at, rulebook.profile_at(at), rulebook.timezone) for at in span)
    # A departure may be confirmed by the fix after the longest gap within a visit.
    unsure_us = round(rulebook.profile_at(span[1]).number("visits.max_gap_s") * 1e6)
    runs: list[SlotRun] = []
    for code in sorted(by_code):
        for day in days_between(first, last + timedelta(days=1)):
            runs += judge_day(
                by_code[code], trips[code], day, rulebook.profile_of(day), rulebook.timezone,
                span[0], span[1] - unsure_us,
            )  # fmt: skip
    return runs
