"""Bearer tokens of the API. The database holds digests: what it knows opens nothing."""

import secrets
from hashlib import sha256
from typing import Final, Literal, NamedTuple

from psycopg import AsyncConnection

from storage.arrays import Instant, cursor
from storage.queries import queries
from storage.registry.refusals import change
from storage.wire import END_US

SQL = queries("tokens")

PREFIX: Final = "ht_"
"""Lets people and secret scanners see what a stray string is."""

RANDOM_BYTES: Final = 32
"""256 random bits: nothing to guess, so the digest needs no salt and no slow hash."""

Role = Literal["inspector", "operator"]


class Principal(NamedTuple):
    """Who holds a token. `operator_id` is None for an inspector."""

    token_id: int
    name: str
    role: Role
    operator_id: int | None


class Token(NamedTuple):
    """What is known of a token; instants are microseconds since 1970 UTC."""

    id: int
    name: str
    role: Role
    operator_id: int | None
    created_at: int
    expires_at: int
    revoked_at: int | None


def digest_of(token: str) -> bytes:
    """What the database keeps of a token."""
    return sha256(token.encode("utf-8", "replace")).digest()


async def create(
    conn: AsyncConnection,
    name: str,
    role: Role,
    operator_id: int | None = None,
    expires_at: int = END_US,
) -> str:
    """Make a token. Returns it: it can never be read again.

    An operator's token names the operator, an inspector's none. Raises RegistryError otherwise.
    """
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    async with change(conn, f"token {name!r}"):
        await cursor(conn).execute(
            SQL["create"],
            {
                "name": name,
                "digest": digest_of(token),
                "role": role,
                "operator_id": operator_id,
                "expires_at": Instant(expires_at),
            },
        )
    return token


async def revoke(conn: AsyncConnection, token_id: int) -> bool:
    """End a token. Returns whether it was valid until now."""
    return (await conn.execute(SQL["revoke"], {"id": token_id})).rowcount == 1


async def tokens(conn: AsyncConnection) -> list[Token]:
    """Every token there ever was, newest first."""
    cur = cursor(conn)
    await cur.execute(SQL["list"])
    return [Token(*row) for row in await cur.fetchall()]


async def authenticate(conn: AsyncConnection, token: str) -> Principal | None:
    """Who holds the token; None for one that is unknown, expired or revoked."""
    found = await conn.execute(SQL["authenticate"], {"digest": digest_of(token)})
    row = await found.fetchone()
    return None if row is None else Principal(*row)
