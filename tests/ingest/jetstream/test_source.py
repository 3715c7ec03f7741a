"""What the source promises, on a real server: order, one acknowledgement, nothing lost."""

import asyncio
from collections import Counter

import pytest

from ingest.errors import StreamError
from ingest.jetstream.connection import JetStreamOptions, connect
from ingest.jetstream.layout import MQTT_STREAM, Layout
from ingest.jetstream.requests import ask
from ingest.jetstream.source import JetStreamSource
from ingest.jetstream.stream import partitions_of, pending
from ingest.source import MessageBatch
from tests.ingest.jetstream.streams import admin, make_stream, options, reading, receive
from tests.ingest.publishing import publish, until

pytestmark = pytest.mark.integration


def reports(count, devices=20):
    return [(f"gsht/v1/json/imei-{n % devices}", b"%d" % n) for n in range(count)]


def payloads(batches):
    return [payload for batch in batches for payload in batch.payloads]


def backlog(source):
    """Of the one stream."""
    (only,) = source.backlog().values()
    return only


def test_partitions_share_out_devices_and_every_device_keeps_to_one(broker):
    async def go():
        await make_stream(broker, 4)
        await publish(broker, reports(400, devices=100))
        async with reading(broker, (0, 1, 2, 3), 4) as source:
            await receive(source, 0)
            batches = await receive(source, 400)
        async with admin(broker) as client:
            waiting = await pending(client, "HANHTRINH")
        return batches, waiting

    batches, waiting = asyncio.run(go())
    assert sum(waiting.values()) == 400, "nothing was acknowledged"
    assert sorted(waiting) == [0, 1, 2, 3]
    assert all(50 < count < 170 for count in waiting.values()), waiting
    assert sorted(map(int, payloads(batches))) == list(range(400))
    by_device: dict[str, list[int]] = {}
    for batch in batches:
        for topic, payload in zip(batch.topics, batch.payloads, strict=True):
            by_device.setdefault(topic, []).append(int(payload))
    assert all(numbers == sorted(numbers) for numbers in by_device.values())


async def all_stored(client, messages):
    """What waits by partition once the stream has taken over so many messages."""
    async with asyncio.timeout(20):
        while sum((waiting := await pending(client, "HANHTRINH")).values()) < messages:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return waiting


