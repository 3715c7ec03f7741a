"""Keys of the API, for programs. The database holds digests: what it knows opens nothing."""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import AsyncConnection

from storage.access.roles import ABILITIES, NATION, Ability, Reach, Role
from storage.errors import NotThereError, RegistryError
from storage.queries import queries
from storage.reading.loading import rows_of
from storage.registry.refusals import change

SQL = queries("keys")

PREFIX: Final = "ht_"
"""Lets people and secret scanners see what a stray string is."""

RANDOM_BYTES: Final = 32
"""256 random bits: nothing to guess, so the digest needs no salt and no slow hash."""

LONGEST_DAYS: Final = 366
"""A key ends at some time: who is still there makes the next one."""


class Key(msgspec.Struct, frozen=True):
    """What is known of a key; the key itself is known to its holder alone."""

    id: int
    name: str
    role: str
    operator: str | None
    province: str | None
    provider: str | None
    person: str | None
    scopes: list[str]
    created_at: str
    expires_at: str
    revoked_at: str | None


class MadeKey(NamedTuple):
    """A new key, shown this once."""

    id: int
    key: str


def digest_of(secret: str) -> bytes:
    """What the database keeps of a key or of a session's cookie."""
    return sha256(secret.encode("utf-8", "replace")).digest()


async def create(
    conn: AsyncConnection[Any],
    name: str,
    role: Role,
    reach: Reach = NATION,
    *,
    days: float = 365,
    scopes: Sequence[Ability] | None = None,
    person_id: int | None = None,
) -> MadeKey:
    """Make a key that ends after `days`. It can never be read again.

    scopes: what it may do, None: all that its role may. person_id: whose it is, None: a program's
    own. Raises RegistryError where the role cannot have such a reach or scope.
    """
    _check_days(days)
    key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    async with change(conn, f"key {name!r}"):
        found = await conn.execute(
            SQL["create"],
            {
                "name": name,
                "digest": digest_of(key),
                "role": role,
                **reach._asdict(),
                "person_id": person_id,
                "scopes": None if scopes is None else list(scopes),
                "seconds": days * 86_400,
            },
        )
        row = await found.fetchone()
    assert row is not None
    return MadeKey(int(row[0]), key)


async def grant(
    conn: AsyncConnection[Any], key_id: int, scopes: Sequence[Ability]
) -> Sequence[Ability]:
    """Let a key in force do this besides; all that it may do. For the owner of the database.

    Raises NotThereError, and RegistryError for what its role may not.
    """
    may, of_role = await _abilities(conn, key_id)
    beyond = set(scopes) - set(of_role)
    if beyond:
        raise RegistryError(f"key {key_id}: expected of {of_role}, got {sorted(beyond)}")
    now = [ability for ability in ABILITIES if ability in {*may, *scopes}]
    await conn.execute(SQL["set_scopes"], {"id": key_id, "scopes": list(now)})
    return now


async def rotate(
    conn: AsyncConnection[Any], key_id: int, *, days: float = 365, keep_old_s: float = 0
) -> MadeKey:
    """Another key in place of one in force, which may do the same and ends after `days`.

    keep_old_s: how long the old one goes on. For the owner of the database. Raises NotThereError,
    and RegistryError for a time that no key has.
    """
    _check_days(days)
    await _abilities(conn, key_id)
    key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    params = {"id": key_id, "digest": digest_of(key), "seconds": days * 86_400}
    row = await (await conn.execute(SQL["make_next"], params)).fetchone()
    assert row is not None
    await conn.execute(SQL["end_in"], {"id": key_id, "seconds": keep_old_s})
    return MadeKey(int(row[0]), key)


async def _abilities(conn: AsyncConnection[Any], key_id: int) -> tuple[list[str], list[str]]:
    """What a key in force may do, and what its role may. Raises NotThereError."""
    row = await (await conn.execute(SQL["abilities"], {"id": key_id})).fetchone()
    if row is None:
        raise NotThereError(f"key {key_id}: expected the number of one in force")
    return row[0], row[1]


def _check_days(days: float) -> None:
    if not 0 < days <= LONGEST_DAYS:
        raise RegistryError(f"days: expected up to {LONGEST_DAYS}, got {days:g}")


async def revoke(conn: AsyncConnection[Any], key_id: int) -> bool:
    """End a key. Returns whether it was in force until now, and the caller's to end."""
    return (await conn.execute(SQL["revoke"], {"id": key_id})).rowcount == 1


async def keys(conn: AsyncConnection[Any]) -> list[Key]:
    """Every key that the caller may see, newest first."""
    found = rows_of(conn, Key)
    await found.execute(SQL["list"])
    return await found.fetchall()
