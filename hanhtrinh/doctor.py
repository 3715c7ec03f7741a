"""What `hanhtrinh doctor` looks at: each check says what it found and, where wrong, what to do.

A check never raises for what it checks: a service that is away is a finding. Checks that need the
database are told whether there is one.
"""

import asyncio
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, LiteralString

import psycopg

from hanhtrinh import connections, schema, sharding, wiring
from hanhtrinh.errors import CommandError
from hanhtrinh.settings import Settings
from hanhtrinh.settings.showing import masked_dsn
from mqtt.errors import MqttError
from mqtt.listener import Listener
from mqtt.options import Server
from mqtt.publisher import Publisher
from storage.migrations import HEAD

PATIENCE_S: Final = 5.0
MOST_SKEW_S: Final = 1.0
"""Arrival bits compare trackers' clocks with ours to the second; the database's is ours too."""

LEAST_FREE_BYTES: Final = 2 << 30
LEAST_FREE_SHARE: Final = 0.05

State = Literal["ok", "wrong", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check. `advice` says what to do; empty where nothing is."""

    check: str
    state: State
    found: str
    advice: str = ""


async def examine(settings: Settings) -> list[Finding]:
    """All checks, in the order in which their causes would be mended."""
    return [
        *[await check_broker(settings, server) for server in settings.broker.servers],
        *([await check_stream(settings)] if settings.ingest.source == "jetstream" else []),
        *await check_database(settings),
        check_disk(settings.data_folder or Path(tempfile.gettempdir())),
    ]


async def check_broker(settings: Settings, server: Server) -> Finding:
    """Connect as the worker and as a publisher, and send one message from one to the other."""
    place = str(server)
    # No subscription of a worker covers three levels: nobody else sees it.
    topic = f"gsht/doctor/{secrets.token_hex(8)}"
    began = time.monotonic()
    try:
        reader, writer = (
            connections.broker_options(
                settings,
                access,
                server=server,
                client_id=f"hanhtrinh-doctor-{secrets.token_hex(4)}",
            )
            for access in (
                connections.worker_access(settings),
                connections.publisher_access(settings),
            )
        )
        async with (
            asyncio.timeout(PATIENCE_S),
            Listener(reader) as worker,
            Publisher(writer) as publisher,
        ):
            await worker.subscribe(topic)
            await publisher.send([(topic, b"hanhtrinh doctor")])
            await worker.next()
    except TimeoutError:
        return Finding(
            "broker", "wrong", f"{place}: no round trip within {PATIENCE_S:g} s",
            "is it an MQTT port, and may the worker read and publishers write gsht/doctor/+?",
        )  # fmt: skip
    except (MqttError, OSError, CommandError) as error:
        return Finding(
            "broker", "wrong", f"{place}: {error}",
            "start it, or set broker.host, broker.port, broker.username, broker.password and, for "
            "TLS, broker.tls, broker.tls_ca and broker.tls_cert",
        )  # fmt: skip
    took_ms = (time.monotonic() - began) * 1e3
    return Finding("broker", "ok", f"{place}: a message went through in {took_ms:.0f} ms")


async def check_stream(settings: Settings) -> Finding:
    """Whether the workers' stream is there, and somebody reads every shard of it."""
    try:
        waiting, alone = await sharding.unread(settings)
    except CommandError as error:
        return Finding(
            "stream", "wrong", str(error),
            "run `hanhtrinh stream`, or set jetstream.url, jetstream.username, jetstream.password",
        )  # fmt: skip
    found = f"{settings.jetstream.stream}: {waiting} messages wait"
    if alone:
        shards = ", ".join(map(str, alone))
        found += f", and nobody reads shards {shards}"
        return Finding("stream", "wrong", found, "start a worker of these shards")
    return Finding("stream", "ok", found)


async def check_database(settings: Settings) -> list[Finding]:
    """Whether there is a database, at which schema, of which kind, and what time it has."""
    try:
        dsn = wiring.dsn(settings)
        connection = await psycopg.AsyncConnection.connect(
            dsn, autocommit=True, connect_timeout=int(PATIENCE_S)
        )
    except (psycopg.Error, CommandError) as error:
        lines = str(error).strip().splitlines()
        found = lines[0] if lines else type(error).__name__
        if isinstance(error, psycopg.Error):
            found = f"{masked_dsn(dsn)}: {found}"
        needs = "needs the database"
        return [
            Finding("database", "wrong", found, "start it, or set database.dsn"),
            *(Finding(check, "skipped", needs) for check in ("schema", "extension", "clock")),
        ]
    async with connection:
        version = connection.info.server_version
        return [
            Finding("database", "ok", f"PostgreSQL {version // 10_000}.{version % 10_000}"),
            await _check_schema(connection),
            await _check_extension(connection),
            await _check_clock(connection, wiring.clock),
        ]


async def _check_schema(connection: psycopg.AsyncConnection) -> Finding:
    there = await _value(connection, "SELECT to_regclass('alembic_version')::text")
    at = await _value(connection, "SELECT version_num FROM alembic_version") if there else None
    if at == HEAD:
        return Finding("schema", "ok", f"at {HEAD}")
    found = f"at {at or 'none'}, expected {HEAD}"
    return Finding("schema", "wrong", found, schema.schema_advice(str(at) if at else None))


async def _check_extension(connection: psycopg.AsyncConnection) -> Finding:
    installed = await _value(
        connection, "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    )
    if installed:
        return Finding("extension", "ok", f"TimescaleDB {installed}")
    offered = await _value(
        connection,
        "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'",
    )
    found = "none: plain PostgreSQL with daily partitions, which serves as well"
    if offered:
        found += f" (TimescaleDB {offered} could be created, before the first `hanhtrinh migrate`)"
    return Finding("extension", "ok", found)


async def _check_clock(connection: psycopg.AsyncConnection, clock: Callable[[], int]) -> Finding:
    before = clock()
    theirs = await _value(
        connection, "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    )
    ours = (before + clock()) / 2
    skew_s = (int(str(theirs)) - ours) / 1e6
    found = f"the database's is {abs(skew_s):.3f} s {'ahead' if skew_s > 0 else 'behind'}"
    if abs(skew_s) <= MOST_SKEW_S:
        return Finding("clock", "ok", found)
    return Finding("clock", "wrong", found, "have both machines keep time by NTP (chrony)")


def check_disk(folder: Path) -> Finding:
    """Whether there is room where the embedded servers keep their data."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    usage = shutil.disk_usage(there)
    found = f"{folder}: {usage.free / 2**30:.1f} of {usage.total / 2**30:.1f} GiB free"
    if usage.free >= max(LEAST_FREE_BYTES, LEAST_FREE_SHARE * usage.total):
        return Finding("disk", "ok", found)
    return Finding("disk", "wrong", found, "free some, or set data_folder to a larger disk")


async def _value(connection: psycopg.AsyncConnection, query: LiteralString) -> object:
    row = await (await connection.execute(query)).fetchone()
    return row[0] if row else None
