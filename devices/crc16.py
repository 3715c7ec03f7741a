"""CRC-16s of many byte strings at once: IBM (ARC), Modbus, Kermit, ITU (X.25) and CCITT-FALSE.

A CRC is linear: it is the XOR of what each byte would give alone, followed by as many zero bytes
as follow it, and of what the start value would give. `table[k, b]` is byte b followed by k zero
bytes, so a CRC is one look-up a byte and one XOR over them, without a Python loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from devices.batch import I64, U8, U16

_REACH: Final = 2048
"""Bytes that are looked up at once; most packets are shorter. A table takes a mebibyte."""


@dataclass(frozen=True)
class Crc16:
    """A CRC of 16 bits. A reflected one shifts right, and its polynomial is written mirrored.

    start: what it begins with. final: what is XORed into the result.
    """

    polynomial: int
    reflected: bool
    start: int = 0
    final: int = 0

    def of(self, data: bytes) -> int:
        """The CRC of one byte string."""
        crc = self.start
        for at in range(0, len(data), _REACH):
            chunk = np.frombuffer(data, np.uint8)[at : at + _REACH]
            behind = np.arange(len(chunk) - 1, -1, -1)
            crc = int(np.bitwise_xor.reduce(self._table[behind, chunk])) ^ self._later(
                crc, len(chunk)
            )
        return crc ^ self.final

    def of_rows(self, data: U8) -> U16:
        """The CRC of each row, shape (n, size) to (n,); size up to `_REACH`."""
        size = data.shape[1]
        crcs: U16 = np.bitwise_xor.reduce(self._table[np.arange(size - 1, -1, -1), data], axis=1)
        crcs ^= np.uint16(self._later(self.start, size) ^ self.final)
        return crcs

    def of_each(self, parts: Sequence[bytes]) -> list[int]:
        """The CRC of each byte string."""
        if not parts:
            return []
        sizes: I64 = np.array([len(part) for part in parts], np.int64)
        if int(sizes.max()) > _REACH or int(sizes.min()) == 0:
            return [self.of(part) for part in parts]
        data: U8 = np.frombuffer(b"".join(parts), np.uint8)
        ends = np.cumsum(sizes)
        zeros_behind = np.repeat(ends, sizes) - 1 - np.arange(len(data))
        crcs = np.bitwise_xor.reduceat(self._table[zeros_behind, data], ends - sizes)
        if self.start:
            crcs ^= self._starts[sizes]
        crcs ^= np.uint16(self.final)
        found: list[int] = crcs.tolist()
        return found

    @cached_property
    def _table(self) -> U16:
        table = np.zeros((_REACH, 256), np.uint16)
        crc = np.arange(256, dtype=np.uint16)
        if not self.reflected:
            crc <<= 8
        for _ in range(8):
            if self.reflected:
                crc = np.where(crc & 1, (crc >> 1) ^ self.polynomial, crc >> 1).astype(np.uint16)
            else:
                crc = np.where(crc >> 15, (crc << 1) ^ self.polynomial, crc << 1).astype(np.uint16)
        table[0] = crc
        for zeros in range(1, _REACH):
            last = table[zeros - 1]
            if self.reflected:
                table[zeros] = (last >> 8) ^ crc[last & 0xFF]
            else:
                table[zeros] = (last << 8) ^ crc[last >> 8]
        return table

    @cached_property
    def _starts(self) -> U16:
        return np.array([self._later(self.start, n) for n in range(_REACH + 1)], np.uint16)

    def _later(self, crc: int, zeros: int) -> int:
        """A CRC after so many zero bytes: it is the same as itself in the first two of them."""
        low, high = crc & 0xFF, crc >> 8
        first, second = (low, high) if self.reflected else (high, low)
        if zeros == 0:
            return crc
        if zeros == 1:
            return int(self._table[0, first]) ^ (second if self.reflected else second << 8)
        return int(self._table[zeros - 1, first] ^ self._table[zeros - 2, second])


IBM: Final = Crc16(0xA001, reflected=True)
MODBUS: Final = Crc16(0xA001, reflected=True, start=0xFFFF)
KERMIT: Final = Crc16(0x8408, reflected=True)
ITU: Final = Crc16(0x8408, reflected=True, start=0xFFFF, final=0xFFFF)
CCITT_FALSE: Final = Crc16(0x1021, reflected=False, start=0xFFFF)


def crc16_ibm(data: bytes) -> int:
    """The CRC-16/IBM of one byte string."""
    return IBM.of(data)


def crc16_ibm_each(parts: Sequence[bytes]) -> list[int]:
    """The CRC-16/IBM of each byte string."""
    return IBM.of_each(parts)
