"""MqttSource and Mosquitto: both versions of the protocol, persistent sessions, shared ones."""

import asyncio
import time

import aiomqtt
import pytest

from ingest.mqtt.source import MqttOptions, MqttSource
from ingest.source import MessageBatch
from mqtt.options import Server
from simulators.load import Load, LoadOptions
from simulators.publisher import BrokerOptions
from tests.ingest.publishing import until

pytestmark = pytest.mark.integration

VERSIONS = pytest.mark.parametrize("protocol", [311, 5])


async def started(broker, protocol, client_id="test-worker", **options):
    source = MqttSource(
        MqttOptions((Server(broker.host, broker.port),), client_id, protocol=protocol,
                    **{"batch_age_s": 0.05} | options),
        lambda: time.time_ns() // 1000,
    )  # fmt: skip
    await source.start()
    await until(lambda: source.connected, "the connection")
    return source


async def publish(broker, messages):
    async with aiomqtt.Client(broker.host, broker.port) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, qos=1)


async def receive(source, count):
    batches: list[MessageBatch] = []
    async with asyncio.timeout(30):
        while sum(map(len, batches)) < count:
            batches.append(await source.receive())
    return batches


def payloads(batches):
    return [payload for batch in batches for payload in batch.payloads]


def numbered(count, start=0):
    return [(f"gsht/v1/json/d{n % 7}", b"%d" % n) for n in range(start, start + count)]


@VERSIONS
def test_what_was_not_acknowledged_comes_again_to_the_next_worker_and_nothing_else(
    mosquitto, protocol
):
    async def go():
        source = await started(mosquitto, protocol, batch_messages=5)
        await publish(mosquitto, numbered(15))
        batches = await receive(source, 15)
        source.acknowledge(batches[0])
        await until(lambda: source.due == 0, "the acknowledgements to be written")
        await source.stop()
        await publish(mosquitto, numbered(5, 100))  # nobody is there: they wait

        source = await started(mosquitto, protocol, batch_messages=100)
        rest = 20 - len(batches[0])
        again = await receive(source, rest)
        for batch in again:
            source.acknowledge(batch)
        await source.stop()
        return payloads(batches[:1]), payloads(again)

    first, again = asyncio.run(go())
    assert sorted(first + again) == sorted(body for _, body in numbered(15) + numbered(5, 100))


@VERSIONS
def test_all_come_though_more_are_under_way_than_there_are_packet_ids(mosquitto, protocol):
    sent = numbered(100_000)

    async def go():
        source = await started(mosquitto, protocol)
        broker = BrokerOptions(mosquitto.host, mosquitto.port, "publisher", "nobody asks")
        await Load(LoadOptions(broker), *map(list, zip(*sent, strict=True))).run()
        received: list[bytes] = []
        async with asyncio.timeout(30):
            while len(received) < len(sent):
                batch = await source.receive()
                received += batch.payloads
                source.acknowledge(batch)
        await source.stop()
        return received

    assert sorted(asyncio.run(go())) == sorted(body for _, body in sent)


@VERSIONS
def test_a_restarted_broker_has_kept_the_session_and_its_messages(mosquitto, protocol):
    async def go():
        source = await started(mosquitto, protocol, batch_messages=4)
        await publish(mosquitto, numbered(8))
        batches = await receive(source, 8)
        source.acknowledge(batches[0])
        await until(lambda: source.due == 0, "the acknowledgements to be written")
        await asyncio.to_thread(mosquitto.restart)
        await publish(mosquitto, numbered(4, 100))
        for batch in batches[1:]:  # tokens of a connection that is gone
            source.acknowledge(batch)
        expected = {b"%d" % n for n in (4, 5, 6, 7, 100, 101, 102, 103)}
        seen: set[bytes] = set()
        async with asyncio.timeout(60):
            while not expected <= seen:
                batch = await source.receive()
                seen |= set(batch.payloads)
                source.acknowledge(batch)
        await source.stop()

    asyncio.run(go())


@VERSIONS
def test_more_than_mosquittos_own_twenty_messages_may_be_under_way(mosquitto, protocol):
    async def go():
        source = await started(mosquitto, protocol, batch_messages=500, batch_age_s=20.0)
        await publish(mosquitto, numbered(500))
        batches = await receive(source, 500)
        await source.stop()
        return batches

    assert [len(batch) for batch in asyncio.run(go())] == [500]


def test_members_of_a_shared_subscription_divide_the_messages(mosquitto):
    async def go():
        members = [
            await started(mosquitto, 5, f"member-{n}", share_group="judges") for n in range(2)
        ]
        await publish(mosquitto, numbered(40))
        seen: list[list[tuple[str, bytes]]] = [[], []]

        async def listen(n):
            while True:
                batch = await members[n].receive()
                seen[n] += zip(batch.topics, batch.payloads, strict=True)
                members[n].acknowledge(batch)

        tasks = [asyncio.create_task(listen(n)) for n in range(2)]
        await until(lambda: sum(map(len, seen)) >= 40, "all messages")
        for task in tasks:
            task.cancel()
        for member in members:
            await member.stop()
        return seen

    first, second = asyncio.run(go())
    assert sorted(first + second) == sorted(numbered(40))
    # Why docs/brokers.md warns of it: Mosquitto deals messages out in turn, so that the messages of
    # one tracker come to both workers.
    assert {topic for topic, _ in first} & {topic for topic, _ in second}
