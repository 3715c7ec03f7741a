"""Texts that stand in one buffer, numbered: each distinct one becomes a Python object once.

Belongs here: what compiled readers note as places and codecs need as names. Most texts of many
payloads (licences, states of inputs) are few, sent again and again.
"""

import os
from typing import Final

import numpy as np

from devices.batch import I32, I64, U8
from devices.compile import kernel

_SEED: Final = np.uint64(int.from_bytes(os.urandom(8), "little") | 1)
"""Nobody outside can know which texts fall on one place of the table, and send only such."""


def distinct(data: bytes, begin: I64, end: I64) -> tuple[I32, list[bytes]]:
    """The number of each text, -1 for empty ones, and the texts in order of first appearance.

    begin, end: shape (n,), where in `data` each stands.
    """
    n = len(begin)
    number, first = np.empty(n, np.int32), np.empty(n, np.int64)
    table = np.full(1 << (2 * n + 1).bit_length(), -1, np.int64)
    found = _number(np.frombuffer(data, np.uint8), begin, end, _SEED, table, number, first)
    rows = first[:found]
    places = zip(begin[rows].tolist(), end[rows].tolist(), strict=True)
    return number, [data[a:b] for a, b in places]


@kernel
def _number(
    data: U8, begin: I64, end: I64, seed: np.uint64, table: I64, number: I32, first: I64
) -> int:
    """Number the texts; how many there are. first: shape (n,), the row in which each first is."""
    count, last = 0, len(table) - 1
    for row in range(len(begin)):
        start, size = begin[row], end[row] - begin[row]
        if size == 0:
            number[row] = -1
            continue
        mixed = np.uint64(size)
        for at in range(start, start + size):
            mixed = (mixed ^ np.uint64(data[at])) * seed
        place = np.int64(mixed >> np.uint64(33)) & last
        while True:
            known = table[place]
            if known < 0:
                table[place], first[count] = count, row
                number[row] = count
                count += 1
                break
            other = begin[first[known]]
            if end[first[known]] - other == size:
                same = 0
                while same < size and data[other + same] == data[start + same]:
                    same += 1
                if same == size:
                    number[row] = known
                    break
            place = (place + 1) & last
    return count
