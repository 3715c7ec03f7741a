"""Publishing to real brokers: in order, all of it, and no refusal passes without a word."""

import asyncio
from contextlib import closing
from dataclasses import replace

import pytest

from hanhtrinh import connections, wiring
from hanhtrinh.settings import load
from ingest.errors import ReplayError
from ingest.replay import ReplayOptions, replay
from ingest.replay_columns import ColumnMap
from mqtt.errors import LinkError, MqttError, RefusedError
from mqtt.listener import Listener
from mqtt.options import BrokerOptions
from mqtt.publisher import WINDOW, Publisher, Sent
from simulators.errors import PublishError
from simulators.simulate import SimulateOptions, simulate
from storage import quarantine
from storage.database import connect
from tests.mosquitto import PLAIN
from tests.storage.connected import connected, rows
from tests.storage.test_quarantine_flood import entry

pytestmark = pytest.mark.integration
OPEN, SHUT = "gsht/v1/json/open", "gsht/v1/json/shut"


def at(broker, protocol=5):
    return BrokerOptions(broker.host, broker.port, protocol=protocol)


@pytest.fixture
def refusing(mosquitto_with, tmp_path):
    """A broker that takes nothing for one vehicle, nor any weighing."""
    rights = tmp_path / "acl"
    rights.write_text(f"topic readwrite gsht/#\ntopic deny {SHUT}\n")
    rights.chmod(0o644)
    return mosquitto_with(f"{PLAIN}acl_file {rights}\n")


def sent(options, messages, **more):
    """How many were acknowledged."""

    async def go():
        async with Publisher(options, **more) as publisher:
            await publisher.send(messages)
            return publisher.acknowledged

    return asyncio.run(go())


def heard(options, messages, **more):
    """What a subscriber hears of messages that are sent."""

    async def go():
        async with Listener(options) as listener, Publisher(options, **more) as publisher:
            await listener.subscribe("gsht/v1/+/+")
            await publisher.send(messages)
            async with asyncio.timeout(30):
                return [await listener.next() for _ in messages]

    return asyncio.run(go())


@pytest.mark.parametrize("protocol", [311, 5])
def test_more_than_a_window_arrives_whole_and_in_order(mosquitto, protocol):
    messages = [(OPEN, b"%d" % n) for n in range(3 * WINDOW + 1)]
    assert heard(at(mosquitto, protocol), messages, needs_subscribers=True) == messages


def test_a_broker_that_takes_few_at_a_time_is_given_few_at_a_time(mosquitto_with):
    broker = mosquitto_with(PLAIN.replace("max_inflight_messages 0", "max_inflight_messages 3"))
    messages = [(OPEN, b"%d" % n) for n in range(100)]
    assert heard(at(broker), messages) == messages


def test_a_refusal_names_topic_and_reason(refusing):
    with pytest.raises(RefusedError, match=rf"^topic {SHUT}: .*0x87 \(Not authorized\)") as said:
        sent(at(refusing), [(OPEN, b"1"), (SHUT, b"2")])
    assert (said.value.topic, said.value.code) == (SHUT, 0x87)


def test_a_refusal_that_is_lost_with_the_connection_names_the_topic_all_the_same(refusing):
    # Mosquitto 2.0 ends the connection behind a refusal; what was on its way resets it.
    with pytest.raises(MqttError, match=f"topic {SHUT}: refused|the first for {SHUT}$"):
        sent(at(refusing), [(OPEN, b"1"), (SHUT, b"2"), *[(OPEN, b"3")] * 300])


def test_what_was_refused_is_not_counted_and_ends_the_publisher(refusing):
    async def go():
        told: list[Sent] = []
        async with Publisher(at(refusing), acknowledged=told.append) as publisher:
            await publisher.send([(OPEN, b"1")])
            for _ in range(2):
                with pytest.raises(RefusedError):
                    await publisher.send([(SHUT, b"2")])
            return publisher.acknowledged, told

    assert asyncio.run(go()) == (1, [(OPEN, b"1")])


def test_what_nobody_would_hear_is_refused_to_whoever_asks_for_that(mosquitto):
    assert sent(at(mosquitto), [(OPEN, b"1")]) == 1
    with pytest.raises(RefusedError, match="0x10"):
        sent(at(mosquitto), [(OPEN, b"1")], needs_subscribers=True)


def test_nats_acknowledges_and_refuses_a_wrong_login(broker):
    device = broker.device
    options = BrokerOptions(broker.host, broker.mqtt_port, device.username, device.password)
    assert sent(options, [(OPEN, b"%d" % n) for n in range(1000)]) == 1000
    with pytest.raises(LinkError, match=r"MQTT broker 127\.0\.0\.1"):
        sent(replace(options, password="no"), [])


def test_a_broker_that_goes_away_is_an_error_and_no_hang(broker):
    device = broker.device
    options = BrokerOptions(broker.host, broker.mqtt_port, device.username, device.password)

    async def go():
        async with Publisher(options) as publisher:
            await publisher.send([(OPEN, b"1")])
            await asyncio.to_thread(broker.kill)
            with pytest.raises(LinkError, match=r"MQTT broker .*connection ended"):
                await publisher.send([(OPEN, b"2")])

    asyncio.run(go())


def test_a_broker_that_says_nothing_is_given_up():
    async def silent(reader, writer):
        with closing(writer):
            await reader.read(100)
            writer.write(b"\x20\x02\x00\x00")
            await reader.read()

    async def go():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Publisher(BrokerOptions(port=port), patience_s=0.1) as publisher:
            with pytest.raises(LinkError, match=r"no acknowledgement within 0\.1 s"):
                await publisher.send([(OPEN, b"1")])

    asyncio.run(go())


def test_a_simulation_that_is_refused_fails(refusing):
    options = SimulateOptions(at(refusing), vehicles=20, interval_s=1, codec="owntracks")
    with pytest.raises(PublishError, match=r"topic owntracks/\S+: refused .*0x87"):
        asyncio.run(simulate(options))


def test_a_replay_that_is_refused_fails(refusing, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("vehicle,time,lat,lon,speed\nshut,1577836800,21,105,0\n")
    columns = ColumnMap.parse("vehicle=vehicle,time=time,lat=lat,lon=lon,speed=speed")
    options = ReplayOptions(file, columns, at(refusing))
    with pytest.raises(ReplayError, match=rf"topic {SHUT}: .*0x87.*after 0 acknowledged"):
        asyncio.run(replay(options))


def test_a_release_that_is_refused_leaves_the_message_in_the_quarantine(refusing, database):
    made = load(
        environment={},
        overrides={
            "broker.host": refusing.host, "broker.port": refusing.port, "broker.protocol": "5",
            "database.dsn": database,
        },
    ).settings  # fmt: skip

    async def release():
        async with await connect(database, name="test") as conn:
            await quarantine.insert(conn, [entry(1, sender="shut")])
        options = connections.broker_options(made, connections.publisher_access(made))
        async with Listener(replace(options, client_id="hears")) as worker:
            await worker.subscribe("gsht/v1/+/+")
            with pytest.raises(MqttError, match=rf"topic {SHUT}: .*0x87"):
                await wiring.release_quarantine(made, None, None, None, lambda _: None)

    asyncio.run(release())
    waiting = "SELECT count(*) FROM quarantine WHERE released_at IS NULL"
    assert connected(database, lambda conn: rows(conn, waiting)) == [(1,)]
