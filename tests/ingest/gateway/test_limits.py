"""What the gateway puts up with, and what it does not: every wrong use beside the right one."""

import asyncio
import socket

import pytest

from hanhtrinh.commands.state import run
from ingest.gateway.gateway import Gateway
from ingest.gateway.metrics import GatewayMetrics
from ingest.gateway.options import BrokerLink, GatewayOptions
from mqtt.options import Server
from tests.devices.streams.dialogues import GPS103, H02_TEXT, IMEI, PACKET, clock
from tests.ingest.gateway.served import (
    DEADLINE_S,
    LOGIN,
    limited,
    listeners,
    listening,
    options,
    serving,
    standing_still,
    until,
)

pytestmark = pytest.mark.integration

OTHER = b"\x00\x0f352093081429168"


def closed(served):
    return {reason: count for (_, reason), count in served.metrics.closed.items()}


@pytest.mark.parametrize(
    ("said", "heard", "reason"),
    [
        (PACKET, b"", "no_identity"),
        (LOGIN + OTHER, b"\x01", "identity_changed"),
        (LOGIN + LOGIN + PACKET + OTHER, None, "identity_changed"),
        ((b"\x00\x0f" + b"x" * 15) * 20, b"\x00" * 17, "wrong_frames"),
        (b"x" * 70_000, b"", "garbage"),
        (b"\x00\x00\x00\x00\xee\xee\xee\xee" * 10_000, b"", "garbage"),
    ],
)
def test_a_tracker_that_breaks_the_rules_is_disconnected_and_counted(broker, said, heard, reason):
    async def work():
        async with serving(options(broker)) as served:
            tracker = await served.tracker()
            await tracker.say(said)
            answers = await tracker.is_hung_up_on()
            assert heard is None or answers in {heard, b""}  # what is unread may be reset
            await until(lambda: not served.house.connections, "its end")
            assert closed(served) == {reason: 1}

    run(work())


def test_a_broker_whose_name_cannot_be_one_ends_the_gateway_and_does_not_leave_it_waiting():
    made = GatewayOptions(
        listeners("teltonika tcp"), BrokerLink((Server("broker..example", 1883),))
    )

    async def work():
        with pytest.raises(UnicodeError):
            async with asyncio.timeout(DEADLINE_S):
                await Gateway(made, GatewayMetrics(), clock).run(asyncio.Event())

    run(work())


def test_a_wrong_login_may_be_put_right(broker):
    async def work():
        async with serving(options(broker)) as served:
            tracker = await served.tracker()
            await tracker.say(b"\x00\x0f" + b"x" * 15)
            await tracker.hears(b"\x00")
            await tracker.say(LOGIN)
            await tracker.hears(b"\x01")
            tracker.close()

    run(work())


@pytest.mark.parametrize(
    ("limits", "said", "reason"),
    [({"login_s": 0.2}, b"\x00", "no_login"), ({"idle_s": 0.2}, LOGIN, "idle")],
)
def test_silence_is_ended(broker, limits, said, reason):
    async def work():
        async with serving(options(broker, **limits)) as served:
            tracker = await served.tracker()
            await tracker.say(said)
            await tracker.is_hung_up_on()
            assert closed(served) == {reason: 1}

    run(work())


def test_connections_are_limited_in_all_and_for_each_address(broker):
    async def work():
        made = limited(options(broker), connections=3, per_address=2)
        async with serving(made) as served:
            first = [await served.tracker(local="127.0.0.1") for _ in range(2)]
            for tracker in first:
                await tracker.say(LOGIN)
                await tracker.hears(b"\x01")
            third = await served.tracker(local="127.0.0.1")
            await third.is_hung_up_on()
            other = await served.tracker(local="127.0.0.2")
            await other.say(LOGIN)
            await other.hears(b"\x01")
            fourth = await served.tracker(local="127.0.0.3")
            await fourth.is_hung_up_on()
            assert closed(served) == {"too_many_of_address": 1, "too_many": 1}
            first[0].close()
            await until(lambda: len(served.house.connections) == 2, "room")
            again = await served.tracker(local="127.0.0.1")
            await again.say(LOGIN)
            await again.hears(b"\x01")
            for tracker in (first[1], other, again):
                tracker.close()

    run(work())


