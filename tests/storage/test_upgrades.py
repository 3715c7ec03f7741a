"""A database of the first schema, with rows in its tables, brought to today's step by step.

Rows are written when the schema first has room for them, by SQL of that time (rows_of_old.sql). So
every revision meets data, and a database of any of them is one that this walk passes through.
"""

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from alembic.script import ScriptDirectory

from devices.batch import FixBatch
from storage import fixes, hours
from storage.access import audit
from storage.migrations import HEAD, current
from storage.migrations.run import configuration, run
from storage.reading import journeys, rollups, vehicles, violations, weighings
from storage.registry import snapshot
from tests.storage.connected import connected, rows
from tests.storage.flavoured import seen_as

pytestmark = pytest.mark.integration

MAY_2025_US = 1_746_100_800_000_000  # 2025-05-01 12:00 UTC
FILE = Path(__file__).with_name("rows_of_old.sql").read_text("utf-8")
ROWS = dict(re.findall(r"^-- at: (\d{4})\n(.*?)(?=^-- at:|\Z)", FILE, re.MULTILINE | re.DOTALL))
RENAMED = {"api_tokens": "api_keys"}
FIXES = FixBatch.blank(
    5, vehicle=np.ones(5), time=MAY_2025_US + np.array([0, 60, 120, 4000, 90_000]) * 1_000_000,
    lon=105.8 + np.arange(5) / 1000, lat=np.full(5, 21.0), speed_kmh=np.full(5, 40),
)  # fmt: skip
COPY_FIXES = b"""
COPY fixes (vehicle_id, time, received, lon, lat, speed_kmh, heading, altitude, hdop, satellites,
            odometer, driver_id, inputs, quality) FROM STDIN (FORMAT binary)
"""
TABLES = """
SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1
"""


async def store_fixes(conn) -> None:
    await fixes.ensure_days(conn, FIXES.time)
    async with conn.cursor().copy(COPY_FIXES) as copy:
        await copy.write(fixes.LAYOUT.encode(fixes.table_columns(FIXES)))


async def counted(conn) -> dict[str, int]:
    """The rows of every table."""
    found: dict[str, int] = {}
    for (table,) in await rows(conn, TABLES):
        [(n,)] = await rows(conn, f'SELECT count(*) FROM "{table}"')
        found[RENAMED.get(str(table), str(table))] = int(str(n))
    return found


@pytest.fixture(scope="module")
def walked(postgres):
    """A database that has been at every revision; what its tables held before and after each."""
    revisions = ScriptDirectory.from_config(configuration()).walk_revisions()
    steps = []
    with postgres.new_database() as name:
        dsn = postgres.dsn_of(name)
        held: dict[str, int] = {}
        for revision in sorted(one.revision for one in revisions):
            run(dsn, revision)
            steps.append((revision, held, connected(dsn, counted)))

            async def write(conn, revision=revision):
                if revision in ROWS:
                    await conn.execute(ROWS[revision].encode())
                if revision == "0001":
                    await store_fixes(conn)
                return await counted(conn)

            held = connected(dsn, write)
        yield dsn, steps


def test_no_step_loses_a_row_and_the_last_one_is_todays(walked):
    dsn, steps = walked
    assert current(dsn) == HEAD == steps[-1][0]
    assert ROWS.keys() <= {revision for revision, _, _ in steps}
    for revision, before, after in steps:
        assert before == {name: n for name, n in after.items() if name in before}, revision
    _, before, _ = steps[-1]
    empty = {name for name, n in before.items() if not n}
    assert not empty & {"fixes", "violations", "weighings", "api_keys", "driving_spans", "audit"}


def test_what_was_stored_then_is_read_today(walked):
    dsn, _ = walked
    span = date(2025, 5, 1), date(2025, 5, 3)

    async def look(conn):
        # Hours, as they are worked out of fixes that nobody has rolled up, and as they are stored.
        query = "SELECT hour, fixes, track[1] FROM fix_hours ORDER BY 1"
        told = [await rows(conn, query)]
        await hours.refresh(conn, 0, MAY_2025_US + 30 * fixes.DAY_US)
        told.append(await rows(conn, query))
        whole = await fixes.stretch(conn, np.array([1], np.int32), FIXES.time[:1])
        registry = await snapshot.load(conn)
        counts = await rows(conn, "SELECT sender, messages FROM quarantine_counts")
        end_of_chain = await audit.verify(conn)
        async with conn.transaction():
            await seen_as(conn, "an old token", "operator")
            shown = {
                "vehicle": await vehicles.vehicle(conn, 1),
                "violation": await violations.violation(conn, 1),
                "versions": await violations.versions(conn, 1),
                "evidence": await journeys.evidence(
                    conn, 1, int(FIXES.time[1]), int(FIXES.time[2]), most=10
                ),
                "weighed": await weighings.weighings_at(conn, 1, "scale", MAY_2025_US),
                "days": await rollups.vehicle_days(conn, 1, *span, "UTC"),
            }
        return told, whole, registry, counts, end_of_chain, shown

    told, whole, registry, counts, end_of_chain, shown = connected(dsn, look)
    assert told[0] == told[1]
    assert [row[1] for row in told[0]] == [3, 1, 1]
    assert told[0][0][2] == pytest.approx(2 * 103.8, abs=0.1)
    np.testing.assert_array_equal(whole.lon, FIXES.lon)
    assert [zone.code for zone in registry.zones] == ["term-a", "term-b"]
    assert counts == [("dev-2", 4)]
    assert end_of_chain.seq == 1
    assert shown["vehicle"].plate == "51B12345"
    assert (shown["violation"][0].status, len(shown["versions"])) == ("revised", 1)
    fixes_shown, _ = shown["evidence"]
    assert [fix.role for fix in fixes_shown] == ["before", "inside", "inside", "after"]
    assert len(shown["weighed"]) == 1
    assert {day: done.fixes for day, done in shown["days"].items()} == {
        "2025-05-01": 4, "2025-05-02": 1,
    }  # fmt: skip
