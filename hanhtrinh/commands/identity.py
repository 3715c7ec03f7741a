"""Verbs about who may log in at the broker: logins of devices, their secrets, files for brokers."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.registry import in_transaction
from hanhtrinh.commands.state import AsLines, state_of, stderr, write_json, write_table
from hanhtrinh.errors import UsageError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from storage.credentials import Login, Rotated

devices = typer.Typer(
    help="Devices' logins at the broker, and their secrets.", no_args_is_help=True
)
HOUR_US = 3_600_000_000


@devices.command("credentials")
def show_credentials(
    context: typer.Context,
    ident: Annotated[
        str | None, typer.Argument(help="One login, with all secrets that it ever had.")
    ] = None,
    as_json: AsLines = False,
) -> None:
    """Show who may log in, and since when and until when each secret works."""
    from storage import credentials  # noqa: PLC0415

    async def work(connection: "AsyncConnection") -> "list[Login]":
        return await credentials.logins(connection, ident)

    found = in_transaction(context, work)
    if as_json:
        for login in found:
            secrets = [_dated(secret._asdict()) for secret in login.secrets]
            write_json(login._asdict() | {"secrets": secrets})
        return
    rows = []
    for login in found:
        who = (login.ident, login.kind, login.client_id)
        if not login.secrets:
            rows.append((*who, "none", "", "", ""))
        for secret in login.secrets:
            said = _dated(secret._asdict())
            times = (said["created_at"], said["valid_until"], said["revoked_at"])
            rows.append((*who, said["id"], *times))
    if not rows:
        stderr().print("nobody may log in")
        return
    write_table(("login", "kind", "client id", "secret", "made", "works until", "revoked"), rows)


@devices.command("rotate")
def rotate(
    context: typer.Context,
    idents: Annotated[list[str], typer.Argument(help="Device, station or provider; several too.")],
    kind: Annotated[
        str | None, typer.Option(help="device (as a new one is), station or provider.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(help="Its MQTT client id, if that is not its name.")
    ] = None,
    keep_old_hours: Annotated[
        float,
        typer.Option(
            min=0, max=87_840, callback=finite, help="For so long the secret before works, too."
        ),
    ] = 0.0,
    password_stdin: Annotated[
        bool, typer.Option(help="Take a password from standard input in place of a new secret.")
    ] = False,
) -> None:
    """Make a secret and print it, the first or the next: it can never be read again."""
    from storage import credentials  # noqa: PLC0415

    if kind not in {None, "device", "station", "provider"}:
        raise UsageError(f"--kind: expected device, station or provider, got {kind!r}")
    if len(idents) > 1 and (client_id is not None or password_stdin):
        raise UsageError("rotate: expected one login with --client-id or --password-stdin")
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    until = time.time_ns() // 1000 + int(keep_old_hours * HOUR_US) if keep_old_hours else 0

    async def work(connection: "AsyncConnection") -> "list[Rotated]":
        return [
            await credentials.rotate(
                connection,
                ident,
                kind=kind,  # type: ignore[arg-type]  # one of the three, see above
                client_id=client_id,
                keep_old_until=until,
                password=password,
            )
            for ident in idents
        ]

    for ident, made in zip(
        idents, in_transaction(context, work, f"logins {', '.join(idents)}"), strict=True
    ):
        said = {"username": ident, "client_id": made.client_id, "secret_id": made.secret_id}
        write_json(said if made.secret is None else said | {"password": made.secret})
    if not password_stdin:
        stderr().print("keep it: the database holds only its digest")


@devices.command("revoke")
def revoke(
    context: typer.Context,
    ident: Annotated[str, typer.Argument(help="Whose secrets end.")],
    secret: Annotated[int | None, typer.Option(help="Only this one, by its number.")] = None,
) -> None:
    """End secrets now. Connections that were made with them are closed within seconds."""
    from storage import credentials  # noqa: PLC0415

    async def work(connection: "AsyncConnection") -> int:
        return await credentials.revoke(connection, ident, secret)

    write_json({"username": ident, "revoked": in_transaction(context, work, f"login {ident}")})


@devices.command("export")
def export_devices(
    context: typer.Context,
    broker: Annotated[str, typer.Option("--for", help="mosquitto or emqx.")],
    folder: Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")],
    passwords: Annotated[
        Path | None, typer.Option(help="File of lines for our own parts, put before the others.")
    ] = None,
    acl: Annotated[
        Path | None, typer.Option(help="File of rules for our own parts, put before the others.")
    ] = None,
) -> None:
    """Write logins and what each may do as files for a broker."""
    from ingest.identity.exports import Broker, Parts, export  # noqa: PLC0415
    from storage import credentials  # noqa: PLC0415

    if broker not in {"mosquitto", "emqx"}:
        raise UsageError(f"--for: expected mosquitto or emqx, got {broker!r}")
    name: Broker = "emqx" if broker == "emqx" else "mosquitto"
    topics = state_of(context).settings.ingest.topics
    logins = in_transaction(context, credentials.to_export)
    done = export(name, logins, folder, topics, Parts(_lines(passwords), _lines(acl)))
    write_json(
        {
            "files": [str(file) for file in done.files],
            "logins": done.logins,
            "left_out": list(done.left_out),
        }
    )


def _lines(file: Path | None) -> list[str]:
    return [] if file is None else file.read_text("utf-8").splitlines()


def _dated(values: dict[str, object]) -> dict[str, str]:
    """With instants as text."""
    from devices.describe import rfc3339  # noqa: PLC0415
    from storage.wire import END_US  # noqa: PLC0415

    shown = {}
    for name, value in values.items():
        if name in {"created_at", "valid_until", "revoked_at"}:
            is_instant = isinstance(value, int) and value != END_US
            shown[name] = rfc3339(value) if is_instant else ""  # type: ignore[arg-type]
        else:
            shown[name] = str(value)
    return shown
