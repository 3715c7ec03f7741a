"""The API's user of the database: made with no rights but those of the gate, or refused."""

import os

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from storage.access.logins import ensure_login, owns_tables
from storage.errors import StorageError
from tests.storage.connected import connected

pytestmark = pytest.mark.integration

USER, OWNER = (f"hanhtrinh_test_{name}_{os.getpid()}" for name in ("user", "owner"))
"""Roles are the server's, which other tests use at the same time."""


@pytest.fixture
def roles(database):
    """The database, whose zones are another role's; both roles are gone afterwards."""
    owner, user = sql.Identifier(OWNER), sql.Identifier(USER)
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {}").format(owner))
        conn.execute(sql.SQL("ALTER TABLE zones OWNER TO {}").format(owner))
        yield conn
        conn.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(owner))
        conn.execute(sql.SQL("DROP ROLE IF EXISTS {}, {}").format(user, owner))


def dsn_of(database: str) -> str:
    return make_conninfo(database, user=USER, password="only for tests")


def test_the_user_is_made_once_and_may_become_nothing_but_the_gate(database, roles):
    for _ in range(2):
        ensure_login(database, dsn_of(database))
    is_member = sql.SQL("SELECT r.rolname FROM pg_roles r WHERE pg_has_role({}, r.oid, 'MEMBER')")
    found = {row[0] for row in roles.execute(is_member.format(sql.Literal(USER)))}
    assert found == {
        USER, "hanhtrinh_gate", "hanhtrinh_api", "hanhtrinh_administrator", "hanhtrinh_inspector",
        "hanhtrinh_operator", "hanhtrinh_provider", "hanhtrinh_reader",
    }  # fmt: skip
    assert not connected(dsn_of(database), owns_tables)
    assert connected(database, owns_tables)


def test_a_user_that_can_become_the_owner_is_refused(database, roles):
    """It need not own anything itself: policies do not bound it once it is the owner."""
    member = sql.SQL("CREATE ROLE {} LOGIN NOINHERIT PASSWORD 'only for tests' IN ROLE {}")
    roles.execute(member.format(sql.Identifier(USER), sql.Identifier(OWNER)))
    with pytest.raises(StorageError, match="owns nothing"):
        ensure_login(database, dsn_of(database))
    assert connected(dsn_of(database), owns_tables)


@pytest.mark.parametrize("more", [{"user": ""}, {"password": ""}, {"user": USER, "password": ""}])
def test_a_connection_string_without_a_user_and_a_password_is_refused(database, more):
    said = {**conninfo_to_dict(database), "user": USER, "password": "x", **more}
    dsn = make_conninfo("", **{name: value for name, value in said.items() if value})
    with pytest.raises(StorageError, match="names a user and its password"):
        ensure_login(database, dsn)