async def nothing_kept(client):
    """Wait until neither MQTT's stream nor ours has a message left."""
    for name in (MQTT_STREAM, "HANHTRINH"):
        async with asyncio.timeout(20):
            while (await ask(client, f"STREAM.INFO.{name}"))["state"]["messages"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


TOPICS = [
    "gsht/v1/json/a.b", "gsht/v1/teltonika/352093081429150", "gsht/v1/ufms/provider-1",
    "weigh/v1/csv/QL5", "owntracks/user/phone", "352093081429150/data",
]  # fmt: skip
NOT_OURS = ["gsht/v1/json", "gsht/v1/json/a/b", "weigh/v2/csv/QL5", "other/topic/of/somebody"]


def test_topics_come_back_as_they_were_published_and_others_do_not_come(broker):
    async def go():
        await make_stream(broker, 2)
        await publish(broker, [(topic, topic.encode()) for topic in TOPICS + NOT_OURS])
        async with reading(broker, (0, 1), 2) as source, admin(broker) as client:
            batches = await receive(source, len(TOPICS))
            for batch in batches:
                source.acknowledge(batch)
            await nothing_kept(client)
            return batches

    batches = asyncio.run(go())
    topics = [topic for batch in batches for topic in batch.topics]
    assert sorted(topics) == sorted(TOPICS)
    assert [t.encode() for t in topics] == payloads(batches)


# What separates words or lines for Python, and that NATS takes in a topic.
ODD_SIGNS = "\v\x1c\x1d\x1e\x1f\x85\xa0\u2028\u3000"


def test_odd_signs_in_a_topic_hold_up_nothing(broker):
    odd = [f"gsht/v1/js{sign}on/imei-1" for sign in ODD_SIGNS]

    async def go():
        await make_stream(broker)
        await publish(broker, [(topic, b"odd") for topic in odd] + reports(5))
        async with reading(broker) as source, asyncio.timeout(20):
            return await receive(source, len(odd) + 5)

    batches = asyncio.run(go())
    assert [topic for batch in batches for topic in batch.topics][: len(odd)] == odd
    assert payloads(batches)[len(odd) :] == [b"%d" % n for n in range(5)]


def test_what_was_not_acknowledged_comes_again_to_the_next_reader_at_once(broker):
    async def go():
        await make_stream(broker)
        await publish(broker, reports(30))
        async with reading(broker, batch_messages=10) as source:
            first, second = [await source.receive() for _ in range(2)]
            source.acknowledge(first)
        await publish(broker, reports(5))
        async with reading(broker) as source:
            batches = await receive(source, 25)
            for batch in batches:
                source.acknowledge(batch)
        async with admin(broker) as client:
            return first, second, batches, await pending(client, "HANHTRINH")

    first, second, batches, waiting = asyncio.run(go())
    assert [len(first), len(second)] == [10, 10]
    assert [int(p) for p in payloads(batches)] == [*range(10, 30), *range(5)]
    assert waiting == {0: 0}


def test_receipt_is_when_the_stream_stored_a_message_whoever_reads_it_when(broker):
    async def go():
        await make_stream(broker)
        await publish(broker, reports(3))
        received = []
        for _ in range(2):
            async with reading(broker) as source:
                (batch,) = await receive(source, 3)
                received.append(batch.received.tolist())
        return received

    first, again = asyncio.run(go())
    assert first == again


def test_a_server_that_restarts_delivers_what_was_not_acknowledged(broker):
    async def go():
        await make_stream(broker, 2)
        await publish(broker, reports(100))
        async with reading(broker, (0, 1), 2) as source:
            before = await receive(source, 100)
            broker.kill()
            broker.restart()
            again = await receive(source, 100)
            for batch in (*before, *again):  # the former say nothing any more
                source.acknowledge(batch)
            await publish(broker, reports(7))
            last = await receive(source, 7)
            for batch in last:
                source.acknowledge(batch)
        async with admin(broker) as client:
            return before, again, last, await pending(client, "HANHTRINH")

    before, again, last, waiting = asyncio.run(go())
    assert Counter(payloads(before)) == Counter(payloads(again))
    assert len(payloads(last)) == 7
    assert waiting == {0: 0, 1: 0}


def test_a_client_that_the_server_ended_for_good_is_replaced_and_what_it_held_comes_again(broker):
    async def go():
        await make_stream(broker, 2)
        await publish(broker, reports(20))
        async with reading(broker, (0, 1), 2, batch_messages=8) as source:
            await until(lambda: backlog(source).waiting == 20, "the first")
            first = await source.receive()
            # The server says -ERR and hangs up; nats-py then never connects again by itself.
            assert source._client is not None
            source._client._transport.write(b"NONSENSE\r\n")
            ended = source._client
            await until(lambda: ended.is_closed, "its end")
            source.acknowledge(first)
            await publish(broker, reports(5, devices=5))
            async with asyncio.timeout(20):
                again = await receive(source, 25)
            for batch in again:
                source.acknowledge(batch)
            await until(lambda: backlog(source).held == 0, "the acknowledgements")
        async with admin(broker) as client:
            return again, await pending(client, "HANHTRINH")

    again, waiting = asyncio.run(go())
    assert Counter(payloads(again)) == Counter(p for _, p in reports(20) + reports(5))
    assert waiting == {0: 0, 1: 0}


def test_messages_that_somebody_else_was_given_are_not_acknowledged_but_come(broker):
    async def go():
        await make_stream(broker)
        await publish(broker, reports(40))
        async with reading(broker, batch_messages=10) as source:
            await until(lambda: backlog(source).held == 20, "a full window")
            # As one who held the partition before and does not know yet that he lost it.
            thief = await connect(options(broker), "thief")
            stolen = []

            async def keep(message):
                stolen.append(message)

            inbox = thief.new_inbox()
            await thief.subscribe(inbox, cb=keep)
            subject = "$JS.API.CONSUMER.MSG.NEXT.HANHTRINH.shard-0"
            await thief.publish(subject, b'{"batch":5,"expires":5000000000}', reply=inbox)
            await until(lambda: len(stolen) >= 5, "the thief's messages")
            batches: list[MessageBatch] = []
            while set(payloads(batches)) != {b"%d" % n for n in range(40)}:
                batches.append(await source.receive())
                source.acknowledge(batches[-1])
            await thief.close()
        async with admin(broker) as client:
            return [m.data for m in stolen[:5]], batches, await pending(client, "HANHTRINH")

    stolen, batches, waiting = asyncio.run(go())
    assert stolen == [b"%d" % n for n in range(20, 25)]
    assert [int(p) for p in payloads(batches)] == [*range(40)], "no gap, and nothing twice"
    assert waiting == {0: 0}


def test_memory_is_bounded_by_two_batches_of_a_partition(broker):
    async def go():
        await make_stream(broker)
        await publish(broker, reports(100))
        async with reading(broker, batch_messages=10) as source:
            await until(lambda: backlog(source).held >= 20, "a full window")
            taken = await source.receive()
            held = backlog(source)
            source.acknowledge(taken)
            await until(lambda: backlog(source).waiting == 20, "the next")
            return held, backlog(source)

    held, after = asyncio.run(go())
    assert held.held <= held.window == 20
    assert after.held <= 20


def test_the_window_is_that_of_the_partitions_that_are_held():
    """A standby that may read eight and holds one is full when that one is."""

    async def go():
        source = JetStreamSource(JetStreamOptions("", (0, 1, 2), 3, batch_messages=10))
        windows = []
        for held in ((), (1,), (0, 1, 2)):
            source.hold(frozenset(held))
            windows.append(backlog(source).window)
        return windows

    assert asyncio.run(go()) == [0, 20, 60]


def test_a_stream_that_is_not_there_or_has_more_partitions_is_refused_with_what_to_do(broker):
    async def go():
        errors = []
        await publish(broker, [])
        for total in (3, 1):
            async with reading(broker, (0,), total) as source:
                with pytest.raises(StreamError) as refused:
                    await source.receive()
                errors.append(str(refused.value))
            await make_stream(broker, 2)
        return errors

    missing, other = asyncio.run(go())
    assert "run `hanhtrinh stream`" in missing
    assert "has 2 partitions" in other
    assert "docs/sources.md" in other


def test_a_feed_that_has_a_filter_for_each_pattern_gets_the_one_and_loses_nothing(broker):
    async def go():
        await make_stream(broker)
        layout = Layout()
        feed = layout.feed_config()
        del feed["filter_subject"]
        feed["filter_subjects"] = ["$MQTT.msgs.gsht.v1.*.*", "$MQTT.msgs.weigh.v1.*.*"]
        request = {"stream_name": MQTT_STREAM, "config": feed}
        async with admin(broker) as client:
            await ask(client, f"CONSUMER.DURABLE.CREATE.{MQTT_STREAM}.{layout.feed}", request)
            await publish(broker, reports(50))
            await make_stream(broker)
            await publish(broker, [("weigh/v1/csv/QL5", b"after")])
            found = await ask(client, f"CONSUMER.INFO.{MQTT_STREAM}.{layout.feed}")
        async with reading(broker) as source:
            return found["config"], await receive(source, 51)

    config, batches = asyncio.run(go())
    assert config["filter_subject"] == "$MQTT.msgs.>"
    assert "filter_subjects" not in config
    assert Counter(payloads(batches)) == Counter([b"%d" % n for n in range(50)] + [b"after"])


def test_making_the_stream_again_does_nothing_and_a_change_of_partitions_loses_nothing(broker):
    async def go():
        done = [await make_stream(broker, 2), await make_stream(broker, 2)]
        for stored, partitions in ((50, 5), (100, 1), (150, 1)):
            await publish(broker, reports(50))
            async with admin(broker) as client:
                await all_stored(client, stored)
            done.append(await make_stream(broker, partitions))
        async with admin(broker) as client:
            waiting = await all_stored(client, 150)
            assert await partitions_of(client, "HANHTRINH") == 1
        async with reading(broker, range(5), 5) as source:
            for batch in (batches := await receive(source, 150)):
                source.acknowledge(batch)
        done.append(await make_stream(broker, 1))
        async with admin(broker) as client:
            return done, waiting, batches, await pending(client, "HANHTRINH")

    done, waiting, batches, after = asyncio.run(go())
    assert done[0]
    assert done[1] == []
    assert sum(bool(count) for count in waiting.values()) > 2, waiting
    assert Counter(payloads(batches)) == Counter({b"%d" % n: 3 for n in range(50)})
    assert any("have a worker judge it" in line for line in done[4]), done
    assert sum("dropped" in line for line in done[4] + done[5]) == 4, done
    assert after == {0: 0}
