"""Publishing to the test's broker, as the devices' user, every message acknowledged."""

import asyncio
from collections.abc import Iterable

import aiomqtt

from hanhtrinh.embedded import EmbeddedNats
from ingest.mqtt.source import MqttOptions
from mqtt.options import Server

DEADLINE_S = 60.0


async def publish(broker: EmbeddedNats, messages: Iterable[tuple[str, bytes]]) -> None:
    device = broker.device
    async with aiomqtt.Client(
        broker.host, broker.mqtt_port, username=device.username, password=device.password
    ) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, qos=1)


def mqtt_options(broker: EmbeddedNats, **more: object) -> MqttOptions:
    worker = broker.worker
    options = {"client_id": "test-worker", "batch_age_s": 0.05} | more
    port = int(str(options.pop("port", broker.mqtt_port)))
    options = {"servers": (Server(broker.host, port),)} | options
    return MqttOptions(
        username=worker.username,
        password=worker.password,
        **options,  # type: ignore[arg-type]
    )


async def until(condition, what: str) -> None:
    """Poll a condition; fail with `what` was waited for when the deadline passes."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110 - the condition is another thread's
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited {DEADLINE_S:.0f} s for {what}") from None
