"""JT/T 808: messages between delimiters, escapes, the checksum and the header.

    7e | kind u16, attributes u16, (version u8), number BCD, serial u16, (packets u16, packet u16),
       | body, checksum u8 | 7e

Inside, 7e is written 7d 02 and 7d is written 7d 01. The checksum is the XOR of all from the kind to
the end of the body, before escaping. Bits of the attributes: 0-9 length of the body, 10-12 how it
is encrypted, 13 sub-packets, 14 version (2019: then there is one, and the number has ten bytes).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from devices.errors import DecodeError, Reject
from devices.texts import is_ident
from devices.xor8 import xor8

FLAG: Final = 0x7E
ESCAPE: Final = 0x7D
ENDS: Final = b"\x7e\xe7"
"""What a message begins and ends with: 7e by the standard, e7 with some trackers."""

LENGTH_BITS: Final = 0x3FF
ENCRYPTED_BITS: Final = 0x1C00
PARTED_BIT: Final = 0x2000
VERSION_BIT: Final = 0x4000

NUMBER_BYTES: Final = 6
NUMBER_BYTES_2019: Final = 10
NUMBER_BYTES_E7: Final = 7

SHORT_SERIAL: Final = frozenset({0x5501, 0x5502})
"""Kinds of messages of padlocks whose serial number has one byte and which use the bits of
encryption for something else."""

_START: Final = Struct(">HH")
_U16: Final = Struct(">H")
_PARTS: Final = Struct(">HH")


class Message(NamedTuple):
    """One message: its place in the payload, its header and its body, unescaped.

    number: the terminal's, as an identity; "" where it is not set. packets: 1 if it has no parts.
    """

    at: int
    kind: int
    is_2019: bool
    number: str
    serial: int
    packets: int
    packet: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands at a place of a payload: a message, or the reason why there is none."""

    at: int
    found: Message | DecodeError


def unescaped(inner: bytes, end: int = FLAG) -> bytes:
    """What stands between two delimiters, as it was before escaping."""
    if end == FLAG:
        return inner.replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")
    inner = inner.replace(b"\xe6\x02", b"\xe7").replace(b"\xe6\x01", b"\xe6")
    return inner.replace(b"\x3e\x02", b"\x3d").replace(b"\x3e\x01", b"\x3e")


def pieces(payload: bytes) -> Iterator[Piece]:
    """The messages of a payload, and what else stands in it; delimiters may be shared."""
    at, size = 0, len(payload)
    while at < size:
        end = payload[at]
        if end == ord("("):
            close = payload.find(b")", at) + 1 or size
            detail = f"a text, not a message: {payload[at : at + 40]!r}"
            yield Piece(at, DecodeError(Reject.UNSUPPORTED, detail=detail))
            at = close
        elif end not in ENDS:
            start = at
            at = _next_end(payload, at)
            detail = f"expected 7e, got {payload[start : start + 8].hex()}"
            yield Piece(start, DecodeError(Reject.BAD_SYNTAX, detail=detail))
        else:
            close = payload.find(end, at + 1)
            if close == at + 1:
                at = close
            elif close < 0:
                if at + 1 < size or at == 0:
                    detail = f"expected {end:02x} at the end of the message"
                    yield Piece(at, DecodeError(Reject.TRUNCATED, detail=detail))
                return
            else:
                found, at = _between(payload, at, close, end)
                yield found


def _next_end(payload: bytes, at: int) -> int:
    found = [place for place in (payload.find(end, at) for end in ENDS) if place >= 0]
    return min(found, default=len(payload))


