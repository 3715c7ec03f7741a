"""Round: what is under way between one connection to RabbitMQ and one to the MQTT broker.

Belongs here: the way of each message, from its delivery to its acknowledgement. Does not belong
here: connecting, and connecting again (bridge.py).
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection, FieldValue
from aiormq.abc import DeliveredMessage

from devices.formats.ufms.sender import claimed_provider
from ingest.bridge import topology
from ingest.bridge.errors import FeedError, OutboxError
from ingest.bridge.identity import Aside, Identifier, Verdict
from ingest.bridge.lane import Lane, claims_of, was_delivered_before
from ingest.bridge.metrics import BridgeMetrics
from ingest.bridge.options import BridgeOptions
from ingest.bridge.window import Window
from mqtt.outbox import Outbox, is_refusal

ACK_EVERY_S: Final = 0.005
"""Acknowledgements of this time go together: one per queue, mostly."""

GRACE_S: Final = 10.0
"""What is under way when the bridge is stopped is given so long to be settled."""

REFUSED_AGAIN_S: Final = 5.0
"""A message that the MQTT broker does not take is offered again after this time."""

MISSING_AGAIN_S: Final = 30.0
"""Exchanges that are not there are looked for again after this time."""

TOLD_EVERY_S: Final = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to publish, and the delivery that it came with."""

    topic: str
    payload: bytes
    provider: str
    lane: Lane
    tag: int


