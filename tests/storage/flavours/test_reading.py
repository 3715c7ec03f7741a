"""The same columns and the same eyes on either flavour."""

from datetime import UTC, datetime

import numpy as np
import pytest
from psycopg.errors import InsufficientPrivilege

from storage.access.roles import Reach
from storage.flavour import detect
from storage.reading import counts, rollups
from tests.storage.connected import rows
from tests.storage.drives import journey
from tests.storage.flavoured import as_inspector, seen_by
from tests.storage.rolled_up import DAY_US, MARCH_US, ZONE, at, roll_up

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_the_flavour_is_the_one_asked_for(place):
    assert place.connected(detect) is place.flavour


def test_readers_see_the_same_columns(place):
    async def work(conn):
        columns = {}
        for name in ("whole_fixes", "visible_fixes", "fix_hours", "fix_days"):
            found = await rows(
                conn,
                "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a"
                " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
                " ORDER BY a.attnum",
                name,
            )
            columns[name] = {str(column): kind for column, kind in found}
        return columns

    found = place.connected(work)
    assert list(found["whole_fixes"]) == [
        "vehicle_id", "time", "received", "lon", "lat", "speed_kmh", "heading", "altitude", "hdop",
        "satellites", "odometer", "driver_id", "inputs", "quality",
    ]  # fmt: skip
    assert found["visible_fixes"] == {**found["whole_fixes"], "extra": "jsonb"}
    assert found["fix_hours"] == {
        "vehicle_id": "integer", "hour": "timestamp with time zone", "fixes": "bigint",
        "clean_fixes": "bigint", "max_speed_kmh": "real", "track": "double precision[]",
    }  # fmt: skip
    by_hour = [kind if name != "hour" else "date" for name, kind in found["fix_hours"].items()]
    assert list(found["fix_days"].values()) == by_hour


def test_an_operator_sees_what_its_own_vehicles_did(place, vehicles, others):
    ours, other = next(vehicles), next(others)
    start = MARCH_US + 60 * DAY_US
    batches = [journey(v, start, np.arange(0, 3600, 60)) for v in (ours, other)]

    async def work(conn):
        for batch in batches:
            await place.store(conn, batch)
        found = []
        await roll_up(conn)
        # Of days that are stored, and of hours.
        for code, zone in (("op-1", ZONE), ("op-2", "UTC")):
            async with conn.transaction():
                await seen_by(conn, "operator", Reach(operator_id=1))
                fleet = await rollups.fleet(conn, code)
                done = await rollups.vehicles_done(
                    conn, [ours, other], at(start).date(), at(start + DAY_US).date(), zone
                )
                found.append((ours in fleet, other in fleet, set(done)))
        async with conn.transaction(force_rollback=True):
            await conn.execute("SET LOCAL ROLE hanhtrinh_api")
            for table in ("fix_hours", "fix_days"):
                with pytest.raises(InsufficientPrivilege):
                    async with conn.transaction():
                        await conn.execute(f"SELECT * FROM {table}".encode())
        return found

    assert place.connected(work) == [(True, False, {ours}), (False, False, {ours})]


def test_violations_are_counted_by_kind_and_band(place, vehicles):
    vehicle = next(vehicles)
    month = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)

    async def work(conn):
        await conn.execute(
            "INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at, ended_at,"
            " duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details,"
            " status) SELECT k, '', 'p', %s, t, t, 0, 0, 1, 0, 0, 0, 0, d::jsonb, s FROM (VALUES"
            " ('speeding', timestamptz '2026-05-02 16:30Z', '{\"band\": \"5_10\"}', 'final'),"
            " ('speeding', timestamptz '2026-05-02 17:00Z', '{\"band\": \"5_10\"}', 'open'),"
            " ('speeding', timestamptz '2026-05-02 17:59Z', '{\"band\": \"35_up\"}', 'revised'),"
            " ('speeding', timestamptz '2026-05-05 00:00Z', '{\"band\": \"5_10\"}', 'withdrawn'),"
            " ('zone_dwell', timestamptz '2026-05-06 00:00Z', '{}', 'final'),"
            " ('daily_driving_warning', timestamptz '2026-05-06 00:00Z', '{}', 'final'),"
            " ('speeding', timestamptz '2026-06-01 00:00Z', '{\"band\": \"5_10\"}', 'final')"
            ") AS v (k, t, d, s)",
            [vehicle],
        )
        async with conn.transaction():
            await as_inspector(conn)
            return (
                await counts.together(conn, [vehicle], *month),
                await counts.by_vehicle(conn, [vehicle], *month),
                await counts.by_day(conn, vehicle, *month, ZONE),
                await counts.by_hour(conn, vehicle, *month),
            )

    together, vehicles_counted, by_day, by_hour = place.connected(work)
    fast, slow, slower = (
        counts.ViolationCount(*which)
        for which in (("speeding", "35_up", 1), ("speeding", "5_10", 1), ("zone_dwell", "", 1))
    )
    both = counts.ViolationCount("speeding", "5_10", 2)
    assert together == vehicles_counted[vehicle] == [fast, both, slower]
    assert by_day == {"2026-05-02": [slow], "2026-05-03": [fast, slow], "2026-05-06": [slower]}
    assert by_hour == {
        "2026-05-02T16:00:00.000Z": [slow], "2026-05-02T17:00:00.000Z": [fast, slow],
        "2026-05-06T00:00:00.000Z": [slower],
    }  # fmt: skip
