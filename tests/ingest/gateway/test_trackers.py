"""Trackers over real sockets, before a real broker: what they are told, and when."""

import asyncio
from dataclasses import replace

import pytest

from hanhtrinh.commands.state import run
from hanhtrinh.embedded.ports import free_port
from ingest.errors import GatewayError
from ingest.gateway.gateway import Gateway
from ingest.gateway.metrics import GatewayMetrics
from ingest.gateway.options import BrokerLink, GatewayOptions, Listener
from mqtt.options import Server
from tests.devices.streams.dialogues import IMEI, IN_PARTS, PACKET, RMC, clock, teltonika_packet
from tests.ingest.gateway.served import LOGIN, listening, options, serving, standing_still, until

pytestmark = pytest.mark.integration

TOPIC = f"gsht/v1/teltonika/{IMEI}"
COUNT = b"\x00\x00\x00\x02"


def test_a_tracker_logs_in_and_its_packet_reaches_the_broker_before_it_is_acknowledged(broker):
    async def work():
        async with serving(options(broker)) as served, listening(broker) as heard:
            tracker = await served.tracker()
            await tracker.say(LOGIN)
            await tracker.hears(b"\x01")
            await tracker.say(PACKET)
            await tracker.hears(COUNT)
            await heard.hears((TOPIC, PACKET))
            assert served.metrics.messages == {"teltonika": 1}
            tracker.close()

    run(work())


def test_a_connection_whose_broker_is_away_goes_to_the_next(broker):
    made = options(broker)
    servers = (Server("127.0.0.1", free_port()), *made.broker.servers)
    made = replace(made, broker=replace(made.broker, servers=servers))

    async def work():
        async with serving(made) as served, listening(broker) as heard:
            tracker = await served.tracker()
            await tracker.say(LOGIN + PACKET)
            await tracker.hears(b"\x01" + COUNT)
            await heard.hears((TOPIC, PACKET))
            tracker.close()

    run(work())


def test_bytes_one_by_one_are_the_same_tracker(broker):
    async def work():
        async with serving(options(broker)) as served, listening(broker) as heard:
            tracker = await served.tracker()
            for byte in LOGIN + PACKET:
                await tracker.say(bytes((byte,)))
                await asyncio.sleep(0)
            await tracker.hears(b"\x01" + COUNT)
            await heard.hears((TOPIC, PACKET))
            tracker.close()

    run(work())


def test_answers_keep_their_order_when_many_packets_come_at_once(broker):
    async def work():
        counts = [1 + n % 50 for n in range(200)]
        packets = [teltonika_packet(n) for n in counts]
        async with serving(options(broker)) as served, listening(broker) as heard:
            tracker = await served.tracker()
            await tracker.say(LOGIN + b"".join(packets))
            await tracker.hears(b"\x01" + b"".join(n.to_bytes(4, "big") for n in counts))
            await heard.hears(*[(TOPIC, packet) for packet in packets])
            tracker.close()

    run(work())


def test_no_packet_is_acknowledged_while_the_broker_stands_still(broker):
    """Stopped in the middle, it takes the bytes and says nothing; then it goes on."""

    async def work():
        async with serving(options(broker)) as served, listening(broker) as heard:
            tracker = await served.tracker()
            await tracker.say(LOGIN)
            await tracker.hears(b"\x01")
            async with standing_still(broker):
                await tracker.say(PACKET)
                await tracker.hears_nothing()
                assert served.house.publisher.held_messages == 1
            await tracker.hears(COUNT)
            await heard.hears((TOPIC, PACKET))
            tracker.close()

    run(work())


def test_a_killed_broker_loses_nothing_that_was_acknowledged_and_the_rest_goes_when_it_is_back(
    broker,
):
    async def work():
        async with serving(options(broker)) as served:
            tracker = await served.tracker()
            await tracker.say(LOGIN)
            await tracker.hears(b"\x01")
            await asyncio.to_thread(broker.kill)
            await until(lambda: not served.house.publisher.is_up, "the broker's end")
            await tracker.say(PACKET)
            await tracker.hears_nothing()
            await until(lambda: bool(served.house.waiting), "a pause")
            await tracker.say(PACKET)  # it heard nothing, and says it again
            await tracker.hears_nothing()
            assert served.house.publisher.held_messages == 1  # the second was not even read
            await asyncio.to_thread(broker.restart)
            async with listening(broker) as heard:
                await tracker.hears(COUNT + COUNT)
                assert served.metrics.messages == {"teltonika": 2}
                await tracker.say(PACKET)
                await tracker.hears(COUNT)
                await until(lambda: (TOPIC, PACKET) in heard.messages, "a message")
            tracker.close()

    run(work())


