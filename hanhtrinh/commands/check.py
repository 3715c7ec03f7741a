"""Verbs that look after an installation: doctor, warm."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hanhtrinh.commands.state import State, run, state_of, stderr, write_json

MARKS = {"ok": "[green]ok[/]", "wrong": "[bold red]wrong[/]", "skipped": "[yellow]skipped[/]"}


def doctor(
    context: typer.Context,
    show_settings: Annotated[
        bool,
        typer.Option(help="Instead: print the settings, secrets masked, and whence they come."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check broker, database, extension, clock and disk, and say what to do.

    Exits with 1 if anything is wrong.
    """
    state = state_of(context)
    if show_settings:
        _show_settings(state, as_json=as_json)
        return
    from hanhtrinh.doctor import examine  # noqa: PLC0415

    settings = state.settings
    with stderr().status("examining"):
        findings = run(examine(settings))
    is_well = all(finding.state == "ok" for finding in findings)
    if as_json:
        write_json({"ok": is_well, "checks": [asdict(finding) for finding in findings]})
    else:
        console = Console(highlight=False)
        for finding in findings:
            mark = MARKS[finding.state] + " " * (8 - len(finding.state))
            console.print(f"{finding.check:10} {mark} {escape(finding.found)}", soft_wrap=True)
            if finding.advice:
                console.print(f"{'':19} -> {escape(finding.advice)}", soft_wrap=True)
    if not is_well:
        raise typer.Exit(1)


def _show_settings(state: State, *, as_json: bool) -> None:
    from hanhtrinh.settings import rows  # noqa: PLC0415
    from hanhtrinh.settings.showing import shown  # noqa: PLC0415

    loaded = state.loaded
    values = {
        row.name: {"value": shown(row, loaded.settings), "from": loaded.origins[row.name]}
        for row in rows()
    }
    if as_json:
        write_json(values)
        return
    # Plain columns, not a table: what is piped into a file must be neither cut nor wrapped.
    lines = [("setting", "value", "from")]
    lines += [(name, found["value"], found["from"]) for name, found in values.items()]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for name, value, origin in lines:
        typer.echo(f"{name:{widths[0]}}  {value:{min(widths[1], 40)}}  {origin}")


def warm() -> None:
    """Compile the kernels, so that the first start need not."""
    from hanhtrinh.warming import warm_kernels  # noqa: PLC0415

    with stderr().status("compiling the kernels"):
        warm_kernels()
