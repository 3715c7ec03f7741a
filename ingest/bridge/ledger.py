"""Ledger: which deliveries of one AMQP channel are settled, and how to acknowledge them.

RabbitMQ numbers the deliveries of a channel from 1 and takes "everything up to n" as one
acknowledgement. Deliveries settle in any order: all below the first open one go as a whole, and
those above it one by one, so that a delivery that is held back holds back no other.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

PATIENT: Final = 256
"""So many settled deliveries wait behind an open one before they are acknowledged singly."""


class Due(NamedTuple):
    """Acknowledgements that are due. up_to: everything up to this tag, 0: nothing."""

    up_to: int
    singly: list[int]


class Ledger:
    """Delivery tags of one channel, from their delivery to their acknowledgement."""

    def __init__(self) -> None:
        self._first = 1
        self._last = 0
        self._settled: set[int] = set()
        self._singled: set[int] = set()

    def deliver(self, tag: int) -> None:
        """Note a delivery. RabbitMQ counts them up by one."""
        self._last = tag

    def settle(self, tag: int) -> None:
        """Say that a delivery is where it belongs, and may be forgotten by RabbitMQ."""
        self._settled.add(tag)

    @property
    def open(self) -> int:
        """Deliveries that are not settled."""
        return self._last - self._first + 1 - len(self._settled) - len(self._singled)

    def due(self, *, patient: bool = True) -> Due:
        """What is to be acknowledged now; what is returned counts as acknowledged.

        patient: leave settled deliveries above an open one for later if they are few.
        """
        up_to = 0
        for tag, is_singled in self._passed():
            if not is_singled:  # RabbitMQ knows a tag only until it is acknowledged
                up_to = tag
        singly: list[int] = []
        if len(self._settled) >= (PATIENT if patient else 1):
            singly = sorted(self._settled)
            self._singled |= self._settled
            self._settled.clear()
        return Due(up_to, singly)

    def _passed(self) -> Iterator[tuple[int, bool]]:
        """Settled tags below the first open one, and whether they were acknowledged singly."""
        while True:
            if self._first in self._settled:
                self._settled.remove(self._first)
                yield self._first, False
            elif self._first in self._singled:
                self._singled.remove(self._first)
                yield self._first, True
            else:
                return
            self._first += 1
