"""Late fixes that wait lead to what they would have led to at once."""

import asyncio

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from devices.batch import FixBatch
from ingest.late import LatePolicy, LateRoom
from ingest.pipeline import Pipeline
from ingest.topics import TopicRouter
from storage.database import connect
from tests.faults.fleet import assert_nothing_happened, fleet
from tests.ingest.fleet import OPTIONS, batch_of, new_pipeline, register, stored_state
from tests.ingest.test_invariant import TABLES, RolledBackError, deliveries, outcome_of, refuse

pytestmark = pytest.mark.integration

ALL_WAIT = LatePolicy(over_s=-1e9, vehicles_at_once=0, quiet_s=0.0, most_fixes=7)
"""Whatever is behind waits, and is taken up in small parts."""


async def with_room(conn, policy=ALL_WAIT, **options):
    pipeline = Pipeline(OPTIONS, TopicRouter(), late=LateRoom(policy=policy, **options))
    await pipeline.refresh(conn)
    await pipeline.open(conn, frozenset({0}))
    return pipeline


async def take_up(conn, pipeline, most_fixes=10_000):
    """Take up all whose turn has come; how many fixes those were."""
    fixes = 0
    while len(vehicles := pipeline.due(most_fixes)[0]):
        fixes += len((await pipeline.take_up(conn, vehicles)).fixes)
    return fixes


@pytest.fixture
def registered(database):
    async def prepare():
        async with await connect(database, name="test") as conn:
            await register(conn)

    asyncio.run(prepare())
    return database


async def outcome_with_room(dsn, ways):
    """As outcome_of, but late fixes wait, and are taken up now and then."""
    async with await connect(dsn, name="test") as conn:
        await conn.execute(f"TRUNCATE {TABLES}, late_fixes, late_fix_extras")
        pipeline = await with_room(conn)
        for number, (part, event) in enumerate(ways):
            if event == "restart":
                pipeline = await with_room(conn)
            if event == "fail":
                vehicles, _ = pipeline.due(2)
                if len(vehicles):
                    with pytest.raises(RolledBackError):
                        await pipeline.take_up(conn, vehicles, refuse)
                with pytest.raises(RolledBackError):
                    await pipeline.process(conn, batch_of(part), refuse)
            await pipeline.process(conn, batch_of(part))
            if number % 2:
                await take_up(conn, pipeline, 1)
        await take_up(conn, pipeline)
        assert pipeline.waiting == 0
        assert await (await conn.execute("SELECT FROM late_fixes")).fetchall() == []
        return await stored_state(conn)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deliveries())
def test_what_waits_is_judged_as_if_it_had_not(registered, delivery):
    sent, ways = delivery
    in_order = sorted(sent, key=lambda s: (s.at, s.device))
    expected = asyncio.run(outcome_of(registered, [(in_order, "go")]))
    assert asyncio.run(outcome_with_room(registered, ways)) == expected


def test_a_replay_newest_file_first_judges_each_vehicle_once_and_leaves_no_trace(
    prepared, undisturbed
):
    sent = fleet()
    live, old = sent[-len(sent) // 4 :], sent[: -len(sent) // 4]
    files = [old[start : start + 60] for start in range(0, len(old), 60)]
    policy = LatePolicy(over_s=-1e9, vehicles_at_once=3, quiet_s=5.0, patience_s=60.0)
    now = [0.0]

    async def go():
        async with await connect(prepared, name="test") as conn:
            pipeline = await with_room(conn, policy, now=lambda: now[0])
            await pipeline.process(conn, batch_of(live))
            again = 0
            for file in reversed(files):
                now[0] += 1.0
                outcome = await pipeline.process(conn, batch_of(file))
                again += outcome.replayed
                assert not len(pipeline.due(10_000)[0])  # more may come
            assert again == 0
            assert pipeline.waiting == len(old)
            now[0] += 5.0
            vehicles, fixes = pipeline.due(10_000)
            assert fixes == len(old)
            outcome = await pipeline.take_up(conn, vehicles)
            assert outcome.replayed == len(vehicles) == len({s.device for s in old})
            assert (len(outcome.fixes), pipeline.waiting) == (len(old), 0)

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)


