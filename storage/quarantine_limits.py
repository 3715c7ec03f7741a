"""Which messages of a flood the quarantine keeps, and which it only counts.

Pure: numbers in, a choice out. A group is what one sender sent for one reason within one hour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Final, NamedTuple

PER_DOUBLING: Final = 10
"""Beyond the limits, ten messages are kept each time that the group's number doubles: 100 of the
million that follow a thousand."""

SAMPLE_BYTES: Final = 4096
"""What is kept of such a message: enough to see what it is. One that is longer is cut."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What of one group is kept whole.

    messages: of reasons that only sending otherwise mends. mendable: of those that registering
        somebody mends, after which they are released. payload_bytes: of either, together.
    """

    messages: int = 1000
    mendable: int = 20_000
    payload_bytes: int = 64 << 20


NO_LIMITS: Final = Limits(2**62, 2**62, 2**62)


class Before(NamedTuple):
    """Where a group stands. `new`: arrivals that repeated no kept message, kept or not."""

    new: int
    kept: int
    kept_bytes: int


class Choice(NamedTuple):
    """What to keep of a group: which messages, and how many bytes of each."""

    rows: list[int]
    lengths: list[int]


def choose(sizes: Sequence[int], before: Before, most: int, most_bytes: int) -> Choice:
    """What to keep of new messages of a group, in the order of their arrival.

    sizes: bytes of each. The first `most` are kept whole while `most_bytes` last; ever rarer ones
    after that, cut.
    """
    chosen = Choice([], [])
    kept, kept_bytes = before.kept, before.kept_bytes
    for index, size in enumerate(sizes):
        number = before.new + index + 1
        if kept < most and kept_bytes + size <= most_bytes:
            length = size
        elif is_sampled(number):
            length = min(size, SAMPLE_BYTES)
        else:
            continue
        chosen.rows.append(index)
        chosen.lengths.append(length)
        kept += 1
        kept_bytes += length
    return chosen


def is_sampled(number: int) -> bool:
    """Whether the message of that number (from 1) is one of the ten of its doubling."""
    if number == 1:
        return True
    return int(PER_DOUBLING * log2(number)) != int(PER_DOUBLING * log2(number - 1))
