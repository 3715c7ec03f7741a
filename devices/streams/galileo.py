"""Galileosky: 01, length, tags, CRC; answered 02 and the same CRC.

Source: Galileosky, "Communication protocol with server", packet structure. The top bit of the
length (u16, low byte first) says that more is waiting. The first packet's tags begin with hardware
(01), firmware (02), IMEI (03) and device number (04), in that order. Compressed packets (08) and
pictures (07) have the same frame.
"""

from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.checksums import crc_modbus
from devices.streams.stream import Step, Stream, garbage

_HEADS: Final = b"\x01\x07\x08"
_TAGGED: Final = 0x01
_IMEI: Final = 0x03
_IMEI_DIGITS: Final = 15
_FIRST_TAGS: Final = {0x01: 1, 0x02: 1, 0x04: 2}
"""Tags that may stand before the IMEI, and their bytes."""


class GalileoStream(Stream):
    """A device's packets."""

    most_bytes: ClassVar[int] = 32_767 + 5

    def measure(self, data: bytes, at: int) -> int:
        """Head, length and CRC stand around what the length counts."""
        if data[at] not in _HEADS:
            return garbage(data, at, _HEADS)
        if len(data) - at < 3:
            return 0
        return 5 + (int.from_bytes(data[at + 1 : at + 3], "little") & 0x7FFF)

    def read(self, frame: bytes) -> Iterable[Step]:
        """Answered with the CRC, once it is safe."""
        if crc_modbus(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
            return (Step(wrong="bad_checksum"),)
        ident = _imei(frame[3:-2]) if frame[0] == _TAGGED else ""
        return (Step(ident=ident, payload=frame, reply=b"\x02" + frame[-2:]),)


def _imei(tags: bytes) -> str:
    """The IMEI, if it is among the first tags."""
    at = 0
    while at < len(tags):
        if tags[at] == _IMEI:
            digits = tags[at + 1 : at + 1 + _IMEI_DIGITS]
            return digits.decode("ascii") if digits.isdigit() else ""
        if tags[at] not in _FIRST_TAGS:
            return ""
        at += 1 + _FIRST_TAGS[tags[at]]
    return ""
