"""Lane: one queue of the feed, on an AMQP channel of its own, with a ledger of its deliveries.

A channel each, so that a provider whose messages cannot be published holds up nobody else's.
Deliveries and acknowledgements go past aio-pika's objects, which cost as much again per message.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Self

from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractChannel, DeliveredMessage

from ingest.bridge.identity import Claims
from ingest.bridge.ledger import Ledger
from ingest.bridge.window import Window

MOST_NAME: Final = 255
"""Bytes of a name in AMQP. A provider with a longer one is none; and what is set aside says in a
header what its body claimed, which may be megabytes."""

Delivered = Callable[["Lane", DeliveredMessage], None]


class Lane:
    """One queue, consumed."""

    def __init__(
        self, queue: str, channel: AbstractChannel, delivered: Delivered, window: Window
    ) -> None:
        self.queue = queue
        self._window = window
        self._is_leaving = False
        self.ledger = Ledger()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._channel = channel
        self._delivered = delivered
        self._consumer = ""

    @classmethod
    async def open(
        cls, connection: AbstractConnection, queue: str, prefetch: int, delivered: Delivered,
        window: Window,
    ) -> Self:  # fmt: skip
        """Consume a queue, at most `prefetch` unacknowledged messages at a time."""
        outer = connection.channel(publisher_confirms=False)
        await outer.initialize()
        await outer.set_qos(prefetch_count=prefetch)
        lane = cls(queue, await outer.get_underlay_channel(), delivered, window)
        channel = lane._channel
        channel.on_consumer_cancel_callbacks.add(
            lambda _: lane._end("RabbitMQ cancelled the consumer")
        )
        channel.closing.add_done_callback(lane._on_closing)
        answer = await channel.basic_consume(queue, lane._on_delivery)
        lane._consumer = answer.consumer_tag or ""
        return lane

    async def cancel(self) -> None:
        """Take no more deliveries; those on their way while there is room."""
        self._is_leaving = True
        await self._channel.basic_cancel(self._consumer)

    async def acknowledge(self, *, patient: bool = True) -> int:
        """Acknowledge what is settled; how many acknowledgements that took."""
        due = self.ledger.due(patient=patient)
        if due.up_to:
            await self._channel.basic_ack(due.up_to, multiple=True, wait=False)
        for tag in due.singly:
            await self._channel.basic_ack(tag, wait=False)
        return bool(due.up_to) + len(due.singly)

    async def _on_delivery(self, message: DeliveredMessage) -> None:
        assert message.delivery_tag is not None
        if self._is_leaving and self._window.is_full:
            return  # not acknowledged: RabbitMQ gives it to whoever comes next
        self._window.take(len(message.body))
        self.ledger.deliver(message.delivery_tag)
        self._delivered(self, message)

    def _on_closing(self, closing: "asyncio.Future[object]") -> None:
        error = None if closing.cancelled() else closing.exception()
        self._end(str(error) if error else "the channel was closed")

    def _end(self, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(f"queue {self.queue}: {reason}")


def claims_of(lane: Lane, message: DeliveredMessage, body: str | None) -> Claims:
    """What a delivery says of its provider; of a body's name no more than there can be of one."""
    return Claims(
        lane.queue,
        message.exchange or "",
        message.routing_key or "",
        message.header.properties.user_id or None,
        body[: MOST_NAME + 1] if body else None,
    )


def was_delivered_before(message: DeliveredMessage) -> bool:
    """RabbitMQ has given it to somebody, who did not acknowledge it."""
    return bool(getattr(message.delivery, "redelivered", False))
