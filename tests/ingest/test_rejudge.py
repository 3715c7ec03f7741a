"""Judging again what is stored, on a real database."""

import asyncio

import numpy as np
import pytest

from devices.batch import UNKNOWN
from geofence.registry import Zone
from ingest.rejudge import rejudge
from storage import registry
from storage.database import connect
from tests.ingest.fleet import T0_S, Sent, batch_of, new_pipeline, register, stored_state
from tests.ingest.test_invariant import TABLES

pytestmark = pytest.mark.integration

T0_US = T0_S * 1_000_000
DRIVE = [Sent(d, 10 * i, 106.60 + 0.001 * i, 10.75, 60.0) for i in range(60) for d in (0, 1)]
WIDE = {
    "type": "Polygon",
    "coordinates": [
        [[106.61, 10.70], [106.63, 10.70], [106.63, 10.80], [106.61, 10.80], [106.61, 10.70]]
    ],
}


def working(dsn, work):
    """What `work(conn, pipeline)` returns after two vehicles have driven by a zone yet unknown."""

    async def go():
        async with await connect(dsn, name="test") as conn:
            await conn.set_autocommit(True)
            await register(conn)
            pipeline = new_pipeline()
            await pipeline.refresh(conn)
            await pipeline.process(conn, batch_of(DRIVE))
            return await work(conn, pipeline)

    return asyncio.run(go())


async def close_the_road(conn, since_us):
    zone = Zone(UNKNOWN, "LATE", "banned", WIDE, min_duration_s=20, valid_from=since_us)
    await registry.add_zone(conn, zone)


async def rows(conn, question):
    return await (await conn.execute(question)).fetchall()


BANS = """SELECT vehicle_id, status, version, fixes FROM violations
          WHERE kind = 'banned_zone' AND subject = 'LATE' ORDER BY id"""


def test_judging_again_by_the_same_rules_changes_nothing(database):
    async def work(conn, _):
        before = await stored_state(conn)
        other = new_pipeline()
        await other.refresh(conn)
        done = await rejudge(conn, other, T0_US + 95_000_000, "again")
        return before, await stored_state(conn), done

    before, after, done = working(database, work)
    assert after == before
    assert done.vehicles == 2
    assert not done.inserted + done.revised + done.withdrawn


def test_a_zone_registered_for_the_past_is_judged_when_asked_for_and_withdrawn_with_it(database):
    async def work(conn, pipeline):
        await close_the_road(conn, T0_US - 1_000_000)
        await pipeline.refresh(conn)
        unasked = await rows(conn, BANS)
        other = new_pipeline()
        await other.refresh(conn)
        first = await rejudge(conn, other, T0_US, "a ban that was entered late")
        found = await rows(conn, BANS)
        await conn.execute("UPDATE zones SET valid_from = now() WHERE code = 'LATE'")
        await other.refresh(conn)
        second = await rejudge(conn, other, T0_US, "it was a mistake")
        gone = await rows(conn, BANS)
        reasons = await rows(conn, "SELECT reason FROM violation_versions ORDER BY 1")
        return unasked, first, found, second, gone, reasons

    unasked, first, found, second, gone, reasons = working(database, work)
    assert unasked == []
    assert first.inserted["banned_zone"] == 2
    assert [(status, version, fixes) for _, status, version, fixes in found] == [
        ("final", 1, 21)
    ] * 2
    assert second.withdrawn["banned_zone"] == 2
    assert [status for _, status, _, _ in gone] == ["withdrawn"] * 2
    assert reasons == [("it was a mistake",)] * 2


def test_only_the_vehicles_and_the_time_that_were_asked_for_are_judged_again(database):
    async def work(conn, pipeline):
        await close_the_road(conn, T0_US - 1_000_000)
        other = new_pipeline()
        await other.refresh(conn)
        vehicle = min(pipeline.rules.vehicles_of({"29C00000", "29C00001"}).values())
        one = await rejudge(conn, other, T0_US, "one", vehicles=np.array([vehicle], np.int32))
        found = await rows(conn, BANS)
        none = await rejudge(conn, other, T0_US + 10_000_000_000, "later than all fixes")
        return vehicle, one, found, none

    vehicle, one, found, none = working(database, work)
    assert one.vehicles == 1
    assert [row[0] for row in found] == [vehicle]
    assert none.vehicles == 0


def test_a_worker_goes_on_where_it_was_after_somebody_judged_again(database):
    later = [Sent(0, 600 + 10 * i, 106.66 + 0.001 * i, 10.75, 60.0) for i in range(20)]

    async def work(conn, pipeline):
        other = new_pipeline()
        await other.refresh(conn)
        await rejudge(conn, other, T0_US, "again")
        await pipeline.process(conn, batch_of(later))
        disturbed = await stored_state(conn)
        await conn.execute(f"TRUNCATE {TABLES}")
        undisturbed = new_pipeline()
        await undisturbed.refresh(conn)
        await undisturbed.process(conn, batch_of(DRIVE))
        await undisturbed.process(conn, batch_of(later))
        return disturbed, await stored_state(conn)

    disturbed, undisturbed = working(database, work)
    assert disturbed == undisturbed
