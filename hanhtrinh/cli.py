"""The command `hanhtrinh`: its verbs, its options that hold for all of them, and its exit codes.

Exit codes: 0 done, 1 failed, 2 used wrongly. Verbs live in `hanhtrinh.commands`, one module each;
they parse and call one function. Data goes to standard output, everything else to standard error.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from hanhtrinh.commands import (
    access,
    audit,
    check,
    identity,
    importing,
    judge,
    keeping,
    look,
    quarantine,
    registry,
    roads,
    score,
    serve,
    traffic,
    upkeep,
    watch,
)
from hanhtrinh.commands.state import State
from hanhtrinh.errors import UsageError, expected_errors


class Verbs(TyperGroup):
    """Commands whose expected failures end in one message and the right exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `hanhtrinh ... | head`: whoever read it has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except tuple(expected_errors()) as error:
            Console(stderr=True, highlight=False).print(
                f"[bold red]hanhtrinh:[/] {_plain(error)}", soft_wrap=True
            )
            raise typer.Exit(2 if isinstance(error, UsageError) else 1) from error


def _plain(error: BaseException) -> str:
    from rich.markup import escape  # noqa: PLC0415

    said = str(error).strip()
    if isinstance(error, OSError) and error.filename and error.strerror:
        said = f"{error.filename}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    return escape(said or type(error).__name__)


app = typer.Typer(
    name="hanhtrinh",
    cls=Verbs,
    help="Vehicle telematics and journey monitoring.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would show passwords
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        typer.echo(f"hanhtrinh {version('hanhtrinh')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file with settings; else $HANHTRINH_CONFIG or ./hanhtrinh.toml."),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Vehicle telematics and journey monitoring."""
    context.obj = State(config)


def main() -> None:
    """Run the command line of this process."""
    app()


app.command("demo")(serve.demo)
app.command("worker")(serve.worker)
app.command("stream")(serve.stream)
app.command("bridge")(serve.bridge)
app.command("auth")(serve.auth)
app.command("api")(serve.api)
app.command("gateway")(serve.gateway)
app.command("migrate")(serve.migrate)
app.command("simulate")(traffic.simulate)
app.command("score")(score.score)
app.command("replay")(traffic.replay)
app.command("decode")(look.decode)
app.command("judge")(judge.judge)
app.command("rejudge")(judge.rejudge)
app.command("doctor")(check.doctor)
app.command("warm")(check.warm)
app.command("backup")(keeping.backup)
app.command("restore")(keeping.restore)
app.command("upkeep")(upkeep.upkeep)
app.command("top")(watch.top)
app.add_typer(quarantine.quarantine, name="quarantine")
app.add_typer(registry.vehicles, name="vehicles")
app.add_typer(importing.registry, name="registry")
app.add_typer(importing.zones, name="zones")
app.add_typer(identity.devices, name="devices")
app.add_typer(access.users, name="users")
app.add_typer(access.keys, name="keys")
app.add_typer(access.providers, name="providers")
app.add_typer(audit.audit, name="audit")
app.add_typer(roads.roads, name="roads")

if __name__ == "__main__":
    main()
