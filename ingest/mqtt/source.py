"""MqttSource: batches of messages from one or several MQTT 3.1.1 or 5 brokers.

Brokers that know nothing of each other share a fleet without a cluster: each holds what its own
trackers sent until it is acknowledged, and whoever is behind, away or coming back holds up none of
the others. A batch is joined from all that have something, so that it stays one large transaction,
and what it came from is told to each broker after the commit.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np

from ingest.mqtt.inbox import Taken
from ingest.mqtt.session import MqttOptions, MqttSession
from ingest.source import Backlog, Clock, MessageBatch

__all__ = ["MqttOptions", "MqttSource", "Part", "joined", "shares"]

END_S: Final = 10.0
"""How long a session may take to end."""


class Part(NamedTuple):
    """What a batch has of one broker."""

    session: MqttSession
    taken: Taken


class MqttSource:
    """A `Source` over a session with each broker. Use it from one event loop; not re-entrant."""

    def __init__(self, options: MqttOptions, clock: Clock) -> None:
        self._options = options
        self._sessions = {
            str(server): MqttSession(options, server, clock, self._came)
            for server in options.servers
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._some = asyncio.Event()
        self._enough = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Every broker delivers."""
        return all(session.connected for session in self._sessions.values())

    @property
    def failures(self) -> int:
        """Connections in a row that came to nothing, of the broker with most."""
        return max(session.failures for session in self._sessions.values())

    @property
    def due(self) -> int:
        """Batches that were released and whose acknowledgements are not on their way yet."""
        return max(session.due for session in self._sessions.values())

    def backlog(self) -> dict[str, Backlog]:
        """Of each broker, what is received and not acknowledged at this moment."""
        return {name: session.backlog() for name, session in self._sessions.items()}

    async def start(self) -> None:
        """Begin to connect to every broker, and go on trying until `stop`."""
        self._loop = asyncio.get_running_loop()
        for session in self._sessions.values():
            session.start()

    async def receive(self) -> MessageBatch:
        """The next batch: full, or as old as a batch may become; never empty."""
        size = self._options.batch_messages
        while True:
            await self._some.wait()
            remaining = self._oldest + self._options.batch_age_s - time.monotonic()
            if self._waiting < size and remaining > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), remaining)
            parts = self._take(size)
            self._announce()
            if parts:
                return joined(parts)

    def acknowledge(self, batch: MessageBatch) -> None:
        """Let each broker forget what the batch has of it."""
        assert isinstance(batch.token, tuple)
        for session, taken in batch.token:
            session.release(taken)

    async def stop(self) -> None:
        """Send the acknowledgements that are due, disconnect, end the threads."""
        for session in self._sessions.values():
            session.stop()
        for session in self._sessions.values():
            await asyncio.to_thread(session.join, END_S)

    @property
    def _waiting(self) -> int:
        return sum(session.waiting for session in self._sessions.values())

    @property
    def _oldest(self) -> float:
        """Since when the oldest message has waited; long since, if the one there was is gone."""
        sessions = self._sessions.values()
        return min((s.oldest for s in sessions if s.waiting), default=-float("inf"))

    def _take(self, size: int) -> list[Part]:
        """Messages of every broker that has some, so many in all at most."""
        sessions = [*self._sessions.values()]
        dealt = shares([session.waiting for session in sessions], size)
        return [
            Part(session, taken)
            for session, share in zip(sessions, dealt, strict=True)
            if share and (taken := session.take(share)) is not None
        ]

    def _announce(self) -> None:
        """Set both events as it is with what waits; a thread may add to it meanwhile."""
        for event, least in ((self._some, 1), (self._enough, self._options.batch_messages)):
            event.clear()
            if self._waiting >= least:
                event.set()

    def _came(self, before: int) -> None:
        """From a session's thread: it has more messages than so many."""
        if before == 0:
            self._signal(self._some)
        if not self._enough.is_set() and self._waiting >= self._options.batch_messages:
            self._signal(self._enough)

    def _signal(self, event: asyncio.Event) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting
            self._loop.call_soon_threadsafe(event.set)


def shares(waiting: Sequence[int], room: int) -> list[int]:
    """How many messages each broker may put into a batch of so many; waiting: how many each has.

    As if they were dealt out one by one in turn, whoever has least first: what those with little
    leave is the others', and none starves another.
    """
    dealt = [0] * len(waiting)
    filled = sorted((row for row, count in enumerate(waiting) if count), key=waiting.__getitem__)
    for number, row in enumerate(filled):
        dealt[row] = min(waiting[row], -(-room // (len(filled) - number)))
        room -= dealt[row]
    return dealt


def joined(parts: Sequence[Part]) -> MessageBatch:
    """One batch of one part or more, in the order in which they came; each part keeps its own."""
    received = np.concatenate([np.array(taken.received, np.int64) for _, taken in parts])
    topics = [*chain.from_iterable(taken.topics for _, taken in parts)]
    payloads = [*chain.from_iterable(taken.payloads for _, taken in parts)]
    if len(parts) > 1:
        order = np.argsort(received, kind="stable")
        received, rows = received[order], order.tolist()
        topics, payloads = [topics[row] for row in rows], [payloads[row] for row in rows]
    return MessageBatch(topics, payloads, received, tuple(parts))
