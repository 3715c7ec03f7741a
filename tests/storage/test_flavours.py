"""The same questions, answered alike by plain PostgreSQL and by TimescaleDB.

All in one module: the server in WebAssembly is started once, and takes one connection at a time.
"""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
from psycopg.errors import ExclusionViolation, InsufficientPrivilege, UniqueViolation

from devices.batch import DISQUALIFYING, FixBatch, Quality
from storage import fixes, hours, upkeep
from storage.access import keys
from storage.access.roles import NATION, Reach
from storage.flavour import HOUR_US, Flavour, chunks, compress_before, detect
from storage.reading import areas, rollups
from storage.registry import changing, registering
from storage.registry.records import AssignmentRecord, DeviceRecord, VehicleRecord
from tests.storage.connected import rows
from tests.storage.flavoured import migrated, register

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

DAY_US = 86_400_000_000
MARCH_US = 1_772_323_200_000_000  # 2026-03-01
NOW_US = MARCH_US + 300 * DAY_US
LON, LAT = 105.8, 21.0


@pytest.fixture(scope="module", params=list(Flavour))
def place(request, postgres):
    with migrated(request.param, postgres) as found:
        register(found.dsn, 2, 20)
        yield found


@pytest.fixture(scope="module")
def vehicles(place):
    """Vehicles that no other test has fixes of."""
    return iter(range(1, 20))


def at(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)


def journey(vehicle: int, start_us: int, seconds, seed: int = 1) -> FixBatch:
    """Fixes at so many seconds, driving, standing and silent by turns, a few unclean."""
    seconds = np.asarray(seconds)
    rng = np.random.default_rng(seed)
    n = len(seconds)
    eastward = rng.choice([0, 1e-3, -2e-3, 0.5], n, p=[0.3, 0.4, 0.29, 0.01])
    unclean = rng.random(n) < 0.1
    return FixBatch.blank(
        n,
        vehicle=np.full(n, vehicle),
        time=start_us + seconds * 1_000_000,
        received=start_us + seconds * 1_000_000 + 700_000,
        lon=np.round(LON + np.cumsum(eastward), 5),
        lat=np.round(LAT + np.cumsum(rng.choice([0, 1e-3, -1e-3], n)), 5),
        speed_kmh=rng.choice([0, 2.5, 3, 40, 55.5, np.nan], n),
        quality=np.where(
            unclean, rng.choice([Quality.NO_POSITION, Quality.JUMP], n),
            rng.choice([0, Quality.SPEED_IMPLAUSIBLE, Quality.LATE], n, p=[0.8, 0.1, 0.1]),
        ).astype(np.uint16),
    )  # fmt: skip


def irregular(hours_long: float, seed: int) -> np.ndarray:
    """Seconds since the start: steps of up to a minute, some of ten, few of an hour."""
    rng = np.random.default_rng(seed)
    steps = rng.choice(
        [1, 10, 55, 600, 900, 901, 4000], 2000, p=[0.3, 0.4, 0.2, 0.04, 0.02, 0.02, 0.02]
    )
    seconds = np.cumsum(steps)
    return seconds[seconds < hours_long * 3600]


def slow_hours(batch: FixBatch) -> dict[int, list[float]]:
    """By hour: fixes, clean ones, metres, driven and silent seconds, fastest; one fix at a time."""
    found: dict[int, list[float]] = {}
    before = None
    for i in np.argsort(batch.time):
        hour = found.setdefault(int(batch.time[i]) // HOUR_US * HOUR_US, [0, 0, 0, 0, 0, math.nan])
        hour[0] += 1
        if batch.quality[i] & int(DISQUALIFYING):
            continue
        hour[1] += 1
        speed = float(batch.speed_kmh[i])
        if batch.quality[i] & int(Quality.SPEED_IMPLAUSIBLE):
            speed = math.nan
        hour[5] = np.fmax(hour[5], speed)
        if before is not None:
            gap = (batch.time[i] - batch.time[before]) / 1e6
            length = great_circle(batch.lon[before], batch.lat[before], batch.lon[i], batch.lat[i])
            over_step = length / gap * 3.6
            hour[2] += length if over_step <= 250 else 0
            if gap > 900:
                hour[4] += gap
            elif (over_step if math.isnan(speed) else speed) > 3:
                hour[3] += gap
        before = i
    return found


def great_circle(lon0: float, lat0: float, lon1: float, lat1: float) -> float:
    """Metres, by the spherical law of cosines' stable twin: the angle between two vectors."""
    one, other = (
        np.array([math.cos(b) * math.cos(a), math.cos(b) * math.sin(a), math.sin(b)])
        for a, b in (
            (math.radians(lon0), math.radians(lat0)),
            (math.radians(lon1), math.radians(lat1)),
        )
    )
    return 6_371_008.8 * math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other))


async def told_hours(conn, vehicle: int, start_us: int, end_us: int) -> dict[int, list[float]]:
    async with conn.transaction():
        await as_inspector(conn)
        found = await rollups.vehicle_hours(conn, vehicle, at(start_us), at(end_us))
    return {
        int(datetime.fromisoformat(hour).timestamp() * 1e6): [
            a.fixes, a.clean_fixes, a.distance_m, a.driving_s, a.silent_s,
            math.nan if a.max_speed_kmh is None else a.max_speed_kmh,
        ]
        for hour, a in found.items()
    }  # fmt: skip


async def as_inspector(conn) -> None:
    await seen_by(conn, "inspector", NATION)


