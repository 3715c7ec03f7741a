"""One source over several brokers: fair shares, joined batches, each told what it may forget.

That one of them may be killed is shown in tests/faults/test_broker.py.
"""

import asyncio
import time
from unittest.mock import sentinel

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.mqtt.inbox import Taken
from ingest.mqtt.source import MqttOptions, MqttSource, Part, joined, shares
from mqtt.options import Server
from tests.ingest.publishing import mqtt_options, publish, until


def dealt_one_by_one(waiting, room):
    """The slow twin of `shares`."""
    dealt = [0] * len(waiting)
    in_turn = sorted(range(len(waiting)), key=lambda row: waiting[row])
    while room and dealt != list(waiting):
        for row in in_turn:
            if room and dealt[row] < waiting[row]:
                dealt[row] += 1
                room -= 1
    return dealt


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(1, 60))
def test_a_batch_is_shared_out_as_if_messages_were_dealt_one_by_one(waiting, room):
    assert shares(waiting, room) == dealt_one_by_one(waiting, room)


def merged_by_looking_at_heads(columns):
    """The slow twin of `joined`: whatever came first; of equals the first broker's."""
    heads = [[*column] for column in columns]
    merged = []
    while any(heads):
        first = min((h for h in heads if h), key=lambda head: head[0])
        merged.append(first.pop(0))
    return merged


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=4))
def test_a_joined_batch_is_in_order_of_arrival_and_keeps_each_brokers_own(arrivals):
    taken = [
        Taken(
            [f"{broker}/{n}" for n in range(len(times))],
            [b"%d/%d" % (broker, n) for n in range(len(times))],
            sorted(times), 1, [*range(1, len(times) + 1)], 3 * len(times),
        )
        for broker, times in enumerate(arrivals)
    ]  # fmt: skip
    batch = joined([Part(sentinel.session, one) for one in taken])
    expected = merged_by_looking_at_heads(
        [[(t, topic) for t, topic in zip(one.received, one.topics, strict=True)] for one in taken]
    )
    assert [*zip(batch.received.tolist(), batch.topics, strict=True)] == expected
    assert batch.payloads == [topic.encode() for topic in batch.topics]


@given(st.integers(1, 65_535), st.integers(1, 8))
def test_the_window_is_of_all_brokers_together(window, brokers):
    servers = tuple(Server("b", 1000 + n) for n in range(brokers))
    options = MqttOptions(servers, "w", window_messages=window)
    assert options.share(window) >= 1
    assert options.share(window) * brokers <= max(window, brokers)


@pytest.mark.integration
def test_a_batch_is_joined_from_all_and_each_broker_forgets_its_own(broker, mosquitto):
    nats, other = Server(broker.host, broker.mqtt_port), Server(mosquitto.host, mosquitto.port)

    def numbered(name, count):
        return [(f"gsht/v1/json/{name}{n}", b"%d" % n) for n in range(count)]

    async def started(servers, **more):
        source = MqttSource(mqtt_options(broker, servers=servers, **more), clock)
        await source.start()
        await until(lambda: source.connected, "both brokers")
        return source

    async def go():
        source = await started((nats, other), batch_messages=60, batch_age_s=30.0)
        await publish(broker, numbered("n", 30))
        async with aiomqtt.Client(mosquitto.host, mosquitto.port) as client:
            for topic, payload in numbered("m", 50):
                await client.publish(topic, payload, qos=1)
        await until(lambda: sum(b.held for b in source.backlog().values()) == 80, "all of them")
        async with asyncio.timeout(30):
            batch = await source.receive()
        held = {name: backlog.held for name, backlog in source.backlog().items()}
        source.acknowledge(batch)
        await until(lambda: sum(b.held for b in source.backlog().values()) == 20, "20 that wait")
        await source.stop()

        alone = await started((other,))
        async with asyncio.timeout(30):
            again = await alone.receive()
        await alone.stop()
        return batch, held, again

    batch, held, again = asyncio.run(go())
    assert len(batch) == 60
    assert {t for t in batch.topics if "/n" in t} == {topic for topic, _ in numbered("n", 30)}
    assert held == {str(nats): 30, str(other): 50}
    assert again.topics == [topic for topic, _ in numbered("m", 50)[30:]]


def clock():
    return time.time_ns() // 1000
