"""Hours and days on either flavour, stored or not, are what the fixes say."""

from datetime import date

import numpy as np
import pytest

from storage import days, fixes, flavour, hours
from tests.storage.connected import rows
from tests.storage.drives import irregular, journey, slow_hours
from tests.storage.rolled_up import (
    DAY_US,
    MARCH_US,
    NOW_US,
    ZONE,
    assert_same_hours,
    by_day,
    roll_up,
    told_by_hours,
    told_days,
    told_hours,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hours_are_what_the_fixes_say_before_and_after_they_are_stored(
    place, vehicles, seed, monkeypatch
):
    monkeypatch.setattr(flavour, "CHANGED_HOURS", 7)
    vehicle, start = next(vehicles), MARCH_US + 1_234_567
    batch = journey(vehicle, start, irregular(30, seed), seed)
    late = np.random.default_rng(seed).random(len(batch)) < 0.3
    expected = slow_hours(batch)

    async def work(conn):
        await place.store(conn, batch.take(~late))
        fresh = await told_hours(conn, vehicle, MARCH_US, MARCH_US + 2 * DAY_US)
        await hours.refresh(conn, 0, NOW_US)
        stored = await told_hours(conn, vehicle, MARCH_US, MARCH_US + 2 * DAY_US)
        await place.store(conn, batch.take(late))
        await hours.refresh(conn, 0, NOW_US)
        return fresh, stored, await told_hours(conn, vehicle, MARCH_US, MARCH_US + 2 * DAY_US)

    fresh, stored, whole = place.connected(work)
    assert_same_hours(stored, slow_hours(batch.take(~late)))
    assert_same_hours(whole, expected)
    # What was stored before a vehicle's first fix of that time is only seen after the next round.
    if fresh:
        assert_same_hours(fresh, slow_hours(batch.take(~late)))


def test_hours_that_are_not_stored_yet_are_worked_out(place, vehicles):
    vehicle, start = next(vehicles), NOW_US + DAY_US
    batch = journey(vehicle, start, irregular(5, 7), 7)

    async def work(conn):
        await place.store(conn, batch)
        return await told_hours(conn, vehicle, start, start + DAY_US)

    assert_same_hours(place.connected(work), slow_hours(batch))


def test_a_quality_that_changes_is_rolled_up_again(place, vehicles):
    vehicle = next(vehicles)
    batch = journey(vehicle, MARCH_US, np.arange(0, 7200, 30), 5)
    changed = batch.with_columns(quality=np.zeros(len(batch), np.uint16))

    async def work(conn):
        await place.store(conn, batch)
        await hours.refresh(conn, 0, NOW_US)
        await fixes.update_quality(conn, batch.vehicle, batch.time, changed.quality)
        await hours.refresh(conn, 0, NOW_US)
        return await told_hours(conn, vehicle, MARCH_US, MARCH_US + DAY_US)

    assert_same_hours(place.connected(work), slow_hours(changed))


@pytest.mark.parametrize("seed", [1, 2])
def test_days_are_the_sums_of_their_hours_whatever_comes_late(place, vehicles, seed, monkeypatch):
    """Two days of fixes and a silence of two between: from stored days, from hours, from both."""
    monkeypatch.setattr(days, "CHANGED_HOURS", 7)
    vehicle, rng = next(vehicles), np.random.default_rng(seed)
    seconds = irregular(60, seed)
    batch = journey(vehicle, MARCH_US + 5_555_555, seconds + 170_000 * (seconds > 100_000), seed)
    late = rng.random(len(batch)) < 0.3
    late[: len(late) // 4] = True  # the first day is all late
    requalified = batch.with_columns(quality=rng.permutation(batch.quality))
    whole = date(2026, 3, 1), date(2026, 3, 9)
    asked = [
        (3, 8, ZONE, None),  # the silence began within the day before: it counts
        (4, 8, ZONE, None),  # and now it does not
        (2, 8, ZONE, date(2026, 3, 4)),
        (4, 8, ZONE, date(2026, 3, 4)),
        (2, 5, "America/St_Johns", None),
    ]

    async def work(conn):
        await place.store(conn, batch.take(~late))
        await roll_up(conn)
        told = [await told_days(conn, vehicle, *whole)]
        await place.store(conn, batch.take(late))
        told.append(await told_days(conn, vehicle, *whole))
        await roll_up(conn)
        told.append(await told_days(conn, vehicle, *whole))
        await fixes.update_quality(conn, batch.vehicle, batch.time, requalified.quality)
        await roll_up(conn)
        told.append(await told_days(conn, vehicle, *whole))
        compared = [
            (
                await told_days(conn, vehicle, *span, zone, kept_until),
                await told_by_hours(conn, vehicle, *span, zone),
            )
            for first, until, zone, kept_until in asked
            for span in [(date(2026, 3, first), date(2026, 3, until))]
        ]
        return told, compared

    told, compared = place.connected(work)
    assert_same_hours(told[0], by_day(slow_hours(batch.take(~late)), ZONE))
    assert told[1] == told[0], "stored days are read, and not the fixes"
    assert_same_hours(told[2], by_day(slow_hours(batch), ZONE))
    assert_same_hours(told[3], by_day(slow_hours(requalified), ZONE))
    for found, expected in compared:
        assert_same_hours(found, expected)


def test_days_of_another_timezone_are_stored_anew(place, vehicles):
    vehicle = next(vehicles)
    batch = journey(vehicle, MARCH_US, irregular(40, 9), 9)
    span = date(2026, 2, 28), date(2026, 3, 5)

    async def work(conn):
        await place.store(conn, batch)
        await hours.refresh(conn, 0, NOW_US)
        found = []
        for zone in ("Pacific/Apia", ZONE):
            await days.refresh(conn, zone, NOW_US)
            kept = await rows(
                conn, "SELECT day::text FROM fix_days WHERE vehicle_id = %s ORDER BY 1", vehicle
            )
            found.append(
                (zone, [day for (day,) in kept], await told_days(conn, vehicle, *span, zone))
            )
        return found

    for zone, kept, told in place.connected(work):
        assert_same_hours(told, by_day(slow_hours(batch), zone))
        assert kept == list(told)
