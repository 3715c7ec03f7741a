"""Fixtures of a real PostgreSQL: one server per test process, one new database per test.

    database        connection string of a new, migrated database
    empty_database  connection string of a new database with nothing in it
    postgres        the server itself (only for tests about databases and roles)

With `HANHTRINH_TEST_DSN` set, that server is used (its user must be allowed to create databases);
otherwise the embedded one, started when the first test asks for it.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from hanhtrinh.embedded import DataFolder, EmbeddedPostgres

# A test's database is gone after it: nothing needs to reach the disk.
HURRIED = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_names = count(1)


class PostgresServer:
    """A server for tests. `dsn_of(name)` is the connection string of one of its databases."""

    def __init__(self, dsn_of: Callable[[str], str]) -> None:
        self.dsn_of = dsn_of
        self._run = uuid4().hex[:8]

    @contextmanager
    def new_database(self, template: str = "template0") -> Iterator[str]:
        """The name of a new database, dropped afterwards whoever is still connected."""
        name = f"test_{self._run}_{next(_names)}"
        # Its files copied: half the work of writing all of them to the log as well.
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        with self.admin() as admin:
            admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield name
        finally:
            with self.admin() as admin:
                admin.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )

    def close(self, name: str) -> None:
        """Let nobody into a database, whose files are copied only while nobody is in it.

        TimescaleDB keeps a process of its own in each one that may be entered.
        """
        close = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false")
        with self.admin() as admin:
            admin.execute(close.format(sql.Identifier(name)))
            admin.execute(
                "SELECT pg_terminate_backend(pid, 10_000) FROM pg_stat_activity WHERE datname = %s",
                [name],
            )

    def admin(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn_of("postgres"), autocommit=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    given = os.environ.get("HANHTRINH_TEST_DSN")
    if given:
        yield PostgresServer(lambda name: make_conninfo(given, dbname=name))
        return
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-test-")))
    try:
        with EmbeddedPostgres(folder, HURRIED) as server:
            yield PostgresServer(server.dsn_of)
    finally:
        folder.remove()


@pytest.fixture(scope="session")
def migrated_template(postgres: PostgresServer) -> Iterator[str]:
    """The name of a migrated database that tests' databases are copied from."""
    from storage.migrations import upgrade

    with postgres.new_database() as name:
        upgrade(postgres.dsn_of(name))
        postgres.close(name)
        yield name


@pytest.fixture
def database(postgres: PostgresServer, migrated_template: str) -> Iterator[str]:
    with postgres.new_database(migrated_template) as name:
        yield postgres.dsn_of(name)


@pytest.fixture
def empty_database(postgres: PostgresServer) -> Iterator[str]:
    with postgres.new_database() as name:
        yield postgres.dsn_of(name)
