"""The verb that keeps the database in shape."""

from typing import Annotated

import typer

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.state import run, state_of, write_json


def upkeep(
    context: typer.Context,
    every_s: Annotated[
        float | None,
        typer.Option(
            "--every", min=1, max=86_400, callback=finite, help="Seconds between rounds; else one."
        ),
    ] = None,
) -> None:
    """Roll up hours, compress old fixes, delete what was kept for long enough (upkeep.*)."""
    from hanhtrinh import logs, upkeep, wiring  # noqa: PLC0415

    settings = state_of(context).settings
    wiring.require_schema(settings)
    if every_s is None:
        done = run(upkeep.one_round(settings))
        write_json(None if done is None else done._asdict())
        return
    logs.configure(settings.log)
    run(upkeep.rounds(settings, every_s))
