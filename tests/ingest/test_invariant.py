"""The invariant: what is stored is a function of the set of fixes, and of nothing else."""

import asyncio
from itertools import pairwise
from unittest.mock import patch

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.pipeline import Pipeline
from ingest.source import MessageBatch
from storage.database import connect
from tests.ingest.fleet import Sent, batch_of, new_pipeline, register, stored_state

pytestmark = pytest.mark.integration

STEP_S = 10

TABLES = (
    "fixes, fix_extras, fix_repeats, repeat_counts, latest, judge_marks, zone_visits, "
    "driving_spans, violation_versions, violations, quarantine"
)


@st.composite
def drives(draw):
    """Fixes of up to three vehicles on an east-west road through a banned and a speed zone."""
    sent = []
    for device in range(draw(st.integers(1, 3))):
        at, lon = 0, 106.69
        for _ in range(draw(st.integers(1, 40))):
            at += STEP_S * draw(st.sampled_from([1, 1, 1, 1, 2, 6, 7, 13, 90, 91]))
            lon += draw(st.sampled_from([0.0, 0.0005, 0.002, 0.002, 0.004, -0.003, 0.3]))
            lon = min(lon, 106.9)
            speed = draw(st.sampled_from([0.0, 40.0, 60.0, 85.0, 90.0, 230.0]))
            valid = draw(st.sampled_from([True, True, True, False]))
            sent.append(Sent(device, at, round(lon, 6), 10.75, speed, valid))
    return sent


@st.composite
def deliveries(draw):
    """Drives, and a way in which they arrive: shuffled, repeated, in batches, with restarts."""
    sent = draw(drives())
    order = draw(st.permutations(sent)) if draw(st.booleans()) else list(sent)
    repeats = draw(st.lists(st.sampled_from(sent), max_size=5))
    for repeat in repeats:
        order.insert(draw(st.integers(0, len(order))), repeat)
    cuts = draw(st.lists(st.integers(0, len(order)), max_size=6).map(sorted))
    bounds = [0, *cuts, len(order)]
    parts = [order[a:b] for a, b in pairwise(bounds) if a < b]
    events = draw(
        st.lists(st.sampled_from(["go", "go", "restart", "fail"]), min_size=8, max_size=8)
    )
    return sent, list(zip(parts, events, strict=False))


class RolledBackError(Exception):
    """Stands for whatever makes the last statement before a commit fail."""


async def refuse(*_):
    raise RolledBackError


async def deliver(conn, pipeline, part, event):
    if event == "restart":
        pipeline = new_pipeline()
        await pipeline.refresh(conn)
    if event == "fail":
        with patch("storage.quarantine.insert", refuse), pytest.raises(RolledBackError):
            await pipeline.process(conn, batch_of(part))
    await pipeline.process(conn, batch_of(part))
    return pipeline


async def outcome_of(dsn, deliveries_of):
    async with await connect(dsn, name="test") as conn:
        await conn.execute(f"TRUNCATE {TABLES}")
        pipeline: Pipeline = new_pipeline()
        await pipeline.refresh(conn)
        for part, event in deliveries_of:
            pipeline = await deliver(conn, pipeline, part, event)
        return await stored_state(conn)


@pytest.fixture
def registered(database):
    async def prepare():
        async with await connect(database, name="test") as conn:
            await register(conn)

    asyncio.run(prepare())
    return database


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deliveries())
def test_order_batches_repeats_restarts_and_failures_change_nothing(registered, delivery):
    sent, ways = delivery
    in_order = sorted(sent, key=lambda s: (s.at, s.device))
    expected = asyncio.run(outcome_of(registered, [(in_order, "go")]))
    assert asyncio.run(outcome_of(registered, ways)) == expected


def test_a_revised_violation_keeps_its_past_and_a_withdrawn_one_stays_readable(registered):
    # Speeding for 40 s; a late fix in the middle, slow, divides it into two runs of 10 s.
    fast = [Sent(0, at, 106.60 + at * 0.0002, 10.75, 95.0) for at in (0, 10, 20, 30, 40, 50)]
    rest = [Sent(0, at, 106.62, 10.75, 10.0) for at in (60, 70)]
    late = Sent(0, 25, 106.605, 10.75, 20.0)

    async def go():
        async with await connect(registered, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            await pipeline.process(conn, batch_of(fast + rest))
            query = "SELECT status, version, duration_s FROM violations WHERE kind = 'speeding'"
            before = await (await conn.execute(query)).fetchall()
            await pipeline.process(conn, batch_of([late]))
            after = await (await conn.execute(query + " ORDER BY id")).fetchall()
            past = await (
                await conn.execute("SELECT facts->>'duration_s', reason FROM violation_versions")
            ).fetchall()
            return before, after, past

    before, after, past = asyncio.run(go())
    assert before == [("final", 1, 50.0)]
    assert sorted(after) == [("final", 1, 20.0), ("revised", 2, 20.0)] or after[0][1] == 2
    assert [float(duration) for duration, _ in past] == [50.0]


def test_a_driver_first_seen_in_a_batch_that_fails_is_known_in_the_next(registered):
    async def go():
        async with await connect(registered, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            batch = batch_of([Sent(0, at, 106.60, 10.75, 95.0) for at in range(0, 60, 10)])
            named = [p.replace(b"{", b'{"driver": "790123456789", ') for p in batch.payloads]
            batch = MessageBatch(batch.topics, named, batch.received)
            with patch("storage.quarantine.insert", refuse), pytest.raises(RolledBackError):
                await pipeline.process(conn, batch)
            await pipeline.process(conn, batch)
            found = await conn.execute(
                "SELECT licence FROM violations JOIN drivers ON drivers.id = driver_id"
            )
            return await found.fetchall()

    assert asyncio.run(go()) == [("790123456789",)]


def test_a_unique_violation_by_another_writer_is_raised_and_then_healed(registered):
    async def go():
        async with await connect(registered, name="test") as conn:
            ours, theirs = new_pipeline(), new_pipeline()
            await ours.refresh(conn)
            await theirs.refresh(conn)
            fixes = [Sent(0, at, 106.60, 10.75, 30.0) for at in (0, 10, 20)]
            await ours.process(conn, batch_of(fixes[:1]))
            await theirs.process(conn, batch_of(fixes[:2]))
            with pytest.raises(psycopg.errors.UniqueViolation):
                await ours.process(conn, batch_of(fixes))
            await ours.process(conn, batch_of(fixes))
            return await stored_state(conn)

    assert len(asyncio.run(go())["fixes"]) == 3
