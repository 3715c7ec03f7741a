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
from storage.migrations.run import configuration
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
