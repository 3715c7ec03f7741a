"""Rounds of upkeep on either flavour: what ends, and what it leaves."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from devices.batch import FixBatch
from storage import fixes, upkeep
from storage.database import connect
from storage.flavour import chunks
from storage.reading import journeys
from tests.storage.connected import rows
from tests.storage.drives import evidence_of, journey, slow_hours
from tests.storage.flavoured import as_inspector
from tests.storage.reviewing import looked_at_twice
from tests.storage.rolled_up import DAY_US, MARCH_US, NOW_US, assert_same_hours, at, told_hours

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

HELD = """
SELECT (SELECT count(*) FROM violations WHERE vehicle_id = ANY (v)),
       (SELECT count(*) FROM evidence_fixes WHERE vehicle_id = ANY (v)),
       (SELECT count(*) FROM fix_extras WHERE vehicle_id = ANY (v)),
       (SELECT count(*) FROM fixes WHERE vehicle_id = %s)
FROM (SELECT array_agg(id) AS v FROM vehicles WHERE %s::integer IS NULL OR id = %s) k
"""


class Held(NamedTuple):
    """Rows of a vehicle, or of all; fixes are of a vehicle only."""

    violations: int
    evidence: int
    extras: int
    fixes: int


async def held(conn, vehicle: int | None = None) -> Held:
    [found] = await rows(conn, HELD, vehicle, vehicle, vehicle)
    return Held(*map(int, map(str, found)))


async def round_of_upkeep(conn, keeping, now_us: int, host: str = "") -> upkeep.Round:
    """A round, which says what really went: other tests' rows may go as well."""
    before = await held(conn)
    done = await upkeep.keep(conn, keeping, now_us, host)
    after = await held(conn)
    assert done is not None
    assert done.violations_deleted == before.violations - after.violations
    assert done.evidence_kept - done.evidence_deleted == after.evidence - before.evidence
    assert done.extras_deleted == before.extras - after.extras
    return done