def test_a_gateway_that_starts_before_its_broker_serves_when_it_is_there(broker):
    async def work():
        await asyncio.to_thread(broker.kill)
        async with serving(options(broker), is_up=False) as served:
            tracker = await served.tracker()
            await tracker.say(LOGIN + PACKET)
            await tracker.hears(b"\x01")
            await tracker.hears_nothing()
            await asyncio.to_thread(broker.restart)
            await tracker.hears(COUNT)
            tracker.close()

    run(work())


def test_a_tracker_without_answers_is_read_too(broker):
    async def work():
        async with serving(options(broker, "nmea tcp")) as served, listening(broker) as heard:
            tracker = await served.tracker("nmea")
            await tracker.say(b"imei:" + IMEI.encode() + b"\r\n" + RMC + b"\r\n")
            await heard.hears((f"gsht/v1/nmea/{IMEI}", RMC))
            tracker.close()

    run(work())


def test_datagrams_are_answered_when_the_broker_has_them(broker):
    class Client(asyncio.DatagramProtocol):
        def __init__(self):
            self.heard = []

        def datagram_received(self, data, _addr):
            self.heard.append(data)

    async def work():
        body = PACKET[8:-4]
        head = bytes.fromhex("cafe0105000f") + IMEI.encode()
        datagram = (len(head) + len(body)).to_bytes(2, "big") + head + body
        async with (
            serving(options(broker, "teltonika udp")) as served,
            listening(broker) as heard,
        ):
            port = served.port("teltonika", "udp")
            transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
                Client, remote_addr=("127.0.0.1", port)
            )
            transport.sendto(b"rubbish")
            transport.sendto(datagram)
            await until(lambda: client.heard, "an answer")
            assert client.heard == [bytes.fromhex("0005cafe010502")]
            await heard.hears((TOPIC, PACKET))
            assert served.metrics.skipped["teltonika"] == len(b"rubbish")
            transport.close()

    run(work())


def test_stopping_waits_for_what_the_broker_has_not_acknowledged(broker):
    async def work():
        async with serving(options(broker)) as served, listening(broker) as heard:
            tracker = await served.tracker()
            await tracker.say(LOGIN)
            await tracker.hears(b"\x01")
            async with standing_still(broker):
                await tracker.say(PACKET)
                await until(lambda: served.house.publisher.held_messages == 1, "a message")
                served.stop.set()
                await until(lambda: served.house.is_closing, "the stop")
            assert await tracker.is_hung_up_on() == COUNT
            await heard.hears((TOPIC, PACKET))

    run(work())


def test_stopping_does_not_wait_for_ever(broker):
    async def work():
        async with serving(options(broker, stop_s=0.2)) as served:
            tracker = await served.tracker()
            await tracker.say(LOGIN)
            await tracker.hears(b"\x01")
            await asyncio.to_thread(broker.kill)
            await tracker.say(PACKET)
            await tracker.hears_nothing()
            served.stop.set()
            assert await tracker.is_hung_up_on() == b""

    run(work())


@pytest.mark.parametrize(
    ("listener", "says"),
    [
        (Listener("sony", "tcp", "127.0.0.1", 0), "sony tcp://127.0.0.1:0: no codec is called"),
        (Listener("json", "tcp", "127.0.0.1", 0), "'json' is not spoken over tcp"),
        (Listener("nmea", "udp", "127.0.0.1", 0), "'nmea' is not spoken over udp"),
        (Listener("json", "http", "0.0.0.0", 0), "needs gateway.secret"),
        (Listener("json", "http", "::", 0), r"json http://\[::\]:0: "),
    ],
)
def test_a_port_that_makes_no_sense_is_refused_by_name(listener, says):
    made = GatewayOptions((listener,), BrokerLink((Server("127.0.0.1", 1),)))
    with pytest.raises(GatewayError, match=says):
        Gateway(made, GatewayMetrics(), clock)


def test_a_port_that_is_taken_is_named(broker):
    async def work():
        async with serving(options(broker)) as served:
            taken = Listener("teltonika", "tcp", "127.0.0.1", served.port("teltonika"))
            made = GatewayOptions((taken,), BrokerLink((Server(broker.host, broker.mqtt_port),)))
            with pytest.raises(GatewayError, match=f"{taken.port}: .*in use"):
                await Gateway(made, GatewayMetrics(), clock).run(asyncio.Event())

    run(work())


def test_a_part_of_a_message_in_a_datagram_is_counted_and_not_acknowledged(broker):
    async def work():
        async with serving(options(broker, "jt808 udp")) as served:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=("127.0.0.1", served.port("jt808", "udp"))
            )
            transport.sendto(IN_PARTS[0])
            await until(lambda: served.metrics.refused, "a refusal")
            assert served.metrics.refused == {("jt808", "part"): 1}
            transport.close()

    run(work())
