"""Publisher: sends a simulated fleet's messages when they are due.

Belongs here: one MQTT connection for a simulated fleet. Does not belong here: what is sent, the
protocol (mqtt/), and load beyond some thousands of messages a second (load.py).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import mqtt.publisher
from mqtt.errors import MqttError
from mqtt.options import BrokerOptions
from simulators.errors import PublishError
from simulators.feed import Message

__all__ = ["BrokerOptions", "Publisher", "connect"]


class Publisher:
    """Publishes at QoS 1, many at a time, and counts what the broker has acknowledged."""

    def __init__(self, broker: mqtt.publisher.Publisher) -> None:
        self._broker = broker

    @property
    def acknowledged(self) -> int:
        """Messages that the broker has."""
        return self._broker.acknowledged

    async def send(self, messages: Iterable[Message]) -> None:
        """Publish at once, in order; returns when all are acknowledged. Raises PublishError."""
        try:
            await self._broker.send((message.topic, message.payload) for message in messages)
        except MqttError as error:
            raise PublishError(str(error)) from error

    async def send_when_due(
        self,
        messages: Iterable[Message],
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        """Publish each message at its time; those that are overdue go at once."""
        waiting: list[Message] = []
        for message in messages:
            ahead_s = (message.due_us - now_us()) / 1e6
            if ahead_s > 0:
                await self.send(waiting)
                waiting = []
                await asyncio.sleep(max((message.due_us - now_us()) / 1e6, 0.0))
            waiting.append(message)
        await self.send(waiting)


@asynccontextmanager
async def connect(options: BrokerOptions) -> AsyncIterator[Publisher]:
    """A connected publisher. Raises PublishError if the broker does not take the connection."""
    broker = mqtt.publisher.Publisher(options)
    try:
        await broker.__aenter__()
    except MqttError as error:
        raise PublishError(str(error)) from error
    try:
        yield Publisher(broker)
    finally:
        await broker.__aexit__()
