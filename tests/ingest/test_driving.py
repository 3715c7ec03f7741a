"""Driving time in the database: a function of the set of fixes of all of a driver's vehicles."""

import asyncio
import json
from dataclasses import dataclass, replace
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.rounding import on_grid
from geofence.driving_limits import DrivingLimit, DrivingLimits
from geofence.profile import shipped_profile
from geofence.quality import Region
from geofence.registry import VehicleRule
from ingest.pipeline import Pipeline
from ingest.rules import JudgingOptions
from ingest.source import MessageBatch
from ingest.topics import TopicRouter
from storage import quarantine
from storage import violations as violation_table
from storage.arrays import Instants, Int4s, cursor
from storage.database import connect
from storage.driving import LOCKS, lock_drivers
from storage.driving import SQL as DRIVING_SQL
from tests.ingest.fleet import register
from tests.ingest.test_invariant import TABLES, RolledBackError, refuse
from tests.oracle.driving_time import driving_time
from tests.oracle.judge import judge as oracle
from tests.oracle.world import Fix, World

pytestmark = pytest.mark.integration

SUNDAY_S = 1_760_284_800
"""A Sunday in Viet Nam, 23:00, in Unix seconds."""

PROFILE = replace(
    shipped_profile(),
    driving_limits=(
        DrivingLimits(
            "short", None, None,
            {
                "continuous_s": DrivingLimit(2_400.0, "", "D"),
                "daily_s": DrivingLimit(3_600.0, "", "D"),
                "weekly_s": DrivingLimit(5_400.0, "", "D"),
            },
        ),
    ),
)  # fmt: skip
LICENCES = ("790000000007", "790000000008")


@dataclass(frozen=True)
class Sent:
    """A fix as a tracker sends it; `at` in seconds after SUNDAY_S; driver: of LICENCES, or -1."""

    device: int
    at: int
    lon: float
    speed_kmh: float
    driver: int

    @property
    def message(self):
        body: dict[str, object] = {
            "time": SUNDAY_S + self.at, "lon": self.lon, "lat": 10.75, "speed_kmh": self.speed_kmh,
        }  # fmt: skip
        if self.driver >= 0:
            body["driver"] = LICENCES[self.driver]
        received = (SUNDAY_S + self.at + 1) * 1_000_000
        return f"gsht/v1/json/imei-{self.device}", json.dumps(body).encode(), received


def batch_of(sent):
    topics, payloads, received = zip(*(s.message for s in sent), strict=True)
    return MessageBatch(list(topics), list(payloads), np.array(received, np.int64))


def new_pipeline():
    options = JudgingOptions((PROFILE,), "Asia/Ho_Chi_Minh", Region())
    return Pipeline(options, TopicRouter())


@st.composite
def drives(draw):
    """Two vehicles that two drivers share, around the midnight that begins a week."""
    sent = []
    for device in range(2):
        at, lon = draw(st.sampled_from([0, 300, 1_500])), 106.0
        for _ in range(draw(st.integers(1, 5))):
            speed = draw(st.sampled_from([0.0, 40.0, 40.0]))
            driver = draw(st.sampled_from([-1, 0, 0, 1]))
            gap = draw(st.sampled_from([60, 300, 600, 600, 900, 1_000]))
            for _ in range(draw(st.integers(1, 8))):
                at += gap
                lon += 0.01 if speed else 0.0
                sent.append(Sent(device, at, round(lon, 6), speed, driver))
    return sent


@st.composite
def deliveries(draw):
    sent = draw(drives())
    order = draw(st.permutations(sent)) if draw(st.booleans()) else list(sent)
    cuts = draw(st.lists(st.integers(0, len(order)), max_size=6).map(sorted))
    parts = [order[a:b] for a, b in pairwise([0, *cuts, len(order)]) if a < b]
    events = st.lists(st.sampled_from(["go", "go", "restart", "fail"]), min_size=8, max_size=8)
    return sent, list(zip(parts, draw(events), strict=False))


async def process(conn, pipeline, sent):
    await pipeline.process(conn, batch_of(sent))


