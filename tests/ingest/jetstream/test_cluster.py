"""A cluster of three with every message on all of them: one dies, nothing is lost."""

import asyncio
import contextlib

import aiomqtt
import pytest

from hanhtrinh.embedded.ports import LOOPBACK
from ingest.errors import StreamError
from ingest.jetstream.connection import JetStreamOptions, connect
from ingest.jetstream.layout import MQTT_STREAM, Layout
from ingest.jetstream.requests import ask
from ingest.jetstream.source import JetStreamSource
from ingest.jetstream.stream import establish
from tests.nats_cluster import NatsCluster

pytestmark = pytest.mark.integration

PUBLISHED = 1_500
PATIENCE_S = 60.0


async def established(cluster):
    """The stream, made as soon as the cluster has elected whom it needs for it."""
    client = await connect(JetStreamOptions(cluster.url), "test", attempts=20)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(aiomqtt.MqttError, StreamError):
                async with aiomqtt.Client(LOOPBACK, cluster.mqtt_ports()[0], timeout=5):
                    await establish(client, Layout(partitions=2, replicas=3))
                    return client
            await asyncio.sleep(0.1)


async def publish_all(cluster, done, first, last):
    """As a tracker does: what is not acknowledged is sent again, to a server that answers."""
    todo = list(range(first, last))
    async with asyncio.timeout(PATIENCE_S):
        while todo:
            for port in cluster.mqtt_ports():
                with contextlib.suppress(aiomqtt.MqttError):
                    async with aiomqtt.Client(LOOPBACK, port, timeout=3) as client:
                        while todo:
                            payload = b"%d" % todo[0]
                            topic = f"gsht/v1/json/d{todo[0] % 50}"
                            await client.publish(topic, payload, qos=1, timeout=3)
                            done.append(todo.pop(0))


async def leader_of(client, stream):
    return (await ask(client, f"STREAM.INFO.{stream}"))["cluster"]["leader"]


def test_the_leader_of_the_stream_is_killed_and_publishing_and_reading_go_on_without_loss():
    async def go(cluster):
        client = await established(cluster)
        source = JetStreamSource(JetStreamOptions(cluster.url, (0, 1), 2, batch_age_s=0.05))
        source.hold(frozenset((0, 1)))
        await source.start()
        received = set()

        async def read():
            while True:
                batch = await source.receive()
                received.update(batch.payloads)
                source.acknowledge(batch)

        published: list[int] = []
        reader = asyncio.create_task(read())
        publisher = asyncio.create_task(publish_all(cluster, published, 0, PUBLISHED))
        async with asyncio.timeout(PATIENCE_S):
            while len(received) < PUBLISHED // 5:  # noqa: ASYNC110 - another task's
                await asyncio.sleep(0.01)
            killed = await leader_of(client, "HANHTRINH")
        cluster.kill(cluster.number_of(killed))
        at_the_kill = len(published)
        await publisher
        async with asyncio.timeout(PATIENCE_S):
            while len(received) < PUBLISHED:  # noqa: ASYNC110 - another task's
                await asyncio.sleep(0.01)
        now = await leader_of(client, "HANHTRINH"), await leader_of(client, MQTT_STREAM)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await source.stop()
        await client.close()
        return at_the_kill, killed, now, received

    with NatsCluster() as cluster:
        at_the_kill, killed, now, received = asyncio.run(go(cluster))
    assert at_the_kill < PUBLISHED
    assert killed not in now
    assert received == {b"%d" % n for n in range(PUBLISHED)}
