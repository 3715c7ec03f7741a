"""Logins of devices, stations and providers at the broker, and the secrets they prove them with.

A login has one secret in force, or two while one takes the other's place. Secrets are made here,
shown once, and kept as digests (`storage.secret_hash`). Instants are microseconds since 1970 UTC.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby
from typing import Any, Final, Literal, NamedTuple

from psycopg import AsyncConnection

from storage.arrays import Instant, cursor
from storage.errors import AlreadyThereError, NotThereError, RegistryError
from storage.queries import queries
from storage.registry.refusals import change
from storage.secret_hash import (
    CHOSEN_ITERATIONS,
    MADE_ITERATIONS,
    SecretHash,
    hashed,
    new_secret,
)
from storage.wire import BEGINNING_US

SQL = queries("credentials")

CHANNEL: Final = "hanhtrinh_revoked"
"""PostgreSQL's channel on which every revocation is told, with the ident as its text."""

Kind = Literal["device", "station", "provider"]

RESERVED: Final = ("hanhtrinh",)
"""Names and client ids that begin so are our own parts': a worker's session must stay its own."""

PARTS: Final = frozenset({"worker", "device", "publisher", "auth"})
"""Users of our own parts, as the example configurations of the brokers name them."""

_IDENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@=-]*(/[A-Za-z0-9_.@=-]+)?")
"""A level of a topic, or the two of `owntracks`: nothing that is a wildcard at any broker, no colon
(which ends the name in Mosquitto's password file), no comma, no space."""

SHORTEST_PASSWORD: Final = 8


class Secret(NamedTuple):
    """What is known of a secret. `is_chosen`: a person's password, no secret of ours."""

    id: int
    is_chosen: bool
    created_at: int
    valid_until: int
    revoked_at: int | None


class Login(NamedTuple):
    """Who may log in, and the secrets."""

    ident: str
    kind: Kind
    client_id: str
    secrets: list[Secret]


class Checkable(NamedTuple):
    """A secret in force, with what it takes to check it."""

    ident: str
    kind: Kind
    client_id: str
    secret_id: int
    kept: SecretHash
    valid_until: int


class Rotated(NamedTuple):
    """A new secret. `secret` is None for a password that was given."""

    secret_id: int
    secret: str | None
    client_id: str


async def rotate(
    conn: AsyncConnection,
    ident: str,
    *,
    kind: Kind | None = None,
    client_id: str | None = None,
    keep_old_until: int = BEGINNING_US,
    password: str | None = None,
) -> Rotated:
    """Give a login a new secret, which works at once; makes the login if there is none.

    keep_old_until: the secret before works until then (in the past: no longer). password: one that
    a person chose, in place of a secret of ours. kind, client_id: None leaves what is there; of a
    new login they are a device's and the ident, with hyphens for dots. Raises RegistryError.
    """
    _check_name("ident", ident)
    if client_id is not None:
        _check_name("client id", client_id)
        if "." in client_id:  # NATS refuses the connection
            raise RegistryError(f"client id: expected none with a dot, got {client_id!r}")
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise RegistryError(
            f"password of {ident!r}: expected at least {SHORTEST_PASSWORD} letters, "
            f"got {len(password)}"
        )
    async with change(conn, f"login {ident!r}"):
        login, client = await _login(conn, ident, kind, client_id)
        await cursor(conn).execute(
            SQL["end_secrets"], {"login_id": login, "until": Instant(keep_old_until)}
        )
        secret = None if password is not None else new_secret()
        kept = (
            hashed(secret, MADE_ITERATIONS)
            if secret is not None
            else hashed(password or "", CHOSEN_ITERATIONS)
        )
        row = await (
            await conn.execute(SQL["add_secret"], {"login_id": login, **kept._asdict()})
        ).fetchone()
    assert row is not None
    return Rotated(int(row[0]), secret, client)


