"""The verb that compares what was found with what a simulation planned: score."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanhtrinh.commands.state import AsJson, run, state_of, stderr, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from simulators.scoring import KindScore, Spread, Violation

MOST_SHOWN = 20
"""Violations that a person is shown of those that are wrong; --json has them all."""


def score(
    context: typer.Context,
    truth: Annotated[Path, typer.Argument(help="File that `simulate --truth` wrote.")],
    slack_s: Annotated[
        float | None,
        typer.Option(
            "--slack",
            min=0,
            help="Seconds that a match may lie outside; else its interval and 1 s.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the violations in the database with those that were planned; 1 if they differ."""
    from hanhtrinh.simulation import score_truth  # noqa: PLC0415
    from simulators.scoring import as_json as plain  # noqa: PLC0415

    scored = run(score_truth(state_of(context).settings, truth, slack_s))
    result = scored.score
    console = stderr()
    console.print(_table(result.kinds))
    for what, wrong in (("missed", result.missed), ("never planned", result.false)):
        for each in wrong[:MOST_SHOWN]:
            console.print(f"{what}: {_text(each)}", markup=False, soft_wrap=True)
        if len(wrong) > MOST_SHOWN:
            console.print(f"{what}: {len(wrong) - MOST_SHOWN:,} more")
    if as_json:
        write_json(
            {
                "perfect": result.is_perfect,
                "slack_s": scored.slack_s,
                "kinds": plain(result),
                "missed": [_object(each) for each in result.missed],
                "false": [_object(each) for each in result.false],
            }
        )
    if not result.is_perfect:
        raise typer.Exit(1)


def _table(kinds: "dict[str, KindScore]") -> "Table":
    from rich.table import Column, Table  # noqa: PLC0415

    table = Table(
        *(Column("kind", no_wrap=True), "planned", "found", "recall", "precision"),
        *("start error", "end error", "delay"),
        caption="errors and delays: median / largest, seconds",
        box=None,
        pad_edge=False,
    )
    for kind, one in kinds.items():
        table.add_row(
            *(kind, f"{one.planned:,}", f"{one.found:,}", _share(one.recall)),
            *(_share(one.precision), _spread(one.start_error)),
            *(_spread(one.end_error), _spread(one.delay)),
        )
    return table


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}"


def _spread(spread: "Spread | None") -> str:
    return "-" if spread is None else f"{spread.median_s:.1f} / {spread.largest_s:.1f}"


def _object(violation: "Violation") -> dict[str, Any]:
    from simulators.truth_file import rfc3339  # noqa: PLC0415

    return {
        "kind": violation.kind,
        "vehicle": violation.vehicle,
        "subject": violation.subject,
        "started_at": rfc3339(violation.started),
        "ended_at": rfc3339(violation.ended),
    }


def _text(violation: "Violation") -> str:
    return " ".join(value for value in _object(violation).values() if value)