async def seen_by(conn, role, reach) -> None:
    """Let the transaction see what a key of that role and reach may see."""
    made = await keys.create(conn, "test", role, reach)
    digest = keys.digest_of(made.key).hex()
    await conn.execute("SELECT set_config('hanhtrinh.caller', %s, true)", (digest,))
    await conn.execute(f"SET LOCAL ROLE hanhtrinh_{role}")


def assert_same_hours(told, expected) -> None:
    assert list(told) == list(expected)
    for hour, numbers in expected.items():
        np.testing.assert_allclose(told[hour], numbers, rtol=1e-9, atol=1e-6, err_msg=str(hour))


def test_the_flavour_is_the_one_asked_for(place):
    assert place.connected(detect) is place.flavour


def test_readers_see_the_same_columns(place):
    async def work(conn):
        columns = {}
        for name in ("fixes", "visible_fixes", "fix_hours"):
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
    assert list(found["fixes"]) == [
        "vehicle_id", "time", "received", "lon", "lat", "speed_kmh", "heading", "altitude", "hdop",
        "satellites", "odometer", "driver_id", "inputs", "quality",
    ]  # fmt: skip
    assert found["visible_fixes"] == {**found["fixes"], "extra": "jsonb"}
    assert found["fix_hours"] == {
        "vehicle_id": "integer", "hour": "timestamp with time zone", "fixes": "bigint",
        "clean_fixes": "bigint", "max_speed_kmh": "real", "track": "double precision[]",
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_hours_are_what_the_fixes_say_before_and_after_they_are_stored(place, vehicles, seed):
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


def test_days_are_the_local_ones_and_add_up(place, vehicles):
    vehicle = next(vehicles)
    batch = journey(vehicle, MARCH_US, irregular(40, 9), 9)

    async def work(conn):
        await place.store(conn, batch)
        await hours.refresh(conn, 0, NOW_US)
        async with conn.transaction():
            await as_inspector(conn)
            return await rollups.vehicle_days(
                conn, vehicle, at(MARCH_US), at(MARCH_US + 3 * DAY_US), "Asia/Ho_Chi_Minh"
            )

    found = place.connected(work)
    by_hour = slow_hours(batch)
    expected: dict[str, list[float]] = {}
    for hour, numbers in by_hour.items():
        day = at(hour + 7 * HOUR_US).date().isoformat()
        expected.setdefault(day, [0, 0])
        expected[day][0] += numbers[0]
        expected[day][1] += numbers[2]
    assert {day: [a.fixes, pytest.approx(a.distance_m)] for day, a in found.items()} == expected


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

    assert place.connected(work).vehicle.tolist() == []


def test_an_operator_sees_the_hours_of_its_own_vehicles(place, vehicles):
    ours, others = next(vehicles), 21
    start = MARCH_US + 60 * DAY_US
    batches = [journey(v, start, np.arange(0, 3600, 60)) for v in (ours, others)]

    async def work(conn):
        for batch in batches:
            await place.store(conn, batch)
        await hours.refresh(conn, 0, NOW_US)
        found = []
        for code in ("op-1", "op-2"):
            async with conn.transaction():
                await seen_by(conn, "operator", Reach(operator_id=1))
                month = await rollups.operator_month(conn, code, at(start), at(start + DAY_US))
                found.append(set(month.vehicles))
        async with conn.transaction(force_rollback=True):
            await conn.execute("SET LOCAL ROLE hanhtrinh_api")
            with pytest.raises(InsufficientPrivilege):
                await conn.execute("SELECT * FROM fix_hours")
        return found

    assert place.connected(work) == [{ours}, set()]


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
            month = await rollups.operator_month(
                conn, "op-1", datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
            )
            return [(c.kind, c.band, c.violations) for c in month.violations]

    assert place.connected(work) == [
        ("speeding", "35_up", 1), ("speeding", "5_10", 2), ("zone_dwell", "", 1),
    ]  # fmt: skip


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
        await conn.execute(
            "INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at, ended_at,"
            " duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat, details,"
            " status, review) SELECT 'speeding', r, 'p', %s, to_timestamp(t / 1e6),"
            " to_timestamp(t / 1e6), 0, 0, 1, 0, 0, 0, 0, '{}', 'final', r"
            " FROM unnest(%s::bigint[]) t, unnest(%s::text[]) r",
            [vehicle, [old, young], ["new", "appealed"]],
        )
        await conn.execute(
            "INSERT INTO violation_versions (violation_id, version, facts, superseded_by, reason)"
            " SELECT id, 1, '{}', 'worker', 'late data' FROM violations WHERE vehicle_id = %s",
            [vehicle],
        )
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
        spans = await chunks(conn)
        return before, first, stored, second, third, kept, times, extras, left, spans

    before, first, stored, second, third, kept, times, extras, left, spans = place.connected(work)
    expected = slow_hours(journey(vehicle, old, np.arange(0, 7200, 30)))
    assert_same_hours(stored, expected)
    assert before in ({}, stored)
    assert first.chunks_dropped == first.violations_deleted == 0
    assert second.chunks_dropped > 0
    assert (second.extras_deleted, second.violations_deleted) == (1, 1)
    assert third == (0, 0, 0, 0, 0)
    assert_same_hours(kept, stored)
    assert times == [(at(young),)]
    assert extras == [(1,)]
    assert left == [(at(old), "appealed", 1), (at(young), "appealed", 1), (at(young), "new", 1)]
    assert min(span.until_us for span in spans) > now_us - keeping.fixes_days * DAY_US


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
