"""The API's login at the database: a user that owns nothing, and what it may become."""

from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict

from storage.errors import StorageError
from storage.queries import queries

SQL = queries("logins")


def ensure_login(owner_dsn: str, api_dsn: str) -> None:
    """Make the user that `api_dsn` names, with its password, and let it become what the API needs.

    Nothing happens to a user that is there but the grant. Raises StorageError.
    """
    said = conninfo_to_dict(api_dsn)
    user, password = str(said.get("user") or ""), said.get("password")
    if not user or not password:
        raise StorageError("api.dsn: expected one that names a user and its password")
    with psycopg.connect(owner_dsn) as conn:
        if conn.execute(SQL["owns"], {"user": user}).fetchone() == (True,):
            raise StorageError(f"api.dsn: expected a user that owns nothing, got {user!r}")
        if conn.execute(SQL["is_there"], {"user": user}).fetchone() is None:
            make = sql.SQL("CREATE ROLE {} LOGIN NOINHERIT PASSWORD {}")
            conn.execute(make.format(sql.Identifier(user), sql.Literal(password)))
        conn.execute(sql.SQL("GRANT hanhtrinh_gate TO {}").format(sql.Identifier(user)))


async def owns_tables(conn: AsyncConnection[Any]) -> bool:
    """Whether whoever is connected owns tables of ours, or may do anything anyway."""
    row = await (await conn.execute(SQL["owns"], {"user": None})).fetchone()
    return row is not None and bool(row[0])
