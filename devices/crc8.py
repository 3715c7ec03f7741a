"""CRC-8 of EGTS headers: polynomial 0x31, start 0xFF, not reflected.

Such a CRC is the high byte of the CRC-16 with the same polynomial and start, shifted left by eight.
"""

from collections.abc import Sequence
from typing import Final

from devices.crc16 import Crc16

_SHIFTED: Final = Crc16(0x31 << 8, reflected=False, start=0xFF << 8)


def crc8_each(parts: Sequence[bytes]) -> list[int]:
    """The CRC of each byte string."""
    return [crc >> 8 for crc in _SHIFTED.of_each(parts)]
