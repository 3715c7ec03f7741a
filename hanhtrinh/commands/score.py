"""The verb that compares what was found with what a simulation planned: score."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.state import AsJson, run, state_of, stderr, write_json, write_table

if TYPE_CHECKING:
    from simulators.scoring import Score, Spread, Violation

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
            max=86_400,
            callback=finite,
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
    else:
        _show(result)
    if not result.is_perfect:
        raise typer.Exit(1)


def _show(result: "Score") -> None:
    """The figures of every kind, then what was wrong."""
    columns = ("kind", "planned", "found", "recall", "precision")
    rows = [
        (kind, f"{one.planned:,}", f"{one.found:,}", _share(one.recall), _share(one.precision),
         _spread(one.start_error), _spread(one.end_error), _spread(one.delay))
        for kind, one in result.kinds.items()
    ]  # fmt: skip
    write_table((*columns, "start error", "end error", "delay"), rows)
    stderr().print("errors and delays: median / largest, seconds")
    for what, wrong in (("missed", result.missed), ("never planned", result.false)):
        for each in wrong[:MOST_SHOWN]:
            typer.echo(f"{what}: {_text(each)}")
        if len(wrong) > MOST_SHOWN:
            typer.echo(f"{what}: {len(wrong) - MOST_SHOWN:,} more")


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
