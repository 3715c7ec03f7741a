"""NMEA 0183 over TCP: sentences behind a line that names the device.

No document says how a receiver introduces itself: the usual ways are a line with the IMEI
(`imei:352093081429150`, `#352093081429150#...`), or the IMEI within the line of the sentence. The
first 15 digits in a row that a line holds are taken for it.

A payload ends with a sentence RMC, which alone has the date; the sentences of the same receiver
since the one before go with it, so that a GGA brings its satellites and altitude. A line of another
kind (Totem's, whose fields have bars between them; a query) is a payload of its own.
"""

import re
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.stream import Clock, Step, Stream, until

_IMEI: Final = re.compile(rb"(?:(?<!\d)|(?<=\$\$\d\d))\d{15}(?!\d)")
"""Totem's texts begin with $$ and two digits of their length."""

_FIELDS: Final = re.compile(rb"[,|]|%2c", re.IGNORECASE)
"""What a line without is an introduction: between two fields."""
_WAITS: Final = re.compile(rb"\$G[A-Z](?:DTM|GBS|GGA|GLL|GNS|GRS|GSA|GST|GSV|HDT|VTG|ZDA),")
_MOST_SENTENCES: Final = 32


class NmeaStream(Stream):
    """A receiver's lines."""

    most_bytes: ClassVar[int] = 1024
    separators: ClassVar[bytes] = b"\r\n\0"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._waiting: list[bytes] = []
        self._is_named = False

    def measure(self, data: bytes, at: int) -> int:
        """Up to the end of the line."""
        return until(data, at, b"\n", self.most_bytes)

    def read(self, frame: bytes) -> Iterable[Step]:
        """Identities and sentences; nothing is answered."""
        line = frame.rstrip()
        # Later lines may hold other numbers of 15 digits: a SIM's, a journey's.
        is_name = _FIELDS.search(line) is None
        found = _IMEI.search(line) if is_name or not self._is_named else None
        ident = found[0].decode("ascii") if found else ""
        self._is_named |= bool(ident)
        if is_name:
            return (Step(ident=ident, wrong="" if ident else "bad_syntax"),)
        self._waiting.append(line)
        if _WAITS.match(line) and len(self._waiting) < _MOST_SENTENCES:
            return (Step(ident=ident),) if ident else ()
        payload = b"\r\n".join(self._waiting)
        self._waiting = []
        return (Step(ident=ident, payload=payload),)