async def stored(conn):
    """What is stored of driving time, as intervals, by kind and start."""
    kinds = violation_table.BY_DRIVER
    cur = cursor(conn)
    await cur.execute(
        "SELECT v.id, v.version, v.status, v.kind, v.vehicle_id, v.subject, v.rule_profile,"
        " v.driver_id, v.started_at, v.ended_at, v.distance_m, v.fixes, v.start_lon, v.start_lat,"
        " v.end_lon, v.end_lat, v.details FROM violations v"
        " WHERE kind = ANY(%s) AND status <> 'withdrawn'",
        [kinds],
    )
    return [violation_table._stored_of(*row).interval for row in await cur.fetchall()]


async def ids(conn, table, name):
    found = await conn.execute(f"SELECT {name}, id FROM {table}")
    return dict(await found.fetchall())


async def expected(conn, sent):
    """What the oracle says of the fixes."""
    vehicles, drivers = await ids(conn, "vehicles", "plate"), await ids(conn, "drivers", "licence")
    world = World([PROFILE], [], [], {id_: VehicleRule(id_) for id_ in vehicles.values()})
    spans = []
    for device in range(2):
        vehicle = vehicles[f"29C{device:05d}"]
        fixes = [
            Fix(
                (SUNDAY_S + s.at) * 1_000_000, float(on_grid(np.array(s.lon))), 10.75,
                float(np.float32(s.speed_kmh)),
                drivers[LICENCES[s.driver]] if s.driver >= 0 else -1,
            )
            for s in sorted(sent, key=lambda s: s.at)
            if s.device == device
        ]  # fmt: skip
        judged = oracle(world, world.vehicles[vehicle], fixes)
        spans += [interval for interval in judged if interval.kind == "driving"]
    return driving_time(world, spans)


def comparable(intervals):
    return sorted(
        (
            (i.kind, i.vehicle, i.driver, i.started, i.ended, i.is_open, i.fixes, i.profile),
            tuple(round(x, 6) for x in (i.distance_m, *i.start, *i.end)),
            sorted(i.details.items()),
        )
        for i in intervals
    )


async def check(dsn, sent, ways):
    async with await connect(dsn, name="test") as conn:
        await conn.execute(f"TRUNCATE {TABLES}")
        pipeline = new_pipeline()
        await pipeline.refresh(conn)
        for part, event in ways:
            if event == "restart":
                pipeline = new_pipeline()
                await pipeline.refresh(conn)
            if event == "fail":
                with patch("storage.quarantine.insert", refuse), pytest.raises(RolledBackError):
                    await process(conn, pipeline, part)
            await process(conn, pipeline, part)
        came = [s for part, _ in ways for s in part]
        assert comparable(await stored(conn)) == comparable(await expected(conn, came))


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
def test_driving_time_is_that_of_the_oracle_however_the_fixes_came(registered, delivery):
    sent, ways = delivery
    asyncio.run(check(registered, sent, ways))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drives(), st.integers(1, 5), st.sampled_from([2, 3, 100]))
def test_what_is_stored_is_right_after_every_batch(registered, sent, size, restart_every):
    async def go():
        async with await connect(registered, name="test") as conn:
            await conn.execute(f"TRUNCATE {TABLES}")
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            in_order = sorted(sent, key=lambda s: s.at)
            for number, at in enumerate(range(0, len(in_order), size), 1):
                if number % restart_every == 0:
                    pipeline = new_pipeline()
                    await pipeline.refresh(conn)
                await process(conn, pipeline, in_order[at : at + size])
                wanted = await expected(conn, in_order[: at + size])
                assert comparable(await stored(conn)) == comparable(wanted)

    asyncio.run(go())


def drive(device, driver, from_s, to_s, every_s=300):
    return [
        Sent(device, at, round(106.0 + at * 1e-5, 6), 40.0, driver)
        for at in range(from_s, to_s + 1, every_s)
    ]


async def rows(conn, question):
    return await (await conn.execute(question)).fetchall()