def test_a_flood_is_slowed_and_then_ended_and_others_are_served_meanwhile(broker):
    async def work():
        made = options(
            broker, "gps103 tcp", "teltonika tcp", frames_per_s=200.0, burst_frames=100, flood_s=1.0
        )
        async with serving(made) as served:
            flood, calm = await served.tracker("gps103"), await served.tracker()
            await calm.say(LOGIN)
            await calm.hears(b"\x01")

            async def pour():
                try:
                    while True:
                        await flood.say(GPS103 * 100)
                except ConnectionError:
                    flood.close()

            pouring = asyncio.create_task(pour())
            while not pouring.done():
                await calm.say(PACKET)
                await calm.hears(b"\x00\x00\x00\x02")
                await asyncio.sleep(0.1)
            assert closed(served) == {"flood": 1}
            assert served.metrics.messages["gps103"] < 2_000  # of a hundred thousand and more
            calm.close()

    run(work())


def unread_socket(port):
    """A tracker that reads nothing, whose system takes in little for it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    return sock


def test_a_tracker_that_does_not_read_its_answers_is_read_no_further_and_ended(broker):
    async def work():
        made = options(broker, "h02 tcp", frames_per_s=1e6, burst_frames=1_000_000, slow_s=0.5)
        async with serving(made) as served:
            sock = await asyncio.to_thread(unread_socket, served.port("h02"))
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(30):
                    while True:
                        await loop.sock_sendall(sock, H02_TEXT * 50)
            except ConnectionError:
                pass
            finally:
                sock.close()
            assert closed(served) == {"slow_reader": 1}

    run(work())


def test_what_is_held_for_a_slow_broker_is_bounded_and_nobody_is_disconnected_for_it(broker):
    """Ten trackers pour while the broker stands still; then everything that was read arrives."""

    async def work():
        made = options(
            broker, "gps103 tcp", frames_per_s=1e6, burst_frames=1_000_000,
            window_messages=100, window_bytes=64 << 10, idle_s=1.0,
        )  # fmt: skip
        async with serving(made) as served, listening(broker) as heard:
            trackers = [await served.tracker("gps103") for _ in range(10)]
            async with standing_still(broker):
                pouring = [asyncio.create_task(tracker.say(GPS103 * 5_000)) for tracker in trackers]
                await until(lambda: len(served.house.waiting) == 10, "pauses")
                held = served.house.publisher.held_bytes
                await asyncio.sleep(1.5)
                assert served.house.publisher.held_bytes == held <= 10 * 16_384 + (64 << 10)
                assert len(served.house.connections) == 10
            before = len(heard.messages)
            await until(lambda: len(heard.messages) > before + 2_000, "messages")
            for task, tracker in zip(pouring, trackers, strict=True):
                task.cancel()
                tracker.writer.transport.abort()
            await asyncio.gather(*pouring, return_exceptions=True)
            assert heard.messages[0] == (f"gsht/v1/gps103/{IMEI}", GPS103)

    run(work())


def test_an_identity_that_no_topic_can_name_is_refused(broker):
    async def work():
        async with serving(options(broker, "wialon tcp")) as served:
            tracker = await served.tracker("wialon")
            await tracker.say(b"#L#2.0;" + b"9" * 70 + b";NA;0000\r\n")
            await tracker.is_hung_up_on()
            assert closed(served) == {"bad_identity": 1}

    run(work())


def test_the_metrics_say_what_happened(broker):
    from prometheus_client import generate_latest

    async def work():
        async with serving(options(broker)) as served:
            tracker = await served.tracker()
            await tracker.say(b"rubbish" + LOGIN + PACKET + PACKET[:-1] + b"\xff")
            await tracker.hears(b"\x01\x00\x00\x00\x02")
            await tracker.hears(b"\x00\x00\x00\x00")
            text = generate_latest(served.metrics.registry).decode()
            for line in (
                'hanhtrinh_gateway_messages_total{codec="teltonika"} 1.0',
                'refused_frames_total{codec="teltonika",reason="bad_checksum"} 1.0',
                'hanhtrinh_gateway_skipped_bytes_total{codec="teltonika"} 7.0',
                "hanhtrinh_gateway_open_connections 1.0",
                "hanhtrinh_gateway_broker_up 1.0",
            ):
                assert line in text
            tracker.close()

    run(work())
