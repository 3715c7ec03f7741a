"""Cellocator: MCGP (older: MCPG), type, unit id, ...; messages are acknowledged with type 4.

Source: "Cellocator Wireless Communication Protocol", sections on messages of types 0, 4, 9 and 11;
lengths are those of the codec, and of the acknowledgement of a command that it has no use for.
Numbers are low byte first; the last byte of a frame is the sum of what stands behind the mark, but
of MCPG, whose last byte is nowhere explained and not looked at. The identity is the unit id in
decimal.
"""

from collections.abc import Iterable
from typing import ClassVar, Final

from devices.formats.cellocator import FIXED_LENGTHS, LENGTHS
from devices.streams.stream import Clock, Step, Stream, garbage

_SUMMED: Final = b"MCGP"
_MARKS: Final = (_SUMMED, b"MCPG")
_NUMERATOR_AT: Final = 11
_ACKNOWLEDGE: Final = 0x04
_FIXED: Final = {**FIXED_LENGTHS, _ACKNOWLEDGE: 28}


class CellocatorStream(Stream):
    """A unit's messages."""

    most_bytes: ClassVar[int] = 2048

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._numerator = 0

    def measure(self, data: bytes, at: int) -> int:
        """By the type."""
        head = data[at : at + 4]
        if head not in _MARKS:
            is_half = any(mark.startswith(head) for mark in _MARKS)
            return 0 if is_half else garbage(data, at, b"M")
        if len(data) - at < 5:
            return 0
        kind = data[at + 4]
        if kind not in LENGTHS:
            return _FIXED.get(kind, -1)
        around, counted, place = LENGTHS[kind]
        if len(data) - at < place + counted.size:
            return 0
        return around + int(counted.unpack_from(data, at + place)[0])

    def read(self, frame: bytes) -> Iterable[Step]:
        """Everything is published, and acknowledged by its numerator."""
        if frame.startswith(_SUMMED) and sum(frame[4:-1]) & 0xFF != frame[-1]:
            return (Step(wrong="bad_checksum"),)
        unit = int.from_bytes(frame[5:9], "little")
        if not unit:
            return (Step(wrong="bad_identity"),)
        ident = str(unit)
        if frame[4] == _ACKNOWLEDGE:
            return (Step(ident=ident),)
        return (Step(ident=ident, payload=frame, reply=self._answer(frame)),)

    def _answer(self, frame: bytes) -> bytes:
        self._numerator = (self._numerator + 1) & 0xFF
        body = b"".join((
            bytes((_ACKNOWLEDGE,)), frame[5:9], bytes((self._numerator,)), bytes(4),
            b"\x00", frame[_NUMERATOR_AT : _NUMERATOR_AT + 1], bytes(11),
        ))  # fmt: skip
        return frame[:4] + body + bytes((sum(body) & 0xFF,))
