"""What was acknowledged to a publisher comes, whatever the server goes through afterwards."""

import asyncio
import contextlib

import aiomqtt
import pytest

from ingest.jetstream.stream import pending
from tests.ingest.jetstream.streams import admin, make_stream, reading
from tests.ingest.publishing import publish

pytestmark = pytest.mark.integration

CRASHES = 3


async def publish_until_it_ends(broker, name, acknowledged):
    """Publish with many under way; what was acknowledged is noted."""

    async def one(client, payload):
        with contextlib.suppress(aiomqtt.MqttError):
            await client.publish(f"gsht/v1/json/{payload.decode()}", payload, qos=1)
            acknowledged.add(payload)

    with contextlib.suppress(aiomqtt.MqttError):
        async with aiomqtt.Client(
            broker.host, broker.mqtt_port, identifier=name,
            username=broker.device.username, password=broker.device.password,
        ) as client:  # fmt: skip
            for start in range(0, 100_000, 50):
                async with asyncio.TaskGroup() as group:
                    for n in range(start, start + 50):
                        group.create_task(one(client, b"%s-%d" % (name.encode(), n)))


def test_a_server_killed_in_mid_stream_loses_nothing_that_it_acknowledged(broker):
    async def go():
        acknowledged: set[bytes] = set()
        received: set[bytes] = set()
        await make_stream(broker, 2)
        async with reading(broker, (0, 1), 2) as source:

            async def read():
                while True:
                    batch = await source.receive()
                    received.update(batch.payloads)
                    source.acknowledge(batch)

            reader = asyncio.create_task(read())
            for crash in range(CRASHES):
                before = len(acknowledged)
                publisher = asyncio.create_task(
                    publish_until_it_ends(broker, f"d{crash}", acknowledged)
                )
                async with asyncio.timeout(30):
                    while len(acknowledged) < before + 300:  # noqa: ASYNC110 - another task's
                        await asyncio.sleep(0.01)
                broker.kill()
                publisher.cancel()
                await asyncio.gather(publisher, return_exceptions=True)
                broker.restart()
            async with asyncio.timeout(30):
                while not acknowledged <= received:  # noqa: ASYNC110 - another task's
                    await asyncio.sleep(0.01)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        return acknowledged, received

    acknowledged, received = asyncio.run(go())
    assert len(acknowledged) >= 300 * CRASHES
    assert acknowledged <= received


def test_a_full_stream_takes_nothing_in_and_drops_nothing(broker):
    payload = b"x" * 1000

    async def go():
        await make_stream(broker, max_bytes=64 << 10)
        await publish(broker, [(f"gsht/v1/json/d{n}", payload) for n in range(200)])
        async with admin(broker) as client:
            async with asyncio.timeout(20):
                while (waiting := await pending(client, "HANHTRINH"))[0] < 30:  # noqa: ASYNC110 - the server's
                    await asyncio.sleep(0.02)
        received: list[str] = []
        async with reading(broker) as source, asyncio.timeout(60):
            while len(received) < 200:
                batch = await source.receive()
                received += batch.topics
                source.acknowledge(batch)
        return waiting, received

    waiting, received = asyncio.run(go())
    assert waiting[0] < 100, "not all fit"
    assert sorted(received) == sorted(f"gsht/v1/json/d{n}" for n in range(200))
