"""The SQL of a migration, assembled for the database at hand."""

import re
from typing import Final

import psycopg
from alembic import op

from storage.flavour import Flavour
from storage.migrations import FOLDER

PARTITIONED = ") PARTITION BY RANGE (time);"
"""How the schema declares the table of fixes. TimescaleDB wants an ordinary table."""


PART: Final = re.compile(r"<(?:(\d{4}) )?(\w+) (\w+)>")
"""`<hour columns>` stands for the file of that name and the same revision, `<0015 hour columns>` of
another: what is said alike in several places."""


def assembled(name: str, flavour: Flavour) -> str:
    """The SQL file of that name, with the parts that it names, fit for the flavour."""
    revision, _, _ = name.partition("_")

    def part(found: re.Match[str]) -> str:
        file = FOLDER / "sql" / f"{found[1] or revision}_{found[2]}_{found[3]}.sql"
        return "\n" + file.read_text(encoding="utf-8").rstrip()

    text = PART.sub(part, (FOLDER / "sql" / name).read_text(encoding="utf-8"))
    return text.replace(PARTITIONED, ");") if flavour is Flavour.TIMESCALE else text


def run_file(name: str, flavour: Flavour) -> None:
    """Run an SQL file on the migration's connection."""
    connection = op.get_bind().connection.dbapi_connection
    assert isinstance(connection, psycopg.Connection)
    # Without parameters psycopg sends the text as it is: several statements, no placeholders.
    connection.execute(assembled(name, flavour).encode())


def available_flavour() -> Flavour:
    """What this server can be: TimescaleDB where the extension is installed and preloaded.

    A server that has its files but does not preload it would end the connection at CREATE
    EXTENSION. Settings of that name exist where it is preloaded, and every user may see them.
    """
    connection = op.get_bind().connection.dbapi_connection
    assert isinstance(connection, psycopg.Connection)
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')"
        " AND EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')",
    ).fetchone()
    return Flavour.TIMESCALE if row is not None and row[0] else Flavour.PLAIN