def test_evidence_outlives_the_fixes_and_goes_with_its_violation(place, vehicles):
    """Three drives of half an hour, nine days apart: the neighbours of a violation lie far away."""
    vehicle = next(vehicles)
    host = f"upkeep of {vehicle}"
    start = MARCH_US - 400 * DAY_US
    drives = [
        journey(vehicle, start + day * DAY_US, np.arange(0, 1800, 10), day) for day in (0, 9, 18)
    ]
    whole = FixBatch.concat(drives)
    second = drives[1].time
    # The second drive but for its ends; all of it; a warning over the first; one long withdrawn.
    found = [
        ("speeding", second[20], second[100], "final", "new"),
        ("zone_dwell", second[0], second[-1], "revised", "appealed"),
        ("daily_driving_warning", drives[0].time[0], drives[0].time[-1], "final", "new"),
        ("speeding", drives[2].time[0], drives[2].time[-1], "withdrawn", "new"),
    ]
    expected = [evidence_of(whole, int(one[1]), int(one[2])) for one in found[:2]]
    # Fixes may go 100 days on: the three drives. Then the violations too, but for the appealed one.
    keeping = upkeep.Keeping(fixes_days=300, violations_days=900, hours_days=10_000)
    later = replace(keeping, violations_days=400)

    async def shown(conn):
        async with conn.transaction():
            await as_inspector(conn)
            told = [
                await journeys.evidence(conn, vehicle, int(one[1]), int(one[2]), most=10_000)
                for one in found[:2]
            ]
        return [
            [(round(datetime.fromisoformat(f.time).timestamp() * 1e6), f.role) for f in fixes]
            for fixes, _ in told
        ], [f.extra for f in told[0][0] if f.extra is not None]

    async def work(conn):
        for batch in drives:
            await place.store(conn, batch)
        await conn.execute(
            "INSERT INTO fix_extras SELECT %s, to_timestamp(t / 1e6), '{\"io\": 1}'"
            " FROM unnest(%s::bigint[]) t",
            [vehicle, [int(second[50])]],
        )
        await conn.execute(
            "INSERT INTO latest SELECT %s, now(), 0, 0, 0, 0, -1, 0, 0, now(), now(), now(), now()",
            [vehicle],
        )
        for kind, begun, ended, status, review in found:
            await conn.execute(
                "INSERT INTO violations (kind, subject, rule_profile, vehicle_id, started_at,"
                " ended_at, duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat,"
                " details, status, review) SELECT %s, '', 'p', %s, to_timestamp(%s / 1e6),"
                " to_timestamp(%s / 1e6), 0, 0, 1, 0, 0, 0, 0, '{}', %s, %s",
                [kind, vehicle, int(begun), int(ended), status, review],
            )
        stood = await fixes.horizon(conn)
        told, rounds, left = [await shown(conn)], [], []
        for kept, now_us, ends_appeal in (
            (keeping, MARCH_US, False),
            (later, MARCH_US + 20 * DAY_US, False),
            (later, MARCH_US + 20 * DAY_US, True),
        ):
            if ends_appeal:
                await conn.execute(
                    "UPDATE violations SET review = 'dismissed'"
                    " WHERE review = 'appealed' AND vehicle_id = %s",
                    [vehicle],
                )
            rounds.append(await round_of_upkeep(conn, kept, now_us, host))
            told.append(await shown(conn))
            left.append(await held(conn, vehicle))
        audited = await rows(
            conn,
            "SELECT action, detail::jsonb FROM audit WHERE actor = 'upkeep' AND address = %s",
            host,
        )
        return told, rounds, left, audited, (stood, await fixes.horizon(conn))

    told, rounds, left, audited, (stood, stands) = place.connected(work)
    assert told[0] == (expected, [msgspec.Raw(b'{"io": 1}')])
    assert told[1] == told[0]
    # What stays is what the appealed one rests on, which is longer.
    assert told[2][0][1] == expected[1]
    evidence = len(expected[1])
    assert left == [Held(4, evidence, 0, 0), Held(1, evidence, 0, 0), Held(0, 0, 0, 0)]
    fixes_gone, violations_gone = (
        [detail for action, detail in audited if action == what]
        for what in ("delete_fixes", "delete_violations")
    )
    assert sum(one["kept_as_evidence"] for one in fixes_gone) == rounds[0].evidence_kept
    assert sum(one["rows"] for one in fixes_gone) >= len(whole)
    assert [one["rows"] for one in violations_gone] == [
        one.violations_deleted for one in rounds if one.violations_deleted
    ]
    assert drives[2].time[-1] < stands <= max(stood, MARCH_US - 280 * DAY_US)


