"""Sessions of people, and the way into one. All of it runs as the role hanhtrinh_gate."""

import secrets
from hashlib import sha256
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from storage.access.keys import digest_of
from storage.queries import queries

SQL = queries("sessions")

PREFIX: Final = "hs_"
ALLOWED_FAILURES: Final = 5
"""Wrong passwords in a row before a name is locked."""


class Candidate(NamedTuple):
    """Who a username means. factor: the second factor's sealed secret, None: none is asked for."""

    id: int
    username: str
    password: str | None
    must_change: bool
    password_age_s: float
    factor: bytes | None


class Login(NamedTuple):
    """How a session came to be, and for how long it lasts."""

    person_id: int
    idle_s: int
    longest_s: int
    address: str
    proven_by: str
    is_limited: bool = False


def who(username: str) -> bytes:
    """What attempts are counted by. The name itself is not kept: it may be a password, mistyped."""
    return sha256(username.encode("utf-8", "replace")).digest()


async def attempt(conn: AsyncConnection[Any], username: str) -> float:
    """Count an attempt; it is taken back when it was right. Returns seconds of a lock, else 0."""
    row = await (await conn.execute(SQL["attempt"], {"who": who(username)})).fetchone()
    assert row is not None
    locked_s, failures = float(row[0]), int(row[1])
    if not locked_s and failures >= ALLOWED_FAILURES:
        await conn.execute(SQL["lock"], {"who": who(username), "allowed": ALLOWED_FAILURES})
    return locked_s


async def passed(conn: AsyncConnection[Any], username: str) -> None:
    """Forget attempts: the last one was right."""
    await conn.execute(SQL["pass"], {"who": who(username)})


async def forgive(conn: AsyncConnection[Any], username: str) -> None:
    """Take one attempt back."""
    await conn.execute(SQL["forgive"], {"who": who(username)})


async def candidate(conn: AsyncConnection[Any], username: str) -> Candidate | None:
    """Who it is, if somebody of that name is let in at all."""
    row = await (await conn.execute(SQL["candidate"], {"username": username})).fetchone()
    return None if row is None else Candidate(*row)


async def open_session(conn: AsyncConnection[Any], login: Login) -> str:
    """A new session. Returns the cookie, which can never be read again."""
    token = PREFIX + secrets.token_urlsafe(32)
    await conn.execute(SQL["open"], {"digest": digest_of(token), **login._asdict()})
    return token


async def end(conn: AsyncConnection[Any], session: int) -> None:
    """End a session."""
    await conn.execute(SQL["end"], {"id": session})


async def touch(conn: AsyncConnection[Any], session: int) -> None:
    """Somebody uses the session."""
    await conn.execute(SQL["touch"], {"id": session})


async def free(conn: AsyncConnection[Any], session: int) -> None:
    """The session is limited no longer."""
    await conn.execute(SQL["free"], {"id": session})


async def rehash(conn: AsyncConnection[Any], person: int, kept: str) -> None:
    """Keep the same password with today's costs."""
    await conn.execute(SQL["rehash"], {"person_id": person, "password": kept})


async def factor(conn: AsyncConnection[Any], person: int) -> tuple[bytes | None, bool]:
    """Somebody's second factor, sealed, and whether it has been proven."""
    row = await (await conn.execute(SQL["factor"], {"person_id": person})).fetchone()
    return (None, False) if row is None else (row[0], bool(row[1]))


async def set_factor(conn: AsyncConnection[Any], person: int, sealed: bytes) -> bool:
    """A new second factor, to be proven; False: there is a proven one already."""
    params = {"person_id": person, "factor": sealed}
    return (await conn.execute(SQL["set_factor"], params)).rowcount == 1


async def use_step(conn: AsyncConnection[Any], person: int, step: int) -> bool:
    """Use a code's step; False: it or a later one has been used."""
    params = {"person_id": person, "step": step}
    return (await conn.execute(SQL["use_step"], params)).rowcount == 1


async def by_subject(
    conn: AsyncConnection[Any], subject: str, username: str | None
) -> tuple[int, str] | None:
    """Whom the identity provider means: who is bound to the subject, else is bound now by name."""
    found = await (await conn.execute(SQL["by_subject"], {"subject": subject})).fetchone()
    if found is None and username is not None:
        params = {"subject": subject, "username": username}
        found = await (await conn.execute(SQL["link"], params)).fetchone()
    return None if found is None else (int(found[0]), str(found[1]))
