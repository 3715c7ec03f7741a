"""Verbs that fill the registry from files: tables, feeds, fences."""

import csv
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.registry import in_transaction
from hanhtrinh.commands.state import AsJson, state_of, write_json
from hanhtrinh.errors import UsageError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from storage.bulk.problems import Problems
    from storage.bulk.versioned import Plan

registry = typer.Typer(help="What is registered, from files.", no_args_is_help=True)
imports = typer.Typer(help="Fill the registry from files.", no_args_is_help=True)
zones = typer.Typer(help="Fences.", no_args_is_help=True)
registry.add_typer(imports, name="import")

DryRun = Annotated[
    bool, typer.Option(help="Say what is wrong and what would change; write nothing.")
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", help="Day or instant from which what is new or changed holds; else now."
    ),
]


class _RefusedError(Exception):
    """Nothing may be written; ends the transaction."""


@imports.command("gtfs")
def import_gtfs(
    context: typer.Context,
    feed: Annotated[Path, typer.Argument(help="Folder or zip archive of a GTFS feed.")],
    dry_run: DryRun = False,
    route: Annotated[
        list[str] | None, typer.Option(help="Only this route_id; may be given again.")
    ] = None,
    endings: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Routes whose ids differ in these endings are the directions of one, "
            "outbound first. Else direction_id says it."
        ),
    ] = None,
    prefix: Annotated[str, typer.Option(help="Goes before every code.")] = "",
    corridor_m: Annotated[
        float, typer.Option(callback=finite, help="How far off its path is off route.")
    ] = 200.0,
    terminal_m: Annotated[
        float, typer.Option(callback=finite, help="Radius around a route's ends.")
    ] = 100.0,
    local_times: Annotated[
        bool, typer.Option(help="Take times as local, whatever agency_timezone says.")
    ] = False,
    skip_refused: Annotated[
        bool, typer.Option(help="Import the routes of which nothing is wrong, without the others.")
    ] = False,
    begins: From = None,
    as_json: AsJson = False,
) -> None:
    """Fixed routes with terminals, stops and timetables, from a GTFS feed."""
    from hanhtrinh.gtfs_import.feed import read_feed  # noqa: PLC0415
    from hanhtrinh.gtfs_import.lines import read_files  # noqa: PLC0415
    from hanhtrinh.gtfs_import.routes import RouteOptions, build_routes  # noqa: PLC0415
    from hanhtrinh.gtfs_import.storing import plan_feed  # noqa: PLC0415

    timezone = ZoneInfo(state_of(context).settings.judge.timezone)
    now_us = _instant(begins, timezone)
    today = datetime.fromtimestamp(now_us / 1e6, timezone).date()
    found = read_feed(read_files(feed), route or ())
    if not local_times:
        found.check_timezone(timezone.key)
    options = RouteOptions(today, prefix, endings, corridor_m, terminal_m)
    built = build_routes(found, options)
    in_feed, of_feed = found.problems.refused, {"routes_of_feed": len(found.routes)}

    async def work(connection: "AsyncConnection") -> dict[str, Any]:
        plan = await plan_feed(connection, built, now_us, found.problems)
        is_refused = found.problems.refused > (in_feed if skip_refused else 0)
        said = {"routes": _counts(plan.routes), "terminals": _counts(plan.terminals)}
        if not dry_run and not is_refused:
            await plan.write(connection)
        return (
            of_feed
            | {"routes_held": sum(len(one.of) for one in built)}
            | said
            | {"refused": is_refused}
        )

    _import(context, work, found.problems, f"gtfs {feed.name}", dry_run, as_json)


@zones.command("import")
def import_zones(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="GeoJSON, or GeoParquet (.parquet).")],
    dry_run: DryRun = False,
    repair: Annotated[
        bool, typer.Option(help="Close open rings and make crossing ones valid; each is noted.")
    ] = False,
    code: Annotated[
        str, typer.Option(help="Property with the code, of a file whose properties are not ours.")
    ] = "",
    name: Annotated[str, typer.Option(help="With --code: the property with the name.")] = "",
    kind: Annotated[str, typer.Option(help="With --code: the kind of every zone.")] = "watch",
    prefix: Annotated[str, typer.Option(help="With --code: goes before every code.")] = "",
    begins: From = None,
    as_json: AsJson = False,
) -> None:
    """Fences from a file: all of them, or none if anything is wrong."""
    from hanhtrinh.zone_import.reading import Naming, read_zone_file  # noqa: PLC0415
    from hanhtrinh.zone_import.storing import plan_zones  # noqa: PLC0415
    from storage.bulk.problems import Problems  # noqa: PLC0415
    from storage.bulk.versioned import write_zones  # noqa: PLC0415

    if (name or prefix) and not code:
        raise UsageError("--name, --prefix: expected --code with them")
    timezone = ZoneInfo(state_of(context).settings.judge.timezone)
    now_us = _instant(begins, timezone)
    problems = Problems()
    naming = Naming(code, name, prefix, kind) if code else None
    found = read_zone_file(file, timezone, problems, naming=naming, repair=repair)

    async def work(connection: "AsyncConnection") -> dict[str, Any]:
        plan = await plan_zones(connection, found, now_us, problems)
        if not dry_run and not problems.refused:
            await write_zones(connection, plan)
        return {"zones": _counts(plan), "refused": bool(problems.refused)}

    _import(context, work, problems, f"zones {file.name}", dry_run, as_json)


