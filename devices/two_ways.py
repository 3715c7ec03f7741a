"""Decoding in two ways: frames of the commonest shape as columns, all others one by one."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from devices.batch import F64, I64
from devices.codec import MAX_PAYLOAD_BYTES, Decoded
from devices.merging import merged
from devices.rows import FixRows, decode_each

T = TypeVar("T")

Swift = Callable[[Sequence[bytes], I64], tuple[Decoded, list[int]]]
"""(payloads, received): what could be read as columns, and the indices of all other payloads."""


def of_each(function: Callable[[bytes], T], texts: Sequence[bytes]) -> list[T]:
    """`function` of each text, computed once for all that are equal."""
    known = {text: function(text) for text in set(texts)}
    return [*map(known.__getitem__, texts)]


def numbered(texts: Sequence[bytes]) -> tuple[list[int], tuple[str, ...]]:
    """Each ASCII text as its number in a table without repeats, and that table."""
    number = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    return [*map(number.__getitem__, texts)], tuple(map(bytes.decode, number))


def few_decimals(texts: Sequence[bytes]) -> F64:
    """`columns.decimals` of texts of which most are equal, as counts are; shape (len(texts),)."""
    return np.array(of_each(lambda text: float(text or b"nan"), texts), np.float64)


def fields_of(
    pattern: re.Pattern[bytes], payloads: Sequence[bytes]
) -> tuple[list[bytes], list[int], list[int]]:
    """The groups of all payloads that match, one behind the other; their indices; all others'.

    Field k of every match is `fields[k :: pattern.groups]`: tuples would keep the collector busy.
    """
    match = pattern.fullmatch
    fields: list[bytes] = []
    taken: list[int] = []
    rest: list[int] = []
    for index, payload in enumerate(payloads):
        one = match(payload)
        if one is None or len(payload) > MAX_PAYLOAD_BYTES:
            rest.append(index)
        else:
            fields += one.groups(b"")
            taken.append(index)
    return fields, taken, rest


def decode_two_ways(
    payloads: Sequence[bytes], received: I64, swift: Swift, read: Callable[[bytes, FixRows], None]
) -> Decoded:
    """Read what `swift` can, and the rest payload by payload with `read`."""
    quick, rest = swift(payloads, received)
    if not rest:
        return quick
    slow = decode_each(payloads, received, read, rest)
    return merged([quick, slow])
