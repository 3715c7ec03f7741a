"""Listener: a subscription over one link, for whoever wants to hear a few messages once."""

import asyncio
from typing import Any

from paho.mqtt.client import Client, MQTTMessage

from mqtt.errors import LinkError, RefusedError
from mqtt.link import Link
from mqtt.options import BrokerOptions


class Listener(Link):
    """One connection, for this once: the broker keeps nothing of it."""

    def __init__(self, options: BrokerOptions) -> None:
        super().__init__(options)
        self._granted: asyncio.Future[int] = self._loop.create_future()
        self._heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    def _make_client(self) -> Client:
        client = super()._make_client()
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    async def subscribe(self, topics: str) -> None:
        """Hear these topics at QoS 1. Raises RefusedError, LinkError. Once for a listener."""
        self._client.subscribe(topics, qos=1)
        ends: list[asyncio.Future[Any]] = [self._granted, self.closed]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not self._granted.done():
            raise LinkError(f"{self.place}: {self.closed.result()}")
        if (code := self._granted.result()) >= 0x80:
            raise RefusedError(topics, code, "subscription")

    async def next(self) -> tuple[str, bytes]:
        """Topic and payload of the next message."""
        return await self._heard.get()

    def _on_subscribe(
        self, _client: Client, _userdata: object, _mid: int, codes: Any, _properties: object
    ) -> None:
        if not self._granted.done():
            self._granted.set_result(int(codes[0].value))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._heard.put_nowait((message.topic, bytes(message.payload)))
