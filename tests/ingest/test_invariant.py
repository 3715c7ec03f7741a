"""The invariant: what is stored is a function of the set of fixes and weighings alone."""

import asyncio
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.pipeline import Pipeline
from ingest.source import MessageBatch
from storage.database import connect
from tests.ingest.fleet import (
    Scaled,
    Sent,
    add_route,
    batch_of,
    new_pipeline,
    register,
    stored_state,
)  # fmt: skip

pytestmark = pytest.mark.integration

STEP_S = 10

TABLES = (
    "fixes, fix_extras, fix_repeats, repeat_counts, latest, judge_marks, zone_visits, route_trips, "
    "driving_spans, violation_reviews, violation_attachments, violation_versions, violations, "
    "quarantine, weighings, judging"
)


@st.composite
def drives(draw):
    """Fixes of up to three vehicles on an east-west road through a banned and a speed zone.

    Some are weighed on the way, before it or after it.
    """
    sent: list[Sent | Scaled] = []
    for device in range(draw(st.integers(1, 3))):
        at, lon, lat = 0, 106.69, 10.75
        for _ in range(draw(st.integers(1, 40))):
            at += STEP_S * draw(st.sampled_from([1, 1, 1, 1, 2, 6, 7, 13, 90, 91]))
            lon += draw(st.sampled_from([0.0, 0.0005, 0.002, 0.002, 0.004, -0.003, 0.3]))
            lon = min(lon, 106.9)
            if draw(st.integers(0, 5)) == 0:
                lat = draw(st.sampled_from([10.75, 10.756]))
            speed = draw(st.sampled_from([0.0, 40.0, 60.0, 85.0, 90.0, 230.0]))
            valid = draw(st.sampled_from([True, True, True, False]))
            sent.append(Sent(device, at, round(lon, 6), lat, speed, valid))
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
            weighed_at = draw(st.integers(-90, at // STEP_S + 3)) * STEP_S
            weighed_at += draw(st.sampled_from([0, 0, 3]))
            sent.append(Scaled(device, weighed_at, draw(st.sampled_from([12e3, 20e3, 30e3]))))
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


@pytest.fixture
def with_route(registered):
    async def prepare():
        async with await connect(registered, name="test") as conn:
            await add_route(conn, [1, 2, 3])

    asyncio.run(prepare())
    return registered


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deliveries())
def test_order_batches_repeats_restarts_and_failures_change_nothing(registered, delivery):
    sent, ways = delivery
    in_order = sorted(sent, key=lambda s: (s.at, s.device))
    expected = asyncio.run(outcome_of(registered, [(in_order, "go")]))
    assert asyncio.run(outcome_of(registered, ways)) == expected


@st.composite
def shuttles(draw):
    """Fixes of up to three buses between the terminals of a route, which set out when they like."""
    sent = []
    for device in range(draw(st.integers(1, 3))):
        at, place, way = draw(st.integers(0, 120)) * 30, 0, 1
        for _ in range(draw(st.integers(4, 40))):
            at += draw(st.sampled_from([60, 60, 60, 120, 300, 840, 960]))
            place += way * draw(st.sampled_from([0, 1, 1, 1]))
            if not 0 <= place <= 4 or draw(st.integers(0, 12)) == 0:
                place, way = min(4, max(0, place)), -way
            lat = 10.75 if draw(st.integers(0, 9)) else 10.76
            sent.append(Sent(device, at, round(106.65 + 0.01 * place, 6), lat, 40.0))
    return sent


@st.composite
def shuttle_deliveries(draw):
    sent = draw(shuttles())
    order = draw(st.permutations(sent))
    cuts = draw(st.lists(st.integers(0, len(order)), max_size=6).map(sorted))
    parts = [order[a:b] for a, b in pairwise([0, *cuts, len(order)]) if a < b]
    events = draw(st.lists(st.sampled_from(["go", "restart", "fail"]), min_size=8, max_size=8))
    return sent, list(zip(parts, events, strict=False))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(shuttle_deliveries())
def test_trips_and_late_departures_do_not_depend_on_how_the_fixes_came(with_route, delivery):
    sent, ways = delivery
    in_order = sorted(sent, key=lambda s: (s.at, s.device))
    expected = asyncio.run(outcome_of(with_route, [(in_order, "go")]))
    assert asyncio.run(outcome_of(with_route, ways)) == expected


def setting_out(device, departs):
    """A bus that leaves A so many seconds after T0, which is 15:53:20 local."""
    steps = [(-120, 106.65), (-60, 106.65), (0, 106.65), (60, 106.66), (120, 106.67)]
    return [Sent(device, departs + at, lon, 10.75, 40.0) for at, lon in steps]


async def late_departures(conn):
    query = (
        "SELECT vehicle_id, details->>'slot', status, version FROM violations"
        " WHERE kind = 'late_departure' AND status <> 'withdrawn' ORDER BY started_at"
    )
    return await (await conn.execute(query)).fetchall()


def test_a_departure_that_is_heard_of_last_takes_the_slot_of_another_vehicle(with_route):
    # Two leave at 16:20 and 16:36; another at 16:20:10 is heard of last.
    async def go():
        async with await connect(with_route, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            found = []
            for part in (setting_out(0, 1_600), setting_out(1, 2_560), setting_out(2, 1_610)):
                await pipeline.process(conn, batch_of(part))
                found.append(await late_departures(conn))
            return found

    one, two, three = asyncio.run(go())
    assert one == two == []
    assert three == [(1, "2025-10-09 16:00", "final", 1)]


@pytest.mark.parametrize("again", range(3))
def test_workers_that_judge_vehicles_of_one_route_at_once_end_as_one_would(with_route, again):
    async def work(device, departs):
        async with await connect(with_route, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            for sent in setting_out(device, departs):
                await pipeline.process(conn, batch_of([sent]))

    async def go():
        await asyncio.gather(work(0, 1_600), work(1, 2_560), work(2, 1_610))
        async with await connect(with_route, name="test") as conn:
            return await late_departures(conn)

    assert [row[:2] for row in asyncio.run(go())] == [(1, "2025-10-09 16:00")]


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


def split_between_two(sent):
    """Each vehicle's fixes by turns, and all its weighings with the other judge."""
    one = [s for n, s in enumerate(sent) if isinstance(s, Sent) and n % 2]
    other = [s for n, s in enumerate(sent) if isinstance(s, Scaled) or not n % 2]
    return one, other


@given(sent=drives(), parts=st.integers(1, 4))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_two_live_judges_that_share_vehicles_come_to_what_one_does(registered, sent, parts):
    expected = asyncio.run(outcome_of(registered, [(sent, "go")]))

    async def judge_beside_each_other():
        async with (
            await connect(registered, name="test") as conn,
            await connect(registered, name="test") as other_conn,
        ):
            await conn.execute(f"TRUNCATE {TABLES}")

            async def judge(own_conn, own):
                pipeline = new_pipeline()
                await pipeline.refresh(own_conn)
                size = max(1, -(-len(own) // parts))
                for start in range(0, len(own), size):
                    await pipeline.process(own_conn, batch_of(own[start : start + size]))

            one, other = split_between_two(sent)
            await asyncio.gather(judge(conn, one), judge(other_conn, other))
            return await stored_state(conn)

    found = asyncio.run(judge_beside_each_other())
    for name, rows in expected.items():
        assert found[name] == rows, name


def test_a_judge_trusts_nothing_that_it_remembers_of_a_vehicle_that_another_one_had(registered):
    async def go():
        async with await connect(registered, name="test") as conn:
            ours, theirs = new_pipeline(), new_pipeline()
            await ours.refresh(conn)
            await theirs.refresh(conn)
            fixes = [Sent(0, at, 106.60, 10.75, 30.0) for at in (0, 10, 20)]
            await ours.process(conn, batch_of(fixes[:1]))
            await theirs.process(conn, batch_of(fixes[:2]))
            outcome = await ours.process(conn, batch_of(fixes))
            return outcome, await stored_state(conn)

    outcome, state = asyncio.run(go())
    assert (len(outcome.fixes), outcome.repeats, outcome.replayed) == (1, 2, 1)
    assert len(state["fixes"]) == 3


def kinds(state):
    return [(row[0], row[4], row[5], row[8]) for row in state["violations"]]


def test_a_weighing_that_comes_after_the_fixes_draws_the_stretch_that_it_would_have_drawn(
    registered,
):
    drive = [Sent(0, at, round(106.40 + at * 0.0002, 6), 10.75, 60.0) for at in range(0, 3000, 60)]
    weighed = Scaled(0, 610, 20e3)
    weighed_again = Scaled(0, 1810, 12e3)
    in_time: list[Sent | Scaled] = [*drive, weighed, weighed_again]
    in_time.sort(key=lambda s: s.at)
    expected = asyncio.run(outcome_of(registered, [(in_time, "go")]))
    stretches = [row for row in kinds(expected) if row[0] == "overloaded_stretch"]
    ((_, started, ended, fixes),) = stretches
    assert (ended - started).total_seconds() == 1800 - 660
    assert fixes == 20
    for parts in (
        [(drive, "go"), ([weighed], "go"), ([weighed_again], "go")],
        [(drive, "go"), ([weighed_again], "restart"), ([weighed], "fail")],
        [([weighed, weighed_again], "go"), (drive[20:], "restart"), (drive[:20], "go")],
        [(drive[::2], "go"), ([weighed_again, weighed], "fail"), (drive[1::2], "go")],
    ):
        assert asyncio.run(outcome_of(registered, parts)) == expected


def test_a_stretch_ends_where_a_late_weighing_finds_the_vehicle_unladen(registered):
    drive = [Sent(0, at, round(106.40 + at * 0.0002, 6), 10.75, 60.0) for at in range(0, 3000, 60)]

    async def go():
        async with await connect(registered, name="test") as conn:
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            found = []
            for part in ([Scaled(0, 5, 20e3)], drive, [Scaled(0, 1205, 12e3)]):
                await pipeline.process(conn, batch_of(part))
                rows = await conn.execute(
                    "SELECT status, duration_s FROM violations WHERE kind = 'overloaded_stretch'"
                )
                found.append(await rows.fetchall())
            return found

    # What is open goes on in place: no fact of it was ever said to be final.
    assert asyncio.run(go()) == [[], [("open", 2880.0)], [("final", 1140.0)]]
