"""The fast path of text formats: the message that nearly all trackers of a format send, as columns.

Belongs here: what such codecs share. A codec gives the pattern of its usual message and says what
its groups mean; whatever does not match is left to the codec's reader of single payloads.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from devices.batch import F64, I64, Bool
from devices.checks import assemble
from devices.codec import Decoded
from devices.columns import decimals, degrees
from devices.merging import merged
from devices.rows import FixRows, decode_each
from devices.texts import Names


class Usual(NamedTuple):
    """What usual messages say.

    columns: by FixBatch's names, shape (n,) each; time, lon and lat are NaN where the message must
    be left to the reader. idents: of each. extra: of each, b"" for none.
    """

    columns: Mapping[str, Any]
    idents: Sequence[str]
    extra: Sequence[bytes]


def decode_usual(
    pattern: re.Pattern[bytes],
    payloads: Sequence[bytes],
    received: I64,
    say: Callable[[list[tuple[bytes, ...]]], Usual],
    read: Callable[[bytes, FixRows], None],
) -> Decoded:
    """Decode payloads that match as columns, the others with `read`.

    say: given the groups of each match, their columns.
    """
    index: list[int] = []
    groups: list[tuple[bytes, ...]] = []
    left: list[int] = []
    for row, payload in enumerate(payloads):
        found = pattern.fullmatch(payload)
        if found:
            index.append(row)
            groups.append(found.groups(b""))
        else:
            left.append(row)
    if not groups:
        return decode_each(payloads, received, read)
    columns, idents, extra = say(groups)
    rows = np.array(index)
    good = np.isfinite(columns["time"]) & np.isfinite(columns["lon"]) & np.isfinite(columns["lat"])
    if not good.all():
        keep = np.flatnonzero(good).tolist()
        left = sorted([*left, *rows[~good].tolist()])
        columns = {name: np.asarray(column)[good] for name, column in columns.items()}
        idents, extra = [idents[row] for row in keep], [extra[row] for row in keep]
        rows = rows[good]
    names = Names()
    decoded = assemble(
        columns, payload=rows, at=np.zeros(len(rows), np.int64), received=received,
        extra={row: text for row, text in enumerate(extra) if text},
        ident=names.numbers(idents), idents=names.known(),
    )  # fmt: skip
    if not left:
        return decoded
    return merged([decoded, decode_each(payloads, received, read, left)])


def angles(texts: Sequence[bytes], sides: Sequence[bytes], minus: str) -> F64:
    """Degrees of dddmm.mmmm, negative on the side `minus`; NaN for 60 minutes and over."""
    written = decimals(texts)
    found: F64 = np.where(written % 100 < 60, degrees(written), np.nan)
    return np.where(said(sides, minus), -found, found)


def said(letters: Sequence[bytes], letter: str) -> Bool:
    """Where texts of one letter each are this one."""
    same: Bool = np.frombuffer(b"".join(letters), np.uint8) == ord(letter)
    return same
