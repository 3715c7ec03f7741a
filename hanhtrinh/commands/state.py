"""What every verb is handed: the settings, read when they are first asked for, and the consoles."""

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from hanhtrinh.errors import UsageError

if TYPE_CHECKING:  # a third of a second, which --help need not wait for
    from hanhtrinh.settings import Loaded, Settings

T = TypeVar("T")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, not a table.")]
AsLines = Annotated[bool, typer.Option("--json", help="Print one JSON object a line, not a table.")]


@dataclass
class State:
    """The state of one run of the command line."""

    config: Path | None

    @cached_property
    def loaded(self) -> "Loaded":
        """Settings and where they come from. Raises SettingsError."""
        from hanhtrinh.settings import load  # noqa: PLC0415

        return load(self.config)

    @property
    def settings(self) -> "Settings":
        """The settings. Raises SettingsError."""
        return self.loaded.settings

    def with_overrides(self, overrides: Mapping[str, Any]) -> "Settings":
        """The settings with what this command's options say; None says nothing.

        Raises SettingsError, and UsageError where it is the options that are wrong.
        """
        from hanhtrinh.settings import SettingsError, load  # noqa: PLC0415

        alone = self.settings  # what file and environment say is right by itself
        if all(value is None for value in overrides.values()):
            return alone
        try:
            return load(self.config, overrides=overrides).settings
        except SettingsError as error:
            raise UsageError(str(error)) from None


def state_of(context: typer.Context) -> State:
    """The state that the verb's context carries."""
    found = context.find_object(State)
    assert found is not None
    return found


def stderr() -> Console:
    """For people: progress, hints, summaries. Never mixed into data."""
    return Console(stderr=True, highlight=False)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows on standard output: drawn on a terminal, else in plain columns, neither cut nor wrapped.

    What devices and people have named themselves may look like markup: nothing in a cell is any.
    """
    console = Console(highlight=False)
    if console.is_terminal:
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        drawn = Table()
        for name in columns:  # an ident that is cut is of no use to anybody
            drawn.add_column(name, overflow="fold")
        for row in rows:
            drawn.add_row(*map(Text, row))
        console.print(drawn)
        return
    lines = [[" ".join(cell.split()) for cell in line] for line in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def write_json(value: object) -> None:
    """One JSON value on one line of standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run asynchronous work to its end, on uvloop where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - 30 ms that the other verbs need not wait for
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)
