"""The embedded broker: who may do what, what it keeps, and when it delivers again."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from devices.codec import MAX_PAYLOAD_BYTES
from hanhtrinh.embedded import Credentials, EmbeddedNats, ports
from hanhtrinh.embedded.nats import MAX_ACK_PENDING
from tests.hanhtrinh.waiting import wait_until

pytestmark = pytest.mark.integration
TOPICS = ("gsht/v1/+/+", "weigh/v1/+/+", "owntracks/+/+", "+/data")


class Client:
    """A client that keeps what it receives and acknowledges only when it is told to."""

    def __init__(self, broker: EmbeddedNats, who: Credentials, name: str, **options: Any) -> None:
        self.received: list[mqtt.MQTTMessage] = []
        self.granted: list[Any] = []
        self.refusal: Any = None
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, name, clean_session=False, manual_ack=True, **options
        )
        self.mqtt.username_pw_set(who.username, who.password)
        self.mqtt.on_message = lambda _c, _u, message: self.received.append(message)
        self.mqtt.on_subscribe = lambda _c, _u, _mid, codes, _p: self.granted.extend(codes)
        self.mqtt.on_connect = self._connected
        self.mqtt.max_inflight_messages_set(2000)
        self.mqtt.connect(broker.host, broker.mqtt_port)
        self.mqtt.loop_start()
        wait_until(lambda: self.mqtt.is_connected() or bool(self.refusal), "the broker answered")

    def _connected(self, _client: Any, _userdata: Any, _flags: Any, reason: Any, _p: Any) -> None:
        self.refusal = reason if reason.is_failure else None

    def subscribe(self, *topics: str) -> None:
        self.mqtt.subscribe([(topic, 1) for topic in topics])
        wait_until(lambda: len(self.granted) == len(topics), "subscriptions are granted")

    def publish(self, topic: str, *payloads: bytes) -> None:
        sent = [self.mqtt.publish(topic, payload, qos=1) for payload in payloads]
        for message in sent:
            message.wait_for_publish(60)

    def close(self, *, crash: bool = False) -> None:
        sock = self.mqtt.socket()
        if crash and sock is not None:
            sock.close()
        else:
            self.mqtt.disconnect()
        self.mqtt.loop_stop()


@contextmanager
def connected(broker: EmbeddedNats, who: Credentials, name: str) -> Iterator[Client]:
    client = Client(broker, who, name)
    try:
        yield client
    finally:
        client.close()


def test_what_a_device_publishes_reaches_the_worker(broker):
    with connected(broker, broker.worker, "w") as worker:
        worker.subscribe(*TOPICS)
        with connected(broker, broker.device, "d") as device:
            for topic in ("gsht/v1/json/1", "weigh/v1/json/a.b", "owntracks/u/d", "123/data"):
                device.publish(topic, b"x")
        wait_until(lambda: len(worker.received) == 4, "all four arrived")
    assert {message.topic for message in worker.received} == {
        "gsht/v1/json/1", "weigh/v1/json/a.b", "owntracks/u/d", "123/data",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["worker", "device"])
def test_a_wrong_password_is_refused(broker, name):
    client = Client(broker, Credentials(name, "wrong"), "w")
    client.close()
    assert client.refusal


def test_a_device_may_read_nothing(broker):
    with connected(broker, broker.device, "d") as device:
        device.subscribe(*TOPICS)
        assert all(code.is_failure for code in device.granted)


def test_a_worker_may_publish_no_measurements(broker):
    with (
        connected(broker, broker.worker, "reader") as reader,
        connected(broker, broker.worker, "w") as worker,
        connected(broker, broker.device, "d") as device,
    ):
        reader.subscribe(*TOPICS)
        worker.publish("gsht/v1/json/1", b"made up")
        device.publish("gsht/v1/json/1", b"measured")
        wait_until(lambda: bool(reader.received), "a message arrived")
    assert [message.payload for message in reader.received] == [b"measured"]


def test_a_payload_larger_than_any_codec_takes_still_arrives(broker):
    with connected(broker, broker.worker, "w") as worker:
        worker.subscribe(*TOPICS)
        with connected(broker, broker.device, "d") as device:
            device.publish("gsht/v1/json/1", bytes(10 * MAX_PAYLOAD_BYTES))
        wait_until(lambda: bool(worker.received), "it arrived")
    assert len(worker.received[0].payload) == 10 * MAX_PAYLOAD_BYTES


def test_a_worker_that_acknowledges_late_is_not_starved_at_a_batch(broker):
    messages = 5000
    assert messages < MAX_ACK_PENDING
    with connected(broker, broker.worker, "w") as worker:
        worker.subscribe(*TOPICS)
        with connected(broker, broker.device, "d") as device:
            device.publish("gsht/v1/json/1", *(b"%d" % number for number in range(messages)))
        # By payload: what waits for longer than ack_wait comes again in between.
        wait_until(
            lambda: len({message.payload for message in worker.received}) == messages,
            "more than a batch arrived",
        )


def test_what_was_not_acknowledged_is_delivered_again_to_the_next_worker(broker):
    worker = Client(broker, broker.worker, "w")
    worker.subscribe(*TOPICS)
    with connected(broker, broker.device, "d") as device:
        device.publish("gsht/v1/json/1", b"1", b"2", b"3")
        wait_until(lambda: len(worker.received) == 3, "all arrived")
        worker.mqtt.ack(worker.received[0].mid, 1)
        wait_until(lambda: not worker.mqtt.want_write(), "the acknowledgement is written")
        device.publish("gsht/v1/json/1", b"4")
        wait_until(lambda: len(worker.received) >= 4, "and one more, after the acknowledgement")
    worker.close(crash=True)
    with connected(broker, broker.worker, "w") as successor:
        wait_until(lambda: len(successor.received) >= 3, "the rest came again")
        payloads = {message.payload for message in successor.received}
    assert payloads == {b"2", b"3", b"4"}


def test_what_was_published_survives_the_broker_being_killed(broker):
    worker = Client(broker, broker.worker, "w")
    worker.subscribe(*TOPICS)
    worker.close()
    with connected(broker, broker.device, "d") as device:
        device.publish("gsht/v1/json/1", *(b"%d" % number for number in range(100)))
    broker.kill()
    broker.restart()
    with connected(broker, broker.worker, "w") as successor:
        wait_until(lambda: len(successor.received) >= 100, "all came")


def test_a_port_that_is_taken_meanwhile_is_replaced_by_another(broker, monkeypatch):
    with socket.create_server((ports.LOOPBACK, 0)) as taken:
        broker.stop()
        broker.mqtt_port = taken.getsockname()[1]
        broker.restart()
        assert broker.mqtt_port != taken.getsockname()[1]
    with connected(broker, broker.worker, "w") as worker:
        assert worker.mqtt.is_connected()


def test_its_configuration_is_for_its_owner_only(broker):
    config = next(broker.log.parent.glob("nats/nats.conf"))
    assert config.stat().st_mode & 0o077 == 0
    assert json.loads(config.read_text())["max_payload"] > MAX_PAYLOAD_BYTES
