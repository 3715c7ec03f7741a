"""Departures of a truth's timetables that nobody drove, as the API finds them when it is asked.

Belongs here: which routes, which days, and up to when departures are known. What a slot is and who
served it is for `analytics.timetable`.
"""

from collections.abc import Sequence
from datetime import timedelta

from psycopg import AsyncConnection

from analytics.timetable import NOT_RUN, day_of, days_between, judge_day, span_of
from geofence.hours import DAY_US
from geofence.rulebook import Rulebook
from simulators.scoring import Violation
from storage.reading import timetables


async def unrun_slots(
    conn: AsyncConnection, codes: Sequence[str], rulebook: Rulebook, span_us: tuple[int, int]
) -> list[Violation]:
    """The slots of these routes that nobody ran and nobody can any more, by route and time.

    rulebook: its profiles and its timezone count. span_us: all departures in it were sent; those of
    its end may lie in a terminal's visit that is not over yet.
    """
    since, until = span_us
    unsure_us = round(rulebook.profile_at(until).number("visits.max_gap_s") * 1e6)
    first, last = (day_of(at, rulebook.profile_at(at), rulebook.timezone) for at in span_us)
    days = [(day, rulebook.profile_of(day)) for day in days_between(first, last + timedelta(1))]
    begin = span_of(*days[0], rulebook.timezone)[0]
    end = span_of(*days[-1], rulebook.timezone)[1] + DAY_US
    found: list[Violation] = []
    for code in codes:
        versions = await timetables.versions(conn, code, begin, end)
        trips = await timetables.departures(conn, code, begin, end)
        for day, profile in days:
            runs = judge_day(
                versions, trips, day, profile, rulebook.timezone, since, until - unsure_us
            )
            found += [
                Violation(NOT_RUN, "", code, run.slot.at_us, run.slot.at_us)
                for run in runs
                if run.outcome == NOT_RUN
            ]
    return found
