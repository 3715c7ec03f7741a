import asyncio

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import UniqueViolation

from devices.batch import FixBatch, Quality
from devices.rounding import on_grid, shown_degrees
from storage import fixes, flavour, wire
from storage.arrays import Float8s, cursor, read_columns
from storage.database import connect
from tests.storage.connected import connected, rows
from tests.storage.strategies import NOV_2023_US, assert_same_fixes, fix_batches

pytestmark = pytest.mark.integration

AGAINST_A_DATABASE = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DAY = fixes.DAY_US
MAY_2025_US = 1_746_100_000_000_000


def in_a_row(n: int, **columns) -> FixBatch:
    given = {"vehicle": np.ones(n), "time": NOV_2023_US + np.arange(n) * 1_000_000, **columns}
    return FixBatch.blank(n, **given)


async def store(conn, batch):
    await fixes.ensure_days(conn, batch.time)
    await fixes.insert_fixes(conn, batch)


@given(batch=fix_batches(), since=st.integers(0, 4 * 86_400))
@AGAINST_A_DATABASE
def test_what_goes_in_comes_out(database, batch, since):
    vehicles = np.unique(batch.vehicle)
    from_us = np.full(len(vehicles), NOV_2023_US + since * 1_000_000)

    async def work(conn):
        async with conn.transaction(force_rollback=True):
            await store(conn, batch)
            known = await fixes.stored(conn, batch.vehicle, batch.time)
            near = await fixes.stored(conn, batch.vehicle, batch.time + 1)
            return known, near, await fixes.stretch(conn, vehicles, from_us)

    known, near, found = connected(database, work)
    assert known.all()
    assert not near.any()
    assert_same_fixes(found, batch.take(batch.time >= from_us[0]))


def test_a_stretch_begins_for_each_vehicle_at_its_own_instant(database):
    batch = FixBatch.blank(
        6, vehicle=[1, 1, 2, 2, 3, 3], time=[NOV_2023_US + t for t in (0, 5, 0, 5, 0, 5)]
    )

    async def work(conn):
        await store(conn, batch)
        return await fixes.stretch(
            conn, np.array([2, 1], np.int32), np.array([NOV_2023_US, NOV_2023_US + 1])
        )

    found = connected(database, work)
    assert_same_fixes(found, batch.take(np.array([1, 2, 3])))


def test_nothing_is_asked_of_nothing(database):
    none = FixBatch.empty()

    async def work(conn):
        await store(conn, none)
        assert len(await fixes.stored(conn, none.vehicle, none.time)) == 0
        assert len(await fixes.stretch(conn, none.vehicle, none.time)) == 0
        await fixes.update_quality(conn, none.vehicle, none.time, none.quality)
        assert await fixes.insert_repeats(conn, none) == 0

    connected(database, work)


def test_a_key_that_is_taken_is_another_writers(database):
    async def work(conn):
        await store(conn, in_a_row(3))
        with pytest.raises(UniqueViolation):
            await fixes.insert_fixes(conn, in_a_row(1))
        return await rows(conn, "SELECT count(*) FROM fixes")

    assert connected(database, work) == [(3,)]


def test_quality_is_replaced_where_it_differs(database):
    batch = in_a_row(3)
    quality = np.array([0, Quality.JUMP, 0], np.uint16)

    async def work(conn):
        await store(conn, batch)
        await fixes.update_quality(conn, batch.vehicle, batch.time, quality)
        return await fixes.stretch(conn, np.array([1], np.int32), batch.time[:1])

    assert connected(database, work).quality.tolist() == quality.tolist()


def test_repeats_are_counted_and_kept_once_where_they_differ(database):
    batch = in_a_row(3, speed_kmh=[1, np.nan, 3])
    again = batch.with_columns(lon=np.array([0.0, 0.0, 7.0]))

    async def work(conn):
        await store(conn, batch)
        kept = [await fixes.insert_repeats(conn, again) for _ in range(2)]
        counted = await rows(conn, "SELECT vehicle_id, day::text, repeats FROM repeat_counts")
        return kept, counted, await rows(conn, "SELECT lon FROM fix_repeats")

    kept, counted, different = connected(database, work)
    assert kept == [1, 0]
    assert counted == [(1, "2023-11-14", 6)]
    assert different == [(7.0,)]


