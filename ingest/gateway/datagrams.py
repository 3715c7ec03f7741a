"""UDP: every datagram is a conversation of its own, with whole frames that name their sender.

While the broker is behind, datagrams are dropped and counted: their senders hear nothing and send
them again. A datagram's address can be forged, so nothing is remembered of it.
"""

import asyncio
from functools import partial
from typing import cast

from devices.streams.stream import Clock, Stream
from ingest.gateway.house import House, is_identity, topic_of

Address = tuple[str, int]


class Datagrams(asyncio.DatagramProtocol):
    """One UDP port."""

    def __init__(self, house: House, codec: str, stream: type[Stream], clock: Clock) -> None:
        self._house = house
        self._codec = codec
        self._stream = stream
        self._clock = clock
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The port is open."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The port is closed."""
        self._transport = None

    def error_received(self, exc: Exception) -> None:
        """An answer could not be delivered: that tracker is gone."""

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take a datagram apart."""
        refused = self._house.metrics.refused
        if self._house.publisher.is_held or self._house.is_closing:
            refused[self._codec, "held"] += 1
            return
        stream = self._stream(self._clock)
        for step in stream.take(data):
            if step.wrong or not is_identity(step.ident):
                refused[self._codec, step.wrong or "bad_identity"] += 1
                self._send(step.reply, addr)
            elif self._house.turns_away(self._codec, step.ident, addr[0]):
                pass  # an answer would go to whoever's address was written into the datagram
            elif step.payload:
                done = partial(self._acknowledged, step.reply, addr)
                topic = topic_of(self._codec, step.ident)
                self._house.publisher.publish(topic, step.payload, done)
            elif step.reply:
                self._send(step.reply, addr)
            else:  # a part of a message: what follows it would be another conversation
                refused[self._codec, "part"] += 1
        self._house.metrics.skipped[self._codec] += stream.skipped + stream.held

    def _acknowledged(self, reply: bytes, addr: Address) -> None:
        self._house.metrics.messages[self._codec] += 1
        self._send(reply, addr)

    def _send(self, reply: bytes, addr: Address) -> None:
        if reply and self._transport is not None:
            self._transport.sendto(reply, addr)
