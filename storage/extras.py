"""What a format carried beside the columns: JSON objects on their way into jsonb."""

import base64
import re
from itertools import chain
from typing import Final

import numpy as np

from devices.batch import FixBatch
from storage.copying import HEADER, TRAILER
from storage.wire import INT4, TIMESTAMPTZ

_ROW: Final = np.dtype(
    [
        ("count", ">i2"),
        ("len vehicle", ">i4"),
        ("vehicle", ">i4"),
        ("len time", ">i4"),
        ("time", ">i8"),
        ("len extra", ">i4"),
        ("version", "u1"),
    ],
)
"""A row of the binary COPY up to the text of its jsonb, whose binary form begins with version 1."""

_SUSPECT: Final = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|[eE][+-]?\d{4}|\d{1000}|[\[{]{64}")
"""JSON that jsonb may refuse: the character U+0000, half a surrogate pair, numbers beyond numeric,
nesting beyond the stack."""

MAX_NESTING: Final = 256


def storable(value: bytes) -> bytes:
    """A JSON text that jsonb takes: the text itself or, where it may not, its bytes in base64.

    One fix's odd extra must not keep the rest of its batch out of the database.
    """
    if _SUSPECT.search(value) is None and value.count(b"[") + value.count(b"{") < MAX_NESTING:
        return value
    return b'{"unstorable":"%s"}' % base64.b64encode(value)


def encode_extras(fixes: FixBatch) -> bytes:
    """The binary COPY of table fix_extras; the loop is over the rows that carry one."""
    index = np.fromiter(fixes.extra.keys(), np.intp, len(fixes.extra))
    values = [storable(value) for value in fixes.extra.values()]
    rows = np.zeros(len(index), _ROW)
    rows["count"] = 3
    rows["len vehicle"] = INT4.dtype.itemsize
    rows["vehicle"] = fixes.vehicle[index]
    rows["len time"] = TIMESTAMPTZ.dtype.itemsize
    rows["time"] = TIMESTAMPTZ.outgoing(fixes.time[index])
    rows["len extra"] = np.fromiter(map(len, values), np.int64, len(values)) + 1
    rows["version"] = 1
    data, size = rows.tobytes(), _ROW.itemsize
    heads = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join((HEADER, *chain.from_iterable(zip(heads, values, strict=True)), TRAILER))
