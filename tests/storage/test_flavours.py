"""The same questions, answered alike by plain PostgreSQL and by TimescaleDB.

All in one module: the server in WebAssembly is started once, and takes one connection at a time.
"""

from dataclasses import replace
from datetime import UTC, date, datetime

import msgspec
import numpy as np
import pytest
import shapely
from psycopg.errors import ExclusionViolation, InsufficientPrivilege, UniqueViolation

from devices.batch import DISQUALIFYING, FixBatch, Quality
from storage import days, fixes, flavour, hours, upkeep
from storage.access.roles import Reach
from storage.flavour import Flavour, chunks, compress_before, detect
from storage.reading import areas, journeys, rollups
from storage.registry import changing, registering
from storage.registry.records import AssignmentRecord, DeviceRecord, VehicleRecord
from tests.storage.connected import rows
from tests.storage.drives import LAT, LON, evidence_of, irregular, journey, slow_hours
from tests.storage.flavoured import OLD_US, as_inspector, migrated, register, seen_by, store_old
from tests.storage.reviewing import looked_at_twice, reviewed_by_two
from tests.storage.rolled_up import (
    ZONE,
    assert_same_hours,
    at,
    by_day,
    told_by_hours,
    told_days,
    told_hours,
)
from tests.storage.strategies import assert_same_fixes

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

DAY_US = 86_400_000_000
MARCH_US = 1_772_323_200_000_000  # 2026-03-01
NOW_US = MARCH_US + 300 * DAY_US


@pytest.fixture(scope="module", params=list(Flavour))
def place(request, postgres):
    with migrated(request.param, postgres, store_old) as found:
        register(found.dsn, 2, 20)
        yield found


@pytest.fixture(scope="module")
def vehicles(place):
    """Vehicles that no other test has fixes of."""
    return iter(range(1, 20))


async def roll_up(conn) -> None:
    await hours.refresh(conn, 0, NOW_US)
    await days.refresh(conn, ZONE, NOW_US)


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


def test_compressing_changes_no_answer_and_late_fixes_still_go_in(place, vehicles):
    vehicle = next(vehicles)
    start = MARCH_US + 20 * DAY_US
    batch = journey(vehicle, start, np.arange(0, 86_000, 100), 3)
    late = np.arange(len(batch)) % 7 == 3

    async def everything(conn):
        return await fixes.stretch(conn, np.array([vehicle], np.int32), np.array([start]))

    async def work(conn):
        await place.store(conn, batch.take(~late))
        compressed = await compress_before(conn, start + 7 * DAY_US)
        rowwise = await everything(conn)
        await place.store(conn, batch.take(late))
        with pytest.raises(UniqueViolation):
            await place.store(conn, batch.take(np.array([0])))
        known = await fixes.stored(conn, batch.vehicle, batch.time)
        mixed = await everything(conn)
        again = await compress_before(conn, start + 7 * DAY_US)
        settled = await compress_before(conn, start + 7 * DAY_US)
        return compressed, rowwise, known, mixed, again, settled, await everything(conn)

    compressed, rowwise, known, mixed, again, settled, whole = place.connected(work)
    is_columnar = place.flavour is Flavour.TIMESCALE
    assert (compressed > 0) is is_columnar
    assert (again > 0) is is_columnar
    assert settled == 0
    assert known.all()
    for found, expected in ((rowwise, batch.take(~late)), (mixed, batch), (whole, batch)):
        for column in ("time", "received", "lon", "lat", "speed_kmh", "quality"):
            np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))