def _between(payload: bytes, at: int, close: int, end: int) -> tuple[Piece, int]:
    """The message between two delimiters, and where to go on: at the second of them.

    A gateway that has unescaped the message already gives itself away by a length and a checksum
    that are right as they stand.
    """
    inner = payload[at + 1 : close]
    try:
        return Piece(at, parse(unescaped(inner, end), at, end)), close
    except DecodeError as error:
        whole = whole_size(payload, at + 1, end)
        close_raw = at + 1 + whole
        if whole and payload[close_raw : close_raw + 1] == bytes((end,)):
            try:
                return Piece(at, parse(payload[at + 1 : close_raw], at, end)), close_raw
            except DecodeError:
                pass
        return Piece(at, error), close


def whole_size(data: bytes, at: int = 0, end: int = FLAG) -> int:
    """Bytes of the unescaped message that begins at `at`, checksum included; 0 if cut off."""
    if len(data) < at + _START.size:
        return 0
    kind = int.from_bytes(data[at : at + 2])
    attributes = int.from_bytes(data[at + 2 : at + 4])
    return header_size(kind, attributes, end) + (attributes & LENGTH_BITS) + 1


def header_size(kind: int, attributes: int, end: int = FLAG) -> int:
    """Bytes of a header with these attributes."""
    number = NUMBER_BYTES if end == FLAG else NUMBER_BYTES_E7
    if kind in SHORT_SERIAL:
        return _START.size + number + 1
    if attributes & VERSION_BIT:
        number = 1 + NUMBER_BYTES_2019
    parts = _PARTS.size if attributes & PARTED_BIT else 0
    return _START.size + number + _U16.size + parts


def parse(data: bytes, at: int = 0, end: int = FLAG) -> Message:
    """The unescaped message `data`, from its kind to its checksum. Raises DecodeError."""
    whole = whole_size(data, 0, end)
    if not whole or len(data) != whole:
        reason = Reject.TRAILING_BYTES if whole and len(data) > whole else Reject.TRUNCATED
        detail = f"length: expected {whole or 13} bytes, got {len(data)}"
        raise DecodeError(reason, at=at, detail=detail)
    if xor8(data):
        expected = xor8(data[:-1])
        detail = f"checksum: expected {expected:02x}, got {data[-1]:02x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=at, detail=detail)
    kind, attributes = _START.unpack_from(data)
    start = header_size(kind, attributes, end)
    if kind in SHORT_SERIAL:
        number = data[_START.size : start - 1]
        return Message(at, kind, False, ident(number), data[start - 1], 1, 1, data[start:-1])
    if attributes & ENCRYPTED_BITS:
        way = (attributes & ENCRYPTED_BITS) >> 10
        raise DecodeError(Reject.UNSUPPORTED, at=at, detail=f"encrypted (way {way})")
    is_2019 = bool(attributes & VERSION_BIT)
    packets = packet = 1
    behind_serial = start
    if attributes & PARTED_BIT:
        behind_serial -= _PARTS.size
        packets, packet = _PARTS.unpack_from(data, behind_serial)
    (serial,) = _U16.unpack_from(data, behind_serial - _U16.size)
    number = data[_START.size + is_2019 : behind_serial - _U16.size]
    return Message(at, kind, is_2019, ident(number), serial, packets, packet, data[start:-1])


def ident(number: bytes) -> str:
    """The terminal's number as an identity: decimal digits without leading zeros.

    Six bytes that are no decimal digits are an IMEI without its last digit, as a binary number.
    """
    return ident_of_hex(number.hex())


def ident_of_hex(digits: str) -> str:
    """`ident` of the number in hexadecimal."""
    if digits.isdecimal():
        return digits.lstrip("0")
    if len(digits) == 2 * NUMBER_BYTES:
        body = str(int(digits, 16))
        return body + luhn(body)
    found = digits.lstrip("0")
    return found if is_ident(found) else ""


def luhn(body: str) -> str:
    """The check digit of an IMEI whose other digits are `body`."""
    doubled = [int(digit) * 2 for digit in reversed(body)][::2]
    total = sum(value // 10 + value % 10 for value in doubled)
    total += sum(int(digit) for digit in body[-2::-2])
    return str(-total % 10)
