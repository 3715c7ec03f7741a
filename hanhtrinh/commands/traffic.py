"""Verbs that publish to the broker: simulate and replay."""

import math
import re
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.state import run, state_of, stderr, write_json
from hanhtrinh.errors import UsageError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
MOST_BACKLOG_S: Final = 31 * 86_400


def simulate(
    context: typer.Context,
    vehicles: Annotated[int, typer.Option(min=1, max=1_000_000, help="Size of the fleet.")] = 100,
    interval_s: Annotated[
        int, typer.Option("--interval", min=1, max=3600, help="Seconds between two fixes.")
    ] = 10,
    codec: Annotated[str, typer.Option(help='One that has an encoder, or "mix": all.')] = "json",
    seed: Annotated[int, typer.Option(help="The same seed drives the same journeys.")] = 1,
    duration_s: Annotated[
        float | None,
        typer.Option("--duration", min=0, callback=finite, help="Seconds; else until Ctrl-C."),
    ] = None,
    backlog: Annotated[
        str | None,
        typer.Option(help="So much of the past is sent first, like 900s, 90m, 12h or 3d."),
    ] = None,
    dirty: Annotated[bool, typer.Option(help="With the faults of real feeds.")] = False,
    truth: Annotated[
        Path | None, typer.Option(help="File for the planned violations (JSON lines).")
    ] = None,
    lines: Annotated[
        Path | None, typer.Option(help="GeoJSON LineStrings that half of the others drive on.")
    ] = None,
    has_map: Annotated[
        bool,
        typer.Option("--map", help="Workers have the roads of `hanhtrinh roads simulated`."),
    ] = False,
    connections: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="So many trackers connect themselves; else one."),
    ] = None,
    listeners: Annotated[
        list[str] | None,
        typer.Option("--listener", metavar="HOST:PORT", help="Of the broker, if it has several."),
    ] = None,
    register: Annotated[
        bool, typer.Option("--register", help="Register fleet and places in the database first.")
    ] = False,
) -> None:
    """Drive a simulated fleet that publishes to the broker as trackers do."""
    from hanhtrinh import wiring  # noqa: PLC0415
    from hanhtrinh.driven_lines import read_lines  # noqa: PLC0415
    from hanhtrinh.simulation import run_simulation  # noqa: PLC0415
    from simulators.dirt import MILD, Dirt  # noqa: PLC0415
    from simulators.simulate import Progress, SimulateOptions  # noqa: PLC0415
    from simulators.vehicles import CODECS  # noqa: PLC0415

    if codec not in (*CODECS, "mix"):
        expected = ", ".join((*CODECS, "mix"))
        raise UsageError(f"--codec: expected one of {expected}, got {codec!r}")
    settings = state_of(context).settings
    _check_connections(connections, vehicles, listeners)
    options = SimulateOptions(
        broker=wiring.simulator_broker(settings),
        vehicles=vehicles,
        interval_s=interval_s,
        codec=codec,
        seed=seed,
        duration_s=duration_s,
        backlog_s=0 if backlog is None else _backlog_s(backlog),
        backlog_interval_s=interval_s,
        dirt=MILD if dirty else Dirt(),
        truth=truth,
        lines={} if lines is None else read_lines(lines),
        has_map=has_map,
        connections=connections,
        listeners=[_listener(text) for text in listeners or ()] or settings.broker.servers,
    )
    with stderr().status("driving") as status:

        def show(progress: Progress) -> None:
            status.update(f"{progress.fixes:,} fixes and {progress.weighings:,} weighings sent")

        report = run(run_simulation(settings, options, show, registers=register))
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
    from hanhtrinh.offline.fixes import parse_map  # noqa: PLC0415
    from ingest.replay import ReplayReport  # noqa: PLC0415
    from ingest.replay import replay as publish  # noqa: PLC0415

    options = wiring.replay_options(
        state_of(context).settings, file, parse_map(columns), _speedup(speedup)
    )
    console = stderr()
    with console.status(escape(f"replaying {file}")) as status:

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


def _check_connections(connections: int | None, vehicles: int, listeners: list[str] | None) -> None:
    if connections is None:
        if listeners:
            raise UsageError("--listener: expected --connections with it")
        return
    if connections > vehicles:
        raise UsageError(f"--connections: expected at most --vehicles, got {connections}")


def _listener(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise UsageError(f"--listener: expected HOST:PORT, got {text!r}")
    return host.strip("[]"), int(port)


def _backlog_s(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= MOST_BACKLOG_S:
        raise UsageError(f"--backlog: expected 1s to 31d, like 90m, 12h or 3d, got {text!r}")
    return seconds


def _speedup(text: str) -> float | None:
    if text == "max":
        return None
    try:
        times = float(text)
    except ValueError:
        times = 0.0
    if not 0 < times < math.inf:
        raise UsageError(f"--speedup: expected a number over 0 or max, got {text!r}")
    return times