VIOLATIONS = (
    "SELECT kind, status, version, (details->>'driving_s')::float FROM violations"
    " WHERE kind = 'continuous_driving' ORDER BY id"
)


def run(dsn, steps):
    async def go():
        async with await connect(dsn, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            return await steps(conn, pipeline)

    return asyncio.run(go())


def test_late_fixes_in_one_vehicle_withdraw_what_two_vehicles_came_to(registered):
    # The second vehicle's hours count on; then the first turns out to have stood still long enough.
    async def steps(conn, pipeline):
        await process(conn, pipeline, drive(0, 0, 0, 1_500, every_s=750))
        await process(conn, pipeline, drive(1, 0, 1_800, 3_000))
        before = await rows(conn, VIOLATIONS)
        late = [Sent(0, at, 106.0, 0.0, 0) for at in (10, 20, 500, 1_000, 1_480, 1_490)]
        await process(conn, pipeline, late)
        return before, await rows(conn, VIOLATIONS)

    before, after = run(registered, steps)
    assert before == [("continuous_driving", "open", 1, 2_700.0)]
    assert [status for _, status, _, _ in after] == ["withdrawn"]


def test_an_open_span_is_not_written_while_it_only_goes_on(registered):
    question = "SELECT xmin::text, is_moving, ended_at = started_at FROM driving_spans"

    async def steps(conn, pipeline):
        found = []
        for sent in drive(0, 0, 0, 1_500):
            await process(conn, pipeline, [sent])
            found.append(await rows(conn, question))
        return found

    none, *others = run(registered, steps)
    assert none == []
    assert all(other == others[0] for other in others)
    assert others[0][0][1:] == (True, True)


def test_a_driver_of_two_workers_is_judged_by_what_both_have_stored(registered):
    async def steps(conn, ours):
        theirs = new_pipeline()
        await theirs.refresh(conn)
        await process(conn, ours, drive(0, 0, 0, 1_500))
        await process(conn, theirs, drive(1, 0, 1_800, 3_000))
        return await rows(conn, VIOLATIONS)

    assert run(registered, steps) == [("continuous_driving", "open", 1, 2_700.0)]


def test_two_workers_wait_for_each_other_over_a_driver(registered):
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    async def go():
        release, reached = asyncio.Event(), asyncio.Event()
        insert = quarantine.insert

        async def held(conn, *rows):
            reached.set()
            await release.wait()
            await insert(conn, *rows)

        async with (
            await connect(registered, name="one") as one,
            await connect(registered, name="other") as other,
            await connect(registered, name="watch") as watch,
        ):
            ours, theirs = new_pipeline(), new_pipeline()
            await ours.refresh(one)
            await theirs.refresh(other)
            await process(one, ours, drive(0, 0, 0, 300))
            with patch("storage.quarantine.insert", held):
                first = asyncio.create_task(process(one, ours, drive(0, 0, 600, 1_500)))
                await reached.wait()
            second = asyncio.create_task(process(other, theirs, drive(1, 0, 1_800, 3_000)))
            async with asyncio.timeout(30):
                while await rows(watch, waiting) == [(0,)]:
                    assert not second.done()
            release.set()
            await asyncio.gather(first, second)
            return await rows(watch, VIOLATIONS)

    assert asyncio.run(go()) == [("continuous_driving", "open", 1, 2_700.0)]


def test_a_warning_stands_when_the_driver_rests_in_time(registered):
    question = "SELECT kind, status, version FROM violations WHERE kind LIKE 'continuous%'"

    async def steps(conn, pipeline):
        await process(conn, pipeline, drive(0, 0, 0, 2_100))
        warned = await rows(conn, question)
        rest = [Sent(0, at, 106.03, 0.0, 0) for at in (2_200, 2_300, 3_200)]
        await process(conn, pipeline, rest)
        return warned, await rows(conn, question)

    warned, rested = run(registered, steps)
    assert warned == rested == [("continuous_driving_warning", "final", 1)]


def test_who_was_looked_at_in_a_stop_is_looked_at_when_he_drives_on_for_too_long(registered):
    async def steps(conn, pipeline):
        stop = [Sent(0, at, 106.016, 0.0, 0) for at in (1_600, 1_700)]
        await process(conn, pipeline, drive(0, 0, 0, 1_500) + stop[:1])
        again = new_pipeline()
        await again.refresh(conn)
        await process(conn, again, stop[1:])
        for at in range(1_800, 2_500, 60):
            await process(conn, again, drive(0, 0, at, at))
        return await rows(conn, VIOLATIONS)

    assert run(registered, steps) == [("continuous_driving", "open", 1, 2_460.0)]


def test_a_batch_that_fails_has_nobody_looked_at_again_but_whom_it_concerned(registered):
    async def steps(conn, pipeline):
        for at in (0, 60):
            await process(conn, pipeline, [*drive(0, 0, at, at), *drive(1, 1, at, at)])
        looked_at = []
        judge = violation_table.reconcile_driving

        async def noted(conn, since, intervals, reason):
            looked_at.append(len(since))
            return await judge(conn, since, intervals, reason)

        with patch("storage.violations.reconcile_driving", noted):
            with patch("storage.quarantine.insert", refuse), pytest.raises(RolledBackError):
                await process(conn, pipeline, drive(0, 0, 120, 120))
            await process(conn, pipeline, drive(1, 1, 120, 120))
            others = list(looked_at)
            await process(conn, pipeline, drive(0, 0, 120, 120))
        return others, looked_at

    assert run(registered, steps) == ([], [1])


def test_the_spans_of_a_vehicle_are_not_looked_for_among_those_of_all_without_a_driver(registered):
    async def steps(conn, _):
        await conn.execute(
            "INSERT INTO driving_spans (vehicle_id, started_at, ended_at, rule_profile, is_open,"
            " is_moving, continues, unseen_s, distance_m, fixes, start_lon, start_lat, end_lon,"
            " end_lat) SELECT v.id, t, t, '', false, false, false, 0, 0, 0, 0, 0, 0, 0"
            " FROM vehicles v, generate_series(now(), now() + '1 day', '1 minute') AS t"
        )
        await conn.execute("ANALYZE driving_spans")
        plans = []
        for mode in ("force_custom_plan", "force_generic_plan"):
            await conn.execute(f"SET plan_cache_mode = {mode}")
            cur = cursor(conn)
            params = {"vehicle": Int4s(np.array([1])), "since": Instants(np.array([SUNDAY_S]))}
            await cur.execute(b"EXPLAIN " + DRIVING_SQL["of_vehicles"], params, prepare=True)
            plans += [line for (line,) in await cur.fetchall()]
        return plans

    plans = run(registered, steps)
    assert any("driving_spans_pkey" in line for line in plans)
    assert not any("driving_spans_driver" in line for line in plans)


def test_a_full_batch_of_drivers_leaves_room_for_the_locks_of_others(registered):
    async def steps(conn, _):
        async with conn.transaction():
            await lock_drivers(conn, range(4096))
            return await rows(conn, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")

    assert run(registered, steps) == [(LOCKS,)]


def test_nobody_is_looked_at_while_nothing_can_change(registered):
    async def steps(conn, pipeline):
        looked_at = []
        judge = violation_table.reconcile_driving

        async def noted(conn, since, intervals, reason):
            looked_at.append(at)
            return await judge(conn, since, intervals, reason)

        with patch("storage.violations.reconcile_driving", noted):
            for at in range(0, 2_461, 60):
                await process(conn, pipeline, drive(0, 0, at, at))
        return looked_at

    looked_at = run(registered, steps)
    # Begun; when five minutes are left; over the limit. Meanwhile within a quarter of an hour, each
    # driver in his own time, to the minute of a fix.
    again = [at for at in looked_at if at not in {2_100, 2_460}]
    assert (again[0], looked_at[-2:]) == (60, [2_100, 2_460])
    assert len(again) in {3, 4, 5}
    assert all(450 <= later - before <= 960 for before, later in pairwise(again))
