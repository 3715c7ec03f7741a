"""NMEA 0183 over TCP: sentences behind a line that names the device.

No document says how a receiver introduces itself: the usual ways are a line with the IMEI
(`imei:352093081429150`, `#352093081429150#...`), or the IMEI within the line of the sentence. The
first 15 digits in a row that a line holds are taken for it.

A payload has one sentence RMC, which alone has the date, and the GGA of the same time of day, which
brings satellites and altitude. Which comes first differs by receiver: an RMC ends its payload until
a GGA of its time comes behind one, and from then on waits for its GGA, or the next RMC. What says
once more of when an RMC was that is published is left out: it would be a fix of its own, without a
date. A line of another
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
_TIMED: Final = re.compile(
    rb"\$G[A-Z](?P<kind>RMC|GGA),(?P<clock>\d{6}(?:\.\d*)?),"
    rb"|\$G[A-Z](?P<gll>GLL),(?:[^,]*,){4}(?P<clock_of_gll>\d{6}(?:\.\d*)?),"
)
_MOST_SENTENCES: Final = 32


class NmeaStream(Stream):
    """A receiver's lines."""

    most_bytes: ClassVar[int] = 1024
    separators: ClassVar[bytes] = b"\r\n\0"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._waiting: list[bytes] = []
        self._published = b""  # the time of day of the last RMC that was
        self._held = b""  # that of the RMC that waits for its GGA
        self._is_rmc_first = False
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
        payloads = self._take(line)
        if ident and not payloads:
            return (Step(ident=ident),)
        return [Step(ident=ident, payload=payload) for payload in payloads]

    def _take(self, line: bytes) -> list[bytes]:
        """The payloads that a line completes."""
        kind, clock = _said_when(line)
        if kind != b"RMC" and clock and clock == self._published:
            self._is_rmc_first |= kind == b"GGA"
            return []
        payloads = []
        if kind == b"RMC" and self._held:
            payloads.append(self._complete(self._held))
            self._is_rmc_first = False
        self._waiting.append(line)
        if kind == b"RMC" and clock and self._is_rmc_first:
            self._held = clock
        elif kind == b"GGA" and clock and clock == self._held:
            payloads.append(self._complete(clock))
        elif not _WAITS.match(line) or len(self._waiting) >= _MOST_SENTENCES:
            payloads.append(self._complete(clock if kind == b"RMC" else self._held))
        return payloads

    def _complete(self, clock: bytes) -> bytes:
        """What waits, as a payload. clock: of its RMC, b"" without one."""
        payload = b"\r\n".join(self._waiting)
        self._waiting, self._held = [], b""
        self._published = clock or self._published
        return payload


def _said_when(line: bytes) -> tuple[bytes, bytes]:
    """Of RMC, GGA and GLL the kind and the time of day, without zeros behind the point."""
    found = _TIMED.search(line)
    if found is None:
        return b"", b""
    clock = found["clock"] or found["clock_of_gll"]
    return found["kind"] or found["gll"], clock.rstrip(b"0").rstrip(
        b"."
    ) if b"." in clock else clock
