"""The verbs that judge: files with no server, and what is stored once more."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hanhtrinh.commands.state import run, state_of, stderr, write_json
from hanhtrinh.errors import UsageError

if TYPE_CHECKING:
    from hanhtrinh.offline.judging import Found, Progress
    from hanhtrinh.offline.registry import Options
    from hanhtrinh.settings import Settings

SHOWN = 10


def judge(
    context: typer.Context,
    fixes: Annotated[Path, typer.Option(help="CSV (also .gz) or Parquet file of positions.")],
    vehicles: Annotated[Path | None, typer.Option(help="CSV of vehicles.")] = None,
    drivers: Annotated[Path | None, typer.Option(help="CSV of drivers and their names.")] = None,
    zones: Annotated[Path | None, typer.Option(help="GeoJSON file of zones.")] = None,
    routes: Annotated[Path | None, typer.Option(help="GeoJSON file of fixed routes.")] = None,
    weighings: Annotated[
        Path | None, typer.Option(help="JSON lines or CSV of weigh stations.")
    ] = None,
    stations: Annotated[
        Path | None, typer.Option(help="CSV of weigh stations: where they are, how exact.")
    ] = None,
    roads: Annotated[
        Path | None, typer.Option(help="Roads: what `roads import` made, or a map.")
    ] = None,
    profile: Annotated[
        list[str] | None, typer.Option(help="Rule profile: a shipped one or a TOML file.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of days and hours, like Asia/Ho_Chi_Minh.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--map", help="Columns of the positions, as for replay.")
    ] = None,
    visits: Annotated[bool, typer.Option("--visits", help="Write visits to zones too.")] = False,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="Write warnings before limits of driving too.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out rows of positions that are none.")
    ] = False,
    form: Annotated[
        str | None,
        typer.Option("--format", help="jsonl, csv, parquet or geojson; else by OUT's name."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File to write; else standard output.")
    ] = None,
) -> None:
    """Judge a file of positions with no server: one violation a line."""
    from hanhtrinh.offline.fixes import parse_map  # noqa: PLC0415
    from hanhtrinh.offline.judging import judge_files  # noqa: PLC0415
    from hanhtrinh.offline.registry import Files  # noqa: PLC0415
    from hanhtrinh.offline.writing import Output  # noqa: PLC0415

    out = Output(form, output)
    _check_profiles(profile or ())
    settings = state_of(context).with_overrides(
        {"judge.profiles": tuple(profile) if profile else None, "judge.timezone": timezone}
    )
    files = Files(
        fixes=fixes, vehicles=vehicles, drivers=drivers, zones=zones, routes=routes,
        weighings=weighings, stations=stations, roads=roads,
    )  # fmt: skip
    with _shown() as progress:
        found = judge_files(
            files,
            _options(settings),
            columns=parse_map(columns) if columns else None,
            with_visits=visits,
            with_warnings=warnings,
            skip_bad=skip_bad,
            progress=progress,
        )
    out.write(found.lines)
    _report(found)


def rejudge(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="A local day, or RFC 3339 with an offset.")],
    plate: Annotated[
        list[str] | None, typer.Option(help="Of one vehicle; repeatable. Else of all.")
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Kept with every version that it makes.")
    ] = "judged again by rules of today",
) -> None:
    """Judge stored positions again, by today's registry, roads and rule profiles."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from devices.texts import normal_plate  # noqa: PLC0415
    from hanhtrinh import wiring  # noqa: PLC0415
    from hanhtrinh.offline.features import INSTANT, instant_of  # noqa: PLC0415

    settings = state_of(context).settings
    try:
        since_us = instant_of(since, ZoneInfo(settings.judge.timezone))
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"--since: expected {INSTANT}, got {since!r}") from None
    plates = frozenset(normal_plate(text) or text for text in plate or ())
    with stderr().status("judging again") as status:

        def show(done: int, of: int) -> None:
            status.update(f"{done:,} of {of:,} vehicles")

        done = run(wiring.rejudge(settings, since_us, plates, reason, show))
    write_json(asdict(done))


def _check_profiles(named: Sequence[str]) -> None:
    from geofence.profile import SHIPPED  # noqa: PLC0415

    for name in named:
        if name not in SHIPPED and not Path(name).is_file():
            expected = ", ".join(SHIPPED)
            raise UsageError(f"--profile: expected one of {expected} or a TOML file, got {name!r}")


def _options(settings: "Settings") -> "Options":
    from hanhtrinh import wiring  # noqa: PLC0415
    from hanhtrinh.offline.registry import Options  # noqa: PLC0415

    return Options(wiring.profiles(settings), settings.judge.timezone, wiring.region(settings))


@contextmanager
def _shown() -> Iterator["Progress"]:
    """Shows on standard error what is being done."""
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} positions"),
        TimeElapsedColumn(),
        console=(console := stderr()),
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, of: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done)

        yield show


def _report(found: "Found") -> None:
    """What was read and found, for people."""
    console = stderr()
    for bad in found.bad[:SHOWN]:
        console.print(f"left out: line {bad.line}: {bad.reason}", markup=False)
    if found.bad:
        console.print(f"left out: {len(found.bad):,} rows")
    for note in found.notes[:SHOWN]:
        console.print(note, markup=False)
    if len(found.notes) > SHOWN:
        console.print(f"and {len(found.notes) - SHOWN:,} more")
    if found.unknown_plates:
        shown = ", ".join(plate or "unread" for plate in found.unknown_plates[:SHOWN])
        more = len(found.unknown_plates) - SHOWN
        rest = f" and {more:,} more" if more > 0 else ""
        console.print(f"weighed but not known: {shown}{rest}", markup=False)
    console.print(
        f"{found.fixes:,} positions of {found.vehicles:,} vehicles: {len(found.lines):,} lines"
    )
