"""Everything that is published on a broker, heard by a subscriber of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiomqtt

from hanhtrinh.embedded import EmbeddedNats
from simulators.publisher import BrokerOptions

DEADLINE_S = 60.0


class Heard(list[tuple[str, bytes]]):
    """(topic, payload) in the order of arrival."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def hear(self, topic: str, payload: bytes) -> None:
        self.append((topic, payload))
        self._more.set()

    async def at_least(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while len(self) < count:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def listening(broker: EmbeddedNats) -> AsyncIterator[Heard]:
    heard = Heard()
    worker = broker.worker
    async with aiomqtt.Client(
        broker.host, broker.mqtt_port, username=worker.username, password=worker.password
    ) as client:
        for topic in ("gsht/v1/+/+", "weigh/v1/+/+", "owntracks/+/+"):
            await client.subscribe(topic, qos=1)

        async def listen() -> None:
            async for message in client.messages:
                assert isinstance(message.payload, bytes)
                heard.hear(str(message.topic), message.payload)

        task = asyncio.create_task(listen())
        try:
            yield heard
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def as_device(broker: EmbeddedNats) -> BrokerOptions:
    device = broker.device
    return BrokerOptions(broker.host, broker.mqtt_port, device.username, device.password)
