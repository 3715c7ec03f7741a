"""A stream on the test's broker, and sources that read it."""

from contextlib import asynccontextmanager
from dataclasses import replace

from hanhtrinh.embedded import EmbeddedNats
from ingest.jetstream.connection import JetStreamOptions, connect
from ingest.jetstream.layout import Layout
from ingest.jetstream.source import JetStreamSource
from ingest.jetstream.stream import establish
from ingest.source import MessageBatch
from tests.ingest.publishing import publish


def options(broker: EmbeddedNats, shards=(0,), total=1, **more: object) -> JetStreamOptions:
    """As the worker that reads these partitions."""
    return JetStreamOptions(
        broker.nats_url, tuple(shards), total,
        username=broker.shards.username, password=broker.shards.password,
        **({"batch_age_s": 0.05} | more),  # type: ignore[arg-type]
    )  # fmt: skip


@asynccontextmanager
async def admin(broker: EmbeddedNats):
    """A connection of who makes the stream."""
    own = replace(options(broker), username=broker.stream.username, password=broker.stream.password)
    client = await connect(own, "test", attempts=3)
    try:
        yield client
    finally:
        await client.close()


async def make_stream(broker: EmbeddedNats, partitions=1, **more: object) -> list[str]:
    """Let there be a stream; what was done for it."""
    await publish(broker, [])  # the first MQTT client has the server make its own streams
    async with admin(broker) as client:
        return await establish(client, Layout(partitions=partitions, **more))  # type: ignore[arg-type]


@asynccontextmanager
async def reading(broker: EmbeddedNats, shards=(0,), total=1, **more: object):
    """A source that reads its partitions until the block ends."""
    source = JetStreamSource(options(broker, shards, total, **more))
    source.hold(frozenset(shards))
    await source.start()
    try:
        yield source
    finally:
        await source.stop()


async def receive(source: JetStreamSource, messages: int) -> list[MessageBatch]:
    """Batches until there are so many messages; not one is acknowledged."""
    batches: list[MessageBatch] = []
    while sum(len(batch) for batch in batches) < messages:
        batches.append(await source.receive())
    return batches
