"""The fast path of text formats: the message that nearly all trackers of a format send, as columns.

Belongs here: what such codecs share. A codec gives the pattern of its usual message and says what
its groups mean; whatever does not match is left to the codec's reader of single payloads. Both must
say the same; tests hold them together.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from devices.batch import F64, I64, Bool
from devices.checks import assemble
from devices.codec import MAX_PAYLOAD_BYTES, Decoded
from devices.columns import decimals, degrees
from devices.merging import merged
from devices.rows import FixRows, decode_each
from devices.texts import Names

Fields = Sequence[list[bytes]]
"""Group k of every match is `fields[k]`, empty where the group has no part in it."""


class Usual(NamedTuple):
    """What usual messages say.

    columns: by FixBatch's names, shape (n,) each; time, lon and lat are NaN where the message must
    be left to the reader. extra: of each, b"" for none. idents: of each; none at all by default.
    """

    columns: Mapping[str, Any]
    extra: Sequence[bytes]
    idents: Sequence[bytes] = ()


class Way(NamedTuple):
    """A kind of usual message: its pattern, and what the groups of its matches mean."""

    pattern: re.Pattern[bytes]
    say: Callable[[Fields], Usual]


def decode_usual(
    ways: Sequence[Way],
    payloads: Sequence[bytes],
    received: I64,
    read: Callable[[bytes, FixRows], None],
) -> Decoded:
    """Decode payloads that match as columns, the others with `read`."""
    found, left = read_usual(ways, payloads, received)
    if left or not found:
        found.append(decode_each(payloads, received, read, left))
    return merged(found)


def read_usual(
    ways: Sequence[Way], payloads: Sequence[bytes], received: I64
) -> tuple[list[Decoded], list[int]]:
    """What usual messages say, and the indices of all other payloads, ascending."""
    found: list[Decoded] = []
    left = list(range(len(payloads)))
    for way in ways:
        made, left = _read(way, payloads, left, received)
        if made is not None:
            found.append(made)
    return found, left


def _read(
    way: Way, payloads: Sequence[bytes], only: Sequence[int], received: I64
) -> tuple[Decoded | None, list[int]]:
    match, width = way.pattern.fullmatch, way.pattern.groups
    groups: list[bytes] = []  # of one match behind those of another: tuples keep the collector busy
    index: list[int] = []
    left: list[int] = []
    for number in only:
        payload = payloads[number]
        one = match(payload)
        if one is None or len(payload) > MAX_PAYLOAD_BYTES:
            left.append(number)
        else:
            groups += one.groups(b"")
            index.append(number)
    if not index:
        return None, left
    columns, extra, idents = way.say([groups[field::width] for field in range(width)])
    rows = np.array(index)
    good = np.isfinite(columns["time"]) & np.isfinite(columns["lon"]) & np.isfinite(columns["lat"])
    if not good.all():
        keep = np.flatnonzero(good).tolist()
        left = sorted([*left, *rows[~good].tolist()])
        columns = {name: np.asarray(column)[good] for name, column in columns.items()}
        extra = [extra[row] for row in keep]
        idents = [idents[row] for row in keep] if idents else ()
        rows = rows[good]
    named = {text: text.decode() for text in dict.fromkeys(idents)}
    names = Names()
    made = assemble(
        columns, payload=rows, at=np.zeros(len(rows), np.int64), received=received,
        extra={row: text for row, text in enumerate(extra) if text},
        ident=names.numbers(map(named.__getitem__, idents)) if idents else None,
        idents=names.known(),
    )  # fmt: skip
    return made, left


def angles(texts: Sequence[bytes], sides: Sequence[bytes], minus: str) -> F64:
    """Degrees of dddmm.mmmm, negative on the side `minus`; NaN for 60 minutes and over."""
    written = decimals(texts)
    found: F64 = np.where(written % 100 < 60, degrees(written), np.nan)
    return np.where(said(sides, minus), -found, found)


def said(letters: Sequence[bytes], letter: str) -> Bool:
    """Where texts of one letter each are this one."""
    same: Bool = np.frombuffer(b"".join(letters), np.uint8) == ord(letter)
    return same
