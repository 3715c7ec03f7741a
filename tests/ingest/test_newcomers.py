"""Drivers whom feeds make up: bounded by vehicle and day, and what was named is kept."""

import asyncio
import json

import numpy as np
import pytest

from ingest.pipeline import Pipeline
from ingest.source import MessageBatch
from ingest.topics import TopicRouter
from storage.database import connect
from tests.ingest.fleet import OPTIONS, T0_S, register

pytestmark = pytest.mark.integration

DAY_S = 86_400


def named(vehicle, at, *licences, **more):
    """A fix each second from `at` seconds after T0_S on, with these drivers."""
    bodies = [
        {"time": T0_S + at + n, "lon": 106.6, "lat": 10.75, "driver": licence} | more
        for n, licence in enumerate(licences)
    ]
    topics = [f"gsht/v1/json/imei-{vehicle}"] * len(bodies)
    received = np.full(len(bodies), (T0_S + at + len(bodies)) * 1_000_000)
    return MessageBatch(topics, [json.dumps(body).encode() for body in bodies], received)


def made_up(first, count):
    return [f"79{first + n:010d}" for n in range(count)]


def test_a_vehicle_that_makes_up_drivers_fills_no_registry_and_loses_no_word(database):
    async def go():
        async with await connect(database, name="test") as conn:
            await conn.set_autocommit(True)
            await register(conn)
            pipeline = Pipeline(OPTIONS, TopicRouter(), new_drivers=3)
            await pipeline.refresh(conn)
            first = await pipeline.process(conn, named(0, 0, *made_up(0, 5), fuel=7))
            again = await pipeline.process(conn, named(0, 0, *made_up(0, 5), fuel=7))
            known = await pipeline.process(conn, named(0, 60, *made_up(0, 3)))
            other = await pipeline.process(conn, named(1, 120, *made_up(4, 1)))
            now_known = await pipeline.process(conn, named(0, 180, *made_up(4, 1)))
            next_day = await pipeline.process(conn, named(0, DAY_S, *made_up(3, 1)))
            outcomes = [first, again, known, other, now_known, next_day]
            drivers = await (await conn.execute("SELECT licence FROM drivers")).fetchall()
            fixes = await (
                await conn.execute(
                    "SELECT f.driver_id, x.extra FROM fixes f LEFT JOIN fix_extras x "
                    "USING (vehicle_id, time) ORDER BY f.time LIMIT 5"
                )
            ).fetchall()
            return [(o.drivers_added, o.drivers_doubted) for o in outcomes], drivers, fixes

    counts, drivers, fixes = asyncio.run(go())
    assert counts == [(3, 2), (0, 2), (0, 0), (1, 0), (0, 0), (1, 0)]
    assert sorted(drivers) == [(licence,) for licence in made_up(0, 5)]
    assert [driver for driver, _ in fixes] == [1, 2, 3, -1, -1]
    assert [extra.get("driver_doubted") for _, extra in fixes] == [None] * 3 + made_up(3, 2)
    assert {extra["fuel"] for _, extra in fixes} == {7}
