"""People: made, let in or not, their passwords; and providers, who have people and devices."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import AsyncConnection

from storage.access import passwords
from storage.access.roles import NATION, Reach, Role
from storage.errors import NotThereError
from storage.queries import queries
from storage.reading.loading import rows_of
from storage.registry.refusals import change

SQL = queries("people")

USERNAME: Final = r"^[a-z0-9][a-z0-9._@-]{1,63}$"
"""What the database takes as a username."""


class NewPerson(NamedTuple):
    """Somebody to be made."""

    username: str
    role: Role
    reach: Reach = NATION
    name: str = ""


class Person(msgspec.Struct, frozen=True):
    """What is known of somebody."""

    username: str
    name: str
    role: str
    operator: str | None
    province: str | None
    provider: str | None
    created_at: str
    disabled_at: str | None
    password_set_at: str
    must_change_password: bool
    has_second_factor: bool
    has_identity_provider: bool


async def create(
    conn: AsyncConnection[Any], person: NewPerson, kept: str | None, *, must_change: bool = True
) -> None:
    """Make somebody. Raises RegistryError.

    kept: of the first password (`passwords.hashed`); None: comes in by the identity provider alone.
    """
    async with change(conn, f"person {person.username!r}"):
        await conn.execute(
            SQL["create"],
            {
                "username": person.username,
                "name": person.name,
                "role": person.role,
                **person.reach._asdict(),
                "password": kept,
                "must_change": must_change and kept is not None,
            },
        )


async def people(conn: AsyncConnection[Any], username: str | None = None) -> list[Person]:
    """Everybody, or who has this name, by username."""
    found = rows_of(conn, Person)
    await found.execute(SQL["list"], {"username": username})
    return await found.fetchall()


async def set_disabled(conn: AsyncConnection[Any], username: str, *, disabled: bool) -> None:
    """Let somebody in no longer, or again. Raises NotThereError.

    Sessions and keys end with it, for good: who is let in again makes new ones.
    """
    params = {"username": username, "disabled": disabled}
    row = await (await conn.execute(SQL["set_disabled"], params)).fetchone()
    if row is None:
        raise NotThereError(f"person {username!r}: expected one that there is")
    await end_sessions(conn, int(row[0]))
    if disabled:
        await conn.execute(SQL["end_keys"], {"person_id": int(row[0])})


async def end_sessions(conn: AsyncConnection[Any], person_id: int, *, but: int = 0) -> None:
    """End every session of somebody, but one."""
    await conn.execute(SQL["end_sessions"], {"person_id": person_id, "but": but})


async def person_id(conn: AsyncConnection[Any], username: str) -> int:
    """Number of somebody. Raises NotThereError."""
    row = await (await conn.execute(SQL["person_id"], {"username": username})).fetchone()
    if row is None:
        raise NotThereError(f"person {username!r}: expected one that there is")
    return int(row[0])


async def past_passwords(conn: AsyncConnection[Any], person: int) -> list[str]:
    """What is kept of the passwords that must not come back, the present one first."""
    found = await conn.execute(SQL["past_passwords"], {"person_id": person, "kept": passwords.KEPT})
    return [str(row[0]) for row in await found.fetchall()]


async def set_password(
    conn: AsyncConnection[Any], person: int, kept: str, *, must_change: bool, session: int = 0
) -> None:
    """Another password, by what is kept of it. Ends every session but `session`."""
    params = {"person_id": person, "password": kept, "must_change": must_change}
    await conn.execute(SQL["keep_password"], params)
    await conn.execute(SQL["set_password"], params)
    await conn.execute(SQL["forget_passwords"], {"person_id": person, "kept": passwords.KEPT - 1})
    await end_sessions(conn, person, but=session)


async def end_factor(conn: AsyncConnection[Any], person: int, *, but: int = 0) -> bool:
    """Somebody's second factor is asked for no longer; every session but `but` ends with it.

    Returns whether it was asked for.
    """
    ended = (await conn.execute(SQL["end_factor"], {"person_id": person})).rowcount == 1
    if ended:
        await end_sessions(conn, person, but=but)
    return ended


async def add_provider(conn: AsyncConnection[Any], code: str, name: str) -> int:
    """A provider of devices, made or renamed. Returns its number."""
    row = await (await conn.execute(SQL["add_provider"], {"code": code, "name": name})).fetchone()
    assert row is not None
    return int(row[0])


async def provider_id(conn: AsyncConnection[Any], code: str) -> int:
    """Number of a provider. Raises NotThereError."""
    row = await (await conn.execute(SQL["provider_id"], {"code": code})).fetchone()
    if row is None:
        raise NotThereError(f"provider {code!r}: expected one that there is")
    return int(row[0])


async def provide(conn: AsyncConnection[Any], provider: int, idents: Sequence[str]) -> None:
    """These devices are this provider's from now on. Raises NotThereError."""
    found = await conn.execute(SQL["provide"], {"provider_id": provider, "ident": list(idents)})
    unknown = set(idents) - {str(row[0]) for row in await found.fetchall()}
    if unknown:
        raise NotThereError(f"devices {sorted(unknown)}: expected registered ones")
