"""A connection for every tracker: nothing lost when it breaks, clear words when it cannot be."""

import asyncio
import resource
from dataclasses import replace

import pytest

from devices.mqtt_packets import CONNACK_ACCEPTED, PUBACK, publish_packet
from ingest.mqtt.source import MqttSource
from simulators.connections import room
from simulators.connections.publisher import CrowdOptions, connect_crowd
from simulators.connections.tracker import Tracker
from simulators.connections.wire import State
from simulators.errors import PublishError, TooManyConnectionsError
from simulators.feed import Message
from simulators.simulate import SimulateOptions, simulate
from tests.ingest.publishing import mqtt_options, until
from tests.simulators.listener import as_device, listening

NAMES = [f"8690{n:011d}" for n in range(40)]


def messages(count: int) -> list[Message]:
    return [Message(0, f"gsht/v1/json/{n % 20}", b"%d" % n, n % 20) for n in range(count)]


@pytest.mark.integration
def test_every_tracker_connects_and_each_keeps_its_order(broker):
    async def run():
        async with listening(broker) as heard:
            async with connect_crowd(CrowdOptions(as_device(broker), NAMES)) as crowd:
                held = crowd.connected
                await crowd.send([*messages(2000), Message(0, "weigh/v1/json/QL5", b"scale")])
                await heard.at_least(2001)
            return held, crowd.acknowledged, heard

    held, acknowledged, heard = asyncio.run(run())
    assert (held, acknowledged) == (len(NAMES), 2001)
    for topic in {message.topic for message in messages(20)}:
        got = [int(payload) for where, payload in dict.fromkeys(heard) if where == topic]
        assert got == sorted(got)
        assert len(got) == 100
    assert ("weigh/v1/json/QL5", b"scale") in heard


@pytest.mark.integration
def test_a_broker_that_dies_costs_no_message(broker):
    sent = {b"%d" % n for n in range(1000)}

    async def run():
        # A session that the broker keeps: what is sent before it is back waits for it.
        source = MqttSource(mqtt_options(broker), lambda: 0)
        await source.start()
        await until(lambda: source.connected, "the subscription")
        async with connect_crowd(CrowdOptions(as_device(broker), NAMES)) as crowd:
            await crowd.send(messages(20))
            broker.kill()
            await crowd.send_when_due(messages(1000)[20:])
            await until(lambda: crowd.lost >= len(NAMES), "every connection to be lost")
            broker.restart()
            await crowd.drain()
            seen: set[bytes] = set()
            async with asyncio.timeout(60):
                while not sent <= seen:
                    batch = await source.receive()
                    seen |= set(batch.payloads)
                    source.acknowledge(batch)
            await source.stop()
            return crowd.acknowledged, crowd.failures

    acknowledged, failures = asyncio.run(run())
    assert acknowledged == len(sent)
    assert failures


@pytest.mark.integration
def test_a_wrong_password_is_a_publish_error(broker):
    async def run():
        wrong = replace(as_device(broker), password="no")
        async with connect_crowd(CrowdOptions(wrong, NAMES)):
            pass

    with pytest.raises(PublishError, match="refused"):
        asyncio.run(run())


@pytest.mark.integration
def test_a_simulated_fleet_sends_over_connections_of_its_own(broker):
    options = SimulateOptions(
        as_device(broker), vehicles=40, interval_s=1, codec="mix", duration_s=2, connections=30
    )

    async def run():
        async with listening(broker) as heard:
            report = await simulate(options)
            await heard.at_least(report.messages)
            return report, heard

    report, heard = asyncio.run(run())
    assert report.messages >= 80
    assert len(set(heard)) == report.messages


class Wire(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True


def test_what_was_not_acknowledged_is_sent_again_first_and_within_the_window():
    async def go():
        state = State()
        tracker = Tracker(0, 2, state, lambda _: None, lambda _: None)
        for text in (b"one", b"two", b"three"):
            tracker.publish("t", text)
        first, second = Wire(), Wire()
        tracker.connection_made(first)
        tracker.data_received(CONNACK_ACCEPTED)
        before = first.written
        tracker.data_received(PUBACK + b"\x00\x01")
        after = first.written[len(before) :]
        tracker.connection_lost(None)
        tracker.connection_made(second)
        tracker.data_received(CONNACK_ACCEPTED)
        return state, before, after, second.written

    state, before, after, again = asyncio.run(go())
    assert state.acknowledged == 1
    assert before == publish_packet("t", b"one", 1) + publish_packet("t", b"two", 2)
    assert after == publish_packet("t", b"three", 3)
    assert again == publish_packet("t", b"two", 4) + publish_packet("t", b"three", 5)


def test_a_broker_that_talks_nonsense_is_left():
    async def go():
        state, wire = State(), Wire()
        tracker = Tracker(0, 2, state, lambda _: None, lambda _: None)
        tracker.connection_made(wire)
        tracker.data_received(b"HTTP/1.1 400 Bad Request\r\n")
        return state, wire

    state, wire = asyncio.run(go())
    assert wire.is_aborted
    assert "expected CONNACK" in state.failure


def test_too_few_files_name_the_limit_and_how_to_raise_it(monkeypatch):
    def forbid(_which, wanted):
        if wanted[1] > 1024:
            raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    monkeypatch.setattr(resource, "setrlimit", forbid)
    assert room.processes_for(800) == 1
    assert room.processes_for(8_000) == 10
    with pytest.raises(TooManyConnectionsError, match=r"50,000 need 3,325 .*1,024.*ulimit"):
        room.processes_for(50_000)


def test_source_addresses_are_loopbacks_own():
    assert len(room.source_addresses("127.0.0.1", 50_000)) == 10
    assert room.source_addresses("192.0.2.7", 50_000) == ()
