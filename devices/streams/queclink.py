"""Queclink @Track (text): `+RESP:GT...$`, `+BUFF:GT...$`, `+ACK:GT...$`.

Source: "@Track Air Interface Protocol", sections 2.3 and 3.4 (heartbeat and SACK). The third field
is the IMEI, the last the count number; the first devices send no version, and the IMEI as the
second. Reports are answered `+SACK:count$` (a device with SACK off ignores it), heartbeats
`+SACK:GTHBD,version,count$`.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Step, Stream, garbage, until

_HEARTBEAT: Final = b"+ACK:GTHBD"
_REPORTS: Final = (b"+RESP:", b"+BUFF:")
_IMEI: Final = re.compile(rb"\d{15}")


class QueclinkStream(Stream):
    """A device's messages."""

    most_bytes: ClassVar[int] = 4096
    separators: ClassVar[bytes] = b"\r\n\0"

    def measure(self, data: bytes, at: int) -> int:
        """From + to $."""
        if data[at] != ord("+"):
            return garbage(data, at, b"+")
        return until(data, at, b"$", self.most_bytes)

    def read(self, frame: bytes) -> Iterable[Step]:
        """Heartbeats, reports, and answers to commands."""
        fields = frame[:-1].split(b",")
        if len(fields) < 4 or not fields[2].isalnum():
            return (Step(wrong="bad_syntax"),)
        has_no_version = _IMEI.fullmatch(fields[1]) and not _IMEI.fullmatch(fields[2])
        ident, count = fields[1 if has_no_version else 2].decode("ascii"), fields[-1]
        if fields[0] == _HEARTBEAT:
            return (Step(ident=ident, reply=b"+SACK:GTHBD,%b,%b$" % (fields[1], count)),)
        reply = b"+SACK:%b$" % count if frame.startswith(_REPORTS) else b""
        return (Step(ident=ident, payload=frame, reply=reply),)
