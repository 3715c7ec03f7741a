"""What a source is: something that yields batches of messages and takes their acknowledgement.

Every way in (MQTT now; logs, gateways and files later) stands behind `Source`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from devices.batch import I64

Clock = Callable[[], int]
"""Now, in microseconds since 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Messages, those of each topic in the order of their arrival, shape (n,) each.

    received: int64 microseconds since 1970-01-01 UTC.
    token: what the source needs to acknowledge exactly these messages; opaque to everybody else.
    """

    topics: list[str]
    payloads: list[bytes]
    received: I64
    token: object = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.topics)

    def take(self, rows: Sequence[int]) -> "MessageBatch":
        """The messages of some rows, without the token: only a whole batch is acknowledged."""
        return MessageBatch(
            [self.topics[row] for row in rows],
            [self.payloads[row] for row in rows],
            self.received[np.array(rows, np.intp)],
        )


class Backlog(NamedTuple):
    """What a source has received from one broker and nobody has acknowledged yet.

    waiting: messages that no batch has taken. held: with those of the batch under way, and
    held_bytes their payloads and topics. window: of as many the source reads no further.
    """

    is_connected: bool
    waiting: int
    held: int
    held_bytes: int
    window: int


class StreamState(NamedTuple):
    """What a stream has for this worker.

    pending: by shard that is held, messages that were not delivered yet. stored_bytes: of all that
    waits in the stream, for whomever. limit_bytes: how much may; 0: no limit of its own.
    """

    pending: dict[int, int]
    stored_bytes: int
    limit_bytes: int


class Source(Protocol):
    """Yields batches; keeps every message until `acknowledge` is called for its batch."""

    async def start(self) -> None:
        """Begin to receive, and go on trying for as long as the broker is out of reach."""

    async def receive(self) -> MessageBatch:
        """The next batch, never empty; waits for one."""

    def acknowledge(self, batch: MessageBatch) -> None:
        """Release the batch's messages at the broker: call it only after the commit."""

    async def stop(self) -> None:
        """Stop receiving. What is not acknowledged is delivered again to the next worker."""
