"""The fast path: AAA with the usual columns, many at once.

Whatever the pattern does not take is left to `text.py`, which says the same of what it takes.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from devices.batch import Bool, Quality
from devices.columns import decimals, digits, few_decimals, instants, of_each, pairs
from devices.extra import extra_bytes
from devices.formats.meitrack.text import io_inputs, tail_columns
from devices.usual import Fields, Usual, Way

_NUMBER: Final = rb"0|[1-9][0-9]{0,9}"
_AAA: Final = re.compile(
    rb"(\$\$[\x21-\x7e]([0-9]{1,5}),([0-9A-Za-z]{1,20}),AAA,(0|[1-9][0-9]{0,3}),"
    rb"(-?[0-9]{1,2}\.[0-9]{1,9}),(-?[0-9]{1,3}\.[0-9]{1,9}),([0-9]{12}),([AV]),([0-9]{1,3})?,"
    rb"(%(number)s),([0-9]{1,4}(?:\.[0-9]{1,3})?)?,([0-9]{1,3}(?:\.[0-9]{1,3})?)?,"
    rb"([0-9]{1,3}(?:\.[0-9]{1,3})?)?,(-?[0-9]{1,5}(?:\.[0-9]{1,3})?)?,([0-9]{1,12})?,"
    rb"(%(number)s),([0-9A-Fa-f|]{1,40}),([0-9A-Fa-f]{4}),([0-9A-Za-z|.,:_-]{0,400})\*"
    rb"[0-9A-Fa-f]{2}\r\n)" % {b"number": _NUMBER}
)
_LENGTH_FROM: Final = 3
"""The length stands behind `$$` and a letter, and counts what is behind it."""
_BEHIND_STAR: Final = 4
"""Checksum and line end, which the checksum does not count."""
_DIGIT: Final = np.zeros(256, np.int64)
_DIGIT[list(b"0123456789abcdef")] = range(16)
_DIGIT[list(b"ABCDEF")] = range(10, 16)


def _whole(frames: Sequence[bytes], lengths: Sequence[bytes]) -> Bool:
    """Whether length and checksum of each frame are right; shape (len(frames),)."""
    sizes = np.fromiter(map(len, frames), np.int64, len(frames))
    counted = sizes - _LENGTH_FROM - np.fromiter(map(len, lengths), np.int64, len(frames))
    data = np.frombuffer(b"".join(frames), np.uint8)
    ends = np.cumsum(sizes)
    sums = np.add.reduceat(data, ends - sizes, dtype=np.int64)
    for behind in range(1, _BEHIND_STAR + 1):
        sums -= data[ends - behind]
    sent = _DIGIT[data[ends - 4]] * 16 + _DIGIT[data[ends - 3]]
    whole: Bool = (few_decimals(lengths) == counted) & ((sums & 0xFF) == sent)
    return whole


def _say(fields: Fields) -> Usual:
    (
        frames, lengths, ident, event, lat, lon, time, status, satellites, rssi, speed, course,
        hdop, altitude, mileage, run, cell, io, tail,
    ) = fields  # fmt: skip
    extra = map(_extra, event, rssi, run, cell, io, of_each(_tail, tail))
    return Usual(
        {
            "time": np.where(_whole(frames, lengths), instants(*pairs(time, 12).T), np.nan),
            "lon": decimals(lon),
            "lat": decimals(lat),
            "speed_kmh": decimals(speed),
            "heading": few_decimals(course),
            "altitude": decimals(altitude),
            "hdop": few_decimals(hdop),
            "satellites": few_decimals(satellites),
            "odometer": decimals(mileage),
            "inputs": [*map(_inputs, event, io)],
            "quality": np.where(
                digits(status, 1)[:, 0] == ord("A") - ord("0"), 0, int(Quality.NO_POSITION)
            ),
        },
        list(extra),
        ident,
    )


WAYS: Final = (Way(_AAA, _say),)


@lru_cache(maxsize=4096)
def _inputs(event: bytes, io: bytes) -> int:
    return io_inputs(int(event), io.decode())


def _extra(event: bytes, rssi: bytes, run: bytes, cell: bytes, io: bytes, tail: bytes) -> bytes:
    """What `text.py` says beside the columns, in its order."""
    return b'{"command":"AAA","event":%b,"rssi":%b,"run_time_s":%b,"cell":"%b","io":"%b"%b' % (
        event,
        rssi,
        run,
        cell,
        io,
        tail,
    )


def _tail(tail: bytes) -> bytes:
    """The columns behind inputs and outputs, to the end of the object."""
    found = tail_columns(tail.decode())
    return b"," + extra_bytes(found)[1:] if found else b"}"
