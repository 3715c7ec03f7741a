"""What has come of one partition: complete and in order, or known not to be. Pure.

A consumer numbers its deliveries. One that is missing went to somebody else, who read with us for a
moment, or was lost with a connection. An acknowledgement covers everything before it, so what comes
after a gap must not be acknowledged: the partition begins again where it was last acknowledged.
"""

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ingest.retrying import Retrying

REPLY: Final = 9
"""Parts of `$JS.ACK.stream.consumer.tries.stream sequence.consumer sequence.time.pending`."""
LONG_REPLY: Final = 11
"""And where the account and the domain of JetStream stand after `ACK`; perhaps more at the end."""


class Delivery(NamedTuple):
    """What the reply subject says of a message. stored: microseconds since 1970, UTC.

    sequence: in the stream. number: of the delivery, by the consumer. pending: messages after it.
    """

    sequence: int
    number: int
    stored: int
    pending: int

    @classmethod
    def read(cls, reply: str) -> "Delivery":
        """Raises ValueError for anything else."""
        parts = reply.split(".")
        if len(parts) != REPLY and len(parts) < LONG_REPLY:
            raise ValueError(f"{reply!r}: expected a reply subject of JetStream")
        first = 5 if len(parts) == REPLY else 7
        sequence, number, time_ns, pending = map(int, parts[first : first + 4])
        return cls(sequence, number, time_ns // 1000, pending)


class Received(NamedTuple):
    """A message that no batch has taken."""

    topic: str
    payload: bytes
    stored: int
    reply: str

    @property
    def size(self) -> int:
        """Bytes of payload and topic."""
        return len(self.payload) + len(self.topic)


@dataclass(slots=True)
class Partition:
    """One partition of a worker's. Instants are of the event loop's clock.

    epoch: counts beginnings; what came before the last one is forgotten. is_begun: its consumer is
    where it was last acknowledged, and deliveries are numbered from 1. requested: messages that
    were asked for and have not come, until `request_ends`. held, held_bytes: received and not
    acknowledged; waiting: those of them that no batch has taken. confirmed: the newest reply
    subject that was acknowledged in this epoch. begun_at: when it began; infinity: it has failed
    since, and is not to begin before `retry_at`.
    """

    shard: int
    waiting: list[Received]
    epoch: int = 0
    is_begun: bool = False
    number: int = 0
    sequence: int = 0
    requested: int = 0
    request_ends: float = 0.0
    held: int = 0
    held_bytes: int = 0
    pending: int = 0
    retrying: Retrying = field(default_factory=Retrying)
    begun_at: float = math.inf
    retry_at: float = 0.0
    confirmed: str = ""

    @classmethod
    def of(cls, shard: int) -> "Partition":
        """One that has not begun."""
        return cls(shard, [])

    def begin(self, now: float) -> None:
        """Forget what came; the consumer was reset, and its next delivery is number 1."""
        self.end()
        self.is_begun = True
        self.begun_at = now

    def fail(self, now: float) -> None:
        """It could not begin, or its reading was interrupted: it begins again after a delay."""
        self.retry_at = now + self.retrying.failed(now - self.begun_at)
        self.begun_at = math.inf
        self.end()

    def end(self) -> None:
        """Forget what came: it is delivered again, to whoever begins next."""
        self.epoch += 1
        self.is_begun = False
        self.waiting = []
        self.number = self.requested = self.held = self.held_bytes = 0
        self.sequence = 0
        self.confirmed = ""

    def put(self, topic: str, payload: bytes, reply: str) -> bool:
        """Take a delivery in; False if one before it is missing, and the partition has to begin.

        What is delivered again while it is held is passed over.
        """
        delivery = Delivery.read(reply)
        self.requested = max(0, self.requested - 1)
        self.pending = delivery.pending
        if delivery.number != self.number + 1:
            return False
        self.number = delivery.number
        if delivery.sequence <= self.sequence:
            return True
        self.sequence = delivery.sequence
        self.held += 1
        received = Received(topic, payload, delivery.stored, reply)
        self.held_bytes += received.size
        self.waiting.append(received)
        return True

    def take(self, most: int) -> list[Received]:
        """The oldest messages that wait, at most so many."""
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        return taken

    def release(self, epoch: int, reply: str, messages: int, size: int) -> bool:
        """Messages are committed; whether to acknowledge: not if they are of an earlier epoch."""
        if epoch != self.epoch:
            return False
        self.held -= messages
        self.held_bytes -= size
        self.confirmed = reply
        return True