async def _login(
    conn: AsyncConnection, ident: str, kind: Kind | None, client_id: str | None
) -> tuple[int, str]:
    """Id and client id of a login, made if need be."""
    found = await (await conn.execute(SQL["lock_login"], {"ident": ident})).fetchone()
    if found is not None and kind not in (None, found[1]):
        raise AlreadyThereError(f"login {ident!r}: is a {found[1]}, expected a {kind}")
    whose = {"ident": ident, "kind": kind or ("device" if found is None else found[1])}
    known = await (await conn.execute(SQL["is_registered"], whose)).fetchone()
    if known is None or not known[0]:
        raise NotThereError(f"{whose['kind']} {ident!r}: expected a registered one, not retired")
    if found is None:
        params = whose | {"client_id": client_id or ident.replace(".", "-")}
        found = await (await conn.execute(SQL["add_login"], params)).fetchone()
    elif client_id is not None and client_id != found[2]:
        change_to = {"login_id": found[0], "client_id": client_id}
        found = await (await conn.execute(SQL["set_client_id"], change_to)).fetchone()
    if found is None:
        raise AlreadyThereError(f"client id {client_id or ident!r}: is another login's")
    return int(found[0]), str(found[2])


def _check_name(what: str, name: str) -> None:
    if name in PARTS or name.startswith(RESERVED):
        raise RegistryError(f"{what} {name!r}: is reserved for parts of hanhtrinh")
    if not _IDENT.fullmatch(name):
        raise RegistryError(
            f"{what}: expected letters, digits and any of _.@=- (and one / at most), got {name!r}"
        )


async def revoke(conn: AsyncConnection, ident: str, secret_id: int | None = None) -> int:
    """End a login's secrets, or only one. Returns how many were in force.

    A registered device that has no login is given one without a secret: doors that ask for none
    (the gateway's) are shut to it, too. Raises RegistryError.
    """
    params = {"ident": ident, "secret_id": secret_id}
    async with change(conn, f"login {ident!r}"):
        if secret_id is None:
            with suppress(NotThereError):
                await _login(conn, ident, None, None)
        return (await conn.execute(SQL["revoke"], params)).rowcount


async def logins(conn: AsyncConnection, ident: str | None = None) -> list[Login]:
    """Every login with its secrets in force; of one login, all secrets that it ever had."""
    cur = cursor(conn)
    await cur.execute(SQL["list"], {"ident": ident})
    found = []
    for (name, kind, client), rows in groupby(await cur.fetchall(), key=lambda row: row[:3]):
        secrets = [
            Secret(number, SecretHash(iterations, "", b"").is_slow, created, until, revoked)
            for *_, number, iterations, created, until, revoked in rows
            if number is not None
        ]
        found.append(Login(name, kind, client, secrets))
    return found


async def to_check(conn: AsyncConnection, idents: Iterable[str]) -> dict[str, list[Checkable]]:
    """The secrets in force of some usernames, the newest first. Unknown ones are left out."""
    cur = cursor(conn)
    await cur.execute(SQL["to_check"], {"ident": list(idents)})
    found: dict[str, list[Checkable]] = {}
    for row in await cur.fetchall():
        found.setdefault(row[0], []).append(_checkable(row))
    return found


async def to_export(conn: AsyncConnection) -> list[Checkable]:
    """The newest secret in force of every login, by ident."""
    cur = cursor(conn)
    await cur.execute(SQL["to_export"])
    return [_checkable(row) for row in await cur.fetchall()]


def _checkable(row: tuple[Any, ...]) -> Checkable:
    ident, kind, client_id, secret_id, iterations, salt, digest, valid_until = row
    kept = SecretHash(iterations, salt, bytes(digest))
    return Checkable(ident, kind, client_id, secret_id, kept, valid_until)


async def revoked_since(conn: AsyncConnection, seconds: float) -> list[str]:
    """Whose secrets were revoked within the last seconds."""
    found = await conn.execute(SQL["revoked_since"], {"seconds": seconds})
    return [str(row[0]) for row in await found.fetchall()]


async def listen(conn: AsyncConnection) -> None:
    """Have this connection told of revocations; its `notifies` yields them."""
    await conn.execute(SQL["listen"])