def test_extras_are_stored_even_where_jsonb_refuses_them(database):
    odd = [
        rb'{"a":"\u0000"}',
        rb'{"a":"\ud800"}',
        b'{"a":1e999999}',
        b'{"a":' + b"[" * 9000 + b"]" * 9000 + b"}",
    ]
    texts = [b'{"rpm":900,"t":"\xc3\xa0"}', *odd]
    batch = in_a_row(7, vehicle=np.full(7, 9)).with_columns(
        extra={i + 1: t for i, t in enumerate(texts)}
    )

    async def work(conn):
        await store(conn, batch)
        return await rows(
            conn,
            "SELECT extra ? 'unstorable', extra->>'t', f.time IS NOT NULL FROM fix_extras x"
            " LEFT JOIN fixes f USING (vehicle_id, time) ORDER BY time",
        )

    assert connected(database, work) == [(False, "à", True)] + [(True, None, True)] * 4


async def needs_partitions(conn):
    if await flavour.detect(conn) is flavour.Flavour.TIMESCALE:
        pytest.skip("a hypertable makes its own days")


def test_days_are_made_once_and_forgotten_with_their_transaction(database):
    times = MAY_2025_US + np.array([0, DAY, 40 * DAY])
    count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'fixes'::regclass"

    async def work(conn):
        await needs_partitions(conn)
        async with conn.transaction(force_rollback=True):
            await fixes.ensure_days(conn, times)
        rolled_back = await rows(conn, count)
        await fixes.ensure_days(conn, times)
        await fixes.ensure_days(conn, times)
        await fixes.insert_fixes(conn, FixBatch.blank(3, vehicle=np.ones(3), time=times))
        return rolled_back, await rows(conn, count)

    assert connected(database, work) == ([(0,)], [(3,)])


def test_the_first_and_the_last_microsecond_of_a_day_belong_to_it(database):
    midnight = MAY_2025_US // DAY * DAY
    batch = in_a_row(3, time=[midnight - 1, midnight, midnight + DAY - 1])

    async def work(conn):
        await store(conn, batch)
        return await fixes.stretch(conn, np.array([1], np.int32), np.array([midnight]))

    assert len(connected(database, work)) == 2


def test_old_days_share_a_partition_a_year(database):
    """A tracker whose clock is wrong must not make a table for every day since 2000."""
    every_day = np.arange(946_684_800_000_000, 1_735_689_600_000_000, DAY)
    edges = np.concatenate([every_day, every_day + DAY - 1])

    async def work(conn):
        await needs_partitions(conn)
        await fixes.ensure_days(conn, every_day)
        await fixes.insert_fixes(
            conn, FixBatch.blank(len(edges), vehicle=np.ones(len(edges)), time=edges)
        )
        return await rows(conn, "SELECT count(*) FROM pg_inherits")

    [(partitions,)] = connected(database, work)
    assert partitions < 100


def test_two_writers_make_the_same_days_at_once(database):
    days = np.arange(20) * DAY + MAY_2025_US

    async def write(conn, vehicle):
        batch = FixBatch.blank(20, vehicle=np.full(20, vehicle), time=days)
        async with conn.transaction():
            await store(conn, batch)
            await asyncio.sleep(0)

    async def work(conn):
        others = [await connect(database, name=f"writer {i}") for i in range(3)]
        await asyncio.gather(*(write(other, i) for i, other in enumerate(others)))
        for other in others:
            await other.close()
        return await rows(conn, "SELECT count(*) FROM fixes")

    assert connected(database, work) == [(60,)]


def test_sql_shows_a_place_as_python_does(database):
    halves = np.arange(-92_160, 92_160, 7) / 256  # of the seventh decimal
    somewhere = on_grid(360 - 720 * np.random.default_rng(1).random(20_000))
    odd = [105.8412345, -0.00000001, -0.0, np.nan, np.inf, -np.inf, 1e305, -1e305]
    places = np.concatenate([halves, somewhere, odd])

    async def work(conn):
        return await read_columns(
            cursor(conn),
            b"SELECT array_agg(shown_degrees(x) ORDER BY n)"
            b" FROM unnest(%(places)s) WITH ORDINALITY AS k (x, n)",
            {"places": Float8s(places)},
            {"shown": wire.FLOAT8},
        )

    shown = connected(database, work)["shown"]
    expected = np.array([shown_degrees(place) for place in places.tolist()])
    np.testing.assert_array_equal(shown, expected)
    np.testing.assert_array_equal(np.signbit(shown), np.signbit(expected))
