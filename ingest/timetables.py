"""Live comparison of trips with their routes' timetables, in the transaction that wrote the trips.

A departure changes what others of its route and day come to, and they may be of vehicles that other
workers judge. So whoever wrote a trip looks at all trips of that day, one transaction at a time to
a route: the last one sees them all, whatever the order.
"""

from collections.abc import Iterable
from datetime import date

from psycopg import AsyncConnection

from analytics.timetable import day_of, judge_day, late_departures, span_of
from geofence.registry import BEGINNING_US, Route
from geofence.rulebook import Rulebook
from storage import route_trips
from storage import violations as violation_table
from storage.route_trips import Departure


class Timetables:
    """The timetables of a rulebook, by route."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._versions: dict[str, list[Route]] = {}
        for route in rulebook.routes:
            self._versions.setdefault(route.code, []).append(route)
        self._with_slots = {route.code for route in rulebook.routes if route.slots}

    async def compare(self, conn: AsyncConnection, departures: Iterable[Departure]) -> None:
        """Let the late departures of the days of some departures be those that there are.

        Part of the caller's transaction, which holds the routes' locks until it is over.
        """
        days: dict[str, set[date]] = {}
        for code, departed in departures:
            if code in self._with_slots:
                profile = self._rulebook.profile_at(departed)
                day = day_of(departed, profile, self._rulebook.timezone)
                days.setdefault(code, set()).add(day)
        for code in sorted(days):  # in one order in every worker: nobody waits in a circle
            await route_trips.lock(conn, code)
            for day in sorted(days[code]):
                await self._compare_day(conn, code, day)

    async def _compare_day(self, conn: AsyncConnection, code: str, day: date) -> None:
        rulebook = self._rulebook
        profile = rulebook.profile_of(day)
        first, last = span_of(day, profile, rulebook.timezone)
        trips = await route_trips.departures(conn, code, first, last)
        # Whether slots that nobody has run yet are to be waited for makes no departure late.
        runs = judge_day(
            self._versions[code], trips, day, profile, rulebook.timezone, BEGINNING_US, BEGINNING_US
        )
        found = late_departures(runs)
        await violation_table.reconcile_departures(conn, code, first, last, found)
