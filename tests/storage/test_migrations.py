import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from alembic.script import ScriptDirectory

from storage.errors import SchemaForeignError, SchemaTooNewError
from storage.flavour import Flavour, detect
from storage.migrations import HEAD, current, upgrade
from storage.migrations.run import configuration, run
from storage.migrations.statements import PARTITIONED, assembled
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration


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


def test_what_stations_were_is_learnt_from_their_history_span_by_span(empty_database):
    run(empty_database, "0022")
    road = """'{"type": "LineString", "coordinates": [[105, 20.9], [105, 21.1]]}'"""
    spans = "SELECT {} FROM station_facts WHERE station_id = 1 ORDER BY valid_from"

    async def before(conn):
        await conn.execute(
            f"INSERT INTO weigh_stations (code, lon, lat, approach, corridor_m) VALUES"
            f" ('t', 105, 21, {road}, 50), ('other', 105, 21, NULL, NULL)".encode()
        )
        for change in (
            'weekly_hours = \'[["mon", "06:00", "22:00"]]\'',
            "tolerance = 0.1",
            "name = 'T'",
            "weekly_hours = '[]', kind = 'wim'",
            "tolerance = 0.2, retired_at = now()",
        ):
            await conn.execute(f"UPDATE weigh_stations SET {change} WHERE code = 't'".encode())
        return await rows(conn, spans.format("valid_from::text"))

    begun = connected(empty_database, before)
    assert len(begun) == 4
    upgrade(empty_database)

    async def after(conn):
        told = await rows(
            conn,
            spans.format("tolerance, kind, weekly_hours::text, corridor_m, approach IS NULL"),
        )
        ends = await rows(conn, spans.format("valid_from::text, valid_to::text"))
        others = await rows(conn, "SELECT count(*) FROM station_facts WHERE station_id = 2")
        return told, ends, others

    told, ends, others = connected(empty_database, after)
    monday = '[["mon", "06:00", "22:00"]]'
    assert told == [
        (0, "static", None, 50, False), (0, "static", monday, 50, False),
        (0.1, "static", monday, 50, False), (0.1, "wim", "[]", 50, False),
        (0.2, "wim", "[]", None, True),
    ]  # fmt: skip
    # What began a span before still does, to the microsecond; spans follow each other.
    assert {since for (since,) in begun} < {since for since, _ in ends}
    assert [until for _, until in ends[:-1]] == [since for since, _ in ends[1:]]
    assert others == [(1,)]