@pytest.mark.parametrize("is_compressed", [False, True])
def test_an_area_is_answered_with_who_was_in_it(place, vehicles, is_compressed):
    ours, other = next(vehicles), next(vehicles)
    start = MARCH_US + (40 + is_compressed) * DAY_US
    seconds = np.arange(0, 3600, 10)
    inside = journey(ours, start, seconds).with_columns(
        lon=LON + 1e-4 * (seconds / 10), lat=np.full(len(seconds), LAT),
        quality=np.where(seconds == 1000, Quality.JUMP, 0).astype(np.uint16),
    )  # fmt: skip
    beside = inside.with_columns(
        vehicle=np.full(len(seconds), other, np.int32), lat=inside.lat + 0.002
    )
    triangle = shapely.Polygon([(LON, LAT - 1), (LON + 0.02, LAT), (LON, LAT + 0.001)])
    window = start + 900_000_000, start + 1_500_000_000

    async def work(conn):
        await place.store(conn, inside)
        await place.store(conn, beside)
        if is_compressed:
            await compress_before(conn, start + 7 * DAY_US)
        async with conn.transaction():
            await as_inspector(conn)
            return await areas.passes(conn, triangle, at(window[0]), at(window[1]))

    found = place.connected(work)
    held = [
        t for t, lon, q in zip(inside.time, inside.lon, inside.quality, strict=True)
        if window[0] <= t < window[1] and not q and triangle.covers(shapely.Point(lon, LAT))
    ]  # fmt: skip
    assert found.vehicle.tolist() == [ours]
    assert found.fixes.tolist() == [len(held)]
    assert (found.first_us[0], found.last_us[0]) == (held[0], held[-1])


def test_an_empty_area_has_nobody(place):
    async def work(conn):
        async with conn.transaction():
            await as_inspector(conn)
            return await areas.passes(conn, shapely.box(0, 0, 1, 1), at(MARCH_US), at(NOW_US))

    found = place.connected(work)
    assert found is not None
    assert found.vehicle.tolist() == []


def test_an_area_with_too_many_fixes_is_not_looked_at(place, vehicles):
    start = MARCH_US + 45 * DAY_US
    batch = journey(next(vehicles), start, np.arange(0, 600, 10))
    clean = int((batch.quality & int(DISQUALIFYING) == 0).sum())

    async def work(conn):
        await place.store(conn, batch)
        async with conn.transaction():
            await as_inspector(conn)
            window = shapely.box(-180, -90, 180, 90), at(start), at(start + DAY_US)
            few = await areas.passes(conn, *window, most=clean - 1)
            return few, await areas.passes(conn, *window, most=clean)

    few, whole = place.connected(work)
    assert few is None
    assert whole is not None
    assert whole.fixes.tolist() == [clean]


def test_an_operator_sees_what_its_own_vehicles_did(place, vehicles):
    ours, others = next(vehicles), 21
    start = MARCH_US + 60 * DAY_US
    batches = [journey(v, start, np.arange(0, 3600, 60)) for v in (ours, others)]

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
                    conn, [ours, others], at(start).date(), at(start + DAY_US).date(), zone
                )
                found.append((ours in fleet, others in fleet, set(done)))
        async with conn.transaction(force_rollback=True):
            await conn.execute("SET LOCAL ROLE hanhtrinh_api")
            for table in ("fix_hours", "fix_days"):
                with pytest.raises(InsufficientPrivilege):
                    async with conn.transaction():
                        await conn.execute(f"SELECT * FROM {table}".encode())
        return found

    assert place.connected(work) == [(True, False, {ours}), (False, False, {ours})]


def test_violations_are_counted_by_kind_and_band(place):
    async def work(conn):
        await conn.execute(
            "INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at, ended_at,"
            " duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details,"
            " status) SELECT k, '', 'p', 1, t, t, 0, 0, 1, 0, 0, 0, 0, d::jsonb, s FROM (VALUES"
            " ('speeding', timestamptz '2026-05-02', '{\"band\": \"5_10\"}', 'final'),"
            " ('speeding', timestamptz '2026-05-03', '{\"band\": \"5_10\"}', 'open'),"
            " ('speeding', timestamptz '2026-05-04', '{\"band\": \"35_up\"}', 'revised'),"
            " ('speeding', timestamptz '2026-05-05', '{\"band\": \"5_10\"}', 'withdrawn'),"
            " ('zone_dwell', timestamptz '2026-05-06', '{}', 'final'),"
            " ('daily_driving_warning', timestamptz '2026-05-06', '{}', 'final'),"
            " ('speeding', timestamptz '2026-06-01', '{\"band\": \"5_10\"}', 'final')"
            ") AS v (k, t, d, s)"
        )
        async with conn.transaction():
            await as_inspector(conn)
            counts = await rollups.violation_counts(
                conn, "op-1", datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
            )
            return [(c.kind, c.band, c.violations) for c in counts]

    assert place.connected(work) == [
        ("speeding", "35_up", 1), ("speeding", "5_10", 2), ("zone_dwell", "", 1),
    ]  # fmt: skip


