"""Verbs about who may use the API: people, keys of programs, providers of devices."""

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.registry import in_transaction
from hanhtrinh.commands.state import AsLines, stderr, write_json, write_table
from hanhtrinh.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from storage.access.roles import Ability, Reach, Role

users = typer.Typer(help="People who use the API and its pages.", no_args_is_help=True)
keys = typer.Typer(help="Keys of the API, for programs.", no_args_is_help=True)
providers = typer.Typer(help="Who runs devices for operators.", no_args_is_help=True)

RoleOption = Annotated[
    str, typer.Option(help="administrator, inspector, operator, provider or reader.")
]
OperatorOption = Annotated[
    str | None, typer.Option(help="Code of the operator (of an operator; may be of a reader).")
]
ProvinceOption = Annotated[
    str | None, typer.Option(help="Province (may be of an inspector or a reader).")
]
ProviderOption = Annotated[str | None, typer.Option(help="Code of the provider (of a provider).")]
Username = Annotated[str, typer.Argument(help="Name to come in with.")]
PasswordStdin = Annotated[
    bool, typer.Option(help="Take the password from standard input in place of making one.")
]


def _role(role: str) -> "Role":
    from storage.access.roles import ROLES  # noqa: PLC0415

    if role not in ROLES:
        raise UsageError(f"--role: expected one of {', '.join(ROLES)}, got {role!r}")
    return role


def _check_username(username: str) -> None:
    from storage.access.people import USERNAME  # noqa: PLC0415

    if not re.fullmatch(USERNAME, username):
        raise UsageError(
            "username: expected 2 to 64 small letters, digits and ._@-, a letter or digit first, "
            f"got {username!r}"
        )


def _check_reach(
    role: "Role", operator: str | None, province: str | None, provider: str | None
) -> None:
    """Refuse what the database would, in words of the options."""
    if (role == "operator" and operator is None) or (
        operator is not None and role not in {"operator", "reader"}
    ):
        raise UsageError("--operator: expected with --role operator, and else only with reader")
    if (role == "provider") != (provider is not None):
        raise UsageError("--provider: expected with --role provider, and only then")
    if province is not None and (role not in {"inspector", "reader"} or operator is not None):
        raise UsageError("--province: expected with --role inspector or reader alone")


async def _reach(
    conn: "AsyncConnection", operator: str | None, province: str | None, provider: str | None
) -> "Reach":
    from storage import registry  # noqa: PLC0415
    from storage.access import people  # noqa: PLC0415
    from storage.access.roles import Reach  # noqa: PLC0415

    return Reach(
        None if operator is None else await registry.operator_id(conn, operator),
        province,
        None if provider is None else await people.provider_id(conn, provider),
    )


def _password(username: str, *, is_given: bool) -> tuple[str, str]:
    """A first password and what is kept of it. Raises PasswordError."""
    from storage.access import passwords  # noqa: PLC0415

    if not is_given:
        made = passwords.first_password()
        return made, passwords.hashed(made)
    given = sys.stdin.readline().rstrip("\r\n")
    passwords.check_choice(given, username, [])
    return given, passwords.hashed(given)


@users.command("create")
def create_user(
    context: typer.Context,
    username: Username,
    role: RoleOption,
    name: Annotated[str, typer.Option(help="Name for people.")] = "",
    operator: OperatorOption = None,
    province: ProvinceOption = None,
    provider: ProviderOption = None,
    password_stdin: PasswordStdin = False,
    identity_provider: Annotated[
        bool, typer.Option(help="Comes in by the identity provider alone: no password.")
    ] = False,
) -> None:
    """Let somebody in. Prints the first password, which has to be changed at the first login."""
    from storage.access import people  # noqa: PLC0415

    kind = _role(role)
    _check_reach(kind, operator, province, provider)
    _check_username(username)
    if identity_provider and password_stdin:
        raise UsageError("--identity-provider: expected without --password-stdin")
    password, kept = (
        (None, None) if identity_provider else _password(username, is_given=password_stdin)
    )

    async def work(conn: "AsyncConnection") -> None:
        reach = await _reach(conn, operator, province, provider)
        person = people.NewPerson(username, kind, reach, name)
        await people.create(conn, person, kept, must_change=not password_stdin)

    in_transaction(context, work, f"person {username}")
    said = {"username": username, "role": role}
    write_json(said if password is None or password_stdin else said | {"password": password})


@users.command("list")
def list_users(context: typer.Context, as_json: AsLines = False) -> None:
    """Show who may come in, and as what."""
    from storage.access import people  # noqa: PLC0415

    _show(in_transaction(context, people.people), as_json=as_json, empty="nobody may come in")


@users.command("disable")
def disable_user(context: typer.Context, username: Username) -> None:
    """Let somebody in no longer. Sessions and keys end with it."""
    _set_disabled(context, username, disabled=True)


@users.command("enable")
def enable_user(context: typer.Context, username: Username) -> None:
    """Let somebody in again."""
    _set_disabled(context, username, disabled=False)


def _set_disabled(context: typer.Context, username: str, *, disabled: bool) -> None:
    from storage.access import people  # noqa: PLC0415

    async def work(conn: "AsyncConnection") -> None:
        await people.set_disabled(conn, username, disabled=disabled)

    in_transaction(context, work, f"person {username}")
    write_json({"username": username, "is_disabled": disabled})


@users.command("reset")
def reset_user(
    context: typer.Context, username: Username, password_stdin: PasswordStdin = False
) -> None:
    """Give somebody a first password again, without second factor or lock. Sessions end."""
    from storage.access import people, sessions  # noqa: PLC0415

    password, kept = _password(username, is_given=password_stdin)

    async def work(conn: "AsyncConnection") -> None:
        person = await people.person_id(conn, username)
        await people.set_password(conn, person, kept, must_change=not password_stdin)
        await people.end_factor(conn, person)
        await sessions.passed(conn, username)

    in_transaction(context, work, f"person {username}")
    said = {"username": username}
    write_json(said if password_stdin else said | {"password": password})


