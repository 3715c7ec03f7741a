"""Migrations: bring a database to the schema that this code needs.

Belongs here: how and when migrations run. The schema itself is in `sql/`, one revision after the
other in `versions/`.
"""

from contextlib import closing
from pathlib import Path
from typing import Final

import psycopg

from storage.errors import SchemaForeignError, SchemaTooNewError

HEAD: Final = "0024"
"""The newest revision in `versions/`; a test keeps the two together. Written down here so that a
start on a database that is up to date need not load Alembic (half a second)."""

LOCK_KEY: Final = 0x68_61_6E_68
"""Key of the advisory lock ("hanh") that makes a second migration wait for the first."""

FOLDER: Final = Path(__file__).parent


def upgrade(dsn: str) -> None:
    """Bring the database to HEAD, in one transaction; nothing happens if it is there already.

    Safe when several processes do it at once: one works, the others wait and find it done.
    Raises SchemaTooNewError for a database that a newer version migrated.
    """
    if current(dsn) == HEAD:
        return
    # Alembic takes half a second to import, and most starts do not need it.
    from storage.migrations.run import run  # noqa: PLC0415

    run(dsn)


def current(dsn: str) -> str | None:
    """The revision that the database is at; None for a database without a schema."""
    with closing(psycopg.connect(dsn, autocommit=True)) as conn:
        row = conn.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        if row is None or not row[0]:
            return None
        row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def check_known(revision: str | None, known: set[str], *, has_tables: bool) -> None:
    """Refuse a database that this code must not touch."""
    if revision is None and has_tables:
        raise SchemaForeignError(
            "the database has tables, but none of its migrations: "
            "expected an empty database or one made by hanhtrinh",
        )
    if revision is not None and revision not in known:
        raise SchemaTooNewError(
            f"the database is at schema {revision}, this version of hanhtrinh knows up to {HEAD}: "
            "run the newer version, or restore a backup from before its migration",
        )
