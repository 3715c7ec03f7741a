import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import psycopg
import pytest
from alembic.script import ScriptDirectory

from devices.batch import FixBatch
from storage import fixes, hours
from storage.errors import SchemaForeignError, SchemaTooNewError
from storage.flavour import Flavour, detect
from storage.migrations import HEAD, current, upgrade
from storage.migrations.run import configuration, run
from storage.migrations.statements import PARTITIONED, assembled
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

MAY_2025_US = 1_746_100_800_000_000


def test_head_is_the_newest_revision():
    assert ScriptDirectory.from_config(configuration()).get_current_head() == HEAD


def test_an_empty_database_is_migrated_and_a_migrated_one_left_alone(empty_database):
    assert current(empty_database) is None
    upgrade(empty_database)
    upgrade(empty_database)
    assert current(empty_database) == HEAD
    [(tables,)] = connected(
        empty_database,
        lambda conn: rows(conn, "SELECT count(*) FROM pg_tables WHERE tablename = 'violations'"),
    )
    assert tables == 1


def test_several_starts_at_once_migrate_once(empty_database):
    with ThreadPoolExecutor(4) as starts:
        list(starts.map(upgrade, [empty_database] * 4))
    assert current(empty_database) == HEAD


def test_several_processes_migrate_several_databases_at_once(postgres):
    code = "import sys; from storage.migrations import upgrade; upgrade(sys.argv[1])"
    with postgres.new_database() as one, postgres.new_database() as other:
        dsns = [postgres.dsn_of(one), postgres.dsn_of(one), postgres.dsn_of(other)]
        starts = [subprocess.Popen([sys.executable, "-c", code, dsn]) for dsn in dsns]
        assert [start.wait(60) for start in starts] == [0, 0, 0]
        assert [current(dsn) for dsn in dsns] == [HEAD] * 3


def test_a_database_newer_than_the_code_is_refused(database):
    with closing(psycopg.connect(database, autocommit=True)) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNewError, match="9999"):
        upgrade(database)
    assert current(database) == "9999"


def test_a_database_of_somebody_else_is_refused(empty_database):
    with closing(psycopg.connect(empty_database, autocommit=True)) as conn:
        conn.execute("CREATE TABLE vehicles (name text)")
    with pytest.raises(SchemaForeignError):
        upgrade(empty_database)
    assert current(empty_database) is None


def test_a_migration_that_fails_leaves_nothing_behind(empty_database):
    with closing(psycopg.connect(empty_database, autocommit=True)) as conn:
        conn.execute("CREATE TABLE api_tokens (name text)")
    with pytest.raises(Exception, match="api_tokens"):
        upgrade(empty_database)
    assert current(empty_database) is None


def test_only_plain_postgresql_gets_a_partitioned_table():
    name = "0001_first_schema.sql"
    assert assembled(name, Flavour.PLAIN).count(PARTITIONED) == 1
    assert "PARTITION BY" not in assembled(name, Flavour.TIMESCALE)


def test_the_flavour_is_read_from_the_table_of_fixes(database):
    assert connected(database, detect) in Flavour


def test_fixes_from_before_there_were_hours_are_found_in_them(empty_database):
    run(empty_database, "0007")
    batch = FixBatch.blank(
        5, vehicle=np.ones(5), time=MAY_2025_US + np.array([0, 60, 120, 4000, 90_000]) * 1_000_000,
        lon=105.8 + np.arange(5) / 1000, lat=np.full(5, 21.0), speed_kmh=np.full(5, 40),
    )  # fmt: skip

    async def store(conn):
        await fixes.ensure_days(conn, batch.time)
        async with conn.cursor().copy(fixes.SQL["copy_fixes"]) as copy:
            await copy.write(fixes.LAYOUT.encode(fixes.table_columns(batch)))

    async def read(conn):
        before = await rows(conn, "SELECT hour, fixes, track[1] FROM fix_hours ORDER BY 1")
        await hours.refresh(conn, 0, MAY_2025_US + 30 * fixes.DAY_US)
        after = await rows(conn, "SELECT hour, fixes, track[1] FROM fix_hours ORDER BY 1")
        return before, after, await fixes.stretch(conn, np.array([1], np.int32), batch.time[:1])

    connected(empty_database, store)
    upgrade(empty_database)
    before, after, found = connected(empty_database, read)
    assert before == after
    assert [row[1] for row in after] == [3, 1, 1]
    assert after[0][2] == pytest.approx(2 * 103.8, abs=0.1)
    np.testing.assert_array_equal(found.lon, batch.lon)


def test_what_was_registered_before_there_were_registrations_goes_on(empty_database):
    run(empty_database, "0015")

    async def before(conn):
        await conn.execute(
            "WITH o AS (INSERT INTO operators (code, name) VALUES ('one', 'One') RETURNING id)"
            " INSERT INTO vehicles (plate, operator_id, gross_kg, kerb_kg)"
            " SELECT '29C0000' || n, id, 1000, 9000 FROM o, generate_series(1, 2) n"
        )
        await conn.execute("INSERT INTO devices (ident) VALUES ('d'), ('spare')")
        await conn.execute("INSERT INTO drivers (licence) VALUES ('790000000001')")
        # One device in two vehicles at once, and masses that no vehicle has.
        await conn.execute(
            "INSERT INTO device_assignments VALUES (1, 1, '-infinity', 'infinity'),"
            " (1, 2, '2026-01-01', 'infinity')"
        )

    connected(empty_database, before)
    upgrade(empty_database)

    async def after(conn):
        found = await rows(conn, "SELECT first_id, plate_raw, version FROM vehicles ORDER BY id")
        assert found == [(1, "29C00001", 1), (2, "29C00002", 1)]
        assert await rows(conn, "SELECT operator_id FROM devices ORDER BY id") == [(1,), (None,)]
        # What contradicts itself can be ended, and not be widened.
        await conn.execute("UPDATE device_assignments SET valid_to = '2026-02-01' WHERE id = 2")
        await conn.execute("UPDATE vehicles SET valid_to = now() WHERE id = 1")
        with pytest.raises(psycopg.errors.ExclusionViolation):
            await conn.execute("UPDATE device_assignments SET valid_to = 'infinity' WHERE id = 2")
        assert await rows(
            conn, "SELECT kind, (after ->> 'version')::int FROM registry_history ORDER BY id"
        ) == [("assignment", 2), ("vehicle", 2)]

    connected(empty_database, after)