def test_evidence_outlives_the_fixes_and_goes_with_its_violation(place, vehicles):
    """Three drives of half an hour, nine days apart: the neighbours of a violation lie far away."""
    vehicle = next(vehicles)
    start = MARCH_US - 400 * DAY_US
    drives = [
        journey(vehicle, start + day * DAY_US, np.arange(0, 1800, 10), day) for day in (0, 9, 18)
    ]
    whole = FixBatch.concat(drives)
    second = drives[1].time
    # The second drive but for its ends; all of it; a warning over the first; one long withdrawn.
    found = [
        ("speeding", second[20], second[100], "final", "new"),
        ("zone_dwell", second[0], second[-1], "revised", "appealed"),
        ("daily_driving_warning", drives[0].time[0], drives[0].time[-1], "final", "new"),
        ("speeding", drives[2].time[0], drives[2].time[-1], "withdrawn", "new"),
    ]
    expected = [evidence_of(whole, int(one[1]), int(one[2])) for one in found[:2]]
    # Fixes may go 100 days on: the three drives. Then the violations too, but for the appealed one.
    keeping = upkeep.Keeping(fixes_days=300, violations_days=900, hours_days=10_000)
    later = replace(keeping, violations_days=400)

    async def shown(conn):
        async with conn.transaction():
            await as_inspector(conn)
            told = [
                await journeys.evidence(conn, vehicle, int(one[1]), int(one[2]), most=10_000)
                for one in found[:2]
            ]
        return [
            [(round(datetime.fromisoformat(f.time).timestamp() * 1e6), f.role) for f in fixes]
            for fixes, _ in told
        ], [f.extra for f in told[0][0] if f.extra is not None]

    async def work(conn):
        for batch in drives:
            await place.store(conn, batch)
        await conn.execute(
            "INSERT INTO fix_extras SELECT %s, to_timestamp(t / 1e6), '{\"io\": 1}'"
            " FROM unnest(%s::bigint[]) t",
            [vehicle, [int(second[50])]],
        )
        await conn.execute(
            "INSERT INTO latest SELECT %s, now(), 0, 0, 0, 0, -1, 0, 0, now(), now(), now(), now()",
            [vehicle],
        )
        for kind, begun, ended, status, review in found:
            await conn.execute(
                "INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at,"
                " ended_at, duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat,"
                " details, status, review) SELECT %s, '', 'p', %s, to_timestamp(%s / 1e6),"
                " to_timestamp(%s / 1e6), 0, 0, 1, 0, 0, 0, 0, '{}', %s, %s",
                [kind, vehicle, int(begun), int(ended), status, review],
            )
        told = [await shown(conn)]
        dropping = await upkeep.keep(conn, keeping, MARCH_US, "here")
        told.append(await shown(conn))
        ending = await upkeep.keep(conn, later, MARCH_US + 20 * DAY_US, "here")
        told.append(await shown(conn))
        await conn.execute("UPDATE violations SET review = 'dismissed' WHERE review = 'appealed'")
        last = await upkeep.keep(conn, later, MARCH_US + 20 * DAY_US, "here")
        left = await rows(conn, "SELECT count(*) FROM fixes WHERE vehicle_id = %s", vehicle)
        audited = await rows(
            conn, "SELECT action, address, detail::jsonb FROM audit WHERE actor = 'upkeep'"
        )
        stands = await fixes.horizon(conn)
        return told, dropping, ending, last, left, audited, stands

    told, dropping, ending, last, left, audited, stands = place.connected(work)
    assert told[0] == (expected, [msgspec.Raw(b'{"io": 1}')])
    assert told[1] == told[0]
    # What stays is what the appealed one rests on, which is longer.
    assert told[2][0][1] == expected[1]
    assert left == [(0,)]
    assert dropping.evidence_kept == len(expected[1])
    assert (dropping.evidence_deleted, ending.violations_deleted) == (0, 3)
    assert (ending.evidence_deleted, last.evidence_deleted) == (0, len(expected[1]))
    chunks_gone = [detail for action, _, detail in audited if action == "delete_fixes"]
    assert sum(detail["kept_as_evidence"] for detail in chunks_gone) == len(expected[1])
    assert sum(detail["rows"] for detail in chunks_gone) >= len(whole)
    assert [
        (detail["rows"], host) for action, host, detail in audited if action == "delete_violations"
    ] == [(3, "here"), (1, "here")]  # fmt: skip
    assert drives[2].time[-1] < stands <= MARCH_US - 280 * DAY_US


