"""How the worker shares a JetStream stream with others: its options, and the stream itself.

Belongs here: what settings say of `ingest.source = "jetstream"`. MQTT is in wiring.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from hanhtrinh import connections
from hanhtrinh.errors import CommandError
from hanhtrinh.settings import Settings

if TYPE_CHECKING:
    from nats.aio.client import Client

    from ingest.jetstream.connection import JetStreamOptions
    from ingest.jetstream.layout import Layout
    from ingest.shards import Shards

TRY_AGAIN_S: Final = 1.0

log = structlog.get_logger(__name__)


def shards(settings: Settings) -> "Shards":
    """The shards that the worker judges; with MQTT the only one of one session."""
    from ingest.shards import Shards  # noqa: PLC0415

    ingest, partitions = settings.ingest, settings.jetstream.partitions
    if ingest.source == "mqtt":
        if ingest.shards is not None or ingest.standby:
            raise CommandError(
                'ingest.shards, ingest.standby: expected ingest.source "jetstream" with them'
            )
        return Shards((ingest.shard,), 1)
    if ingest.shards is None:
        if ingest.shard >= partitions:
            raise CommandError(
                f"ingest.shard: expected less than jetstream.partitions, {partitions}, got "
                f"{ingest.shard}"
            )
        return Shards((ingest.shard,), partitions)
    try:
        return Shards.parse(ingest.shards)
    except ValueError as error:
        raise CommandError(f"ingest.shards: {error}") from error


def options(settings: Settings, own: "Shards") -> "JetStreamOptions":
    """How a worker that judges these shards receives."""
    from ingest.jetstream.connection import JetStreamOptions  # noqa: PLC0415

    stream, ingest = settings.jetstream, settings.ingest
    return JetStreamOptions(
        url=stream.url,
        shards=own.held,
        total=own.total,
        username=stream.username,
        password=stream.password.get_secret_value() if stream.password else None,
        tls=connections.nats_tls(settings),
        stream=stream.stream,
        batch_messages=ingest.batch_messages,
        batch_age_s=ingest.batch_age_ms / 1e3,
        window_bytes=ingest.window_mib << 20,
    )


def layout(settings: Settings) -> "Layout":
    """The stream as the settings want it."""
    from ingest.jetstream.layout import Layout  # noqa: PLC0415

    stream = settings.jetstream
    return Layout(
        stream=stream.stream,
        partitions=stream.partitions,
        patterns=tuple(settings.ingest.topics),
        replicas=stream.replicas,
        max_bytes=-1 if stream.max_gib is None else int(stream.max_gib * 2**30),
    )


async def establish(
    settings: Settings, patience_s: float = 0.0
) -> tuple[list[str], dict[int, int]]:
    """Let the stream be as the settings want it; what was done, and what waits by partition.

    patience_s: how long a server that is not there, or that no MQTT client has connected to, is
    waited for. Raises CommandError with what was wrong at last.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience_s
    while True:
        try:
            return await _establish(settings)
        except CommandError as error:
            if loop.time() + TRY_AGAIN_S > until:
                raise
            log.info("stream.waiting", error=str(error))
        await asyncio.sleep(TRY_AGAIN_S)


async def _establish(settings: Settings) -> tuple[list[str], dict[int, int]]:
    from ingest.jetstream import stream  # noqa: PLC0415

    wanted = layout(settings)
    async with _connected(settings) as client:
        done = await stream.establish(client, wanted)
        return done, await stream.pending(client, wanted.stream)


async def unread(settings: Settings) -> tuple[int, list[int]]:
    """How many messages wait in the stream, and of which shards nobody asks for any.

    Raises CommandError if the stream is not there or cannot be reached.
    """
    from ingest.jetstream import stream  # noqa: PLC0415

    async with _connected(settings) as client:
        return await stream.unread(client, settings.jetstream.stream)


@asynccontextmanager
async def _connected(settings: Settings) -> "AsyncIterator[Client]":
    """A connection; what goes wrong with it or the stream is a CommandError."""
    import nats.errors  # noqa: PLC0415

    from ingest.errors import StreamError  # noqa: PLC0415
    from ingest.jetstream.connection import connect  # noqa: PLC0415
    from ingest.shards import Shards  # noqa: PLC0415

    reads_none = options(settings, Shards((), settings.jetstream.partitions))
    try:
        client = await connect(reads_none, "hanhtrinh", attempts=3)
        try:
            yield client
        finally:
            await client.close()
    except StreamError as error:
        raise CommandError(str(error)) from error
    except nats.errors.AuthorizationError as error:
        who = settings.jetstream.username
        raise CommandError(
            f"jetstream.username: {settings.jetstream.url} refuses the login "
            f"{f'of {who!r}' if who else 'of nobody'}: expected the name and jetstream.password of "
            "a user of its configuration"
        ) from error
    except (nats.errors.Error, OSError) as error:
        said = str(error) or type(error).__name__
        raise CommandError(f"jetstream.url: {settings.jetstream.url}: {said}") from error
