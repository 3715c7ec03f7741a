"""JetStreamSource: batches of messages from a worker's partitions, acknowledged after the commit.

Of every partition the worker asks for a few thousand messages at a time, in order, and acknowledges
the last one of a batch, which stands for all before it. Which partitions it reads is told to it by
whoever holds their locks. A partition begins by resetting its consumer to what was acknowledged
last: what a predecessor had received and not committed comes at once.
"""

import asyncio
import contextlib
from typing import Any, Final, NamedTuple

import msgspec
import nats.errors
import numpy as np
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from ingest.errors import StreamError
from ingest.jetstream.connection import TURN_S, JetStreamOptions, connect
from ingest.jetstream.layout import SECOND_NS, consumer_of, topic_of
from ingest.jetstream.partition import Partition, Received
from ingest.jetstream.requests import UnansweredError, ask
from ingest.jetstream.stream import partitions_of
from ingest.retrying import Retrying
from ingest.source import Backlog, MessageBatch, StreamState

REQUEST_S: Final = 5.0
"""How long a request for messages stands: as long somebody who has died can still be sent some."""

PATIENCE_S: Final = 2.0
"""And how much longer its end is waited for, before it counts as lost with its server."""

LOOK_EVERY_S: Final = 5.0
"""How often each consumer is asked what waits, and whether it has delivered what did not come."""

log = structlog.get_logger(__name__)


class _Part(NamedTuple):
    """What a batch has of one partition; reply: of its last message."""

    shard: int
    epoch: int
    reply: str
    messages: int
    size: int