def test_a_round_of_upkeep_ends_what_is_kept_too_long_and_nothing_else(place, vehicles):
    vehicle = next(vehicles)
    old, young = MARCH_US - 100 * DAY_US, MARCH_US + 100 * DAY_US
    now_us = young + 10 * DAY_US
    keeping = upkeep.Keeping(
        fixes_days=150, violations_days=60, hours_days=10_000, compressed_after_days=7
    )

    async def work(conn):
        for start in (old, young):
            await place.store(conn, journey(vehicle, start, np.arange(0, 7200, 30)))
        await conn.execute(
            "INSERT INTO fix_extras"
            " SELECT %s, to_timestamp(t / 1e6), '{}' FROM unnest(%s::bigint[]) t",
            [vehicle, [old, young]],
        )
        await looked_at_twice(conn, vehicle, [old, young])
        before = await told_hours(conn, vehicle, old, old + DAY_US)
        first = await upkeep.keep(conn, upkeep.Keeping(), now_us)
        stored = await told_hours(conn, vehicle, old, old + DAY_US)
        second = await upkeep.keep(conn, keeping, now_us)
        third = await upkeep.keep(conn, keeping, now_us)
        kept = await told_hours(conn, vehicle, old, old + DAY_US)
        times = await rows(conn, "SELECT min(time) FROM fixes WHERE vehicle_id = %s", vehicle)
        extras = await rows(conn, "SELECT count(*) FROM fix_extras WHERE vehicle_id = %s", vehicle)
        left = await rows(
            conn,
            "SELECT started_at, review, count(x.*) FROM violations v JOIN violation_versions x"
            " ON x.violation_id = v.id WHERE vehicle_id = %s GROUP BY 1, 2 ORDER BY 1, 2",
            vehicle,
        )
        reviewed = await rows(
            conn,
            "SELECT count(DISTINCT a.id), count(DISTINCT r.violation_id) FROM"
            " violations v LEFT JOIN violation_attachments a ON a.violation_id = v.id"
            " LEFT JOIN violation_reviews r ON r.violation_id = v.id WHERE v.vehicle_id = %s",
            vehicle,
        )
        spans = await chunks(conn)
        assert reviewed == [(3, 1)]
        return before, first, stored, second, third, kept, times, extras, left, spans

    before, first, stored, second, third, kept, times, extras, left, spans = place.connected(work)
    expected = slow_hours(journey(vehicle, old, np.arange(0, 7200, 30)))
    assert_same_hours(stored, expected)
    assert before in ({}, stored)
    assert first.chunks_dropped == first.violations_deleted == 0
    assert second.chunks_dropped > 0
    assert (second.extras_deleted, second.violations_deleted) == (1, 1)
    assert not any(third)
    assert_same_hours(kept, stored)
    assert times == [(at(young),)]
    assert extras == [(1,)]
    assert left == [
        (at(old), "appealed", 1), (at(young), "acknowledged", 1), (at(young), "appealed", 1),
    ]  # fmt: skip
    assert min(span.until_us for span in spans) > now_us - keeping.fixes_days * DAY_US


