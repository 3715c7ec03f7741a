"""Verbs that run the product or its parts, or prepare for them."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hanhtrinh.commands.numbers import finite
from hanhtrinh.commands.state import run, state_of, stderr, write_json


def demo(
    context: typer.Context,
    duration_s: Annotated[
        float | None,
        typer.Option("--duration", min=1, callback=finite, help="Seconds; else until Ctrl-C."),
    ] = None,
    vehicles: Annotated[int, typer.Option(min=50, max=20_000, help="Size of the fleet.")] = 500,
    data_folder: Annotated[
        Path | None, typer.Option(help="Folder to keep everything in; else a new one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed drives the same journeys.")] = 1,
    keep: Annotated[bool, typer.Option(help="Keep the folder that was made.")] = False,
) -> None:
    """Run everything on this machine, with a simulated fleet that breaks rules on purpose."""
    from hanhtrinh.demo import DemoOptions  # noqa: PLC0415
    from hanhtrinh.demo import demo as show  # noqa: PLC0415

    settings = state_of(context).with_overrides({"data_folder": data_folder})
    options = DemoOptions(
        duration_s=duration_s, vehicles=vehicles, data=settings.data_folder, seed=seed, keep=keep
    )
    # What it shows is its product, and the object is the last line of it.
    write_json(run(show(options, Console(highlight=False))))


def worker(
    context: typer.Context,
    shards: Annotated[
        str | None, typer.Option(help="Of a JetStream stream: which, and of how many: 0-3/8.")
    ] = None,
    standby: Annotated[
        bool, typer.Option("--standby", help="Wait for shards that other workers judge.")
    ] = False,
) -> None:
    """Receive position reports and weighings from the broker, judge and store them."""
    from hanhtrinh import logs, wiring  # noqa: PLC0415

    settings = state_of(context).with_overrides(
        {"ingest.shards": shards, "ingest.standby": standby or None}
    )
    logs.configure(settings.log)
    wiring.require_schema(settings)

    async def work() -> None:
        await wiring.run_worker(settings, asyncio.Event())

    run(work())


def stream(
    context: typer.Context,
    partitions: Annotated[
        int | None, typer.Option(min=1, max=1024, help="As many; else jetstream.partitions.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0, callback=finite, help="Seconds to wait for the server and its first MQTT client."
        ),
    ] = 0.0,
) -> None:
    """Make the JetStream stream that workers share, or change it; doing so again does nothing."""
    from hanhtrinh import logs, sharding  # noqa: PLC0415

    settings = state_of(context).with_overrides({"jetstream.partitions": partitions})
    logs.configure(settings.log)
    done, pending = run(sharding.establish(settings, wait))
    for line in done:
        stderr().print(line)
    write_json({"stream": settings.jetstream.stream, "done": done, "pending": pending})


def bridge(context: typer.Context) -> None:
    """Pass the messages of the Vietnamese feed from RabbitMQ on to the MQTT broker."""
    from hanhtrinh import logs, wiring  # noqa: PLC0415

    settings = state_of(context).settings
    logs.configure(settings.log)

    async def work() -> None:
        await wiring.run_bridge(settings, asyncio.Event())

    run(work())


def auth(
    context: typer.Context,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Print a new key for answers, and do nothing else.")
    ] = False,
) -> None:
    """Answer a NATS broker who may come in, and as whom."""
    if new_key:
        from secrets import token_bytes  # noqa: PLC0415

        from ingest.identity.tokens import Issuer, issuer_seed  # noqa: PLC0415

        seed = issuer_seed(token_bytes(32))
        write_json({"issuer_seed": seed, "issuer": Issuer(seed).public})
        return
    from hanhtrinh import logs, wiring  # noqa: PLC0415

    settings = state_of(context).settings
    logs.configure(settings.log)
    wiring.require_schema(settings)

    async def answer() -> None:
        await wiring.run_auth(settings, asyncio.Event())

    run(answer())


def api(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0: any free one.")] = None,
) -> None:
    """Serve the HTTP API."""
    from hanhtrinh import api_service, logs, wiring  # noqa: PLC0415

    settings = state_of(context).with_overrides({"api.host": host, "api.port": port})
    logs.configure(settings.log)
    wiring.require_schema(settings, api_service.api_dsn(settings))

    async def work() -> None:
        await api_service.run_api(settings, asyncio.Event())

    run(work())


def gateway(
    context: typer.Context,
    listen: Annotated[
        list[str] | None,
        typer.Option(help="A port, such as 'gt06 tcp://0.0.0.0:5023'; several times for more."),
    ] = None,
    token_of: Annotated[
        str | None, typer.Option(help="Print the HTTP token of this device, and do nothing else.")
    ] = None,
) -> None:
    """Take in trackers that speak no MQTT, and hand what they send to the broker."""
    from hanhtrinh import gateway as door  # noqa: PLC0415
    from hanhtrinh import logs  # noqa: PLC0415

    settings = state_of(context).with_overrides({"gateway.listeners": listen or None})
    if token_of is not None:
        typer.echo(door.device_token(settings, token_of))
        return
    logs.configure(settings.log)

    async def work() -> None:
        await door.run_gateway(settings, asyncio.Event())

    run(work())


def migrate(context: typer.Context) -> None:
    """Bring the database to the schema that this version needs."""
    from hanhtrinh import api_service, schema, wiring  # noqa: PLC0415
    from storage.migrations import HEAD, upgrade  # noqa: PLC0415

    settings = state_of(context).settings
    dsn = wiring.dsn(settings)
    before = schema.schema_of("database.dsn", dsn)
    with stderr().status("migrating the database"):
        upgrade(dsn)
        api_service.make_api_login(settings)
    if before == HEAD:
        stderr().print(f"the database is at schema {HEAD} already")
    else:
        stderr().print(f"the database is at schema {HEAD} now, it was at {before or 'none'}")
