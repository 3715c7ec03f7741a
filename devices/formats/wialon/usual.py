"""The fast path: D packets, many at once.

Whatever the pattern does not take is left to `codec.py`, which says the same of what it takes.
"""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from devices.batch import F64, Bool, Quality
from devices.columns import decimals, degrees, digits, few_decimals, instants, of_each, pairs
from devices.crc16 import crc16_ibm_each
from devices.extra import extra_bytes
from devices.formats.wialon.messages import described
from devices.usual import Fields, Usual, Way

_NUMBER: Final = rb"(?:NA|(-?[0-9]{1,9}(?:\.[0-9]{1,9})?))?"
_D: Final = re.compile(
    rb"(#D#([0-9]{6});([0-9]{6});([0-9]{3,5}\.[0-9]{1,15});([NS]);([0-9]{3,5}\.[0-9]{1,15});([EW]);"
    rb"%(n)s;%(n)s;%(n)s;%(n)s;%(n)s;"
    rb"((?:NA|[0-9]{1,9})?;(?:NA|[0-9]{1,9})?;[0-9NA.,-]{0,99};[0-9A-Za-z]{0,32};[ -:<-~]{0,999})"
    rb"(?:;([0-9A-F]{4}))?\r\n)" % {b"n": _NUMBER}
)
_BODY: Final = slice(len("#D#"), -len("FFFF\r\n"))
"""What the CRC of a packet counts."""


def _whole(packets: Sequence[bytes], sums: Sequence[bytes]) -> Bool:
    """Whether the CRC of each packet is right, or it has none; shape (n,)."""
    whole = np.ones(len(packets), np.bool_)
    summed = [row for row, one in enumerate(sums) if one]
    made = crc16_ibm_each([packets[row][_BODY] for row in summed])
    sent = np.frombuffer(bytes.fromhex(b"".join(sums).decode()), ">u2")
    whole[summed] = sent == np.array(made, np.uint16)
    return whole


def _say(fields: Fields) -> Usual:
    (
        packets, day, clock, lat, north, lon, east, speed, course, altitude, satellites, hdop,
        more, sums,
    ) = fields  # fmt: skip
    date = pairs(day, 6)
    time = instants(date[:, 2], date[:, 1], date[:, 0], *pairs(clock, 6).T)
    seen = few_decimals(satellites)
    behind = of_each(_behind, more)
    return Usual(
        {
            "time": np.where(_whole(packets, sums), time, np.nan),
            "lon": _signed(lon, east, "W"),
            "lat": _signed(lat, north, "S"),
            "speed_kmh": decimals(speed),
            "heading": few_decimals(course),
            "altitude": decimals(altitude),
            "hdop": few_decimals(hdop),
            "satellites": seen,
            "inputs": [word for _, word in behind],
            "quality": np.where(seen == 0, int(Quality.NO_POSITION), 0),
        },
        [extra for extra, _ in behind],
    )


WAYS: Final = (Way(_D, _say),)


def _signed(angles: Sequence[bytes], sides: Sequence[bytes], negative: str) -> F64:
    values = degrees(decimals(angles))
    side = digits(sides, 1)[:, 0]
    signed: F64 = np.where(side == ord(negative) - ord("0"), -values, values)
    return signed


def _behind(more: bytes) -> tuple[bytes, int]:
    """The columns behind hdop as extra and as inputs."""
    extra, word = described(*more.decode().split(";"))
    return extra_bytes({"packet": "D", **extra}), word
