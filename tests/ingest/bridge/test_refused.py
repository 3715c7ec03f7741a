"""An MQTT 5 broker that says what it does not take: counted, and kept by RabbitMQ."""

import asyncio
import tracemalloc
from dataclasses import replace

import pytest

from mqtt.options import BrokerOptions
from tests.ingest.bridge.feed import empty, options, running, send, value, waiting_in
from tests.ingest.publishing import until
from tests.ingest.test_mosquitto import receive, started
from tests.mosquitto import PLAIN

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr("ingest.bridge.round.REFUSED_AGAIN_S", 0.2)


def over_mqtt_5(rabbitmq, mosquitto, *providers):
    class Nobody:
        host, mqtt_port, device = "", 0, type("Login", (), {"username": None, "password": None})

    return replace(
        options(rabbitmq, Nobody, *providers, window=40),
        outboxes=(
            BrokerOptions(mosquitto.host, mosquitto.port, client_id="test-bridge", protocol=5),
        ),
    )


def test_messages_that_nobody_has_subscribed_to_wait_until_somebody_has(rabbitmq, mosquitto):
    async def go():
        async with running(over_mqtt_5(rabbitmq, mosquitto, "early")) as m:
            await send(rabbitmq, "early", [b"1", b"2"])
            refused = {"provider": "early", "code": "0x10"}
            await until(lambda: value(m, "refused_total", **refused) >= 4, "two offers of each")
            assert value(m, "forwarded_total", provider="early") == 0
            assert value(m, "open") == 2
            source = await started(mosquitto, 5)
            batches = await receive(source, 2)
            await source.stop()
            await empty(rabbitmq, "hanhtrinh.early")
        return sorted(payload for batch in batches for payload in batch.payloads)

    assert asyncio.run(go()) == [b"1", b"2"]


def test_what_is_in_hand_is_bounded_in_bytes_however_many_messages_may_be(rabbitmq, mosquitto):
    size, window, messages = 256 << 10, 1 << 20, 60
    mebibytes = over_mqtt_5(rabbitmq, mosquitto, "large")
    bounded = replace(mebibytes, window_messages=1000, window_bytes=window)

    async def go():
        tracemalloc.start()
        async with running(bounded) as m:
            await send(rabbitmq, "large", (b"%03d" % n + bytes(size) for n in range(messages)))
            refused = {"provider": "large", "code": "0x10"}
            await until(lambda: value(m, "refused_total", **refused) >= 20, "five offers of each")
            held = value(m, "open_bytes")
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            source = await started(mosquitto, 5)
            batches = await receive(source, messages)
            await source.stop()
            await empty(rabbitmq, "hanhtrinh.large")
            await until(lambda: value(m, "open_bytes") == 0, "the last acknowledgement")
        return held, peak, {payload[:3] for batch in batches for payload in batch.payloads}

    held, peak, came = asyncio.run(go())
    assert window <= held <= window + 2 * size
    assert peak < 12 * window < messages * size
    assert came == {b"%03d" % n for n in range(messages)}


def test_a_bridge_whose_window_is_full_stops_when_it_is_told_to(rabbitmq, mosquitto, monkeypatch):
    monkeypatch.setattr("ingest.bridge.round.GRACE_S", 0.5)
    bounded = replace(over_mqtt_5(rabbitmq, mosquitto, "full"), window_bytes=1000)

    async def go():
        async with running(bounded) as m, asyncio.timeout(20):
            await send(rabbitmq, "full", [bytes(600)] * 30)
            await until(lambda: value(m, "open_bytes") >= 1000, "a full window")
        return await waiting_in(rabbitmq, "hanhtrinh.full")

    assert asyncio.run(go()) == 30


def test_a_message_that_the_access_list_forbids_stays_with_rabbitmq(
    rabbitmq, mosquitto_with, tmp_path
):
    rights = tmp_path / "acl"
    rights.write_text("topic read gsht/#\n")
    rights.chmod(0o644)
    mosquitto = mosquitto_with(f"{PLAIN}acl_file {rights}\n")

    async def go():
        async with running(over_mqtt_5(rabbitmq, mosquitto, "denied")) as m:
            await send(rabbitmq, "denied", [b"%d" % n for n in range(30)])
            # Mosquitto 2.0.11 ends the connection after it has said so; others keep it.
            refused = {"provider": "denied", "code": "0x87"}
            await until(lambda: value(m, "refused_total", **refused) >= 1, "the refusal")
        assert value(m, "forwarded_total", provider="denied") == 0
        return await waiting_in(rabbitmq, "hanhtrinh.denied")

    assert asyncio.run(go()) == 30
