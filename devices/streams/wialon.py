"""Wialon IPS 1.1 to 2.1: lines `#type#content`, answered `#Atype#...`.

Source: Gurtam, "Wialon IPS communication protocol", versions 1.1, 2.0 and 2.1. The login names the
device; its password is not looked at. Version 2 says so in the login and ends every content with a
CRC, behind the last bar of a black box. 2.1 may deflate lines: FF, length u16 (low byte first),
zlib; they are published as they were before. Behind the line of a picture (I) stand as many bytes
as it says first; they are not published.
"""

import re
import zlib
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Clock, Step, Stream, garbage, until

_VERSION_2: Final = re.compile(rb"2\.\d")
_PICTURE: Final = re.compile(rb"#I#(\d{1,5});[^\n]*")
_DEFLATED: Final = 0xFF
_DEFLATED_HEAD: Final = 3
_REFUSED: Final = b"#AL#0\r\n"


class WialonStream(Stream):
    """A device's lines."""

    most_bytes: ClassVar[int] = 64 << 10  # a black box holds thousands of messages
    separators: ClassVar[bytes] = b"\r\n"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._has_crc = False
        self._may_deflate = True  # until a login of an older version

    def measure(self, data: bytes, at: int) -> int:
        """From # to the end of the line, or as long as deflated lines say."""
        if data[at] == _DEFLATED and self._may_deflate:
            if len(data) - at < _DEFLATED_HEAD:
                return 0
            return _DEFLATED_HEAD + int.from_bytes(data[at + 1 : at + _DEFLATED_HEAD], "little")
        if data[at] != ord("#"):
            return garbage(data, at, b"\n#\xff")
        length = until(data, at, b"\n", self.most_bytes)
        picture = _PICTURE.match(data, at, at + length)
        return length + int(picture[1]) if picture else length

    def read(self, frame: bytes) -> Iterable[Step]:
        """By its type."""
        if frame[0] == _DEFLATED:
            return self._inflated(frame[_DEFLATED_HEAD:])
        picture = _PICTURE.match(frame)
        line = (picture[0] if picture else frame).rstrip(b"\r\n")
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

    def _inflated(self, deflated: bytes) -> Iterable[Step]:
        """What each of some deflated lines is to be answered."""
        inflater = zlib.decompressobj()
        try:
            lines = inflater.decompress(deflated, self.most_bytes)
        except zlib.error:
            return (Step(wrong="bad_syntax"),)
        if not inflater.eof:
            return (Step(wrong="bad_syntax"),)
        return [
            step for line in lines.split(b"\n") if line.startswith(b"#") for step in self.read(line)
        ]

    def _login(self, content: bytes) -> Step:
        fields = content.split(b";")
        self._has_crc = _VERSION_2.fullmatch(fields[0]) is not None
        self._may_deflate = self._has_crc and fields[0] != b"2.0"
        ident = fields[1] if self._has_crc and len(fields) > 1 else fields[0]
        if not ident.isalnum():
            return Step(wrong="bad_login", reply=_REFUSED)
        return Step(ident=ident.decode("ascii"), reply=b"#AL#1\r\n", refusal=_REFUSED)
