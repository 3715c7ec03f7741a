"""CRC-16/IBM (ARC: polynomial 0x8005 reflected, start 0) of many byte strings at once.

The CRC is linear: it is the XOR of what each byte would give alone, followed by as many zero bytes
as follow it. `_TABLE[k, b]` is byte b followed by k zero bytes, so a CRC is one look-up a byte and
one XOR over them, without a Python loop.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from devices.batch import I64, U8, U16

_REACH: Final = 2048
"""Bytes that are looked up at once; a real packet has at most 1,280. The table takes a mebibyte."""


def _make_table() -> U16:
    table = np.zeros((_REACH, 256), np.uint16)
    crc = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        crc = np.where(crc & 1, (crc >> 1) ^ 0xA001, crc >> 1).astype(np.uint16)
    table[0] = crc
    for zeros in range(1, _REACH):
        table[zeros] = (table[zeros - 1] >> 8) ^ crc[table[zeros - 1] & 0xFF]
    return table


_TABLE: Final = _make_table()


def crc16_ibm(data: bytes) -> int:
    """The CRC of one byte string."""
    crc = 0
    for start in range(0, len(data), _REACH):
        chunk = np.frombuffer(data, np.uint8)[start : start + _REACH].copy()
        # A start value is the same as that value XORed into the first two bytes, low byte first.
        chunk[0] ^= crc & 0xFF
        if len(chunk) > 1:
            chunk[1] ^= crc >> 8
        rest = crc >> 8 if len(chunk) == 1 else 0
        crc = int(np.bitwise_xor.reduce(_TABLE[np.arange(len(chunk) - 1, -1, -1), chunk])) ^ rest
    return crc


def crc16_ibm_each(parts: Sequence[bytes]) -> list[int]:
    """The CRC of each byte string."""
    if not parts:
        return []
    sizes: I64 = np.array([len(part) for part in parts], np.int64)
    if int(sizes.max()) > _REACH or int(sizes.min()) == 0:
        return [crc16_ibm(part) for part in parts]
    data: U8 = np.frombuffer(b"".join(parts), np.uint8)
    ends = np.cumsum(sizes)
    zeros_behind = np.repeat(ends, sizes) - 1 - np.arange(len(data))
    crcs: list[int] = np.bitwise_xor.reduceat(_TABLE[zeros_behind, data], ends - sizes).tolist()
    return crcs
