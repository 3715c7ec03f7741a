"""What surrounds the records of a packet: the TCP frame with its CRC, and the UDP channel's header.

    TCP: 0000 0000 | length u32 | body | CRC-16/IBM u32          (the length is that of the body)
    UDP: length u16 | packet id u16 | 01 | AVL packet id u8 | IMEI length u16 | IMEI | body

The length of the UDP packet is that of everything behind it. A body is: codec u8, records u8,
record..., records u8.
"""

from struct import Struct
from typing import Final, NamedTuple

from devices.checks import check_size
from devices.errors import DecodeError, Reject

HEADER: Final = Struct(">II")
TRAILER: Final = Struct(">I")
CHANNEL: Final = Struct(">HHBBH")
CHANNEL_MARK: Final = 1
IMEI_DIGITS: Final = 15
MIN_BODY_BYTES: Final = 3

CODECS: Final = frozenset({0x07, 0x08, 0x8E, 0x10})
"""Codecs whose bodies are records of positions: GH, 8, 8 Extended, 16."""

TEXTS: Final = frozenset({0x0C, 0x0D, 0x0E, 0x0F})
"""Codecs 12 to 15: commands, their replies, and what a serial port said."""


class Frame(NamedTuple):
    """One packet. start, end: of the body in the payload. crc: as sent, -1 without one."""

    payload: bytes
    start: int
    end: int
    crc: int
    ident: str

    @property
    def codec(self) -> int:
        """The codec of the body."""
        return self.payload[self.start]


def framed(payload: bytes) -> Frame:
    """The body in a payload, its CRC not looked at. Raises DecodeError for no whole packet."""
    check_size(payload)
    if payload[:4] != b"\0\0\0\0" and payload[4:5] == bytes((CHANNEL_MARK,)):
        return _channel(payload)
    return _framed(payload)


def _framed(payload: bytes) -> Frame:
    least = HEADER.size + MIN_BODY_BYTES + TRAILER.size
    if len(payload) < least:
        detail = f"expected at least {least} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    preamble, length = HEADER.unpack_from(payload)
    if preamble:
        detail = f"preamble: expected 00000000, got {preamble:08x}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    end = HEADER.size + length
    whole = end + TRAILER.size
    if len(payload) != whole:
        detail = f"length {length}: expected {whole} bytes, got {len(payload)}"
        if len(payload) < whole:
            raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
        raise DecodeError(Reject.TRAILING_BYTES, at=whole, detail=detail)
    if length < MIN_BODY_BYTES:
        detail = f"length: expected at least {MIN_BODY_BYTES}, got {length}"
        raise DecodeError(Reject.BAD_VALUE, at=4, detail=detail)
    return Frame(payload, HEADER.size, end, TRAILER.unpack_from(payload, end)[0], "")


def _channel(payload: bytes) -> Frame:
    if len(payload) < CHANNEL.size:
        detail = f"UDP channel: expected at least {CHANNEL.size} bytes, got {len(payload)}"
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=detail)
    length, _, _, _, digits = CHANNEL.unpack_from(payload)
    whole = length + 2
    if len(payload) != whole:
        detail = f"UDP channel: length {length}: expected {whole} bytes, got {len(payload)}"
        reason = Reject.TRUNCATED if len(payload) < whole else Reject.TRAILING_BYTES
        raise DecodeError(reason, at=min(len(payload), whole), detail=detail)
    start = CHANNEL.size + digits
    imei = payload[CHANNEL.size : start]
    if digits != IMEI_DIGITS or not imei.isdigit():
        detail = f"UDP channel: expected an IMEI of {IMEI_DIGITS} digits, got {imei[:20]!r}"
        raise DecodeError(Reject.BAD_VALUE, at=CHANNEL.size, detail=detail)
    if whole - start < MIN_BODY_BYTES:
        detail = f"UDP channel: expected records, got {whole - start} bytes"
        raise DecodeError(Reject.TRUNCATED, at=whole, detail=detail)
    return Frame(payload, start, whole, -1, imei.decode())
