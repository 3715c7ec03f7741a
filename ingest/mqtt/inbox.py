"""Inbox: messages that were received and that no batch has taken, and what is not acknowledged.

The network thread puts, the event loop takes and releases; they meet nowhere else.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ingest.mqtt.wire import Messages

NOTHING_TO_ANSWER: Final = 0
"""The packet id of QoS 0."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Messages that were taken, in their order, and what acknowledges them.

    received: int64 microseconds since 1970-01-01 UTC. epoch: the connection in which packet_ids
    mean anything. size: bytes of payloads and topics.
    """

    topics: list[str]
    payloads: list[bytes]
    received: list[int]
    epoch: int
    packet_ids: list[int]
    size: int


class Inbox:
    """Messages received and not yet taken, shared by the network thread and the event loop.

    Packet ids are only valid within one connection. A new connection therefore empties the inbox:
    the broker sends everything that was not acknowledged again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages = Messages()
        self._received: list[int] = []
        self._unacknowledged: set[int] = set()
        self._epoch = 0
        self.oldest = 0.0
        self.held_messages = 0
        self.held_bytes = 0

    def begin_connection(self) -> None:
        with self._lock:
            self._epoch += 1
            self._messages = Messages()
            self._received = []
            self._unacknowledged.clear()
            self.held_messages = self.held_bytes = 0

    def put(self, messages: Messages, received: int) -> tuple[int, int]:
        """Add messages but those that we hold already; how many waited before, and wait now."""
        with self._lock:
            before = len(self._messages)
            new = self._unknown(messages)
            if len(new):
                if not before:
                    self.oldest = time.monotonic()
                held = self._messages
                held.topics += new.topics
                held.payloads += new.payloads
                held.packet_ids += new.packet_ids
                self._received += [received] * len(new)
                self.held_messages += len(new)
                self.held_bytes += _size(new.topics, new.payloads)
            return before, len(self._messages)

    def take(self, most: int) -> Taken | None:
        """The oldest messages that wait, at most so many; None if there are none."""
        with self._lock:
            held, received = self._messages, self._received
            self._messages = Messages(
                held.topics[most:], held.payloads[most:], held.packet_ids[most:]
            )
            self._received = received[most:]
            self.oldest = time.monotonic()
            epoch = self._epoch
        if not held:
            return None
        for column in (held.topics, held.payloads, held.packet_ids, received):
            del column[most:]
        return Taken(
            held.topics, held.payloads, received, epoch,
            [packet_id for packet_id in held.packet_ids if packet_id != NOTHING_TO_ANSWER],
            _size(held.topics, held.payloads),
        )  # fmt: skip

    def release(self, taken: Taken) -> list[int]:
        """The packet ids to acknowledge: none if the connection they belong to is gone."""
        with self._lock:
            if taken.epoch != self._epoch:
                return []
            self._unacknowledged.difference_update(taken.packet_ids)
            self.held_messages -= len(taken.topics)
            self.held_bytes -= taken.size
            return taken.packet_ids

    @property
    def waiting(self) -> int:
        return len(self._messages)

    def _unknown(self, messages: Messages) -> Messages:
        """Those that nobody works on: a broker may send one again on the same connection.

        It says so then. What comes with an id that is held and does not say so is another message:
        a broker without a window of its own (Mosquitto's `max_inflight_messages 0`) begins again
        with the first id when more are under way than there are ids.
        """
        ids, unacknowledged = messages.packet_ids, self._unacknowledged
        distinct = set(ids)
        if (
            len(distinct) == len(ids)
            and NOTHING_TO_ANSWER not in distinct
            and unacknowledged.isdisjoint(distinct)
        ):
            unacknowledged |= distinct
            return messages
        new = Messages()
        for topic, payload, packet_id in zip(messages.topics, messages.payloads, ids, strict=True):
            if packet_id in unacknowledged and packet_id in messages.sent_again:
                continue
            if packet_id != NOTHING_TO_ANSWER:
                unacknowledged.add(packet_id)
            new.topics.append(topic)
            new.payloads.append(payload)
            new.packet_ids.append(packet_id)
        return new


def _size(topics: Sequence[str], payloads: Sequence[bytes]) -> int:
    """What is held of messages, about: a topic may be as long as 64 KB."""
    return sum(map(len, topics)) + sum(map(len, payloads))
