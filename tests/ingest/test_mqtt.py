"""MqttSource against a real broker."""

import asyncio
import time
from dataclasses import replace

import pytest

from ingest.mqtt.inbox import Inbox
from ingest.mqtt.source import MqttSource
from ingest.mqtt.wire import Messages
from ingest.source import MessageBatch
from tests.ingest.publishing import mqtt_options, publish, until

pytestmark = pytest.mark.integration


def clock():
    return time.time_ns() // 1000


async def started(broker, **options):
    source = MqttSource(mqtt_options(broker, **options), clock)
    await source.start()
    await until(lambda: source.connected, "the connection")
    return source


async def receive(source, count):
    """Messages of as many batches as it takes to have `count`, and the batches."""
    batches: list[MessageBatch] = []
    topics: list[str] = []
    async with asyncio.timeout(60):
        while len(topics) < count:
            batches.append(await source.receive())
            topics += batches[-1].topics
    return topics, batches


def numbered(count, start=0):
    return [(f"gsht/v1/json/d{i}", b"%d" % i) for i in range(start, start + count)]


def test_a_batch_ends_at_its_size(broker):
    async def go():
        source = await started(broker, batch_messages=10, batch_age_s=20.0)
        await publish(broker, numbered(25))
        first, second = await source.receive(), await source.receive()
        await source.stop()
        return first, second

    first, second = asyncio.run(go())
    assert first.topics == [topic for topic, _ in numbered(10)]
    assert second.payloads == [payload for _, payload in numbered(10, 10)]


def test_a_batch_ends_at_its_age(broker):
    async def go():
        source = await started(broker, batch_messages=10_000, batch_age_s=0.05)
        await publish(broker, numbered(3))
        topics, _ = await receive(source, 3)
        await source.stop()
        return topics

    assert len(asyncio.run(go())) == 3


def test_what_was_not_acknowledged_comes_again_to_the_next_worker_and_nothing_else(broker):
    async def go():
        source = await started(broker, batch_messages=5)
        await publish(broker, numbered(15))
        topics, batches = await receive(source, 15)
        source.acknowledge(batches[0])
        await source.stop()

        source = await started(broker, batch_messages=5)
        again, batches = await receive(source, 15 - len(batches[0]))
        for batch in batches:
            source.acknowledge(batch)
        await source.stop()

        source = await started(broker, batch_messages=5)
        await publish(broker, [("gsht/v1/json/last", b"")])
        last, _ = await receive(source, 1)
        await source.stop()
        return topics, again, last

    topics, again, last = asyncio.run(go())
    assert sorted(again) == sorted(topics[5:])
    assert last == ["gsht/v1/json/last"]


def test_messages_sent_while_no_worker_runs_wait_for_it(broker):
    async def go():
        source = await started(broker)
        await source.stop()
        await publish(broker, numbered(20))
        source = await started(broker)
        topics, _ = await receive(source, 20)
        await source.stop()
        return topics

    assert sorted(asyncio.run(go())) == sorted(topic for topic, _ in numbered(20))


def test_it_connects_again_when_the_broker_comes_back_and_loses_nothing(broker):
    async def go():
        source = await started(broker, batch_messages=4)
        await publish(broker, numbered(8))
        _, batches = await receive(source, 8)
        source.acknowledge(batches[0])
        await until(lambda: source.due == 0, "the acknowledgements to be written")
        broker.kill()
        broker.restart()
        await publish(broker, numbered(4, 100))
        # The token of the old connection must not acknowledge a message of the new one.
        for batch in batches[1:]:
            source.acknowledge(batch)
        expected = {t for t, _ in numbered(4, 4)} | {t for t, _ in numbered(4, 100)}
        seen: set[str] = set()
        async with asyncio.timeout(60):
            while not expected <= seen:
                batch = await source.receive()
                seen |= set(batch.topics)
                source.acknowledge(batch)
        await source.stop()

    asyncio.run(go())


