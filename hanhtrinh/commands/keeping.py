"""Verbs that save the database and get it back."""

from pathlib import Path
from typing import Annotated

import typer

from hanhtrinh.commands.state import state_of, write_json


def backup(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="File to write; its list goes beside it.")],
) -> None:
    """Dump the database while everything goes on, and count what is in the dump."""
    from hanhtrinh import backup, wiring  # noqa: PLC0415

    settings = state_of(context).settings
    wiring.require_schema(settings)
    write_json(backup.back_up(wiring.dsn(settings), archive))


def restore(
    context: typer.Context,
    archive: Annotated[Path, typer.Argument(help="File that `hanhtrinh backup` wrote.")],
) -> None:
    """Fill an empty database from a backup, and check that every table has its rows again."""
    from hanhtrinh import backup, wiring  # noqa: PLC0415

    write_json(backup.restore(wiring.dsn(state_of(context).settings), archive))
