"""Wrong clocks in the database: a function of the set of stored `future` fixes."""

import asyncio
import json
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.rounding import on_grid
from geofence.profile import shipped_profile
from geofence.quality import Region
from geofence.registry import VehicleRule
from ingest.pipeline import Pipeline
from ingest.rules import JudgingOptions
from ingest.source import MessageBatch
from ingest.topics import TopicRouter
from storage import violations as violation_table
from storage.arrays import cursor
from storage.database import connect
from tests.ingest.fleet import register
from tests.ingest.test_invariant import TABLES, RolledBackError, refuse
from tests.oracle.clock_wrong import clock_wrong
from tests.oracle.world import World

pytestmark = pytest.mark.integration

MIDNIGHT_S = 1_760_288_400
"""Midnight in Viet Nam, in Unix seconds."""

PROFILE = shipped_profile()


@dataclass(frozen=True)
class Sent:
    """A fix by a clock that is `ahead` seconds ahead; it arrives `at` seconds after midnight."""

    device: int
    at: int
    ahead: int

    @property
    def received(self):
        return (MIDNIGHT_S + self.at) * 1_000_000

    @property
    def time(self):
        return self.received + self.ahead * 1_000_000

    @property
    def lon(self):
        return round(106.0 + self.at * 1e-5, 6)

    @property
    def message(self):
        body = {"time": self.time / 1e6, "lon": self.lon, "lat": 10.75, "speed_kmh": 0.0}
        return f"gsht/v1/json/imei-{self.device}", json.dumps(body).encode(), self.received


def batch_of(sent):
    topics, payloads, received = zip(*(s.message for s in sent), strict=True)
    return MessageBatch(list(topics), list(payloads), np.array(received, np.int64))


def new_pipeline():
    return Pipeline(JudgingOptions((PROFILE,), "Asia/Ho_Chi_Minh", Region()), TopicRouter())


fixes = st.builds(
    Sent,
    st.integers(0, 1),
    st.integers(-12, 12).map(lambda quarter_of_gap: 300 * quarter_of_gap),
    st.sampled_from([0, 180, 181, 3_600, 3_601, 80_000]),
)


@st.composite
def deliveries(draw):
    sent = draw(st.lists(fixes, min_size=1, max_size=25, unique_by=lambda s: (s.device, s.time)))
    order = sent if draw(st.booleans()) else sorted(sent, key=lambda s: s.received)
    size = draw(st.integers(1, 6))
    parts = [order[at : at + size] for at in range(0, len(order), size)]
    events = st.lists(st.sampled_from(["go", "go", "restart", "fail"]), min_size=25, max_size=25)
    return list(zip(parts, draw(events), strict=False))


async def stored(conn):
    cur = cursor(conn)
    await cur.execute(
        "SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile,"
        " v.driver_id, v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat,"
        " v.end_lon, v.end_lat, v.details FROM violations v"
        " WHERE kind = 'clock_wrong' AND status <> 'withdrawn'"
    )
    return [violation_table._stored_of(*row).interval for row in await cur.fetchall()]


async def vehicles(conn):
    found = await conn.execute("SELECT plate, id FROM vehicles")
    return dict(await found.fetchall())


def comparable(intervals):
    return sorted(
        (
            (i.vehicle, i.started, i.ended, i.is_open, i.fixes, i.profile, i.start, i.end),
            sorted((name, round(value, 6)) for name, value in i.details.items()),
        )
        for i in intervals
    )


async def expected(conn, sent):
    world = World([PROFILE], [], [], {})
    found = []
    for device in range(2):
        vehicle = (await vehicles(conn))[f"29C{device:05d}"]
        world.vehicles[vehicle] = VehicleRule(vehicle)
        wrong = [s for s in sent if s.device == device and s.ahead > 180]
        own = [(s.time, s.received, (float(on_grid(np.array(s.lon))), 10.75)) for s in wrong]
        found += clock_wrong(world, vehicle, own)
    return found


@pytest.fixture
def registered(database):
    async def prepare():
        async with await connect(database, name="test") as conn:
            await register(conn, 2)

    asyncio.run(prepare())
    return database


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deliveries())
def test_wrong_clocks_are_those_of_the_oracle_however_the_fixes_came(registered, ways):
    async def go():
        async with await connect(registered, name="test") as conn:
            await conn.execute(f"TRUNCATE {TABLES}")
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            came = []
            for part, event in ways:
                if event == "restart":
                    pipeline = new_pipeline()
                    await pipeline.refresh(conn)
                if event == "fail":
                    with patch("storage.quarantine.insert", refuse), pytest.raises(RolledBackError):
                        await pipeline.process(conn, batch_of(part))
                await pipeline.process(conn, batch_of(part))
                came += part
                assert comparable(await stored(conn)) == comparable(await expected(conn, came))

    asyncio.run(go())


async def rows(conn, question):
    return await (await conn.execute(question)).fetchall()


def test_a_wrong_clock_goes_on_in_place_and_its_last_run_is_over_when_another_begins(registered):
    question = (
        "SELECT status, version, fixes, (details->>'max_ahead_s')::float FROM violations"
        " WHERE kind = 'clock_wrong' ORDER BY started_at"
    )

    async def go():
        async with await connect(registered, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            found = []
            for first in (0, 30, 2_000):
                part = [Sent(0, at, 3_600 + at) for at in range(first, first + 30, 10)]
                await pipeline.process(conn, batch_of(part))
                found.append(await rows(conn, question))
            return found

    one, longer, two = asyncio.run(go())
    assert one == [("open", 1, 3, 3_620.0)]
    assert longer == [("open", 1, 6, 3_650.0)]
    assert two == [("final", 1, 6, 3_650.0), ("open", 1, 3, 5_620.0)]


def test_rejudging_finds_wrong_clocks_again(registered):
    async def go():
        async with await connect(registered, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            sent = [Sent(0, at, 600) for at in range(0, 50, 10)]
            await pipeline.process(conn, batch_of(sent))
            await conn.execute("DELETE FROM violations")
            ids = np.array(sorted((await vehicles(conn)).values()), np.int32)
            await pipeline.rejudge(conn, ids, sent[0].received, "another profile")
            return comparable(await stored(conn)) == comparable(await expected(conn, sent))

    assert asyncio.run(go())
