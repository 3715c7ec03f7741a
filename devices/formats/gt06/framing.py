"""GT06: frames of a payload.

    7878 | length u8,  kind u8, content, serial u16 | CRC-ITU u16 | 0d0a
    7979 | length u16, kind u8, content, serial u16 | CRC-ITU u16 | 0d0a

The length counts from the kind to the CRC; the CRC covers what stands between the bars.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from devices.crc16 import ITU
from devices.errors import DecodeError, Reject

SHORT: Final = b"\x78\x78"
LONG: Final = b"\x79\x79"
END: Final = b"\x0d\x0a"
_NEXT: Final = re.compile(rb"\r\n(?=\x78\x78|\x79\x79)")

MAX_LENGTH: Final = 4096
"""Of a long frame: the longest real ones, with parts of photos, are below 2,000 bytes."""

BEHIND_CONTENT: Final = 4
"""Bytes of a serial number and a CRC."""


WIFI: Final = b"\x17\x69"
_LEAST_WIFI: Final = 16
"""Frames of these kinds have a number of access points, not a length, and no CRC."""


class Frame(NamedTuple):
    """One frame: its place in the payload, what it is and what it holds."""

    at: int
    kind: int
    is_long: bool
    content: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """What stands at a place of a payload: a frame, or the reason why there is none."""

    at: int
    found: Frame | DecodeError


def pieces(payload: bytes) -> Iterator[Piece]:
    """The frames of a payload; what is wrong with one does not hide the next."""
    at = 0
    while at < len(payload):
        try:
            frame, behind = _frame(payload, at)
            yield Piece(at, frame)
        except DecodeError as error:
            yield Piece(at, error)
            behind = _next_frame(payload, at)
        at = behind


def _next_frame(payload: bytes, at: int) -> int:
    found = _NEXT.search(payload, at + 2)
    return found.end() if found else len(payload)


def _frame(payload: bytes, at: int) -> tuple[Frame, int]:
    """The frame at a place, and where it ends. Raises DecodeError."""
    start = payload[at : at + 2]
    if start not in {SHORT, LONG}:
        raise DecodeError(Reject.BAD_SYNTAX, detail=f"expected 7878 or 7979, got {start.hex()}")
    is_long = start == LONG
    kind_at = at + 3 + is_long
    length = int.from_bytes(payload[at + 2 : kind_at])
    end = kind_at + length
    if len(payload) <= kind_at:
        detail = f"expected a length and a kind, got {payload[at:].hex()}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)
    kind = payload[kind_at]
    if not is_long and kind in WIFI and length < _LEAST_WIFI:
        raise DecodeError(Reject.UNSUPPORTED, detail=f"{kind:02x} (wifi) carries no position")
    if length > MAX_LENGTH:
        detail = f"length: expected at most {MAX_LENGTH}, got {length}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    if len(payload) < end + len(END):
        detail = f"length {length}: expected {end + len(END) - at} bytes, got {len(payload) - at}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)
    if length <= BEHIND_CONTENT:
        detail = f"length: expected at least 5, got {length} (kind {kind:02x})"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    if payload[end : end + len(END)] != END:
        detail = f"expected 0d0a behind the frame, got {payload[end : end + 2].hex()}"
        raise DecodeError(Reject.BAD_SYNTAX, detail=detail)
    crc = ITU.of(payload[at + 2 : end - 2])
    sent = int.from_bytes(payload[end - 2 : end])
    if sent != crc:
        detail = f"crc: expected {crc:04x}, got {sent:04x}"
        raise DecodeError(Reject.BAD_CHECKSUM, detail=detail)
    content = payload[kind_at + 1 : end - BEHIND_CONTENT]
    return Frame(at, kind, is_long, content), end + len(END)
