"""Wialon IPS 1.1 and 2.0: lines `#type#content`, answered `#Atype#...`.

Source: Gurtam, "Wialon IPS communication protocol", versions 1.1 and 2.0. The login names the
device; its password is not looked at. Version 2.0 says so in the login and ends every content with
a CRC, behind the last bar of a black box.
"""

from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Clock, Step, Stream, garbage, until

_VERSION_2: Final = b"2.0"
_REFUSED: Final = b"#AL#0\r\n"


class WialonStream(Stream):
    """A device's lines."""

    most_bytes: ClassVar[int] = 64 << 10  # a black box holds thousands of messages
    separators: ClassVar[bytes] = b"\r\n"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._has_crc = False

    def measure(self, data: bytes, at: int) -> int:
        """From # to the end of the line."""
        if data[at] != ord("#"):
            return garbage(data, at, b"\n#")
        return until(data, at, b"\n", self.most_bytes)

    def read(self, frame: bytes) -> Iterable[Step]:
        """By its type."""
        line = frame.rstrip(b"\r\n")
        _, _, rest = line.partition(b"#")
        kind, found, content = rest.partition(b"#")
        if not found:
            return (Step(wrong="bad_syntax"),)
        if kind == b"L":
            return (self._login(content),)
        if kind == b"P":
            return (Step(reply=b"#AP#\r\n"),)
        if kind == b"B":
            messages = [part for part in content.split(b"|") if part]
            count = max(len(messages) - self._has_crc, 0)
            return (Step(payload=line, reply=b"#AB#%d\r\n" % count),)
        answered = kind in {b"D", b"SD", b"M"}
        return (Step(payload=line, reply=b"#A%b#1\r\n" % kind if answered else b""),)

    def _login(self, content: bytes) -> Step:
        fields = content.split(b";")
        self._has_crc = fields[0] == _VERSION_2
        ident = fields[1] if self._has_crc and len(fields) > 1 else fields[0]
        if not ident.isalnum():
            return Step(wrong="bad_login", reply=_REFUSED)
        return Step(ident=ident.decode("ascii"), reply=b"#AL#1\r\n", refusal=_REFUSED)
