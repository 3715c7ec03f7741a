"""H02 (Sinotrack and many others): text `*HQ,...#` and binary `$` frames.

Source: "GPS tracker communication protocol" of H02, versions 1.0.5 and 2.0. Every frame names its
sender: the second field of a text, the BCD digits behind `$`. Positions are answered with V4 and
the time, heartbeats (HTBT, XT) with themselves; binary frames are not answered.

A binary frame has 42 bytes with an identity of 15 digits, told by where its time stands, and 32
with one of 10; some makers put 13 more behind these. Nothing in the frame says so: from the first
time that no mark follows, frames are taken with them.
"""

import time
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Clock, Step, Stream, garbage, until

_TEXT: Final = b"*"
_BINARY: Final = b"$"
_MARKS: Final = frozenset((_TEXT, _BINARY))
_SHORT_BYTES: Final = 32
_LONG_BYTES: Final = 42
_TAIL_BYTES: Final = 13
_TIME_KNOWN: Final = 15
"""Bytes of a binary frame after which its length is known."""

_HEARTBEATS: Final = frozenset((b"HTBT", b"XT"))
_ANSWERED: Final = frozenset((b"V1", b"V2", b"V3", b"V6", b"V8", b"VP1", b"NBR"))


class H02Stream(Stream):
    """A tracker's frames."""

    most_bytes: ClassVar[int] = 2048
    separators: ClassVar[bytes] = b"\r\n"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._is_after_short = False
        self._has_tails = False

    def measure(self, data: bytes, at: int) -> int:
        """Texts end with #."""
        mark = data[at : at + 1]
        if mark == _TEXT:
            return until(data, at, b"#", self.most_bytes)
        if mark == _BINARY:
            return self._binary(data, at)
        if self._is_after_short:
            if len(data) - at <= _TAIL_BYTES:
                return 0
            self._is_after_short = data[at + _TAIL_BYTES : at + _TAIL_BYTES + 1] in _MARKS
        return _TAIL_BYTES if self._is_after_short else garbage(data, at, _TEXT + _BINARY)

    def _binary(self, data: bytes, at: int) -> int:
        if len(data) - at < _TIME_KNOWN:
            return 0
        if not _is_short(data[at : at + _TIME_KNOWN]):
            return _LONG_BYTES
        return _SHORT_BYTES + (_TAIL_BYTES if self._has_tails else 0)

    def read(self, frame: bytes) -> Iterable[Step]:
        """Binary frames and texts."""
        if self._is_after_short and frame[:1] not in _MARKS:
            self._is_after_short, self._has_tails = False, True
            return ()
        self._is_after_short = frame[:1] == _BINARY and len(frame) == _SHORT_BYTES
        if frame[:1] == _BINARY:
            digits = frame[1:9].hex()[:15] if len(frame) == _LONG_BYTES else frame[1:6].hex()
            if not digits.isdigit():
                return (Step(wrong="bad_identity"),)
            return (Step(ident=digits, payload=frame),)
        fields = frame[1:-1].split(b",")
        if len(fields) < 3 or not fields[1].isalnum():
            return (Step(wrong="bad_syntax"),)
        maker, sender, kind = fields[:3]
        ident = sender.decode("ascii")
        if kind in _HEARTBEATS:
            return (Step(ident=ident, reply=b"*%b,%b,%b#" % (maker, sender, kind)),)
        reply = b""
        if kind in _ANSWERED:
            reply = b"*%b,%b,V4,%b,%b#" % (maker, sender, kind, self._now())
        return (Step(ident=ident, payload=frame, reply=reply),)

    def _now(self) -> bytes:
        now = time.gmtime(self._clock() // 1_000_000)
        return time.strftime("%Y%m%d%H%M%S", now).encode("ascii")


def _is_short(head: bytes) -> bool:
    """Whether the identity of the binary frame that begins so has 10 digits."""
    return _is_time(head[6:12]) or not _is_time(head[9:15])


def _is_time(digits: bytes) -> bool:
    """Whether six bytes can be hhmmss and ddmmyy, BCD."""
    text = digits.hex()
    return (
        text.isdigit()
        and text[:2] < "24"
        and text[2:4] < "60"
        and text[4:6] < "60"
        and "01" <= text[6:8] <= "31"
        and "01" <= text[8:10] <= "12"
    )
