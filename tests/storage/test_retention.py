"""What is kept for how long: classes of data that only plain PostgreSQL is asked about."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from devices.batch import FixBatch
from geofence.interval import Interval
from geofence.rules.driving import KIND as DRIVING
from storage import driving, fixes, progress, upkeep, violations
from storage.flavour import HOUR_US
from storage.wire import BEGINNING_US
from tests.storage.connected import connected, rows
from tests.storage.drives import journey
from tests.storage.flavoured import register

pytestmark = pytest.mark.integration

DAY_US = 86_400_000_000
NOW_US = 1_772_323_200_000_000  # 2026-03-01
OLD_US, YOUNG_US = NOW_US - 500 * DAY_US, NOW_US - 300 * DAY_US
KEEPING = upkeep.Keeping(
    fixes_days=366, violations_days=5000, weighings_days=400, visits_days=400, trips_days=400,
    spans_days=400, repeats_days=400, sessions_days=400,
)  # fmt: skip
TABLES = (
    "weighings", "zone_visits", "route_trips", "driving_spans", "late_fixes", "violations",
    "repeat_counts", "sessions",
)  # fmt: skip

FILL = """
INSERT INTO weigh_stations (code, name, lon, lat) VALUES ('scale', '', 105, 21);
INSERT INTO zones (code, version, name, kind, geometry) VALUES ('depot', 1, '', 'watch', '{}');
INSERT INTO routes (code, version, corridor_m, terminal_a, terminal_b, outbound, inbound)
    VALUES ('R-1', 1, 100, 'a', 'b', '{}', '{}');
CREATE TEMP TABLE days AS SELECT unnest(ARRAY[%(old)s, %(young)s])::timestamptz AS at;
INSERT INTO weighings (station_id, vehicle_id, time, received, lane, plate, gross_kg, speed_kmh,
                       length_m, axle_kg, axle_spacing_m)
    SELECT 1, v, at, at, 1, 'P' || v, 9000, 0, 0, '{}', '{}' FROM days, generate_series(1, 2) v;
INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at, ended_at, duration_s,
                        distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details, status)
    SELECT 'overload_gross', 'scale', 'p', 2, at, at, 0, 0, 1, 0, 0, 0, 0, '{}', 'final' FROM days;
INSERT INTO zone_visits SELECT 1, 1, at + h, at + h, h <> interval '0', 1
    FROM days, unnest(ARRAY[interval '0', interval '1 hour']) h;
INSERT INTO route_trips SELECT 1, 1, at + h, at + h, 'outbound',
           CASE WHEN h = interval '0' THEN 'arrived' ELSE 'under_way' END, NULL, 'p', 0, 0, 0, 0, 0,
           0, 0
    FROM days, unnest(ARRAY[interval '0', interval '1 hour']) h;
INSERT INTO driving_spans SELECT 1, at + h, at + h, NULL, 'p', h <> interval '0', false, false,
           0, 0, 0, 0, 0, 0, 0
    FROM days, unnest(ARRAY[interval '0', interval '1 hour']) h;
INSERT INTO late_fixes SELECT 7, 1, at, at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM days;
INSERT INTO late_fix_extras SELECT 1, at, '{}' FROM days;
INSERT INTO repeat_counts SELECT 1, (at AT TIME ZONE 'UTC')::date, 2 FROM days;
INSERT INTO people (username, name, role) VALUES ('an', '', 'administrator');
-- Left; at their end; unused for too long.
INSERT INTO sessions (digest, person_id, seen_at, idle_s, expires_at, ended_at, address, proven_by,
                      is_limited)
    SELECT sha256(concat(at, n)::bytea), 1, seen_at, 600, expires_at, ended_at, '192.0.2.1',
           'password', false
    FROM days, LATERAL (VALUES (1, timestamptz 'infinity', timestamptz 'infinity', at),
                               (2, 'infinity', at, NULL),
                               (3, at - interval '600 s', 'infinity', NULL))
                   AS over (n, seen_at, expires_at, ended_at);
