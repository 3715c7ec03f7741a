"""Decoding in two ways: frames of the commonest shape as columns, all others one by one.

Belongs here: what puts the fixes of both ways back into the order of their payloads.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from devices.batch import F64, I32, I64, FixBatch
from devices.checks import tidy_refusals
from devices.codec import Decoded
from devices.rows import FixRows, decode_each
from devices.texts import Names

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


def decode_two_ways(
    payloads: Sequence[bytes], received: I64, swift: Swift, read: Callable[[bytes, FixRows], None]
) -> Decoded:
    """Read what `swift` can, and the rest payload by payload with `read`."""
    quick, rest = swift(payloads, received)
    if not rest:
        return quick
    index = np.array(rest, np.int32)
    slow = decode_each([payloads[one] for one in rest], received[index], read)
    if len(rest) == len(payloads):
        return slow
    slow = replace(
        slow,
        fix_payload=index[slow.fix_payload],
        refusals=tuple(replace(one, payload=rest[one.payload]) for one in slow.refusals),
    )
    return merged(quick, slow)


def merged(one: Decoded, other: Decoded) -> Decoded:
    """The fixes and refusals of two Decoded of the same payloads, in the order of these.

    No payload has fixes in both. Weighings and registrations have no place in them.
    """
    payload = np.concatenate([one.fix_payload, other.fix_payload])
    order = np.argsort(payload, kind="stable")
    idents, fix_ident = _joined(one.idents, one.fix_ident, other.idents, other.fix_ident)
    drivers, driver = _joined(one.drivers, one.fixes.driver, other.drivers, other.fixes.driver)
    fixes = FixBatch.concat([one.fixes, other.fixes]).with_columns(driver=driver)
    return Decoded(
        fixes=fixes.take(order),
        fix_payload=payload[order],
        idents=idents,
        fix_ident=fix_ident[order],
        drivers=drivers,
        refusals=tidy_refusals([*one.refusals, *other.refusals]),
    )


def _joined(
    names: tuple[str, ...], index: I32, more: tuple[str, ...], more_index: I32
) -> tuple[tuple[str, ...], I32]:
    """Names of two tables without repeats, and what points into both of them as one column."""
    known = Names()
    known.numbers(names)
    number = np.array([*known.numbers(more), -1], np.int32)  # the last one is nobody's
    return known.known(), np.concatenate([index, number[more_index]])
