"""Keys of the API, for programs. The database holds digests: what it knows opens nothing."""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import AsyncConnection

from storage.access.roles import NATION, Ability, Reach, Role
from storage.errors import RegistryError
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
    if not 0 < days <= LONGEST_DAYS:
        raise RegistryError(f"days: expected up to {LONGEST_DAYS}, got {days:g}")
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


async def revoke(conn: AsyncConnection[Any], key_id: int) -> bool:
    """End a key. Returns whether it was in force until now, and the caller's to end."""
    return (await conn.execute(SQL["revoke"], {"id": key_id})).rowcount == 1


async def keys(conn: AsyncConnection[Any]) -> list[Key]:
    """Every key that the caller may see, newest first."""
    found = rows_of(conn, Key)
    await found.execute(SQL["list"])
    return await found.fetchall()