def test_a_round_of_upkeep_ends_what_is_kept_too_long_and_nothing_else(place, vehicles):
    vehicle = next(vehicles)
    old, young = MARCH_US - 100 * DAY_US, MARCH_US + 100 * DAY_US
    now_us = young + 10 * DAY_US
    keeping = upkeep.Keeping(
        fixes_days=150, violations_days=60, hours_days=10_000, compressed_after_days=7
    )

    async def work(conn):
        for start in (old, young):
            await place.store(conn, journey(vehicle, start, np.arange(0, 7200, 30)))
        await conn.execute(
            "INSERT INTO fix_extras"
            " SELECT %s, to_timestamp(t / 1e6), '{}' FROM unnest(%s::bigint[]) t",
            [vehicle, [old, young]],
        )
        await looked_at_twice(conn, vehicle, [old, young])
        before = await told_hours(conn, vehicle, old, old + DAY_US)
        owned = [await held(conn, vehicle)]
        await round_of_upkeep(conn, upkeep.Keeping(), now_us)
        owned.append(await held(conn, vehicle))
        stored = await told_hours(conn, vehicle, old, old + DAY_US)
        second = await round_of_upkeep(conn, keeping, now_us)
        owned.append(await held(conn, vehicle))
        third = await round_of_upkeep(conn, keeping, now_us)
        kept = await told_hours(conn, vehicle, old, old + DAY_US)
        times = await rows(conn, "SELECT min(time) FROM fixes WHERE vehicle_id = %s", vehicle)
        left = await rows(
            conn,
            "SELECT started_at, review, count(x.*) FROM violations v JOIN violation_versions x"
            " ON x.violation_id = v.id WHERE vehicle_id = %s GROUP BY 1, 2 ORDER BY 1, 2",
            vehicle,
        )
        reviewed = await rows(
            conn,
            "SELECT count(DISTINCT a.id), count(DISTINCT r.violation_id) FROM"
            " violations v LEFT JOIN violation_attachments a ON a.violation_id = v.id"
            " LEFT JOIN violation_reviews r ON r.violation_id = v.id WHERE v.vehicle_id = %s",
            vehicle,
        )
        spans = await chunks(conn)
        assert reviewed == [(3, 1)]
        return before, owned, stored, second, third, kept, times, left, spans

    before, owned, stored, second, third, kept, times, left, spans = place.connected(work)
    expected = slow_hours(journey(vehicle, old, np.arange(0, 7200, 30)))
    assert_same_hours(stored, expected)
    assert before in ({}, stored)
    assert second.chunks_dropped > 0
    assert not any(third)
    assert_same_hours(kept, stored)
    assert times == [(at(young),)]
    assert owned[0] == owned[1] == Held(violations=4, evidence=0, extras=2, fixes=480)
    # A violation of the old drive stays, with the fix that it rests on and the one after that.
    assert owned[2] == Held(violations=3, evidence=2, extras=1, fixes=240)
    assert left == [
        (at(old), "appealed", 1), (at(young), "acknowledged", 1), (at(young), "appealed", 1),
    ]  # fmt: skip
    assert min(span.until_us for span in spans) > now_us - keeping.fixes_days * DAY_US


def test_a_round_tells_indexes_over_time_of_every_fix_but_where_a_vacuum_does(place, vehicles):
    if not place.is_whole:
        pytest.skip("does not count what was written")
    vehicle, start = next(vehicles), MARCH_US + 70 * DAY_US
    seconds = np.arange(0, 20_000, 7)  # of one chunk, and more than the 32 pages of one range

    async def unknown(conn):
        """Ranges of pages that the indexes did not know: they do now."""
        [(found,)] = await rows(
            conn,
            "SELECT sum(brin_summarize_new_values(i.indexrelid)) FROM pg_inherits h"
            " JOIN pg_index i ON i.indrelid = h.inhrelid JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_am a ON a.oid = c.relam"
            " WHERE h.inhparent = 'fixes'::regclass AND a.amname = 'brin'",
        )
        return found

    async def written(conn, day):
        await place.store(conn, journey(vehicle, start + day * DAY_US, seconds))
        # What a session wrote is counted a second later, or when it says so.
        await conn.execute("SELECT pg_stat_force_next_flush()")

    async def work(conn):
        await written(conn, 0)
        await round_of_upkeep(conn, upkeep.Keeping(), MARCH_US)
        known = await unknown(conn)
        await written(conn, 1)
        async with await connect(place.dsn, name="test") as other, other.transaction():
            await other.execute("LOCK TABLE fixes IN SHARE UPDATE EXCLUSIVE MODE")  # as vacuums do
            await round_of_upkeep(conn, upkeep.Keeping(), MARCH_US)
        return known, await unknown(conn)

    known, left_to_it = place.connected(work)
    assert known == 0
    assert left_to_it > 0


def test_rounds_of_upkeep_wait_for_nobody(place):
    if not place.is_whole:
        pytest.skip("takes one connection at a time")

    async def work(conn):
        await conn.execute("SELECT pg_advisory_lock(%s)", [upkeep.LOCK_KEY])
        return await as_other(place.dsn)

    async def as_other(dsn):
        async with await connect(dsn, name="test") as other:
            return await upkeep.keep(other, upkeep.Keeping(), NOW_US)

    assert place.connected(work) is None
