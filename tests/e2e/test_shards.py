"""Workers that share a stream: shards change hands under load, and nothing differs for it."""

import asyncio
import random
import signal

import numpy as np
import pytest

from ingest.jetstream.stream import pending
from ingest.source import MessageBatch
from storage import registry
from storage.database import connect
from tests.faults.fleet import fleet
from tests.faults.fleet import messages as messages_of
from tests.ingest.fleet import new_pipeline, register, stored_state
from tests.ingest.jetstream.streams import admin
from tests.ingest.publishing import publish

pytestmark = pytest.mark.integration

PARTITIONS = 4
VEHICLES = 40
FIXES = 60


async def prepare(dsn):
    """Every vehicle has two trackers, as one that two providers report."""
    async with await connect(dsn, name="test") as conn:
        vehicles = await register(conn, VEHICLES)
        devices = await registry.add_devices(conn, [f"other-{n}" for n in range(VEHICLES)])
        await registry.assign_devices(conn, devices, vehicles)


async def state_of(dsn):
    async with await connect(dsn, name="test") as conn:
        return await stored_state(conn)


async def judged_at_once(dsn, messages):
    """What one judge comes to that is given everything in one batch, received now."""
    await prepare(dsn)
    now = np.full(len(messages), 1_795_000_000_000_000, np.int64)
    async with await connect(dsn, name="test") as conn:
        pipeline = new_pipeline()
        await pipeline.refresh(conn)
        batch = MessageBatch([m[0] for m in messages], [m[1] for m in messages], now)
        await pipeline.process(conn, batch)
        return await stored_state(conn)


def by_two_trackers(messages):
    """Every other message in the name of the vehicle's second tracker."""
    chance = random.Random(1)
    return [
        (topic.replace("imei", "other") if chance.random() < 0.5 else topic, payload)
        for topic, payload in messages
    ]


async def waiting_in(broker):
    async with admin(broker) as client:
        return await pending(client, "HANHTRINH")


def test_shards_change_hands_in_order_and_by_sigkill_and_nothing_differs(
    system, postgres, migrated_template
):
    messages = by_two_trackers(messages_of(fleet(VEHICLES, FIXES)))
    asyncio.run(prepare(system.dsn))
    system.share_stream(PARTITIONS)
    first = system.start("worker", "--shards", "0-1/4")
    second = system.start("worker", "--shards", "2-3/4")
    for worker in (first, second):
        system.until(lambda w=worker: system.log_of(w).count("shard.begun") == 2, "shards", worker)
    standby = system.start("worker", "--shards", "0-3/4", "--standby")
    system.until(lambda: "broker.connected" in system.log_of(standby), "a standby", standby)
    third = len(messages) // 3
    asyncio.run(publish(system.broker, messages[:third]))
    first.send_signal(signal.SIGTERM)
    asyncio.run(publish(system.broker, messages[third : 2 * third]))
    system.until(lambda: system.log_of(standby).count("shard.begun") == 2, "two shards", standby)
    asyncio.run(publish(system.broker, messages[2 * third :]))
    second.kill()
    system.until(lambda: system.log_of(standby).count("shard.begun") == 4, "all shards", standby)
    system.until(
        lambda: system.ask("SELECT count(*) FROM fixes") == [(len(messages),)], "all", standby
    )
    system.until(lambda: not any(asyncio.run(waiting_in(system.broker)).values()), "acks", standby)
    assert first.wait(20) == 0
    assert "shard.interrupted" not in system.log_of(standby)
    found = asyncio.run(state_of(system.dsn))
    with postgres.new_database(migrated_template) as name:
        expected = asyncio.run(judged_at_once(postgres.dsn_of(name), messages))
    assert {v[0] for v in expected["violations"]} >= {"speeding", "banned_zone", "data_gap"}
    del expected["marks"]  # old ones are thinned out whenever a worker starts
    for name, rows in expected.items():
        assert found[name] == rows, name
