"""The run of Alembic: on one connection, in one transaction, under one lock."""

from threading import Lock
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from storage.migrations import FOLDER, LOCK_KEY, check_known

ONE_AT_A_TIME: Final = Lock()
"""Alembic keeps the migration that runs in module globals, so a process runs one."""


def configuration() -> Config:
    """Alembic's configuration; users need no alembic.ini."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def run(dsn: str, to: str = "head") -> None:
    """Migrate the database to the newest revision; `to`: an older one, for tests of upgrades."""
    config = configuration()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(dsn, application_name="hanhtrinh migrate"),
        poolclass=NullPool,
    )
    with ONE_AT_A_TIME, engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        # Read under the lock: another process may have migrated while this one waited.
        at = connection.exec_driver_sql("SELECT to_regclass('alembic_version')::text").scalar()
        revision = None
        if at is not None:
            revision = connection.exec_driver_sql(
                "SELECT version_num FROM alembic_version"
            ).scalar()
        has_tables = connection.exec_driver_sql("SELECT to_regclass('vehicles')::text").scalar()
        check_known(revision, known, has_tables=has_tables is not None)
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    engine.dispose()
