"""Reading MQTT in one pass, and what the session does when a broker answers oddly."""

import asyncio
import time
import tracemalloc
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.mqtt_packets import PINGREQ, PINGRESP, publish_packet, remaining_length
from ingest.mqtt.source import MqttOptions, MqttSource
from ingest.mqtt.wire import (
    Accepted,
    Granted,
    Left,
    Login,
    Messages,
    PacketReader,
    Pong,
    WireError,
    puback_packets,
    subscribe_packet,
)
from ingest.topics import Address, TopicRouter
from mqtt.options import Server
from tests.ingest.publishing import until

TOPICS = st.text("/abc\u0111", min_size=1, max_size=12)
IDS = st.one_of(st.none(), st.tuples(st.integers(1, 65_535), st.booleans()))
"""None: QoS 0; else the packet id, and whether the broker says that it sends it again."""
MESSAGES = st.lists(st.tuples(TOPICS, st.binary(max_size=300), IDS), max_size=12)
CUTS = st.lists(st.integers(0, 4000), max_size=6)


def written(messages, protocol):
    """The bytes of PUBLISH packets, written the plain way; some at QoS 0."""
    out = b""
    for topic, payload, of_qos_1 in messages:
        packet_id, again = of_qos_1 or (0, False)
        if protocol == 311 and packet_id and not again:
            out += publish_packet(topic, payload, packet_id)
            continue
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name
        if packet_id:
            body += packet_id.to_bytes(2, "big")
        if protocol == 5:
            body += b"\x0a\x26\x00\x01a\x00\x02bc\x01\x01"
        body += payload
        head = 0x30 | 0x02 * bool(packet_id) | 0x08 * again
        out += bytes((head,)) + remaining_length(len(body)) + body
    return out


@given(MESSAGES, CUTS, st.sampled_from([311, 5]))
def test_however_the_bytes_are_cut_the_messages_are_the_same(messages, cuts, protocol):
    data = written(messages, protocol)
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = PacketReader(protocol)
    seen: list[tuple[str, bytes, int]] = []
    sent_again: set[int] = set()
    for begin, end in zip(bounds, [*bounds[1:], len(data)], strict=True):
        found, control = reader.feed(data[begin:end])
        assert not control
        seen += zip(found.topics, found.payloads, found.packet_ids, strict=True)
        sent_again |= found.sent_again
    ids = [of_qos_1 or (0, False) for *_, of_qos_1 in messages]
    assert seen == [(*message[:2], of[0]) for message, of in zip(messages, ids, strict=True)]
    assert sent_again == {packet_id for packet_id, again in ids if again}


@given(st.binary(max_size=400), st.sampled_from([311, 5]))
def test_whatever_comes_is_read_or_refused(data, protocol):
    try:
        messages, _ = PacketReader(protocol).feed(data)
    except WireError:
        return
    assert sum(map(len, messages.payloads)) <= len(data)


