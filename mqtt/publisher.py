"""Publisher: sends messages in order at QoS 1, and raises for the first that is not taken."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, Self

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from mqtt.errors import LinkError, RefusedError
from mqtt.options import BrokerOptions
from mqtt.outbox import NO_SUBSCRIBERS, Outbox, is_refusal

WINDOW: Final = 512
"""Publishes that may wait for their acknowledgement at once."""

PATIENCE_S: Final = 30.0
"""How long the broker may acknowledge nothing while it owes something."""


class Sent(NamedTuple):
    """A message."""

    topic: str
    payload: bytes


def _nobody(_message: Sent) -> None:
    """Nobody wants to know."""


class Publisher:
    """One connection to publish over; a context manager. Every method raises MqttError.

    An error is final: it is the connection's last. What was sent and not acknowledged by then may
    have been taken or not, as QoS 1 has it.
    """

    def __init__(
        self,
        options: BrokerOptions,
        *,
        needs_subscribers: bool = False,
        patience_s: float = PATIENCE_S,
        acknowledged: Callable[[Sent], None] = _nobody,
    ) -> None:
        """Needs a running loop.

        needs_subscribers: a message that nobody has subscribed to, which MQTT 5's brokers may
        say and forget it, is refused. acknowledged: told of each message that the broker has.
        """
        self._outbox = Outbox[Sent](options, self._settled)
        self._refuses = is_refusal if needs_subscribers else _is_error
        self._patience_s = patience_s
        self._told = acknowledged
        self._refusal: RefusedError | None = None
        self._most = 0
        self._room = asyncio.Event()
        self.acknowledged = 0

    async def __aenter__(self) -> Self:
        await self._outbox.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._outbox.__aexit__()

    async def send(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Publish in this order; returns when the broker has acknowledged all of them."""
        for topic, payload in messages:
            if self._outbox.pending >= WINDOW:
                await self._until(WINDOW // 2)
            self._outbox.publish(Sent(topic, payload))
        await self._until(0)

    async def _until(self, most: int) -> None:
        """Wait until the broker owes no more than so many acknowledgements."""
        self._most = most
        while True:
            self._look()
            if self._outbox.pending <= most:
                return
            self._room.clear()
            before = self.acknowledged
            room = asyncio.ensure_future(self._room.wait())
            ends: list[asyncio.Future[Any]] = [room, self._outbox.closed]
            try:
                await asyncio.wait(
                    ends, timeout=self._patience_s, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                room.cancel()
            self._look()
            if not self._room.is_set() and self.acknowledged == before:
                raise self._lost(f"no acknowledgement within {self._patience_s:g} s")

    def _look(self) -> None:
        """Raise for what went wrong; the refusal first, for which brokers end connections."""
        if self._refusal is not None:
            raise self._refusal
        if self._outbox.closed.done():
            raise self._lost(self._outbox.closed.result())

    def _lost(self, reason: str) -> LinkError:
        """The connection's end, and where: a broker works in order, and may end it for a message.

        Its word about that one is lost with the connection when more was on its way to it.
        """
        first = self._outbox.oldest
        owed = ""
        if first is not None:
            owed = f"; not acknowledged: {self._outbox.pending}, the first for {first.topic}"
        return LinkError(f"{self._outbox.place}: {reason}{owed}")

    def _settled(self, message: Sent, code: int) -> None:
        if self._refuses(code):
            if self._refusal is None:
                self._refusal = RefusedError(message.topic, code, _meaning(code))
            self._room.set()
            return
        self.acknowledged += 1
        self._told(message)
        if self._outbox.pending <= self._most:
            self._room.set()


def _is_error(code: int) -> bool:
    return is_refusal(code) and code != NO_SUBSCRIBERS


def _meaning(code: int) -> str:
    """The standard's words for a reason code."""
    try:
        return str(ReasonCode(PacketTypes.PUBACK, identifier=code))
    except KeyError:  # none of the standard's
        return "unknown"
