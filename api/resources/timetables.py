"""Timetables of routes: what became of each slot in a month, found when it is asked for."""

import asyncio
from datetime import date, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Query, Response

from analytics.timetable import SlotRun, SlotShare, days_between, judge_day, shares, span_of
from api import changing
from api.access import Asked, Session, closed_router
from api.changing import ThisCode
from api.encoding import json_answer
from api.models.timetables import Timetable
from api.months import month_of, profile_of
from api.openapi import problems
from api.problems import Problem
from api.queries import MonthQuery
from geofence.hours import DAY_US
from geofence.interval import Interval
from geofence.profile import Profile
from geofence.registry import BEGINNING_US, Route
from storage.reading import timetables
from storage.reading.routes import is_known

router = closed_router("routes")


class SlotShown(msgspec.Struct, frozen=True):
    direction: str
    departs: str
    slots: int
    run: int
    late: int
    not_run: int
    open: int
    share_percent: float | None
    is_marked: bool
    not_run_days: list[str]

    @classmethod
    def of(cls, share: SlotShare) -> "SlotShown":
        return cls(
            share.direction, share.departs, share.slots, share.run, share.late, share.not_run,
            share.open, None if share.share_pct is None else round(share.share_pct, 3),
            share.is_marked, [day.isoformat() for day in share.not_run_days],
        )  # fmt: skip


class TimetableShown(msgspec.Struct, frozen=True):
    route: str
    month: str
    timezone: str
    is_provisional: bool
    items: list[SlotShown]


@router.get(
    "/routes/{code}/timetable",
    summary="Compare a route with its timetable",
    response_model=Timetable,
    responses=problems("route_not_found", "forbidden"),
)
async def show_timetable(
    session: Asked, code: ThisCode, query: Annotated[MonthQuery, Query()]
) -> Response:
    """Each slot of a month: how often it was due and run, and whether it is run too seldom.

    Trips of all operators on the route count, so a route that is everybody's is for inspectors.
    """
    if not await is_known(session.conn, code):
        changing.raise_not_found("route", code)
    options = session.options
    first, last = month_of(query.month)
    profiles = {day: profile_of(options, day) for day in days_between(first, last)}
    zone = ZoneInfo(options.timezone)
    begin = span_of(first, profiles[first], zone)[0]
    last_day = last - timedelta(days=1)
    # Slots depart until midnight, when no departure of the month is left to look for.
    end = span_of(last_day, profiles[last_day], zone)[1] + DAY_US
    versions = await timetables.versions(session.conn, code, begin, end)
    _check_seen(session, code, versions)
    trips = await timetables.departures(session.conn, code, begin, end)
    known_until = session.scope.now_us - round(profiles[last_day].number("visits.max_gap_s") * 1e6)
    runs = await asyncio.to_thread(_judge, versions, trips, profiles, zone, known_until)
    found = shares(runs, profiles[first])
    return json_answer(
        TimetableShown(
            route=code,
            month=query.month,
            timezone=options.timezone,
            is_provisional=any(share.open for share in found),
            items=[SlotShown.of(share) for share in found],
        )
    )


def _judge(
    versions: list[Route],
    trips: list[Interval],
    profiles: dict[date, Profile],
    zone: ZoneInfo,
    known_until: int,
) -> list[SlotRun]:
    return [
        run
        for day, profile in profiles.items()
        for run in judge_day(versions, trips, day, profile, zone, BEGINNING_US, known_until)
    ]


def _check_seen(session: Session, code: str, versions: list[Route]) -> None:
    """Who sees some operators' trips only: slots that others ran would look not run."""
    is_everybodys = any(version.operator_id is None for version in versions)
    if is_everybodys and not session.scope.is_national:
        raise Problem(
            "forbidden", f"route {code!r}: expected a route of your own: of others you do not see "
            "all trips"
        )  # fmt: skip
