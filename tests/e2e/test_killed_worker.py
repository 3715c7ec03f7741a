"""A worker that is killed with SIGKILL loses nothing, repeats nothing, and judges the same."""

import asyncio
import math
import random

import pytest

from storage.database import connect
from tests.ingest.fleet import Sent, register, stored_state
from tests.ingest.publishing import publish

pytestmark = pytest.mark.integration

VEHICLES = 40
FIXES = 60
PART = 400


def fleet():
    """Vehicles to and fro on a road through a banned and a speed zone, some of them too fast."""
    sent = []
    for device in range(VEHICLES):
        rng = random.Random(device)
        at = rng.randrange(10)
        for _ in range(FIXES):
            at += rng.choice([10, 10, 10, 10, 20, 130])
            lon = 106.75 - 0.06 * math.cos(at / 300 + device)
            speed = 40 + 55 * (rng.random() < 0.7 and device % 2)
            sent.append(Sent(device, at, round(lon, 6), 10.75, float(speed)))
    sent.sort(key=lambda s: s.at)
    return [(topic, payload) for topic, payload, _ in (s.message for s in sent)]


def run_fleet(system, messages, kills):
    """Send everything; kill the worker right after some parts have been sent."""

    async def prepare():
        async with await connect(system.dsn, name="test") as conn:
            await register(conn, VEHICLES)

    async def read():
        async with await connect(system.dsn, name="test") as conn:
            return await stored_state(conn)

    asyncio.run(prepare())
    worker = system.start_worker()
    killed_at = []
    for part, start in enumerate(range(0, len(messages), PART)):
        asyncio.run(publish(system.broker, messages[start : start + PART]))
        if part in kills:
            worker.kill()
            worker.wait()
            killed_at.append(system.dealt_with())
            worker = system.start("worker")
    system.until(
        lambda: system.ask("SELECT count(*) FROM fixes") == [(len(messages),)], "all fixes", worker
    )
    system.stop()
    return asyncio.run(read()), killed_at


@pytest.fixture
def other_system(postgres, migrated_template, broker, tmp_path):
    """A second database; the broker is the same, whose messages are all consumed by then."""
    from tests.e2e.system import System

    logs = tmp_path / "other"
    logs.mkdir()
    with postgres.new_database(migrated_template) as name:
        running = System(postgres.dsn_of(name), broker, logs)
        try:
            yield running
        finally:
            running.stop()


def test_a_worker_killed_three_times_leaves_what_an_undisturbed_one_does(system, other_system):
    messages = fleet()
    undisturbed, _ = run_fleet(other_system, messages, kills=())
    disturbed, killed_at = run_fleet(system, messages, kills={0, 2, 4})
    assert len(killed_at) == 3
    assert len(disturbed["violations"]) > 20
    assert {v[0] for v in disturbed["violations"]} >= {"speeding", "banned_zone", "data_gap"}
    for name, rows in undisturbed.items():
        assert disturbed[name] == rows, name