class JetStreamSource:
    """A `Source` on nats-py. Use it from one event loop; not re-entrant."""

    def __init__(self, options: JetStreamOptions) -> None:
        self._options = options
        self._partitions = {shard: Partition.of(shard) for shard in options.shards}
        self._held: frozenset[int] = frozenset()
        self._subscriptions: dict[int, Subscription] = {}
        self._client: Client | None = None
        self._tending: asyncio.Task[None] | None = None
        self._released: list[_Part] = []
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self._woken = asyncio.Event()
        self._first_at = 0.0
        self._looked_at = 0.0
        self._short: dict[int, tuple[int, int]] = {}
        self._stored = (0, 0)
        self._retrying = Retrying()

    @property
    def failures(self) -> int:
        """Tries in a row to connect that came to nothing."""
        return self._retrying.failures

    @property
    def connected(self) -> bool:
        """Every partition that is held is being read."""
        is_up = self._client is not None and self._client.is_connected
        return is_up and all(self._partitions[shard].is_begun for shard in self._held)

    def backlog(self) -> dict[str, Backlog]:
        """What is received and not acknowledged, at this moment, of the stream."""
        held = self._partitions.values()
        backlog = Backlog(
            self.connected, self._waiting, sum(p.held for p in held),
            sum(p.held_bytes for p in held),
            2 * self._options.batch_messages * len(self._held),
        )  # fmt: skip
        return {self._options.stream: backlog}

    def stream(self) -> StreamState:
        """What the stream has, as it was when it was looked at last."""
        pending = {shard: self._partitions[shard].pending for shard in sorted(self._held)}
        return StreamState(pending, *self._stored)

    def hold(self, shards: frozenset[int]) -> None:
        """From now on read these partitions and no others."""
        for shard in self._held - shards:
            self._partitions[shard].end()
        self._held = shards
        self._woken.set()

    async def start(self) -> None:
        """Begin to connect, and go on trying until `stop`."""
        self._tending = asyncio.create_task(self._tend(), name="jetstream-source")

    async def receive(self) -> MessageBatch:
        """The next batch: full, or as old as a batch may become; never empty.

        Raises StreamError if the stream is not there or has another number of partitions.
        """
        while True:
            await self._until_some()
            remaining = self._first_at + self._options.batch_age_s - _now()
            if self._waiting < self._options.batch_messages and remaining > 0:
                await _wait(self._enough, remaining)
            batch = self._take()
            self._woken.set()
            if batch is not None:
                return batch

    def acknowledge(self, batch: MessageBatch) -> None:
        """Let the stream forget the batch's messages: one acknowledgement for each partition."""
        assert isinstance(batch.token, list)
        self._released += batch.token
        self._woken.set()

    async def stop(self) -> None:
        """Acknowledge what is due and see that it was heard, then disconnect."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.gather(self._tending, return_exceptions=True)
        if self._client is not None:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._confirm()
            await self._client.close()
            self._client = None

    async def _until_some(self) -> None:
        """Wait for a message, or for the end of the task that would bring one."""
        assert self._tending is not None
        some = asyncio.create_task(self._some.wait(), name="jetstream-some")
        try:
            await asyncio.wait({some, self._tending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            some.cancel()
        if self._tending.done():
            self._tending.result()

    @property
    def _waiting(self) -> int:
        return sum(len(p.waiting) for p in self._partitions.values())

    def _take(self) -> MessageBatch | None:
        """A batch of all partitions that have something, the one with most waiting last."""
        room, parts = self._options.batch_messages, list[_Part]()
        messages: list[Received] = []
        filled = sorted(
            (p for p in self._partitions.values() if p.waiting), key=lambda p: len(p.waiting)
        )
        for number, partition in enumerate(filled):
            # An even share of the room that is left, so that no partition starves another.
            taken = partition.take(-(-(room - len(messages)) // (len(filled) - number)))
            if taken:
                size = sum(m.size for m in taken)
                parts.append(
                    _Part(partition.shard, partition.epoch, taken[-1].reply, len(taken), size)
                )
                messages += taken
        self._first_at = _now()
        self._announce()
        if not messages:
            return None
        stored = np.fromiter((m.stored for m in messages), np.int64, len(messages))
        topics, payloads = [m.topic for m in messages], [m.payload for m in messages]
        return MessageBatch(topics, payloads, stored, parts)

    def _announce(self) -> None:
        """Set both events as it is with what waits."""
        waiting = self._waiting
        for event, least in ((self._some, 1), (self._enough, self._options.batch_messages)):
            if waiting >= least:
                event.set()
            else:
                event.clear()

    # The task that keeps connection, requests and acknowledgements going -----------------------

    async def _tend(self) -> None:
        while True:
            try:
                client = await self._connected()
                await self._acknowledge_due(client)
                await self._end_unheld()
                for shard in sorted(self._held):
                    await self._serve(client, self._partitions[shard])
                await self._look(client)
            except (nats.errors.Error, OSError, UnansweredError) as error:
                delay_s = self._retrying.failed()
                said = str(error) or type(error).__name__
                log.warning("broker.unreachable", error=said, failures=self.failures)
                await asyncio.sleep(delay_s)
            self._woken.clear()
            await _wait(self._woken, TURN_S)

    async def _connected(self) -> Client:
        """The connection, made if there is none.

        nats-py makes it again by itself afterwards, unless the server said what was wrong with it.
        """
        if self._client is not None and not self._client.is_closed:
            return self._client
        if self._client is not None:
            log.warning("broker.disconnected", error=str(self._client.last_error or ""))
            self._client = None
            self._subscriptions.clear()  # they ended with it
            self._end_all()
        client = await connect(self._options, "hanhtrinh worker", self._begin_all)
        try:
            found = await partitions_of(client, self._options.stream)
        except StreamError:
            await client.close()
            raise
        if found > self._options.total:
            await client.close()
            raise StreamError(
                f"stream {self._options.stream}: has {found} partitions, this worker was told of "
                f"{self._options.total}: set jetstream.partitions or --shards .../{found}, or "
                "change the stream (docs/sources.md, 'Another number of partitions')"
            )
        if found < self._options.total:  # what waits in the former partitions is read, too
            log.warning("stream.shrunk", partitions=found, told=self._options.total)
        self._client = client
        self._retrying.succeeded()
        place = client.connected_url
        log.info("broker.connected", url=place.netloc if place is not None else "")
        return client

    async def _begin_all(self) -> None:
        log.warning("broker.reconnected")
        self._end_all()
        self._woken.set()

    def _end_all(self) -> None:
        """A new connection: what was on its way in the old one is lost."""
        for partition in self._partitions.values():
            partition.end()

    async def _end_unheld(self) -> None:
        for shard in [s for s in self._subscriptions if s not in self._held]:
            await self._subscriptions.pop(shard).unsubscribe()

    async def _serve(self, client: Client, partition: Partition) -> None:
        """Begin the partition if it has to, and ask for more if there is room."""
        now, options = _now(), self._options
        if not partition.is_begun:
            if now >= partition.retry_at:
                await self._begin(client, partition)
            return
        if partition.requested and now > partition.request_ends + PATIENCE_S:
            partition.requested = 0
        # So that at most twice as much is held as a request brings.
        is_full = (
            partition.held > options.batch_messages or partition.held_bytes > options.request_bytes
        )
        if partition.requested or is_full:
            return
        partition.requested = options.batch_messages
        partition.request_ends = now + REQUEST_S
        request = {
            "batch": options.batch_messages,
            "max_bytes": options.request_bytes,
            "expires": int(REQUEST_S * SECOND_NS),
        }
        await client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{options.stream}.{consumer_of(partition.shard)}",
            msgspec.json.encode(request),
            reply=self._subscriptions[partition.shard].subject,
        )

    async def _begin(self, client: Client, partition: Partition) -> None:
        """Have the consumer deliver again from what was acknowledged last."""
        shard, stream = partition.shard, self._options.stream
        if shard in self._subscriptions:
            await self._subscriptions.pop(shard).unsubscribe()
        try:
            name = f"CONSUMER.RESET.{stream}.{consumer_of(shard)}"
            await ask(client, name, patience_s=PATIENCE_S)
        except StreamError as error:
            partition.fail(_now())
            log.warning(
                "shard.unreadable", shard=shard, error=str(error),
                failures=partition.retrying.failures,
            )  # fmt: skip
            return
        if shard not in self._held:
            return
        partition.begin(_now())
        epoch = partition.epoch

        async def take_in(message: Msg) -> None:
            if partition.epoch == epoch:
                self._take_in(partition, message)

        self._subscriptions[shard] = await client.subscribe(
            client.new_inbox(), cb=take_in, pending_msgs_limit=0, pending_bytes_limit=0
        )
        log.info("shard.begun", shard=shard)

    def _take_in(self, partition: Partition, message: Msg) -> None:
        """A message, or what became of a request for some."""
        if not message.reply:
            partition.requested = 0
            self._woken.set()
            return
        if not partition.put(topic_of(message.subject), message.data, message.reply):
            self._interrupted(partition)
            self._woken.set()
            return
        waiting = self._waiting
        if waiting == 1:
            self._first_at = _now()
            self._some.set()
        if waiting >= self._options.batch_messages:
            self._enough.set()
        if not partition.requested:
            self._woken.set()

    def _interrupted(self, partition: Partition, **detail: int) -> None:
        """Have it begin again: later and later, if that does not hold."""
        partition.fail(_now())
        log.warning(
            "shard.interrupted", shard=partition.shard, failures=partition.retrying.failures,
            **detail,
        )  # fmt: skip

    async def _acknowledge_due(self, client: Client) -> None:
        released, self._released = self._released, []
        for part in released:
            partition = self._partitions[part.shard]
            if partition.release(part.epoch, part.reply, part.messages, part.size):
                await client.publish(part.reply, b"+ACK")

    async def _confirm(self) -> None:
        """Acknowledge what is due, and hear from the server that it is."""
        assert self._client is not None
        await self._acknowledge_due(self._client)
        for partition in self._partitions.values():
            if partition.is_begun and partition.confirmed:
                await self._client.request(partition.confirmed, b"+ACK", timeout=PATIENCE_S)

    async def _look(self, client: Client) -> None:
        """Ask the stream and the consumers what waits, every few seconds."""
        if _now() < self._looked_at + LOOK_EVERY_S:
            return
        self._looked_at = _now()
        stream = self._options.stream
        try:
            found = await ask(client, f"STREAM.INFO.{stream}", patience_s=PATIENCE_S)
            self._stored = found["state"]["bytes"], max(0, found["config"]["max_bytes"])
            for shard in sorted(self._held):
                name = f"CONSUMER.INFO.{stream}.{consumer_of(shard)}"
                found = await ask(client, name, patience_s=PATIENCE_S)
                self._compare(self._partitions[shard], found)
        except StreamError as error:
            log.warning("stream.unreadable", error=str(error))

    def _compare(self, partition: Partition, found: dict[str, Any]) -> None:
        """A consumer begins again if at two looks it had delivered what has not come."""
        partition.pending = found["num_pending"]
        delivered = found["delivered"]["consumer_seq"]
        if not partition.is_begun or delivered <= partition.number:
            self._short.pop(partition.shard, None)
            return
        # The answer overtakes messages that are on their way: once says nothing.
        state = partition.epoch, partition.number
        if self._short.get(partition.shard) == state:
            self._interrupted(partition, delivered=delivered)
        self._short[partition.shard] = state


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event is set, or for so long. Unlike `wait_for` it swallows no cancellation."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()