class Round:
    """What is under way between one connection to RabbitMQ and one to the MQTT broker."""

    def __init__(
        self, options: BridgeOptions, metrics: BridgeMetrics, identifier: Identifier
    ) -> None:
        self._options = options
        self._metrics = metrics
        self._identifier = identifier
        self.window = Window(options.window_bytes)
        self._lanes: list[Lane] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults: asyncio.Queue[BaseException] = asyncio.Queue()
        self._some_settled = asyncio.Event()
        self._missing: list[str] = []
        self._most_body_bytes = options.body_bytes
        self._forwarded = 0
        self._topics = {
            name: topology.named(options.topic, name) for name in options.feed.providers
        }
        self._counters = {name: metrics.forwarded.labels(name) for name in options.feed.providers}

    async def begin(
        self, connection: AbstractConnection, aside: AbstractConnection, outbox: Outbox[Letter]
    ) -> None:
        """Make what is missing in RabbitMQ, and consume. Raises what RabbitMQ refuses.

        aside: a connection for what is set aside. RabbitMQ stops reading from one that publishes
        when its memory runs low, and acknowledgements must not wait for that.
        """
        feed = self._options.feed
        self._connection, self._outbox = connection, outbox
        if outbox.most_body_bytes is not None:
            self._most_body_bytes = min(self._most_body_bytes, outbox.most_body_bytes)
        await topology.make_queues(connection, feed)
        # A copy that reaches no queue raises, and is confirmed to nobody.
        self._aside = await aside.channel(publisher_confirms=True, on_return_raises=True)
        if feed.declare:
            await self._bind([*feed.providers])
        queues = topology.queues(feed)
        prefetch = min(max(1, self._options.window_messages // len(queues)), 65_535)
        for queue in queues:
            self._lanes.append(await self._consume(queue, prefetch))
            for reason in Aside:  # Prometheus sees a rise only from something
                self._metrics.aside.labels(queue, str(reason))
        self._metrics.open.set_function(self._open)
        self._metrics.open_bytes.set_function(lambda: self.window.held_bytes)
        self._metrics.up.set(1)
        log.info("bridge.connected", queues=len(queues), prefetch=prefetch)

    async def _consume(self, queue: str, prefetch: int) -> Lane:
        return await Lane.open(self._connection, queue, prefetch, self._delivered, self.window)

    async def end(self) -> None:
        """Forget everything that is under way."""
        self._metrics.up.set(0)
        self._metrics.open.set_function(lambda: 0)
        self._metrics.open_bytes.set_function(lambda: 0)
        self.window.leave()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def work(self, stopped: "asyncio.Task[bool]") -> None:
        """Pass messages on until stopped; then finish what is under way.

        Raises BridgeError, and what the client of RabbitMQ raises.
        """
        for chore in (self._acknowledge(), self._tell(), self._look_for_exchanges()):
            self._spawn(chore)
        fault = asyncio.ensure_future(self._faults.get())
        try:
            ends: list[asyncio.Future[Any]] = [stopped, fault, self._outbox.closed]
            ends += [lane.closed for lane in self._lanes]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            self._raise_for_ends(fault)
            self.window.leave()
            for lane in self._lanes:
                await lane.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    while self._open():
                        self._raise_for_ends(fault)
                        await asyncio.sleep(0.01)
            for lane in self._lanes:
                await lane.acknowledge(patient=False)
        finally:
            fault.cancel()
        log.info("bridge.stopped", left=self._open())

    def settled(self, letter: Letter, code: int) -> None:
        """Take the MQTT broker's word about a message."""
        provider = letter.provider
        if is_refusal(code):
            self._metrics.refused.labels(provider, f"0x{code:02x}").inc()
            asyncio.get_running_loop().call_later(REFUSED_AGAIN_S, self._outbox.publish, letter)
            return
        self._counters[provider].inc()
        self._forwarded += 1
        self._settle(letter.lane, letter.tag, len(letter.payload))

    def _settle(self, lane: Lane, tag: int, size: int) -> None:
        lane.ledger.settle(tag)
        self.window.release(size)
        self._some_settled.set()

    def _delivered(self, lane: Lane, message: DeliveredMessage) -> None:
        """Publish a delivery, or set it aside."""
        tag = message.delivery_tag
        assert tag is not None
        if was_delivered_before(message):
            self._metrics.redelivered.labels(lane.queue).inc()
        verdict = self._judge(lane, message)
        if verdict.aside is None:
            name = verdict.provider
            self._outbox.publish(Letter(self._topics[name], message.body, name, lane, tag))
        else:
            self._spawn(self._set_aside(lane, tag, message, verdict))

    def _judge(self, lane: Lane, message: DeliveredMessage) -> Verdict:
        if len(message.body) > self._most_body_bytes:
            return Verdict(
                aside=Aside.TOO_LARGE,
                detail=f"expected at most {self._most_body_bytes} bytes, got {len(message.body)}",
            )
        body = claimed_provider(message.body) if self._options.feed.check_body else None
        return self._identifier.identify(claims_of(lane, message, body))

    async def _set_aside(
        self, lane: Lane, tag: int, message: DeliveredMessage, verdict: Verdict
    ) -> None:
        """Move a message to the queue for such; settled once RabbitMQ has confirmed that."""
        headers: dict[str, FieldValue] = {
            "hanhtrinh-reason": str(verdict.aside),
            "hanhtrinh-detail": verdict.detail,
            "hanhtrinh-queue": lane.queue,
            "hanhtrinh-exchange": message.exchange or "",
            "hanhtrinh-routing-key": message.routing_key or "",
            # Not as the property: RabbitMQ takes that only from the user itself.
            "hanhtrinh-user": message.header.properties.user_id or "",
        }
        copy = aio_pika.Message(
            message.body, headers=headers, delivery_mode=aio_pika.DeliveryMode.PERSISTENT
        )
        await self._aside.default_exchange.publish(
            copy, self._options.feed.aside_queue, mandatory=True
        )
        self._metrics.aside.labels(lane.queue, str(verdict.aside)).inc()
        log.warning(
            "bridge.set_aside", reason=str(verdict.aside), detail=verdict.detail, queue=lane.queue
        )
        self._settle(lane, tag, len(message.body))

    async def _acknowledge(self) -> None:
        while True:
            await self._some_settled.wait()
            self._some_settled.clear()
            for lane in self._lanes:
                await lane.acknowledge()
            await asyncio.sleep(ACK_EVERY_S)

    async def _tell(self) -> None:
        """One line about what was passed on, now and then."""
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            if self._forwarded:
                log.info("bridge.forwarded", messages=self._forwarded, open=self._open())
                self._forwarded = 0

    async def _bind(self, providers: list[str]) -> None:
        self._missing = await topology.bind_queues(self._connection, self._options.feed, providers)
        self._metrics.missing.set(len(self._missing))
        if self._missing:
            log.warning("bridge.exchanges_missing", providers=self._missing)

    async def _look_for_exchanges(self) -> None:
        while self._missing:
            await asyncio.sleep(MISSING_AGAIN_S)
            await self._bind(self._missing)

    def _open(self) -> int:
        return sum(lane.ledger.open for lane in self._lanes)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        """Do something beside; the round ends if it fails."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._faults.put_nowait(error)

    def _raise_for_ends(self, fault: "asyncio.Future[BaseException]") -> None:
        if self._outbox.closed.done():
            raise OutboxError(f"MQTT broker: {self._outbox.closed.result()}")
        for lane in self._lanes:
            if lane.closed.done():
                raise FeedError(f"RabbitMQ: {lane.closed.result()}")
        if fault.done():
            raise fault.result()
