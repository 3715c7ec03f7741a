"""Verbs about the audit: checked, handed to other systems, taken out when it is old."""

import socket
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hanhtrinh.commands.registry import in_transaction
from hanhtrinh.commands.state import state_of, write_json
from hanhtrinh.errors import CommandError, UsageError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from storage.access.audit import Anchor

audit = typer.Typer(help="Who did what: the audit.", no_args_is_help=True)


@audit.command("verify")
def verify(
    context: typer.Context,
    anchor: Annotated[
        str | None,
        typer.Option(help="What an earlier run printed as `end`: the chain has to pass there."),
    ] = None,
) -> None:
    """Find a row that was removed, altered or moved. Prints the end of the chain."""
    from storage.access import audit as chain  # noqa: PLC0415

    passes = None if anchor is None else _anchor("--anchor", anchor)

    async def work(conn: "AsyncConnection") -> "Anchor":
        return await chain.verify(conn, passes)

    end = in_transaction(context, work)
    write_json({"rows": end.seq, "end": str(end)})


def _anchor(option: str, text: str) -> "Anchor":
    from storage.access.audit import Anchor  # noqa: PLC0415

    seq, _, digest = text.partition(":")
    if not seq.isdecimal() or len(digest) != 64:
        raise UsageError(f"{option}: expected NUMBER:HASH as verify prints it, got {text!r}")
    return Anchor(int(seq), digest)


@audit.command("remove")
def remove(
    context: typer.Context,
    until: Annotated[
        str,
        typer.Option(help="The last row to go, NUMBER:HASH: kept elsewhere with those before it."),
    ],
) -> None:
    """Take out the oldest rows, once export has handed them over. Verifies the chain first."""
    from hanhtrinh import wiring  # noqa: PLC0415
    from storage.access import audit as chain  # noqa: PLC0415

    last = _anchor("--until", until)
    before_us = wiring.clock() - state_of(context).settings.upkeep.audit_days * 86_400_000_000
    act = wiring.act_of_command("", "")

    async def work(conn: "AsyncConnection") -> int:
        return await chain.remove(conn, last, before_us, act.actor, act.address)

    write_json({"removed": in_transaction(context, work), "until": str(last)})


@audit.command("export")
def export(
    context: typer.Context,
    form: Annotated[str, typer.Option("--format", help="json or cef.")] = "json",
    after: Annotated[int, typer.Option(min=0, help="Only rows after this one.")] = 0,
    syslog: Annotated[
        str | None,
        typer.Option(help="Send them to HOST:PORT (TCP, RFC 6587), not to standard output."),
    ] = None,
) -> None:
    """Write rows out in order, for another system. Prints the last one's number to go on from."""
    from importlib.metadata import version  # noqa: PLC0415

    from storage.access import audit as chain  # noqa: PLC0415
    from storage.access import audit_lines  # noqa: PLC0415

    if form not in {"json", "cef"}:
        raise UsageError(f"--format: expected json or cef, got {form!r}")
    product = version("hanhtrinh")
    target = None if syslog is None else _connection(syslog)
    host = socket.gethostname()

    async def work(conn: "AsyncConnection") -> int:
        last = after
        async for row in chain.rows(conn, after):
            line = audit_lines.as_json(row) if form == "json" else audit_lines.as_cef(row, product)
            if target is None:
                sys.stdout.write(line + "\n")
            else:
                message = audit_lines.as_syslog(row, line, host)
                target.sendall(b"%d " % len(message) + message)
            last = row.seq
        return last

    last = in_transaction(context, work)
    if target is not None:
        target.close()
        write_json({"sent": last - after, "last": last})


def _connection(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(f"--syslog: expected HOST:PORT, got {address!r}")
    try:
        return socket.create_connection((host.strip("[]"), int(port)), timeout=10)
    except (OSError, OverflowError) as error:
        raise CommandError(f"--syslog: {address}: {error}") from error
