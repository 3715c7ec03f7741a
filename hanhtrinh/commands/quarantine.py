"""Verbs about the quarantine: look at what could not be used, send it again, delete it in time."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.state import AsLines, run, state_of, stderr, write_json, write_table
from hanhtrinh.errors import UsageError

if TYPE_CHECKING:
    from ingest.release import Release

quarantine = typer.Typer(
    help="Messages that could not be used: look at them, and send them through again.",
    no_args_is_help=True,
)


@quarantine.command("list")
def show_quarantine(
    context: typer.Context,
    reason: Annotated[str | None, typer.Option(help="Only messages of this reason.")] = None,
    sender: Annotated[str | None, typer.Option(help="Only what this one sent.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Only ids greater than this.")] = 0,
    as_json: AsLines = False,
) -> None:
    """List the messages that wait, oldest first."""
    from hanhtrinh import wiring  # noqa: PLC0415
    from storage import database  # noqa: PLC0415
    from storage import quarantine as table  # noqa: PLC0415

    settings = state_of(context).settings
    wiring.require_schema(settings)

    async def read() -> tuple[list[table.Waiting], list[table.ReasonCount]]:
        async with await database.connect(wiring.dsn(settings), name="hanhtrinh quarantine") as db:
            waiting = await table.page(db, reason=reason, sender=sender, after=after, limit=limit)
            return waiting, await table.counts(db)

    waiting, counts = run(read())
    if as_json:
        for entry in waiting:
            write_json(_dated(entry._asdict()))
        return
    if waiting:
        rows = [
            (
                str(entry.id), _dated(entry._asdict())["last_seen"], entry.topic,
                str(entry.payload_bytes), entry.reason, str(entry.seen), entry.detail,
            )
            for entry in waiting
        ]  # fmt: skip
        write_table(("id", "last seen", "topic", "bytes", "reason", "seen", "detail"), rows)
    else:
        stderr().print("nothing of this kind waits" if counts else "the quarantine is empty")
    for count in counts:
        stderr().print(f"{count.messages:,} messages: {count.reason} (seen {count.seen:,} times)")


@quarantine.command("release")
def release_quarantine(
    context: typer.Context,
    reason: Annotated[str | None, typer.Option(help="All that wait for this reason.")] = None,
    sender: Annotated[str | None, typer.Option(help="All that this one sent.")] = None,
    ids: Annotated[list[int] | None, typer.Option("--id", help="One entry; repeatable.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
) -> None:
    """Send messages through the broker again, once their cause is mended."""
    from hanhtrinh import wiring  # noqa: PLC0415

    by_group = reason is not None or sender is not None
    if sum((by_group, bool(ids), everything)) != 1:
        raise UsageError("release: expected --reason and --sender (or one), or --id, or --all")
    settings = state_of(context).settings
    wiring.require_schema(settings)
    with stderr().status("releasing") as status:

        def show(count: int) -> None:
            status.update(f"{count:,} released")

        released: Release = run(
            wiring.release_quarantine(
                settings, reason, sender, frozenset(ids) if ids else None, show
            )
        )
    write_json({"released": released.released, "cut": released.cut})


@quarantine.command("groups")
def show_groups(
    context: typer.Context,
    reason: Annotated[str | None, typer.Option(help="Only this reason.")] = None,
    sender: Annotated[str | None, typer.Option(help="Only what this one sent.")] = None,
    hours: Annotated[
        float | None,
        typer.Option(
            min=0, max=876_000, callback=finite, help="Only what arrived in the last so many."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 50,
    as_json: AsLines = False,
) -> None:
    """Count what arrived by reason and sender, kept or not, the most frequent first."""
    from hanhtrinh import wiring  # noqa: PLC0415
    from storage import database  # noqa: PLC0415
    from storage import quarantine as table  # noqa: PLC0415
    from storage.wire import BEGINNING_US  # noqa: PLC0415

    settings = state_of(context).settings
    wiring.require_schema(settings)
    since = BEGINNING_US if hours is None else wiring.clock() - int(hours * table.HOUR_US)

    async def read() -> list[table.Group]:
        async with await database.connect(wiring.dsn(settings), name="hanhtrinh quarantine") as db:
            return await table.groups(db, reason=reason, sender=sender, since=since, limit=limit)

    groups = run(read())
    if as_json:
        for group in groups:
            write_json(_dated(group._asdict(), ("first", "last")))
        return
    if not groups:
        stderr().print("nothing arrived that could not be used")
        return
    rows = [
        (
            group.reason, group.sender, f"{group.messages:,}", f"{group.payload_bytes:,}",
            f"{group.kept:,}", f"{group.waiting:,}", _dated(group._asdict(), ("last",))["last"],
        )
        for group in groups
    ]  # fmt: skip
    write_table(("reason", "sender", "messages", "bytes", "kept", "waiting", "last seen"), rows)


@quarantine.command("clean")
def clean_quarantine(context: typer.Context) -> None:
    """Delete what was kept for long enough, as the worker does every hour (quarantine.*_days)."""
    from hanhtrinh import wiring  # noqa: PLC0415

    settings = state_of(context).settings
    wiring.require_schema(settings)
    cleaned = run(wiring.clean_quarantine(settings))
    write_json(cleaned._asdict())


def _dated(
    values: dict[str, Any], names: tuple[str, ...] = ("received", "last_seen")
) -> dict[str, Any]:
    """With the instants as text."""
    from devices.describe import rfc3339  # noqa: PLC0415

    return values | {name: rfc3339(values[name]) for name in names}
