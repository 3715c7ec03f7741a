"""TK103 (also GPS103B, Xexun TK): `(identity command content)`.

Source: "TK103 GPS tracker communication protocol". The identity is 12 digits, in newer firmware 15.
BP00 (handshake) is answered AP01HSO, BP05 (login with a position) AP05, BO01 (alarm) AS01 with the
kind of alarm; other messages are not answered.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Step, Stream, garbage, until

_FRAME: Final = re.compile(rb"\((\d{10,15}|\w{12}),?([A-Z]{2}\w{2})(.*)\)", re.DOTALL)


class Tk103Stream(Stream):
    """A tracker's messages."""

    most_bytes: ClassVar[int] = 2048
    separators: ClassVar[bytes] = b"\r\n"

    def measure(self, data: bytes, at: int) -> int:
        """From bracket to bracket."""
        if data[at] != ord("("):
            return garbage(data, at, b"(")
        return until(data, at, b")", self.most_bytes)

    def read(self, frame: bytes) -> Iterable[Step]:
        """By its command."""
        found = _FRAME.fullmatch(frame)
        if found is None:
            return (Step(wrong="bad_syntax"),)
        sender, command, content = found.groups()
        ident = sender.decode("ascii")
        if command == b"BP00":
            return (Step(ident=ident, reply=b"(%bAP01HSO)" % sender),)
        reply = b""
        if command == b"BP05":
            reply = b"(%bAP05)" % sender
        elif command == b"BO01":
            reply = b"(%bAS01%b)" % (sender, content[:1])
        return (Step(ident=ident, payload=frame, reply=reply),)
