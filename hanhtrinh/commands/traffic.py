"""Verbs that publish to the broker: simulate, replay, and release from the quarantine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hanhtrinh.commands.state import run, state_of, stderr, write_json
from hanhtrinh.errors import UsageError

if TYPE_CHECKING:
    from ingest.release import Release

quarantine = typer.Typer(
    help="Messages that could not be used: look at them, and send them through again.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, not a table.")]


def simulate(
    context: typer.Context,
    vehicles: Annotated[int, typer.Option(min=1, max=1_000_000, help="Size of the fleet.")] = 100,
    interval_s: Annotated[
        int, typer.Option("--interval", min=1, max=3600, help="Seconds between two fixes.")
    ] = 10,
    codec: Annotated[str, typer.Option(help='One codec, or "mix" for all of them.')] = "json",
    seed: Annotated[int, typer.Option(help="The same seed drives the same journeys.")] = 1,
    duration_s: Annotated[
        float | None, typer.Option("--duration", min=0, help="Seconds; else until Ctrl-C.")
    ] = None,
    dirty: Annotated[bool, typer.Option(help="With the faults of real feeds.")] = False,
    truth: Annotated[
        Path | None, typer.Option(help="File for the planned violations (JSON lines).")
    ] = None,
) -> None:
    """Drive a simulated fleet that publishes to the broker as trackers do."""
    from hanhtrinh import wiring  # noqa: PLC0415
    from simulators.dirt import MILD, Dirt  # noqa: PLC0415
    from simulators.simulate import Progress, SimulateOptions  # noqa: PLC0415
    from simulators.simulate import simulate as drive  # noqa: PLC0415

    options = SimulateOptions(
        broker=wiring.simulator_broker(state_of(context).settings),
        vehicles=vehicles,
        interval_s=interval_s,
        codec=codec,
        seed=seed,
        duration_s=duration_s,
        dirt=MILD if dirty else Dirt(),
        truth=truth,
    )
    with stderr().status("driving") as status:

        def show(progress: Progress) -> None:
            status.update(f"{progress.fixes:,} fixes and {progress.weighings:,} weighings sent")

        report = run(drive(options, show))
    write_json(
        {
            "fixes": report.fixes,
            "weighings": report.weighings,
            "messages": report.messages,
            "planned": len(report.planned),
        }
    )


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV (also .gz) or Parquet file of positions.")],
    columns: Annotated[
        str,
        typer.Option(
            "--map",
            help="name=column[:unit], separated by commas: vehicle, time, lat, lon, speed, ...",
        ),
    ],
    speedup: Annotated[
        str, typer.Option("--speedup", help="Times as fast as it was; or max.")
    ] = "max",
) -> None:
    """Publish recorded positions over MQTT as if the vehicles sent them."""
    from hanhtrinh import wiring  # noqa: PLC0415
    from ingest.replay import ReplayReport  # noqa: PLC0415
    from ingest.replay import replay as publish  # noqa: PLC0415

    options = wiring.replay_options(state_of(context).settings, file, columns, _speedup(speedup))
    console = stderr()
    with console.status(f"replaying {file}") as status:

        def show(report: ReplayReport) -> None:
            status.update(f"{report.messages:,} messages acknowledged")

        report = run(publish(options, show))
    for bad in report.bad[:10]:
        console.print(f"left out: line {bad.line}: {bad.reason}", markup=False)
    write_json(
        {
            "messages": report.messages,
            "vehicles": len(report.published),
            "bad_rows": report.bad_rows,
            "seconds": round(report.seconds, 3),
        }
    )


def _speedup(text: str) -> float | None:
    if text == "max":
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--speedup: expected a number or max, got {text!r}") from None


@quarantine.command("list")
def show_quarantine(
    context: typer.Context,
    reason: Annotated[str | None, typer.Option(help="Only messages of this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Only ids greater than this.")] = 0,
    as_json: AsJson = False,
) -> None:
    """List the messages that wait, oldest first."""
    from hanhtrinh import wiring  # noqa: PLC0415
    from storage import database  # noqa: PLC0415
    from storage import quarantine as table  # noqa: PLC0415

    settings = state_of(context).settings

    async def read() -> tuple[list[table.Waiting], list[table.ReasonCount]]:
        async with await database.connect(wiring.dsn(settings), name="hanhtrinh quarantine") as db:
            waiting = await table.page(db, reason=reason, after=after, limit=limit)
            return waiting, await table.counts(db)

    waiting, counts = run(read())
    if as_json:
        for entry in waiting:
            write_json(_dated(entry._asdict()))
        return
    shown = Table("id", "last seen", "topic", "bytes", "reason", "seen", "detail")
    for entry in waiting:
        when = _dated(entry._asdict())["last_seen"]
        shown.add_row(
            str(entry.id), when, entry.topic, str(entry.payload_bytes), entry.reason,
            str(entry.seen), entry.detail,
        )  # fmt: skip
    console = stderr()
    console.print(shown if waiting else "the quarantine is empty")
    for count in counts:
        console.print(f"{count.messages:,} messages: {count.reason} (seen {count.seen:,} times)")


@quarantine.command("release")
def release_quarantine(
    context: typer.Context,
    reason: Annotated[str | None, typer.Option(help="All that wait for this reason.")] = None,
    ids: Annotated[list[int] | None, typer.Option("--id", help="One entry; repeatable.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
) -> None:
    """Send messages through the broker again, once their cause is mended."""
    from hanhtrinh import wiring  # noqa: PLC0415

    if sum((reason is not None, bool(ids), everything)) != 1:
        raise UsageError("release: expected one of --reason, --id and --all")
    settings = state_of(context).settings
    with stderr().status("releasing") as status:

        def show(count: int) -> None:
            status.update(f"{count:,} released")

        released: Release = run(
            wiring.release_quarantine(settings, reason, frozenset(ids) if ids else None, show)
        )
    write_json({"released": released.released, "cut": released.cut})


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    """With the instants as text."""
    from devices.describe import rfc3339  # noqa: PLC0415

    return values | {name: rfc3339(values[name]) for name in ("received", "last_seen")}
