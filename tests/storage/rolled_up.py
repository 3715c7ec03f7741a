"""Hours and days: made, and told to an inspector in the form in which drives.py works them out."""

import math
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np

from storage import days, hours
from storage.reading import rollups
from tests.storage.flavoured import as_inspector

ZONE = "Asia/Ho_Chi_Minh"
DAY_US = 86_400_000_000
MARCH_US = 1_772_323_200_000_000  # 2026-03-01
NOW_US = MARCH_US + 300 * DAY_US


def at(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


async def roll_up(conn) -> None:
    """Store all hours and days that are over at NOW_US."""
    await hours.refresh(conn, 0, NOW_US)
    await days.refresh(conn, ZONE, NOW_US)


async def told_hours(conn, vehicle: int, start_us: int, end_us: int) -> dict[int, list[float]]:
    async with conn.transaction():
        await as_inspector(conn)
        found = await rollups.vehicle_hours(conn, vehicle, at(start_us), at(end_us))
    return {
        int(datetime.fromisoformat(hour).timestamp() * 1e6): numbers(one)
        for hour, one in found.items()
    }


def numbers(a: rollups.Activity) -> list[float]:
    fastest = math.nan if a.max_speed_kmh is None else a.max_speed_kmh
    return [a.fixes, a.clean_fixes, a.distance_m, a.driving_s, a.silent_s, fastest]


def assert_same_hours(told, expected) -> None:
    assert list(told) == list(expected)
    for hour, numbers in expected.items():
        np.testing.assert_allclose(told[hour], numbers, rtol=1e-9, atol=1e-6, err_msg=str(hour))


def by_day(by_hour, zone: str) -> dict[str, list[float]]:
    """Hours (as of told_hours) put together by local date."""
    found: dict[str, list[float]] = {}
    for hour, numbers in by_hour.items():
        day = at(hour).astimezone(ZoneInfo(zone)).date().isoformat()
        *sums, fastest = found.setdefault(day, [0, 0, 0, 0, 0, math.nan])
        found[day] = [a + b for a, b in zip(sums, numbers, strict=False)]
        found[day].append(np.fmax(fastest, numbers[-1]))
    return found


async def told_days(
    conn, vehicle: int, first: date, until: date, zone: str = ZONE, kept_until=None
):
    """Days, as from told_hours; kept_until: as if no days were stored from there on."""
    async with conn.transaction(force_rollback=True):
        if kept_until is not None:
            await conn.execute("UPDATE fix_days_until SET until = %s", [kept_until])
            await conn.execute("DELETE FROM fix_days WHERE day >= %s", [kept_until])
        await as_inspector(conn)
        found = await rollups.vehicle_days(conn, vehicle, first, until, zone)
    return {day: numbers(one) for day, one in found.items()}


async def told_by_hours(conn, vehicle: int, first: date, until: date, zone: str):
    """The same, summed of the hours of that span."""
    begin, end = (
        round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp() * 1e6)
        for day in (first, until)
    )
    return by_day(await told_hours(conn, vehicle, begin, end), zone)