def test_old_fixes_arrived_when_they_say_and_new_ones_after_their_delays(place):
    span_us, vehicle = OLD_US + 3_600_000_000, np.array([20], np.int32)
    delays = [0, 500_000, -7_000_000, 3_000_000_000_000, -3_000_000_000_000, 1_234_567]
    time = OLD_US + 5_000_000 + np.arange(6) * 10_000_000
    late = journey(20, OLD_US, np.zeros(6), 1).with_columns(time=time, received=time + delays)

    async def work(conn):
        old = await fixes.stretch(conn, vehicle, np.array([OLD_US]))
        await place.store(conn, late)
        return old, [
            await fixes.stretch(conn, vehicle, np.array([OLD_US])),
            await compress_before(conn, span_us + DAY_US),
            await fixes.stretch(conn, vehicle, np.array([OLD_US])),
        ]

    old, (mixed, compressed, whole) = place.connected(work)
    assert len(old) == 361
    assert set(old.received - old.time) == {1_234_567}
    assert (compressed > 0) is (place.flavour is Flavour.TIMESCALE)
    expected = FixBatch.concat([old, late])
    for found in (mixed, whole):
        assert_same_fixes(found, expected.take(expected.order()))


def test_rounds_of_upkeep_wait_for_nobody(place):
    if not place.is_whole:
        pytest.skip("takes one connection at a time")

    async def work(conn):
        await conn.execute("SELECT pg_advisory_lock(%s)", [upkeep.LOCK_KEY])
        return await as_other(place.dsn)

    async def as_other(dsn):
        from storage.database import connect

        async with await connect(dsn, name="test") as other:
            return await upkeep.keep(other, upkeep.Keeping(), NOW_US)

    assert place.connected(work) is None


def test_a_review_is_the_same_on_either(place, vehicles):
    vehicle = next(vehicles)
    acts, left = place.connected(lambda conn: reviewed_by_two(conn, vehicle))
    assert acts == ["proposed", "agreed"]
    assert left == [("confirmed", 2, True, 2)]


def test_the_registry_is_changed_in_time_and_remembers(place):
    async def work(conn):
        truck = VehicleRecord(plate="51C-000.01", operator="op-1", gross_kg=16_000)
        [number] = await registering.register(conn, [truck])
        await registering.register(conn, [DeviceRecord(ident="d-1", operator="op-1")])
        inside = AssignmentRecord(device="d-1", vehicle="51C00001")
        await registering.register(conn, [inside])
        with pytest.raises(ExclusionViolation, match="51C00001"):
            await conn.execute(
                "INSERT INTO vehicles (plate, operator_id, valid_from)"
                " VALUES ('51C00001', 2, '2026-01-01')"
            )
        heavier = VehicleRecord(plate="51C-000.01", operator="op-1", gross_kg=18_000)
        [after] = await changing.change(conn, [number], [heavier])
        assert await changing.retire(conn, "vehicle", [after]) == 1
        return number, after, await rows(
            conn,
            "SELECT kind, after ->> 'id', (after ->> 'valid_to') = 'infinity' FROM registry_history"
            " WHERE kind IN ('vehicle', 'assignment')"
            " AND (after ->> 'plate' = '51C00001' OR kind = 'assignment') ORDER BY id",
        )  # fmt: skip

    number, after, history = place.connected(work)
    vehicles = [(int(one), forever) for kind, one, forever in history if kind == "vehicle"]
    assert vehicles == [
        (number, True), (after, True), (number, False), (after, False),
    ]  # fmt: skip
    assert [forever for kind, _, forever in history if kind == "assignment"] == [
        True, True, False, False,
    ]  # fmt: skip
