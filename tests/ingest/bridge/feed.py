"""Both ends of a bridge under test: a provider that sends to RabbitMQ, and what MQTT received."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress

import aio_pika

from ingest.bridge.bridge import Bridge
from ingest.bridge.metrics import BridgeMetrics
from ingest.bridge.options import BridgeOptions, FeedOptions
from ingest.mqtt.source import MqttSource
from mqtt.options import BrokerOptions
from tests.ingest.publishing import mqtt_options, until

PATIENCE_S = 60.0


def options(rabbitmq, broker, *providers, window=1000, **feed):
    device = broker.device
    return BridgeOptions(
        FeedOptions(url=rabbitmq.url, providers=providers, exchange_type="direct",
                    routing_keys=("track1", "track2"), **feed),
        (BrokerOptions(broker.host, broker.mqtt_port, device.username, device.password,
                       "test-bridge"),),
        window_messages=window,
    )  # fmt: skip


@asynccontextmanager
async def running(bridge_options, metrics=None):
    """A bridge in this process; stopped in order at the end."""
    metrics = metrics or BridgeMetrics()
    stop = asyncio.Event()
    task = asyncio.create_task(Bridge(bridge_options, metrics).run(stop))
    try:
        await until(lambda: value(metrics, "up") == 1 or task.done(), "the bridge to connect")
        yield metrics
    finally:
        stop.set()
        await task


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"hanhtrinh_bridge_{name}", labels) or 0


@asynccontextmanager
async def channel_of(rabbitmq):
    async with (
        await aio_pika.connect(rabbitmq.url) as connection,
        connection.channel(on_return_raises=True) as channel,
    ):
        yield channel


async def send(rabbitmq, provider, bodies, key="track1", **properties):
    """Publish as providers do, without properties; confirmed, so that it counts as sent."""
    async with channel_of(rabbitmq) as channel:
        exchange = await channel.get_exchange(f"tracking.{provider}")
        for body in bodies:
            message = aio_pika.Message(body, **properties)
            await exchange.publish(message, key, mandatory=True)


async def waiting_in(rabbitmq, queue):
    """Messages that a queue holds and has given to nobody."""
    async with channel_of(rabbitmq) as channel:
        found = await channel.get_queue(queue)
        return found.declaration_result.message_count


async def empty(rabbitmq, queue):
    """Wait until a queue's messages are gone, or fail."""
    deadline = time.monotonic() + PATIENCE_S
    while await waiting_in(rabbitmq, queue):
        assert time.monotonic() < deadline, f"{queue} is not empty"
        await asyncio.sleep(0.05)


class Heard(list[tuple[str, bytes]]):
    """(topic, payload) of what came to a persistent session, each acknowledged."""

    async def all_of(self, expected):
        await until(lambda: set(expected) <= set(self), "the messages")


@asynccontextmanager
async def worker(broker):
    """A worker's session at the broker, whose messages are kept."""
    source = MqttSource(mqtt_options(broker), lambda: 0)
    await source.start()
    heard = Heard()

    async def listen():
        while True:
            batch = await source.receive()
            heard.extend(zip(batch.topics, batch.payloads, strict=True))
            source.acknowledge(batch)

    task = asyncio.create_task(listen())
    try:
        await until(lambda: source.connected, "the worker's session")
        yield heard
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await source.stop()
