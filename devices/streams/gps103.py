"""GPS103 (Coban, Xexun): `##,imei:...,A;` answered LOAD, `...;` answered ON, `imei:...;` positions.

Source: "GPRS protocol" of TK103/GPS103 trackers by Coban, 2013. Every position names the IMEI; it
is not answered, except for a call for help, which is confirmed with E so that it is not repeated.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Step, Stream, garbage

_LOGIN: Final = re.compile(rb"##,imei:(\d{1,20}),A[;\r\n]?")
_HEARTBEAT: Final = re.compile(rb"(\d{15})[;\r\n]?")
_REPORT: Final = re.compile(rb"imei:(\d{1,20}),([^,;]*)[^;]*;?\s?")
_HELP: Final = b"help me"
_MARKS: Final = b"#i0123456789"
_ENDS: Final = (b";", b"\r", b"\n")


class Gps103Stream(Stream):
    """A tracker's lines."""

    most_bytes: ClassVar[int] = 2048
    separators: ClassVar[bytes] = b"\r\n;"

    def measure(self, data: bytes, at: int) -> int:
        """Up to the semicolon, or the end of the line where a clone leaves it out."""
        if data[at] not in _MARKS:
            return garbage(data, at, _MARKS + b"\n;")
        limit = at + self.most_bytes
        found = [place for end in _ENDS if (place := data.find(end, at, limit)) >= 0]
        return min(found) + 1 - at if found else 0

    def read(self, frame: bytes) -> Iterable[Step]:
        """By its beginning."""
        if login := _LOGIN.fullmatch(frame):
            return (Step(ident=login[1].decode("ascii"), reply=b"LOAD"),)
        if heartbeat := _HEARTBEAT.fullmatch(frame):
            return (Step(ident=heartbeat[1].decode("ascii"), reply=b"ON"),)
        report = _REPORT.fullmatch(frame)
        if report is None:
            return (Step(wrong="bad_syntax"),)
        reply = b"**,imei:%b,E;" % report[1] if report[2] == _HELP else b""
        return (Step(ident=report[1].decode("ascii"), payload=frame.rstrip(), reply=reply),)