def test_answers_are_read_between_messages():
    reader = PacketReader(5)
    accepted = b"\x20\x0e\x00\x00\x0b\x13\x00\x1e\x2a\x00\x1f\x00\x03why"
    granted = b"\x90\x05\x00\x01\x00\x01\x87"
    data = accepted + granted + written([("t", b"x", (9, False))], 5) + PINGRESP + b"\xe0\x01\x8e"
    messages, control = reader.feed(data)
    assert messages == Messages(["t"], [b"x"], [9])
    assert control == [Accepted(0, 30, has_shared=False), Granted((1, 0x87)), Pong(), Left(0x8E)]
    assert PacketReader(311).feed(b"\x20\x02\x01\x05\x90\x04\x00\x01\x01\x80")[1] == [
        Accepted(5), Granted((1, 0x80)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"\x34\x05\x00\x01t\x00\x01",  # QoS 2
        b"\x32\x04\x00\x09t\x00",  # a topic that is longer than the packet
        b"\x10\x00",  # CONNECT
        b"\x30\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x30\xff\xff\xff\x7f",  # 256 MB
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_what_no_broker_sends_ends_the_connection(data):
    with pytest.raises(WireError):
        PacketReader(311).feed(data)


def test_a_topic_that_is_no_text_is_an_unknown_one():
    messages, _ = PacketReader(311).feed(b"\x30\x05\x00\x02\xff\xfex")
    assert messages == Messages(["\N{REPLACEMENT CHARACTER}"], [b"x"], [0])


def test_topics_that_somebody_makes_up_fill_no_memory():
    reader, router = PacketReader(311), TopicRouter()
    tracemalloc.start()
    try:
        for number in range(500):
            topic = f"gsht/v1/{number:060000d}/352093081429150"
            messages, _ = reader.feed(publish_packet(topic, b"", 1))
            assert router.addresses(messages.topics) == [Address(topic[8:-16], topic[-15:])]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1 << 20, "30 MB of topics"


def test_a_login_asks_for_a_session_that_is_kept():
    login = Login("w", "u", "p", 311, 60, 7, 100)
    assert login.packet() == b"\x10\x13\x00\x04MQTT\x04\xc0\x00\x3c\x00\x01w\x00\x01u\x00\x01p"
    login = Login("w", None, None, 5, 60, 7, 100)
    assert login.packet() == (
        b"\x10\x16\x00\x04MQTT\x05\x00\x00\x3c\x08\x11\x00\x00\x00\x07\x21\x00\x64\x00\x01w"
    )
    assert subscribe_packet(["a", "b/+"], 5) == b"\x82\x0d\x00\x01\x00\x00\x01a\x01\x00\x03b/+\x01"
    assert puback_packets([1, 65_535]) == b"\x40\x02\x00\x01\x40\x02\xff\xff"


@asynccontextmanager
async def session(answers, **options):
    """A source, and what it says to a broker that answers packets, by type, with these bytes."""
    said = []

    async def serve(reader, writer):
        while head := await reader.read(1):
            body = await reader.readexactly((await reader.readexactly(1))[0])
            said.append(head + body)
            answer = answers.get(head[0] >> 4)
            if answer is not None:
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = MqttSource(MqttOptions((Server("127.0.0.1", port),), "w", **options), lambda: 0)
    await source.start()
    try:
        yield source, said
    finally:
        await source.stop()
        server.close()


def test_a_broker_that_says_it_has_no_shared_subscriptions_is_left(capsys, caplog):
    async def go():
        answers = {1: b"\x20\x05\x00\x00\x02\x2a\x00"}
        async with session(answers, protocol=5, share_group="g") as (source, said):
            await until(lambda: len(said) >= 2, "the goodbye")
            return source.connected, said

    connected, said = asyncio.run(go())
    assert not connected
    assert not [packet for packet in said if packet[0] == 0x82], "it subscribed"
    assert said[1][0] == 0xE0
    assert "broker.no_shared_subscriptions" in capsys.readouterr().out + caplog.text


def test_a_refused_login_says_why(capsys, caplog):
    async def go():
        async with session({1: b"\x20\x02\x00\x05"}) as (source, _):
            await until(lambda: source.failures >= 1, "a refused login")

    asyncio.run(go())
    assert "not authorized" in capsys.readouterr().out + caplog.text


def test_a_broker_that_takes_us_and_throws_us_out_again_is_asked_less_and_less_often():
    async def go():
        # Another has our session, and takes it back whenever we have taken it.
        thrown_out = b"\x90\x04\x00\x01\x00\x01\xe0\x01\x8e"
        async with session({1: b"\x20\x03\x00\x00\x00", 8: thrown_out}, protocol=5) as (source, _):
            await until(lambda: source.failures >= 3, "connections that came to nothing")

    asyncio.run(go())


def test_a_silent_worker_pings_and_leaves_a_broker_that_does_not_answer(capsys, caplog):
    async def go():
        # MQTT 5: the broker asks for a sign of life every second, and never answers one.
        answers = {1: b"\x20\x06\x00\x00\x03\x13\x00\x01", 8: b"\x90\x04\x00\x01\x00\x01"}
        async with session(answers, protocol=5) as (source, said):
            await until(lambda: source.connected, "the subscription")
            began = time.monotonic()
            await until(lambda: not source.connected, "it to be left")
            return time.monotonic() - began, said

    seconds, said = asyncio.run(go())
    assert PINGREQ[:1] in said
    assert seconds > 1
    assert "did not answer a ping" in capsys.readouterr().out + caplog.text


def test_what_is_released_after_a_loss_is_not_acknowledged_on_the_next_connection():
    async def go():
        said: list[bytes] = []
        writers: list[asyncio.StreamWriter] = []
        again, greet, subscribed = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def serve(reader, writer):
            writers.append(writer)
            is_first = len(writers) == 1
            while head := await reader.read(1):
                said.append(head + await reader.readexactly((await reader.readexactly(1))[0]))
                if head == b"\x10" and not is_first:
                    again.set()
                    await greet.wait()
                if head == b"\x10":
                    writer.write(b"\x20\x02\x00\x00")
                elif head == b"\x82" and is_first:
                    message = publish_packet("gsht/v1/json/1", b"x", 7)
                    writer.write(b"\x90\x03\x00\x01\x01" + message)
                elif head == b"\x82":
                    subscribed.set()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        source = MqttSource(
            MqttOptions((Server("127.0.0.1", port),), "w", batch_age_s=0.01), lambda: 0
        )
        await source.start()
        async with asyncio.timeout(60):
            batch = await source.receive()
            writers[0].close()
            await again.wait()
            source.acknowledge(batch)
            await until(lambda: source.due == 0, "the batch to be released")
            greet.set()
            await subscribed.wait()
        await source.stop()
        server.close()
        return said

    kinds = [packet[0] for packet in asyncio.run(go())]
    assert kinds == [0x10, 0x82, 0x10, 0x82, 0xE0]