"""


def instant(us: int) -> str:
    return f"to_timestamp({us} / 1e6)"


def test_each_class_ends_at_its_own_age_and_is_written_down(database):
    register(database, 1, 2)

    async def work(conn):
        fill = FILL.replace("%(old)s", instant(OLD_US)).replace("%(young)s", instant(YOUNG_US))
        await conn.execute(fill.encode())
        done = await upkeep.keep(conn, KEEPING, NOW_US, "here")
        left = [(await rows(conn, f"SELECT count(*) FROM {table}"))[0][0] for table in TABLES]
        audited = await rows(conn, "SELECT action, detail FROM audit ORDER BY seq")
        again = await upkeep.keep(conn, KEEPING, NOW_US, "here")
        longer = replace(KEEPING, fixes_days=600, spans_days=31)
        await conn.execute("UPDATE driving_spans SET is_open = false")
        kept = await upkeep.keep(conn, longer, NOW_US, "here")
        return done, left, audited, again, kept

    done, left, audited, again, kept = connected(database, work)
    # Of each the old one that is over; not the weighing of an overload, nor what goes on.
    assert done.weighings_deleted == 1
    assert done.visits_deleted == done.trips_deleted == done.spans_deleted == 1
    assert done.late_deleted == 2
    assert done.repeats_deleted == 1
    assert done.sessions_deleted == 3
    assert left == [3, 3, 3, 3, 1, 2, 1, 3]
    assert [action for action, _ in audited] == [
        "delete_weighings", "delete_visits", "delete_trips", "delete_spans",
        "delete_repeat_counts", "delete_sessions",
    ]  # fmt: skip
    for action, detail in audited:
        said = json.loads(detail)
        assert said["rows"] == (3 if action == "delete_sessions" else 1)
        assert "192.0.2.1" not in detail
        assert said["first"] == said["last"] < said["before"]
    assert not any(again)
    # Spans stay for as long as fixes that may be judged again.
    assert kept.spans_deleted == 0


def test_days_outlive_the_hours_they_were_summed_of(database):
    """What comes late of a day whose hours are gone does not make the day one fix."""
    register(database, 1, 1)
    batch = journey(1, OLD_US, np.arange(0, 7200, 30))
    longer = upkeep.Keeping(fixes_days=5000, hours_days=5000, days_days=5000)
    shorter = replace(KEEPING, hours_days=400, days_days=5000)

    async def store(conn, part):
        await fixes.ensure_days(conn, part.time)
        async with conn.transaction():
            await fixes.insert_fixes(conn, part)

    async def kept(conn):
        return await rows(conn, "SELECT day::text, fixes FROM fix_days ORDER BY 1")

    async def summed(conn):
        await store(conn, batch)
        told = []
        for keeping in (longer, shorter):
            await upkeep.keep(conn, keeping, NOW_US)
            told.append(await kept(conn))
        return told, await rows(conn, "SELECT count(*) FROM fix_hours")

    async def late(conn):
        await store(conn, batch.with_columns(time=batch.time + 1_000_000).take(np.array([3])))
        await upkeep.keep(conn, shorter, NOW_US)
        told = []
        told.append(await kept(conn))
        # Days stay no shorter than hours, and end by their own age.
        stays = await upkeep.keep(conn, replace(longer, days_days=31), NOW_US)
        ends = await upkeep.keep(conn, replace(KEEPING, hours_days=31, days_days=400), NOW_US)
        left = await kept(conn)
        actions = await rows(conn, "SELECT action, detail FROM audit ORDER BY seq")
        return told, stays, ends, left, actions

    told, hours_left = connected(database, summed)
    more, stays, ends, left, audited = connected(database, late)
    day = datetime.fromtimestamp(OLD_US / 1e6, UTC).astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).date()
    assert told + more == [[(day.isoformat(), len(batch))]] * 3
    assert hours_left == [(0,)]
    assert (stays.days_deleted, ends.days_deleted, left) == (0, 1, [])
    [said] = [json.loads(detail) for action, detail in audited if action == "delete_days"]
    assert said["rows"] == 1
    assert said["first"].startswith(day.isoformat())


def found(started: int, ended: int) -> Interval:
    return Interval(
        "speeding", 1, "", "p", -1, started, ended, 1.0, 2, (105.0, 21.0), (105.0, 21.0), False, {}
    )


def test_what_hangs_on_fixes_goes_with_them_and_no_hour_before(database):
    """The bound of age lies within a day whose fixes are still there: so is what hangs on them."""
    register(database, 1, 1)
    midnight = NOW_US - 366 * DAY_US
    gone, stays = midnight - HOUR_US, midnight + 3 * HOUR_US
    batch = FixBatch.blank(
        2, vehicle=[1, 1], time=[gone, stays], extra={0: b'{"rpm":800}', 1: b'{"rpm":900}'}
    )

    async def left(conn):
        counts = [
            (await rows(conn, f"SELECT count(*) FROM {table}"))[0][0]
            for table in ("fixes", "fix_extras", "fix_repeats", "judge_marks")
        ]
        return counts, await rows(conn, "SELECT extra FROM evidence_fixes")

    async def work(conn):
        await fixes.ensure_days(conn, batch.time)
        async with conn.transaction():
            await fixes.insert_fixes(conn, batch)
            await fixes.insert_repeats(conn, batch.with_columns(lon=batch.lon + 1.0))
            await progress.add_marks(conn, batch.vehicle, batch.time, batch.time)
        await violations.write(conn, [found(stays, stays)])
        told = []
        for hours in (5, 30):  # of the second day five are over, then all
            await upkeep.keep(conn, KEEPING, NOW_US + hours * HOUR_US)
            told.append(await left(conn))
        return told

    assert connected(database, work) == [
        ([1, 1, 1, 1], []), ([0, 0, 0, 0], [({"rpm": 900},)]),
    ]  # fmt: skip


def test_judging_again_without_the_fixes_changes_nothing_that_was_found_in_them(database):
    """A year of fixes is gone: what began before stands, and what began after is judged anew."""
    register(database, 1, 1)
    first = NOW_US - 366 * DAY_US
    gone, across, later = (
        found(first - 9 * DAY_US, first - 8 * DAY_US),
        found(first - HOUR_US, first + HOUR_US),
        found(first + DAY_US, first + DAY_US + HOUR_US),
    )
    span = replace(gone, kind=DRIVING, details={
        "driving_s": 60.0, "unseen_s": 0.0, "continues": False, "is_moving": False,
    })  # fmt: skip

    async def work(conn):
        await violations.write(conn, [gone, across, later])
        await driving.write(conn, [span])
        await conn.execute(f"UPDATE fix_horizon SET fixes_from = {instant(first)}".encode())
        vehicles, never = np.array([1], np.int32), np.array([BEGINNING_US])
        # What the fixes that are left show: the rest of one that began before, and a new one.
        rest, new = found(first, first + HOUR_US), found(first + 3 * DAY_US, first + 4 * DAY_US)
        await violations.reconcile(conn, vehicles, never, [], [rest, new], "again")
        await driving.reconcile(conn, vehicles, never, [], [])
        stands = await rows(
            conn,
            "SELECT (extract(epoch FROM started_at) * 1e6)::bigint, status FROM violations"
            " ORDER BY 1",
        )
        return stands, await rows(conn, "SELECT count(*) FROM driving_spans")

    stands, spans = connected(database, work)
    assert stands == [
        (gone.started, "final"), (across.started, "final"), (later.started, "withdrawn"),
        (first + 3 * DAY_US, "final"),
    ]  # fmt: skip
    assert spans == [(1,)]
