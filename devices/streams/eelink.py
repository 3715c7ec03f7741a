"""Eelink: 6767, type, size, sequence, content; login, heartbeat and reports are answered.

Source: "Eelink GPS Tracker Communication Protocol" V2.0, sections 2 and 3. The size counts from the
sequence on. An answer is 6767, the same type, the size, the same sequence, and for the login the
time, the version and an action (none). Positions (12) are not answered.
"""

from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Step, Stream, garbage

_MARK: Final = b"\x67\x67"
_LOGIN: Final = 0x01
_HEARTBEAT: Final = 0x03
_PROTOCOL_VERSION: Final = b"\x00\x01"
_NO_ACTION: Final = b"\x00"
_ANSWERED: Final = frozenset((0x04, 0x05, 0x06, 0x14, 0x15, 0x16, 0x1B))
"""Alarms, states, messages, warnings, reports, parameters."""


class EelinkStream(Stream):
    """A tracker's packets."""

    most_bytes: ClassVar[int] = 4096

    def measure(self, data: bytes, at: int) -> int:
        """Mark, type and size stand before what the size counts."""
        head = data[at : at + 2]
        if head != _MARK:
            return 0 if _MARK.startswith(head) else garbage(data, at, b"\x67")
        if len(data) - at < 5:
            return 0
        return 5 + int.from_bytes(data[at + 3 : at + 5], "big")

    def read(self, frame: bytes) -> Iterable[Step]:
        """By its type."""
        kind, sequence = frame[2], frame[5:7]
        if len(sequence) < 2:
            return (Step(wrong="bad_syntax"),)
        if kind == _LOGIN:
            digits = frame[7:15].hex()
            if len(digits) < 16 or not digits.isdigit():
                return (Step(wrong="bad_login"),)
            now = (self._clock() // 1_000_000).to_bytes(4, "big")
            content = now + _PROTOCOL_VERSION + _NO_ACTION
            return (Step(ident=digits[1:], reply=_answer(kind, sequence, content)),)
        if kind == _HEARTBEAT:
            return (Step(reply=_answer(kind, sequence, b"")),)
        reply = _answer(kind, sequence, b"") if kind in _ANSWERED else b""
        return (Step(payload=frame, reply=reply),)


def _answer(kind: int, sequence: bytes, content: bytes) -> bytes:
    size = len(sequence) + len(content)
    return b"".join((_MARK, bytes((kind,)), size.to_bytes(2, "big"), sequence, content))