@users.command("end-factor")
def end_factor(context: typer.Context, username: Username) -> None:
    """End somebody's second factor: the password alone is asked for. Sessions end."""
    from storage.access import people  # noqa: PLC0415

    async def work(conn: "AsyncConnection") -> bool:
        return await people.end_factor(conn, await people.person_id(conn, username))

    ended = in_transaction(context, work, f"person {username}")
    write_json({"username": username, "ended": ended})


@keys.command("create")
def create_key(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="What it is for, for people.")],
    role: RoleOption = "inspector",
    operator: OperatorOption = None,
    province: ProvinceOption = None,
    provider: ProviderOption = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do (read, write, ...); several; none: all its role may."),
    ] = None,
    days: Annotated[
        float, typer.Option(min=0.001, max=366, callback=finite, help="When it ends.")
    ] = 365,
) -> None:
    """Make a key and print it: it can never be read again."""
    from storage.access import keys as key_table  # noqa: PLC0415

    kind = _role(role)
    _check_reach(kind, operator, province, provider)
    scopes = _scopes(scope)

    async def work(conn: "AsyncConnection") -> str:
        reach = await _reach(conn, operator, province, provider)
        made = await key_table.create(conn, name, kind, reach, days=days, scopes=scopes)
        return made.key

    typer.echo(in_transaction(context, work, f"key {name}"))
    stderr().print("keep it: the database holds only its digest")


def _scopes(given: list[str] | None) -> "list[Ability] | None":
    from storage.access.roles import ABILITIES  # noqa: PLC0415

    unknown = [one for one in given or () if one not in ABILITIES]
    if unknown:
        raise UsageError(f"--scope: expected of {', '.join(ABILITIES)}, got {unknown[0]!r}")
    return [one for one in ABILITIES if one in given] if given else None


@keys.command("list")
def list_keys(context: typer.Context, as_json: AsLines = False) -> None:
    """Show every key there ever was."""
    from storage.access import keys as key_table  # noqa: PLC0415

    _show(in_transaction(context, key_table.keys), as_json=as_json, empty="there are no keys")


@keys.command("revoke")
def revoke_key(
    context: typer.Context, number: Annotated[int, typer.Argument(help="Its number.")]
) -> None:
    """End a key now."""
    from storage.access import keys as key_table  # noqa: PLC0415
    from storage.errors import NotThereError  # noqa: PLC0415

    async def work(conn: "AsyncConnection") -> bool:
        if number not in {key.id for key in await key_table.keys(conn)}:
            raise NotThereError(f"key {number}: expected a number of `hanhtrinh keys list`")
        return await key_table.revoke(conn, number)

    write_json({"key": number, "revoked": in_transaction(context, work, f"key {number}")})


@keys.command("grant")
def grant_key(
    context: typer.Context,
    number: Annotated[int, typer.Argument(help="Its number.")],
    scope: Annotated[list[str], typer.Option(help="What it may do besides; several.")],
) -> None:
    """Let a key in force do more, within its role: what it was made too early for."""
    from storage.access import keys as key_table  # noqa: PLC0415

    scopes = _scopes(scope) or []

    async def work(conn: "AsyncConnection") -> "Sequence[Ability]":
        return await key_table.grant(conn, number, scopes)

    may = in_transaction(context, work, f"key {number}: {', '.join(scopes)}")
    write_json({"key": number, "scopes": may})


@keys.command("rotate")
def rotate_key(
    context: typer.Context,
    number: Annotated[int, typer.Argument(help="Its number.")],
    days: Annotated[
        float, typer.Option(min=0.001, max=366, callback=finite, help="When the new one ends.")
    ] = 365,
    keep_old_hours: Annotated[
        float, typer.Option(min=0, max=8784, callback=finite, help="The old one goes on so long.")
    ] = 0,
) -> None:
    """Make another key in place of one in force, which may do the same; print it.

    The old one ends: at once, or after --keep-old-hours.
    """
    from storage.access import keys as key_table  # noqa: PLC0415

    async def work(conn: "AsyncConnection") -> key_table.MadeKey:
        return await key_table.rotate(conn, number, days=days, keep_old_s=keep_old_hours * 3600)

    made = in_transaction(context, work, f"key {number}")
    typer.echo(made.key)
    stderr().print(f"it is key {made.id}; keep it: the database holds only its digest")


@providers.command("add")
def add_provider(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="Its code, as topics name it.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    device: Annotated[
        list[str] | None, typer.Option(help="A device that is its from now on; several.")
    ] = None,
) -> None:
    """Make or rename a provider, and say which devices are its."""
    from storage.access import people  # noqa: PLC0415

    async def work(conn: "AsyncConnection") -> int:
        number = await people.add_provider(conn, code, name)
        await people.provide(conn, number, device or [])
        return number

    number = in_transaction(context, work, f"provider {code}")
    write_json({"provider": number, "code": code, "devices": device or []})


def _show(rows: list[Any], *, as_json: bool, empty: str) -> None:
    """Structs as lines of JSON, or as a table."""
    import msgspec  # noqa: PLC0415

    if as_json:
        for row in rows:
            write_json(msgspec.to_builtins(row))
        return
    if not rows:
        stderr().print(empty)
        return
    write_table(
        [name.replace("_", " ") for name in rows[0].__struct_fields__],
        [
            ["" if value is None else str(value) for value in msgspec.structs.astuple(row)]
            for row in rows
        ],
    )
