"""Suntech: lines of fields with semicolons, ended by CR, and binary frames of the ST4000 series.

Source: "ST300/ST600 Communication Protocol" and "Universal Protocol" of Suntech. The identity is
the second field (the third where the second names the report, as in ST910). What came by a serial
port (UEX) may hold a CR; its bytes are counted before it. A binary frame is a header
byte, a length u16 that counts what follows it, and begins with the identity, 10 BCD digits; that
of the ST300 family (02) with the kind of the report, and then 9 BCD digits. The server answers
nothing.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Step, Stream, until

_BINARY: Final = b"\x02\x81\x82"
_CLOSED: Final = 0x02
"""Frames that begin with this, those of the ST300 family, end with 03."""

_LINE: Final = re.compile(
    rb"(?:ST9\d\d;[A-Za-z]{1,16}|[A-Z][A-Za-z0-9]{2,8}(?:;RES)?);(\w{3,20});?.*", re.DOTALL
)
_SERIAL: Final = re.compile(
    rb"S[AT]\d{3}UEX;[^\r]*?;[+-]\d{1,3}\.\d{1,9};[+-]\d{1,3}\.\d{1,9};"
    rb"(?:[^;\r]{0,20};){6}[01]{1,16};(\d{1,4});"
)
"""A report up to the data of the serial port: the place, six columns, inputs, how many bytes."""

_LETTERS: Final = bytes(range(ord("A"), ord("Z") + 1))


class SuntechStream(Stream):
    """A tracker's lines and frames."""

    most_bytes: ClassVar[int] = 2048
    separators: ClassVar[bytes] = b"\r\n"

    def measure(self, data: bytes, at: int) -> int:
        """Up to the CR, or what the length of a binary frame says."""
        if data[at] in _BINARY:
            if len(data) - at < 3:
                return 0
            around = 4 if data[at] == _CLOSED else 3
            return around + int.from_bytes(data[at + 1 : at + 3], "big")
        if data[at] in _LETTERS:
            if serial := _SERIAL.match(data, at, at + self.most_bytes):
                end = data.find(b"\r", serial.end() + int(serial[1]), at + self.most_bytes)
                return end + 1 - at if end >= 0 else 0
            return until(data, at, b"\r", self.most_bytes)
        return -1

    def read(self, frame: bytes) -> Iterable[Step]:
        """Every one names its sender."""
        if frame[0] in _BINARY:
            is_closed = frame[0] == _CLOSED
            digits = frame[4:9].hex()[:9] if is_closed else frame[3:8].hex()
            if len(digits) < (9 if is_closed else 10) or not digits.isdigit():
                return (Step(wrong="bad_identity"),)
            return (Step(ident=digits, payload=frame),)
        line = frame[:-1]
        found = _LINE.fullmatch(line)
        if found is None:
            return (Step(wrong="bad_syntax"),)
        return (Step(ident=found[1].decode("ascii"), payload=line),)
