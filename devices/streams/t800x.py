"""Topflytech (T800X and others): two bytes of mark, type, length, serial, IMEI, content.

Source: Topflytech, "T8806+/TLW communication protocol", sections on login, heartbeat, position and
alarm. The length u16 is that of the whole frame; the IMEI is 16 BCD digits, the first of them 0.
Every frame is answered with its own head (an alarm with its code behind it, in the generations
whose documents show where it stands).
"""

from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Step, Stream, garbage

_MARKS: Final = frozenset((b"##", b"%%", b"&&", b"''", b"((", b"))"))
_FIRST: Final = b"#%&'()"
_HEAD_BYTES: Final = 15
_LOGIN: Final = 0x01
_HEARTBEAT: Final = 0x03
_ALARM: Final = 0x04
_ALARM_AT: Final = {b"##": 22, b"%%": 22, b"''": 1}
"""By the mark of a generation, where its alarm's code stands in the content."""

_ANSWER_TO_COMMAND: Final = 0x81


class T800xStream(Stream):
    """A tracker's frames."""

    most_bytes: ClassVar[int] = 4096

    def measure(self, data: bytes, at: int) -> int:
        """The length counts everything."""
        head = data[at : at + 2]
        if head not in _MARKS:
            is_half = len(head) == 1 and head[0] in _FIRST
            return 0 if is_half else garbage(data, at, _FIRST)
        if len(data) - at < 5:
            return 0
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        return length if length >= _HEAD_BYTES else -1

    def read(self, frame: bytes) -> Iterable[Step]:
        """By its type."""
        kind, digits = frame[2], frame[7:_HEAD_BYTES].hex()
        if not digits.isdigit() or not int(digits):
            return (Step(wrong="bad_identity"),)
        ident = digits[1:]
        if kind in {_LOGIN, _HEARTBEAT}:
            return (Step(ident=ident, reply=_answer(frame, b"")),)
        if kind == _ANSWER_TO_COMMAND:
            return (Step(ident=ident, payload=frame),)
        code = b""
        if kind == _ALARM and (place := _ALARM_AT.get(frame[:2])) is not None:
            code = frame[_HEAD_BYTES + place : _HEAD_BYTES + place + 1]
        return (Step(ident=ident, payload=frame, reply=_answer(frame, code)),)


def _answer(frame: bytes, more: bytes) -> bytes:
    length = _HEAD_BYTES + len(more)
    return frame[:3] + length.to_bytes(2, "big") + frame[5:_HEAD_BYTES] + more