def test_a_few_late_fixes_are_judged_at_once(prepared):
    sent = fleet()
    behind = [next(s for s in sent if s.device == 0)]

    async def go():
        async with await connect(prepared, name="test") as conn:
            policy = LatePolicy(over_s=-1e9, vehicles_at_once=3)
            pipeline = await with_room(conn, policy)
            await pipeline.process(conn, batch_of([s for s in sent if s not in behind]))
            outcome = await pipeline.process(conn, batch_of(behind))
            return outcome.replayed, outcome.held

    assert asyncio.run(go()) == (1, 0)


def test_what_waits_outlives_its_worker_with_all_that_came_along(prepared):
    sent = fleet()
    first, rest = sent[: len(sent) // 2], sent[len(sent) // 2 :]

    async def go():
        async with await connect(prepared, name="test") as conn:
            pipeline = await with_room(conn, LatePolicy(over_s=-1e9, vehicles_at_once=0))
            await pipeline.process(conn, batch_of(rest))
            batch = batch_of(first)
            for row, payload in enumerate(batch.payloads):
                batch.payloads[row] = payload.replace(b"{", b'{"note": %d, ' % row, 1)
            await pipeline.process(conn, batch)
            assert await (await conn.execute("SELECT count(*) FROM fix_extras")).fetchone() == (0,)
            del pipeline
            successor = await with_room(conn, LatePolicy())
            assert successor.waiting == len(first)
            assert await take_up(conn, successor) == len(first)
            rows = await conn.execute("SELECT extra->>'note' FROM fix_extras")
            return sorted(int(note) for (note,) in await rows.fetchall())

    assert asyncio.run(go()) == list(range(len(fleet()) // 2))


def test_a_vehicle_s_turn_comes_when_it_is_quiet_or_has_waited_long_enough():
    now = [0.0]
    room = LateRoom(policy=LatePolicy(quiet_s=5.0, patience_s=60.0), now=lambda: now[0])
    fixes = batch_fixes([3, 3, 9])
    room.waits(fixes, np.ones(3, np.bool_))
    room.put_down(fixes)
    assert room.due(100).tolist() == []
    for _ in range(14):
        now[0] += 4.5
        room.put_down(batch_fixes([3]))
        expected = [9] * (now[0] >= 5.0)
        assert room.due(100).tolist() == ([3] if now[0] >= 60.0 else []) + expected
    assert room.due(1).tolist() == [3]
    room.taken(np.array([3], np.int32), 5)
    assert room.due(100).tolist() == [9]
    room.postpone(np.array([9], np.int32), 3600.0)
    assert room.due(100).tolist() == []


def batch_fixes(vehicles):
    return FixBatch.blank(len(vehicles), vehicle=vehicles, received=np.full(len(vehicles), 10**12))


def test_no_more_is_taken_up_than_fits(prepared):
    async def go():
        async with await connect(prepared, name="test") as conn:
            pipeline = await with_room(conn)
            sent = [s for s in fleet() if s.device == 1]
            await pipeline.process(conn, batch_of(sent[20:]))
            await pipeline.process(conn, batch_of(sent[:20]))
            sizes = []
            while len(vehicles := pipeline.due(10)[0]):
                sizes.append(len((await pipeline.take_up(conn, vehicles)).fixes))
            return sizes

    assert asyncio.run(go()) == [7, 7, 6]


def test_the_pipeline_alone_lets_nothing_wait(prepared):
    async def go():
        async with await connect(prepared, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            await pipeline.process(conn, batch_of(fleet()[100:]))
            return (await pipeline.process(conn, batch_of(fleet()[:100]))).held

    assert asyncio.run(go()) == 0
