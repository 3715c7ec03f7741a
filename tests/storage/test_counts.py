"""Violations by kind and band: of hours, of days, of vehicles and of months."""

import json
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from storage.access.roles import Reach
from storage.reading import counts
from tests.storage.connected import connected
from tests.storage.flavoured import as_inspector, register, seen_by

pytestmark = pytest.mark.integration

MAY = datetime(2026, 5, 1, tzinfo=UTC)
MONTH = date(2026, 5, 1), date(2026, 6, 1)
OURS, OTHERS = [1, 2], [3, 4]
ZONES = ["Asia/Ho_Chi_Minh", "UTC", "Pacific/Apia", "America/New_York"]
AT_HALF_PAST = ["Asia/Kolkata", "America/St_Johns"]
KINDS = [("speeding", "5_10"), ("speeding", "35_up"), ("zone_dwell", None)]


class Stored(NamedTuple):
    vehicle: int
    at: datetime
    kind: str
    band: str | None
    status: str
    review: str


# Few hours, those at the ends of a month somewhere among them: many meet in one, and in a window's.
INSTANTS = st.builds(
    lambda hours, part: MAY + timedelta(hours=hours) + part,
    st.sampled_from([-11, -7, -6, -1, 0, 2, 4, 300, 737, 743, 744, 746, 748]),
    st.sampled_from([
        timedelta(0), timedelta(microseconds=1), timedelta(minutes=30),
        timedelta(minutes=59, seconds=59),
    ]),
)  # fmt: skip
STORED = st.builds(
    lambda kind, *others: Stored(*others[:2], *kind, *others[2:]),
    st.sampled_from([*KINDS, ("daily_driving_warning", None)]),
    st.sampled_from([1, 1, 1, *OURS, *OTHERS]),
    INSTANTS,
    st.sampled_from(["open", "final", "revised", "withdrawn"]),
    st.sampled_from(["new", "excused", "dismissed"]),
)


@pytest.fixture(scope="module")
def watched(postgres, migrated_template):
    """A database with vehicles 1 and 2 of op-1, 3 and 4 of op-2."""
    with postgres.new_database(migrated_template) as name:
        register(postgres.dsn_of(name), 2, 2)
        yield postgres.dsn_of(name)


async def store(conn, found):
    for number, one in enumerate(found):
        await conn.execute(
            "INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at, ended_at,"
            " duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details,"
            " status, review) VALUES (%s, %s, 'p', %s, %s, %s, 0, 0, 1, 0, 0, 0, 0, %s, %s, %s)",
            [
                one.kind, str(number), one.vehicle, one.at, one.at,
                json.dumps({} if one.band is None else {"band": one.band}), one.status, one.review,
            ],
        )  # fmt: skip


def slow(found, vehicles, start, end, key):
    """By key, sorted lists of (kind, band, number), counted one by one; key None: outside."""
    keyed: dict[object, Counter[tuple[str, str]]] = {}
    for one in found:
        if one.vehicle in vehicles and start <= one.at < end and (
            one.status != "withdrawn" and not one.kind.endswith("_warning")
        ):  # fmt: skip
            keyed.setdefault(key(one), Counter())[one.kind, one.band or ""] += 1
    return {
        key: [(*which, number) for which, number in sorted(counter.items())]
        for key, counter in sorted(keyed.items())
    }


def plain(counted):
    return [(one.kind, one.band, one.violations) for one in counted]


def plain_by(counted):
    return {key: plain(of) for key, of in counted.items()}


def hour_of(one):
    return one.at.strftime("%Y-%m-%dT%H:00:00.000Z")


@given(
    found=st.lists(STORED, max_size=25),
    zone=st.sampled_from([*ZONES, *AT_HALF_PAST]),
    window=st.tuples(INSTANTS, INSTANTS).map(sorted),
)
@example(found=[], zone="UTC", window=(MAY, MAY))
@example(  # the hours that a window and a month begin and end within
    found=[
        Stored(1, MAY + timedelta(minutes=minutes), "speeding", "5_10", "open", "new")
        for minutes in (-330, -30, -1, 29, 30, 59, 60, 119)
    ],
    zone="Asia/Kolkata",
    window=(MAY - timedelta(minutes=30), MAY + timedelta(minutes=30)),
)
@settings(max_examples=40, deadline=None)
def test_hours_come_to_days_and_days_to_the_month_and_vehicles_to_all_of_them(
    watched, found, zone, window
):
    start, end = (datetime.combine(day, time(), ZoneInfo(zone)) for day in MONTH)

    async def work(conn):
        async with conn.transaction(force_rollback=True):
            await store(conn, found)
            await as_inspector(conn)
            return (
                await counts.by_hour(conn, 1, start, end),
                await counts.by_hour(conn, 1, *window),
                await counts.by_day(conn, 1, start, end, zone),
                await counts.by_vehicle(conn, OURS + OTHERS, start, end),
                await counts.together(conn, OURS + OTHERS, start, end),
            )

    hours, of_window, days, vehicles, together = connected(watched, work)
    assert plain_by(days) == slow(
        found, [1], start, end, lambda one: str(one.at.astimezone(ZoneInfo(zone)).date())
    )
    assert counts.added(days.values()) == vehicles.get(1, [])
    assert counts.added(vehicles.values()) == together
    assert plain_by(vehicles) == slow(found, [1, 2, 3, 4], start, end, lambda one: one.vehicle)
    # Hours are whole ones, of which a window, and a month of some zones, may begin within.
    begin, until = map(next_hour, window)
    assert plain_by(of_window) == slow(found, [1], begin, until, hour_of)
    assert plain_by(hours) == slow(found, [1], next_hour(start), next_hour(end), hour_of)
    if zone in ZONES:
        assert counts.added(hours.values()) == vehicles.get(1, [])


def next_hour(at):
    return datetime.fromtimestamp(-(-at.timestamp() // 3600) * 3600, UTC)


def test_nobody_counts_what_happened_to_vehicles_that_they_may_not_see(watched):
    found = [Stored(v, MAY, "speeding", "5_10", "final", "new") for v in OURS + OTHERS]
    span = MAY, MAY + timedelta(days=1)

    async def work(conn):
        async with conn.transaction(force_rollback=True):
            await store(conn, found)
            await seen_by(conn, "operator", Reach(operator_id=1))
            return (
                await counts.by_vehicle(conn, OURS + OTHERS, *span),
                await counts.together(conn, OURS + OTHERS, *span),
                await counts.by_hour(conn, OTHERS[0], *span),
                await counts.by_day(conn, OTHERS[0], *span, "UTC"),
            )

    vehicles, together, *of_others = connected(watched, work)
    assert list(vehicles) == OURS
    assert plain(together) == [("speeding", "5_10", 2)]
    assert of_others == [{}, {}]


def test_a_window_may_end_with_the_calendar(watched):
    end = datetime.max.replace(tzinfo=UTC)

    async def work(conn):
        return await counts.by_hour(conn, 1, end - timedelta(days=1), end)

    assert connected(watched, work) == {}