def test_a_message_that_the_broker_sends_twice_while_it_is_held_is_taken_once():
    inbox = Inbox()
    inbox.begin_connection()
    assert inbox.put(Messages(["t", "u"], [b"", b""], [7, 8]), 0) == (0, 2)
    assert inbox.put(Messages(["t", "v"], [b"", b""], [7, 9], {7}), 0) == (2, 3)
    batch = inbox.take(10)
    assert batch is not None
    assert batch.topics == ["t", "u", "v"]
    assert inbox.put(Messages(["t"], [b""], [7], {7}), 0) == (0, 0)
    assert inbox.release(batch) == [7, 8, 9]
    assert inbox.put(Messages(["t"], [b""], [7], {7}), 0) == (0, 1)


def test_another_message_with_an_id_that_is_held_is_taken_and_acknowledged_as_well():
    inbox = Inbox()
    inbox.begin_connection()
    inbox.put(Messages(["t", "u"], [b"1", b"2"], [7, 8]), 0)
    assert inbox.put(Messages(["v", "w"], [b"3", b"4"], [8, 9]), 0) == (2, 4)
    batch = inbox.take(10)
    assert batch is not None
    assert batch.payloads == [b"1", b"2", b"3", b"4"]
    assert inbox.release(batch) == [7, 8, 8, 9]
    assert (inbox.held_messages, inbox.held_bytes) == (0, 0)


def test_messages_without_a_packet_id_are_all_taken_and_not_acknowledged():
    inbox = Inbox()
    inbox.begin_connection()
    inbox.put(Messages(["t"], [b"1"], [0]), 0)
    inbox.put(Messages(["t", "t", "t"], [b"2", b"3", b"4"], [0, 5, 0]), 0)
    batch = inbox.take(10)
    assert batch is not None
    assert batch.payloads == [b"1", b"2", b"3", b"4"]
    assert inbox.release(batch) == [5]
    assert (inbox.held_messages, inbox.held_bytes) == (0, 0)


def test_a_batch_takes_the_oldest_and_leaves_the_rest():
    inbox = Inbox()
    inbox.begin_connection()
    inbox.put(Messages(["a", "b", "c"], [b"1", b"22", b"333"], [1, 2, 3]), 50)
    inbox.put(Messages(["d"], [b"4444"], [4]), 60)
    first, second, third = inbox.take(2), inbox.take(2), inbox.take(2)
    assert first is not None
    assert second is not None
    assert (first.topics, first.received) == (["a", "b"], [50, 50])
    assert (second.topics, second.received) == (["c", "d"], [50, 60])
    assert third is None
    inbox.release(first)
    assert (inbox.held_messages, inbox.held_bytes) == (2, 9)


def test_a_window_of_bytes_counts_topics_as_well():
    inbox = Inbox()
    inbox.begin_connection()
    inbox.put(Messages(["t" * 65_535] * 10, [b""] * 10, [*range(1, 11)]), 0)
    assert inbox.held_bytes == 10 * 65_535
    batch = inbox.take(10)
    assert batch is not None
    inbox.release(batch)
    assert inbox.held_bytes == 0


def test_packet_ids_of_an_old_connection_acknowledge_nothing():
    inbox = Inbox()
    inbox.begin_connection()
    inbox.put(Messages(["t"], [b"abc"], [7]), 0)
    batch = inbox.take(10)
    assert batch is not None
    inbox.begin_connection()
    inbox.put(Messages(["t"], [b"abc"], [7]), 0)
    assert inbox.release(batch) == []
    assert (inbox.held_messages, inbox.held_bytes) == (1, 4)


def test_a_window_that_is_full_pauses_reading_until_something_is_acknowledged(broker):
    async def go():
        source = await started(broker, batch_messages=4, window_messages=8)
        await publish(broker, numbered(30))
        seen: list[str] = []
        held: list[MessageBatch] = []
        async with asyncio.timeout(60):
            while len(seen) < 30:
                batch = await source.receive()
                seen += batch.topics
                held.append(batch)
                if sum(map(len, held)) >= 8:
                    source.acknowledge(held.pop(0))
        await source.stop()
        return seen

    assert sorted(asyncio.run(go())) == sorted(topic for topic, _ in numbered(30))


def test_wrong_credentials_do_not_end_the_source(broker):
    async def go():
        intruder = replace(mqtt_options(broker), client_id="intruder", password="nothing")
        source = MqttSource(intruder, clock)
        await source.start()
        await until(lambda: source.failures >= 2, "two refused connections")
        connected = source.connected
        await source.stop()
        return connected

    assert asyncio.run(go()) is False
