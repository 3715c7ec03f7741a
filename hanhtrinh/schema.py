"""Whether the database can be used: its connection string, whether it answers, and its schema.

Belongs here: words for what is wrong, by the name of the setting. A connection string is never in
them: it may hold a password.
"""

from hanhtrinh.errors import CommandError


def checked_dsn(name: str, dsn: str) -> str:
    """A connection string as it is. Raises CommandError for one that is none.

    name: its setting.
    """
    import psycopg  # noqa: PLC0415 - what needs no database need not wait for it
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # its words show the string
        raise CommandError(
            f"{name}: expected a connection string as libpq takes it, such as "
            "postgresql://user@host:5432/name, with %40 for an @ in a password"
        ) from None
    return dsn


def schema_of(name: str, dsn: str) -> str | None:
    """At which schema a database is; None: at none. Raises CommandError if it does not answer."""
    import psycopg  # noqa: PLC0415

    from storage.migrations import current  # noqa: PLC0415

    try:
        return current(dsn)
    except psycopg.OperationalError as error:
        raise CommandError(f"{name}: {str(error).strip()}") from error


def schema_advice(found: str | None) -> str:
    """What to do about a database at a schema that is not this version's; None: at none."""
    from storage.migrations import HEAD  # noqa: PLC0415

    if found is None or found < HEAD:
        return "run `hanhtrinh migrate`"
    return "run the newer hanhtrinh that migrated it"
