"""CRC-16 of many byte strings at once: IBM (ARC) and ITU (X.25).

Both are reflected; IBM has the polynomial 0x8005, starts at 0 and is sent as it is; ITU has 0x1021,
starts at ffff and is sent inverted.

The CRC is linear: it is the XOR of what each byte would give alone, followed by as many zero bytes
as follow it, and of what the start gives, followed by all of them. `table[k, b]` is byte b followed
by k zero bytes, so a CRC is one look-up a byte and one XOR over them, without a Python loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.batch import I64, U8, U16

_REACH: Final = 2048
"""Bytes that are looked up at once; a real packet has at most 1,280. A table takes a mebibyte."""


@dataclass(frozen=True, slots=True)
class _Crc16:
    """One CRC: its table, what it starts at, and what is XORed into the result."""

    table: U16
    start: int
    final: int

    def of(self, data: bytes) -> int:
        """The CRC of one byte string."""
        crc = self.start
        for begin in range(0, len(data), _REACH):
            chunk = np.frombuffer(data, np.uint8)[begin : begin + _REACH].copy()
            # A start value is the same as XORing it into the first two bytes, low byte first.
            chunk[0] ^= crc & 0xFF
            if len(chunk) > 1:
                chunk[1] ^= crc >> 8
            rest = crc >> 8 if len(chunk) == 1 else 0
            looked_up = self.table[np.arange(len(chunk) - 1, -1, -1), chunk]
            crc = int(np.bitwise_xor.reduce(looked_up)) ^ rest
        return crc ^ self.final

    def of_rows(self, data: U8) -> U16:
        """The CRC of each row, shape (n, size) to (n,); size 2 to `_REACH`."""
        size = data.shape[1]
        behind = np.arange(size - 1, -1, -1)
        of_start = self.table[size - 1, self.start & 0xFF] ^ self.table[size - 2, self.start >> 8]
        crcs: U16 = np.bitwise_xor.reduce(self.table[behind, data], axis=1)
        crcs ^= of_start ^ np.uint16(self.final)
        return crcs

    def of_each(self, parts: Sequence[bytes]) -> list[int]:
        """The CRC of each byte string."""
        if not parts:
            return []
        sizes: I64 = np.array([len(part) for part in parts], np.int64)
        if int(sizes.max()) > _REACH or int(sizes.min()) < 2:
            return [self.of(part) for part in parts]
        data: U8 = np.frombuffer(b"".join(parts), np.uint8)
        ends = np.cumsum(sizes)
        zeros_behind = np.repeat(ends, sizes) - 1 - np.arange(len(data))
        crcs = np.bitwise_xor.reduceat(self.table[zeros_behind, data], ends - sizes)
        low, high = self.start & 0xFF, self.start >> 8
        crcs ^= self.table[sizes - 1, low] ^ self.table[sizes - 2, high] ^ np.uint16(self.final)
        return list(crcs.tolist())


def _make_table(reflected_polynomial: int) -> U16:
    table = np.zeros((_REACH, 256), np.uint16)
    crc = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        crc = np.where(crc & 1, (crc >> 1) ^ reflected_polynomial, crc >> 1).astype(np.uint16)
    table[0] = crc
    for zeros in range(1, _REACH):
        table[zeros] = (table[zeros - 1] >> 8) ^ crc[table[zeros - 1] & 0xFF]
    return table


_IBM: Final = _Crc16(_make_table(0xA001), 0, 0)
_ITU: Final = _Crc16(_make_table(0x8408), 0xFFFF, 0xFFFF)

crc16_ibm: Final = _IBM.of
crc16_ibm_each: Final = _IBM.of_each
crc16_itu: Final = _ITU.of
crc16_itu_each: Final = _ITU.of_each
crc16_itu_rows: Final = _ITU.of_rows
