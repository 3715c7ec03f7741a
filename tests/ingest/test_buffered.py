"""Devices that buffer for hours and come back with their newest file first."""

import asyncio
import math
from itertools import zip_longest

import pytest

from ingest.pipeline import Pipeline
from storage.database import connect
from tests.ingest.fleet import Sent, batch_of, new_pipeline, register, stored_state
from tests.ingest.test_invariant import TABLES

pytestmark = pytest.mark.integration

EVERY_S, FILE_S, BUFFERED_S = 30, 600, 7200


def journey(device):
    """Two hours to and fro through a banned and a speed zone, with stops, silence and haste."""
    fixes = []
    for at in range(0, BUFFERED_S, EVERY_S):
        if 3000 <= at < 3600 + 400 * device:  # silent
            continue
        stands = at % 2400 > 1200 + 300 * device
        phase = at - 1200 * (at // 2400) if not stands else 1200 + 1200 * (at // 2400)
        lon = 106.70 + 0.11 * math.sin(phase / (400 + 50 * device))
        speed = 0.0 if stands else 55.0 + 40.0 * (at // 300 % 2)
        fixes.append(Sent(device, at, round(lon, 6), 10.75, speed))
    return fixes


def files(fixes):
    """What a device wrote in each ten minutes, the newest file first."""
    numbers = sorted({fix.at // FILE_S for fix in fixes}, reverse=True)
    return [[fix for fix in fixes if fix.at // FILE_S == number] for number in numbers]


async def _state_after(dsn, parts):
    async with await connect(dsn, name="test") as conn:
        await conn.execute(f"TRUNCATE {TABLES}")
        pipeline: Pipeline = new_pipeline()
        await pipeline.refresh(conn)
        for part in parts:
            await pipeline.process(conn, batch_of(part))
        return await stored_state(conn)


def test_buffers_of_two_hours_newest_file_first_end_as_if_nothing_had_been_late(database):
    async def prepare():
        async with await connect(database, name="test") as conn:
            await register(conn)

    asyncio.run(prepare())
    fleet = [journey(device) for device in range(3)]
    in_time = sorted((fix for fixes in fleet for fix in fixes), key=lambda s: (s.at, s.device))
    expected = asyncio.run(_state_after(database, [in_time]))
    live, *buffering = fleet
    # One vehicle reports all the time; the others come back at the end, file by file in turn.
    back = [part for parts in zip_longest(*map(files, buffering)) for part in parts if part]
    parts = [live[i : i + 7] for i in range(0, len(live), 7)] + back
    assert asyncio.run(_state_after(database, parts)) == expected
    kinds = {row[0] for row in expected["violations"]}
    assert {"speeding", "data_gap", "banned_zone"} <= kinds
