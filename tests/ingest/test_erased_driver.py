"""A driver who is erased while the worker runs is nobody to it from then on."""

import asyncio
import json

import numpy as np
import pytest

from ingest.source import MessageBatch
from storage.database import connect
from tests.ingest.fleet import T0_S, new_pipeline, register

pytestmark = pytest.mark.integration


def named(at):
    """A fix with a driver, `at` seconds after T0_S."""
    body = {"time": T0_S + at, "lon": 106.6, "lat": 10.75, "driver": "790123456789"}
    received = np.array([(T0_S + at + 1) * 1_000_000])
    return MessageBatch(["gsht/v1/json/imei-0"], [json.dumps(body).encode()], received)


def test_a_licence_that_is_erased_and_comes_again_is_a_new_drivers(database):
    async def go():
        async with await connect(database, name="test") as conn:
            await conn.set_autocommit(True)
            await register(conn)
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            await pipeline.process(conn, named(0))
            await conn.execute("UPDATE drivers SET licence = 'erased 1', erased_at = now()")
            await conn.execute("UPDATE registry_version SET version = version + 1")
            assert await pipeline.refresh(conn)
            await pipeline.process(conn, named(60))
            found = await conn.execute("SELECT driver_id FROM fixes ORDER BY time")
            return await found.fetchall()

    assert asyncio.run(go()) == [(1,), (2,)]
