"""A broker, or the network before it, that fails: nothing that it acknowledged is lost."""

import asyncio
import tempfile
from pathlib import Path

import aiomqtt
import pytest

from hanhtrinh.embedded import DataFolder, EmbeddedNats
from mqtt.options import Server
from simulators.link import Link
from tests.faults.fleet import address, assert_nothing_happened, linked, messages, working
from tests.ingest.publishing import mqtt_options, publish, until

pytestmark = pytest.mark.integration

CONNACK = bytes([0x20, 0x02, 0x00, 0x00])


async def publish_on(broker, sent):
    """As a device does: again, until it is acknowledged."""
    while sent:
        try:
            async with aiomqtt.Client(
                broker.host, broker.mqtt_port,
                username=broker.device.username, password=broker.device.password, timeout=5,
            ) as client:  # fmt: skip
                while sent:
                    topic, payload = sent[0]
                    await client.publish(topic, payload, qos=1)
                    sent = sent[1:]
        except aiomqtt.MqttError:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_broker_killed_or_restarted_loses_nothing(prepared, broker, undisturbed, end):
    sent = messages()

    async def go():
        async with working(prepared, mqtt_options(broker)) as run:
            publishing = asyncio.create_task(publish_on(broker, sent))
            await run.until(lambda: run.stored > 50, "some fixes")
            await asyncio.to_thread(getattr(broker, end))
            await run.until(lambda: run.count("broker_up") == 0, "the fault to be seen")
            await asyncio.to_thread(broker.restart)
            await publishing
            await run.until_stored(prepared, len(sent))

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)


def test_of_two_brokers_that_know_nothing_of_each_other_one_may_be_killed(
    prepared, broker, mosquitto, undisturbed
):
    """Every vehicle has fixes on both, so that they cross on the way."""
    sent = messages()
    here, there = sent[::2], sent[1::2]
    nats, other = Server(broker.host, broker.mqtt_port), Server(mosquitto.host, mosquitto.port)

    async def go():
        async with working(prepared, mqtt_options(broker, servers=(nats, other))) as run:
            assert run.count("window_messages") <= 65_535
            publishing = asyncio.create_task(publish_on(broker, here))
            await run.until(lambda: run.stored > 50, "some fixes")
            await asyncio.to_thread(broker.kill)
            await run.until(lambda: run.count("broker_up", broker=str(nats)) == 0, "the fault")
            before = run.stored
            async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
                for topic, payload in there:
                    await client.publish(topic, payload, qos=1)
            await run.until(lambda: run.stored >= before + len(there), "what the other one has")
            assert run.count("broker_up", broker=str(other)) == 1
            await asyncio.to_thread(broker.restart)
            await publishing
            await run.until_stored(prepared, len(sent))
            await run.until(lambda: run.count("held_messages") == 0, "all to be acknowledged")

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)


@pytest.mark.parametrize("is_long", [False, True])
def test_a_network_that_stalls_is_waited_for_or_given_up_and_made_anew(
    prepared, broker, undisturbed, is_long
):
    sent = messages()

    async def go():
        with Link(broker.host, broker.mqtt_port) as link:
            options = mqtt_options(broker, port=link.port, keepalive_s=1 if is_long else 60)
            async with working(prepared, options) as run:
                await publish(broker, sent[:100])
                await run.until(lambda: run.stored == 100, "the first hundred")
                link.stall()
                await publish(broker, sent[100:300])
                if is_long:
                    await run.until(lambda: run.count("broker_up") == 0, "its end to be seen")
                assert run.stored == 100
                link.flow()
                await publish(broker, sent[300:])
                await run.until_stored(prepared, len(sent))

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)


def test_a_broker_whose_disk_is_full_acknowledges_nothing_and_takes_more_when_it_is_not(
    prepared, undisturbed
):
    sent = messages()
    padded = [(topic, payload.ljust(3000)) for topic, payload in sent]
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-test-")))
    acknowledged = []

    async def fill(broker):
        """Publish until nothing is acknowledged any more."""
        async with aiomqtt.Client(
            broker.host, broker.mqtt_port,
            username=broker.device.username, password=broker.device.password,
        ) as client:  # fmt: skip
            for topic, payload in padded:
                await client.publish(topic, payload, qos=1, timeout=10)
                acknowledged.append(topic)

    async def go(broker):
        # A worker that cannot commit is what fills a broker.
        with Link(*address(prepared)) as link:
            options = mqtt_options(broker, window_messages=20)
            async with working(linked(prepared, link), options) as run:
                link.stall()
                with pytest.raises(aiomqtt.MqttError):
                    await fill(broker)
                assert 0 < len(acknowledged) < len(padded)
                link.flow()
                await run.until_stored(prepared, len(acknowledged))
                await publish_on(broker, padded[len(acknowledged) :])
                await run.until_stored(prepared, len(padded))

    try:
        with EmbeddedNats(folder, ack_wait_s=3, most_bytes=1 << 20) as broker:
            asyncio.run(go(broker))
    finally:
        folder.remove()
    assert_nothing_happened(prepared, undisturbed)


def test_bytes_that_are_no_mqtt_end_a_connection_and_not_the_worker(prepared, broker, undisturbed):
    sent = messages()
    garbage = bytes([0x32, 0x01, 0xFF, 0x90, 0x01, 0x00]) * 20

    async def babble(reader, writer):
        await reader.read(100)
        writer.write(CONNACK + garbage)
        writer.close()

    async def go():
        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        with Link("127.0.0.1", server.sockets[0].getsockname()[1]) as link:

            async def mend():
                await until(lambda: link.connections >= 3, "three tries")
                link.lead_to(broker.host, broker.mqtt_port)

            async with server, asyncio.TaskGroup() as group:
                group.create_task(mend())
                async with working(prepared, mqtt_options(broker, port=link.port)) as run:
                    await run.until(lambda: run.count("broker_up"), "the broker")
                    await publish(broker, sent)
                    await run.until_stored(prepared, len(sent))

    asyncio.run(go())
    assert_nothing_happened(prepared, undisturbed)
