"""The worker on a stream: locks and connections that are lost, and what comes twice for it."""

import asyncio
import contextlib

import psycopg
import pytest

from ingest.errors import ShardTakenError
from ingest.holding import SHARD_LOCK
from ingest.jetstream.source import JetStreamSource
from ingest.jetstream.stream import pending
from ingest.metrics import WorkerMetrics
from ingest.worker import Worker, WorkerOptions
from storage.database import connect
from tests.ingest.fleet import Sent, new_pipeline
from tests.ingest.jetstream.streams import admin, make_stream, options
from tests.ingest.publishing import publish, until
from tests.ingest.test_worker import clock, count, messages_of, registered, rows

pytestmark = pytest.mark.integration

BOTH = (0, 1)


@contextlib.asynccontextmanager
async def working(dsn, broker, shards=BOTH, *, is_standby=False, sleep=asyncio.sleep):
    """A running worker's metrics."""
    metrics, source = WorkerMetrics(), JetStreamSource(options(broker, shards, 2))
    metrics.watch_stream(source.stream)
    chosen = WorkerOptions(dsn, tuple(shards), is_standby)
    worker = Worker(chosen, source, new_pipeline(), metrics, clock, sleep, hold=source.hold)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield metrics, task
    finally:
        stop.set()
        with contextlib.suppress(ShardTakenError):
            await task


async def no_sleep(_):
    await asyncio.sleep(0)


def drives(first, last):
    """Fixes of three vehicles, which lie in both partitions."""
    return messages_of(
        [
            Sent(device, 10 * n, 106.6, 10.75, 30.0)
            for n in range(first, last)
            for device in range(3)
        ]
    )


def stored(metrics):
    return count(metrics, "hanhtrinh_fixes_total", outcome="stored")


def held(metrics):
    return [count(metrics, "hanhtrinh_shard_held", shard=str(shard)) for shard in BOTH]


async def end_connections(conn):
    """As a restart of the database's server does."""
    await conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'hanhtrinh worker' AND datname = current_database()"
    )


def test_a_connection_that_dies_is_made_again_with_its_locks_and_nothing_comes_twice(
    database, broker
):
    async def go():
        await registered(database)
        await make_stream(broker, 2)
        async with (
            working(database, broker) as (metrics, _),
            await connect(database, name="test") as conn,
        ):
            await publish(broker, drives(0, 10))
            await until(lambda: stored(metrics) == 30, "the first fixes")
            await end_connections(conn)
            await publish(broker, drives(10, 20))
            await until(lambda: stored(metrics) == 60, "the others")
            repeats = count(metrics, "hanhtrinh_fixes_total", outcome="repeated")
            now = held(metrics)
        async with admin(broker) as client:
            return repeats, now, await pending(client, "HANHTRINH")

    repeats, now, waiting = asyncio.run(go())
    assert repeats == 0
    assert now == [1, 1]
    assert waiting == {0: 0, 1: 0}


def test_a_standby_that_lost_its_shards_leaves_them_alone_until_they_are_free(database, broker):
    async def go():
        await registered(database)
        await make_stream(broker, 2)
        async with (
            working(database, broker, is_standby=True) as (metrics, _),
            await connect(database, name="test") as conn,
            await connect(database, name="rival") as rival,
        ):
            await until(lambda: held(metrics) == [1, 1], "both shards")
            await rival.set_autocommit(True)
            waiting = asyncio.create_task(take_both(rival))
            await asyncio.wait({waiting}, timeout=0.2)  # it stands in line for them
            await end_connections(conn)
            await waiting
            await publish(broker, drives(0, 10))
            await until(lambda: held(metrics) == [0, 0], "the loss to be seen")
            judged = stored(metrics)
            await rival.execute("SELECT pg_advisory_unlock_all()")
            await until(lambda: stored(metrics) == 30, "the fixes")
            now = held(metrics)
        async with admin(broker) as client:
            return judged, now, await pending(client, "HANHTRINH")

    async def take_both(rival):
        for shard in BOTH:
            await rival.execute("SELECT pg_advisory_lock(%s::int, %s::int)", (SHARD_LOCK, shard))

    judged, now, waiting = asyncio.run(go())
    assert judged == 0
    assert now == [1, 1]
    assert waiting == {0: 0, 1: 0}


def test_a_worker_that_is_no_standby_ends_when_another_has_one_of_its_shards(database, broker):
    async def go():
        await registered(database)
        await make_stream(broker, 2)
        async with working(database, broker) as (metrics, _):
            await until(lambda: held(metrics) == [1, 1], "both shards")
            async with working(database, broker, (1,), sleep=no_sleep) as (_, second):
                with pytest.raises(ShardTakenError, match="shard 1"):
                    await second
            return held(metrics)

    assert asyncio.run(go()) == [1, 1]


def test_a_message_that_no_batch_can_be_committed_with_is_set_aside_alone(
    database, broker, monkeypatch
):
    async def go():
        await registered(database)
        await make_stream(broker, 2)
        async with working(database, broker) as (metrics, _):
            await publish(
                broker, [*drives(0, 5), ("gsht/v1/json/imei-1", b"poison"), *drives(5, 9)]
            )
            await until(lambda: stored(metrics) == 27, "the others")
            await until(
                lambda: count(metrics, "hanhtrinh_acknowledged_messages_total") == 28, "acks"
            )
        async with admin(broker) as client:
            waiting = await pending(client, "HANHTRINH")
        kept = await rows(database, "SELECT payload, reason FROM quarantine")
        return kept, waiting

    def explode(batch, *rest):
        if b"poison" in batch.payloads:
            raise psycopg.DataError("poison")
        return take_in(batch, *rest)

    from ingest.intake import take_in

    monkeypatch.setattr("ingest.pipeline.take_in", explode)
    kept, waiting = asyncio.run(go())
    assert [(bytes(payload), reason) for payload, reason in kept] == [(b"poison", "internal_error")]
    assert waiting == {0: 0, 1: 0}