def _instant(text: str | None, timezone: ZoneInfo) -> int:
    from hanhtrinh import wiring  # noqa: PLC0415
    from hanhtrinh.offline.features import INSTANT, instant_of  # noqa: PLC0415

    if text is None:
        return wiring.clock()
    try:
        return instant_of(text, timezone)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"--from: expected {INSTANT}, got {text!r}") from None


def _counts(plan: "Plan[Any]") -> dict[str, int]:
    return {
        "added": len(plan.added),
        "changed": len(plan.changed),
        "unchanged": plan.unchanged,
    }


def _import(
    context: typer.Context,
    work: "Callable[[AsyncConnection], Awaitable[dict[str, Any]]]",
    problems: "Problems",
    audited: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Do the work in one transaction, which is undone if anything was refused."""
    said: dict[str, Any] = {}

    async def unless_refused(connection: "AsyncConnection") -> None:
        said.update(await work(connection))
        if said["refused"]:
            raise _RefusedError

    with suppress(_RefusedError):
        in_transaction(context, unless_refused, None if dry_run else audited)
    _finish(said, problems, dry_run, as_json)


def _finish(said: dict[str, Any], problems: "Problems", dry_run: bool, as_json: bool) -> None:
    """Say what came of an import."""
    is_refused = said.pop("refused")
    said |= {"problems": dict(problems.counts), "written": not dry_run and not is_refused}
    if as_json:
        said["places"] = [problem.as_json() for problem in problems]
    else:
        for problem in problems:
            typer.echo(f"{problem.effect.replace('_', ' ')}: {problem}", err=True)
    write_json(said)
    if is_refused:
        raise typer.Exit(1)


def _table_verb(what: str, help_text: str) -> None:
    """Add the verb that imports tables of one kind."""

    def import_this(
        context: typer.Context,
        file: Annotated[Path, typer.Argument(help="CSV or XLSX; - is standard input.")],
        sheet: Annotated[str, typer.Option(help="Sheet of the workbook; else its first.")] = "",
        dry_run: DryRun = False,
        reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
        as_json: AsJson = False,
    ) -> None:
        _import_table(context, what, file, sheet, dry_run, reason, as_json)

    import_this.__doc__ = help_text
    imports.command(what)(import_this)


for _what, _help in {
    "operators": "Operators, by code.",
    "vehicles": "Vehicles, by plate.",
    "devices": "Devices, by ident.",
    "assignments": "Which vehicle each device is in, and when.",
    "drivers": "Drivers, by licence.",
    "stations": "Weigh stations, by code.",
    "badges": "Badges of vehicles, by number.",
    "vehicle_routes": "Which vehicles are registered for which routes.",
    "calibrations": "Calibrations of weigh stations, by certificate.",
}.items():
    _table_verb(_what, _help)


def _import_table(
    context: typer.Context,
    what: str,
    file: Path,
    sheet: str,
    dry_run: bool,
    reason: str,
    as_json: bool,
) -> None:
    from hanhtrinh import wiring  # noqa: PLC0415
    from storage.bulk.importing import TableImport  # noqa: PLC0415
    from storage.bulk.kinds import TABLES  # noqa: PLC0415
    from storage.bulk.problems import Problem, Problems  # noqa: PLC0415
    from storage.bulk.reading import read_table  # noqa: PLC0415
    from storage.bulk.tables import TableError  # noqa: PLC0415
    from storage.registry.registering import note  # noqa: PLC0415

    problems = Problems()
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    name = f"{file}, sheet {sheet}" if sheet else str(file)
    try:
        table = read_table(content, sheet)
    except TableError as error:
        problems.add(Problem(name, error.row, error.column, error.wrong))
        _finish({"rows": 0, "refused": True}, problems, dry_run, as_json)
        return
    settings = state_of(context).settings
    zone = ZoneInfo(settings.judge.timezone)
    usual = {"vehicle_class": wiring.vehicle_classes(settings)} if what == "vehicles" else {}
    importing = TableImport(TABLES[what], table, name, zone, problems, usual)

    async def work(connection: "AsyncConnection") -> dict[str, Any]:
        actor = wiring.act_of_command("registry_import", what).actor
        await note(connection, actor, reason or f"import of {file.name}")
        outcome = await importing.run(connection, dry_run=dry_run)
        return {"rows": len(table.rows), what: asdict(outcome), "refused": bool(problems.refused)}

    _import(context, work, problems, f"{what} {file.name}", dry_run, as_json)


@registry.command("template")
def template(
    what: Annotated[str, typer.Argument(help="Which table.")],
    vietnamese: Annotated[bool, typer.Option(help="Headers in Vietnamese.")] = False,
) -> None:
    """The header of a table that can be imported, as CSV."""
    from storage.bulk.kinds import TABLES  # noqa: PLC0415

    if what not in TABLES:
        raise UsageError(f"expected one of {', '.join(TABLES)}, got {what!r}")
    columns = TABLES[what].columns
    names = [column.vietnamese if vietnamese else column.name for column in columns]
    # With the mark, without which Excel takes UTF-8 for something else.
    csv.writer(sys.stdout).writerow(["\ufeff" + names[0] if vietnamese else names[0], *names[1:]])
