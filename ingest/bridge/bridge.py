"""Bridge: takes messages off the feed's queues, publishes them, acknowledges them after the PUBACK.

It works in rounds: one connection to the MQTT broker, one to RabbitMQ, and everything that is under
way between them. When either ends, the round ends with all it held, and the next one begins.
RabbitMQ then delivers again what was not acknowledged, so that nothing is lost and some messages
are published twice, which changes nothing further on. No message is held across rounds: there is
nothing to reconcile (docs/decisions/0011-rounds-of-the-bridge.md).
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from ingest.bridge.errors import BridgeError, FeedError, OutboxError
from ingest.bridge.identity import Identifier
from ingest.bridge.metrics import BridgeMetrics
from ingest.bridge.options import BridgeOptions, FeedOptions
from ingest.bridge.rabbitmq import FAULTS, connect
from ingest.bridge.round import Letter, Round
from ingest.retrying import Retrying
from mqtt.errors import LinkError
from mqtt.options import BrokerOptions
from mqtt.outbox import Outbox

Sleep = Callable[[float], Awaitable[None]]

log = structlog.get_logger(__name__)


class Bridge:
    """Runs rounds until it is stopped. Several bridges may share the same queues."""

    def __init__(
        self, options: BridgeOptions, metrics: BridgeMetrics, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._options = options
        self._metrics = metrics
        self._sleep = sleep
        self._identifier = Identifier(options.feed)
        self._outboxes = deque(options.outboxes)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, and wait out whatever is wrong with either broker."""
        stopped = asyncio.create_task(stop.wait(), name="bridge-stop")
        retrying = Retrying()
        try:
            while not stop.is_set():
                began = time.monotonic()
                try:
                    current = Round(self._options, self._metrics, self._identifier)
                    async with _begun(current, self._options.feed, self._outboxes[0]):
                        await current.work(stopped)
                except BridgeError as error:
                    if isinstance(error, OutboxError):
                        self._outboxes.rotate(-1)
                    delay_s = retrying.failed(time.monotonic() - began)
                    self._metrics.failures.labels(error.broker).inc()
                    log.warning(
                        "bridge.interrupted", broker=error.broker, error=str(error),
                        failures=retrying.failures,
                    )  # fmt: skip
                    waiting = asyncio.ensure_future(self._sleep(delay_s))
                    await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
        finally:
            stopped.cancel()


@asynccontextmanager
async def _begun(
    current: Round, feed: FeedOptions, outbox_at: BrokerOptions
) -> AsyncIterator[None]:
    """Both connections, the MQTT broker's first: nothing is taken that cannot be passed on."""
    async with _outbox(outbox_at, current) as outbox:
        try:
            async with (
                await connect(feed.url, feed.tls, current.window) as connection,
                await connect(feed.url, feed.tls) as aside,
            ):
                try:
                    await current.begin(connection, aside, outbox)
                    yield
                finally:
                    await current.end()
        except FAULTS as error:
            raise FeedError(f"RabbitMQ: {str(error) or type(error).__name__}") from error


@asynccontextmanager
async def _outbox(options: BrokerOptions, current: Round) -> AsyncIterator[Outbox[Letter]]:
    """The connection to the MQTT broker. Raises OutboxError if there can be none."""
    outbox = Outbox[Letter](options, current.settled)
    try:
        await outbox.__aenter__()
    except LinkError as error:
        raise OutboxError(str(error)) from error
    try:
        yield outbox
    finally:
        await outbox.__aexit__()
