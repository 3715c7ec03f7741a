"""Window: bytes of messages in hand, and RabbitMQ's socket, which is not read while they are many.

RabbitMQ bounds what it sends ahead by a number of messages alone. So the bytes of a connection go
through a gate: while it is shut, asyncio's buffer fills, the socket is read no further, and the
rest stays with RabbitMQ. What is acknowledged goes out all the while.
"""

import asyncio
from typing import Any

from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL


class Window:
    """Bytes of one round, which ends with its connection."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._is_leaving = False
        self._gate = asyncio.Event()
        self._gate.set()
        self.held_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether nothing more is to be taken: a message of any size was, before it was full."""
        return self.held_bytes >= self._most_bytes

    def take(self, size: int) -> None:
        """A message has come."""
        self.held_bytes += size
        if self.is_full and not self._is_leaving:
            self._gate.clear()

    def release(self, size: int) -> None:
        """A message is where it belongs."""
        self.held_bytes -= size
        if not self.is_full:
            self._gate.set()

    def leave(self) -> None:
        """Read on, however much there is: what RabbitMQ says at the end comes after messages."""
        self._is_leaving = True
        self._gate.set()

    async def opened(self) -> None:
        """Wait until there is room."""
        await self._gate.wait()


class GatedReader:
    """A stream that is read only while a window has room; as much of one as AMQP's client uses."""

    def __init__(self, stream: asyncio.StreamReader, window: Window) -> None:
        self._stream = stream
        self._window = window

    def at_eof(self) -> bool:
        """Whether nothing more will come."""
        return self._stream.at_eof()

    async def read(self, most: int = -1) -> bytes:
        """What is there."""
        await self._window.opened()
        return await self._stream.read(most)

    async def readexactly(self, size: int) -> bytes:
        """So many bytes."""
        await self._window.opened()
        return await self._stream.readexactly(size)


class GatedTransport(TransportFactory):
    """Makes connections to RabbitMQ that are read through a window."""

    def __init__(self, window: Window, *, over_tls: bool) -> None:
        self._window = window
        self._plain = TLSTransportFactory() if over_tls else TCPTransportFactory()

    async def create(self, url: URL, **more: Any) -> tuple[Any, asyncio.StreamWriter]:
        """Connect."""
        stream, writer = await self._plain.create(url, **more)
        return GatedReader(stream, self._window), writer
