"""GT06 and its heirs (Concox, Jimi): frames 7878 and 7979, answered with the same number.

Source: "GPS Tracker Communication Protocol" of GT06, v1.8.1, sections 4 and 5. A frame is

    78 78 | length u8  | number u8, content, serial u16, CRC u16 | 0D 0A
    79 79 | length u16 | ...

The login carries the IMEI, 16 BCD digits of which the first is 0, and of many devices the time
zone that all their times are in: such a login is published in front of every frame behind it, for
nothing else says it. Login, heartbeat and alarms are answered; positions are not, by the
document. The CRC is left to the codec: clones get it wrong.
"""

import time
from collections.abc import Iterable
from typing import ClassVar, Final

from devices.streams.checksums import crc_x25
from devices.streams.stream import Clock, Step, Stream, garbage, until

_SHORT: Final = b"\x78\x78"
_LONG: Final = b"\x79\x79"
_END: Final = b"\x0d\x0a"

_LOGIN: Final = 0x01
_HEARTBEATS: Final = frozenset((0x13, 0x23))
_ALARMS: Final = frozenset((0x16, 0x19, 0x26, 0x27, 0xA3, 0xA4, 0xA5))
_TIME_REQUEST: Final = 0x8A
_STATIONS: Final = 0x69
_PULSE: Final = 0x08
"""A heartbeat of old models: the number alone, which wants no answer."""

_LONE_PULSE: Final = _SHORT + bytes((1, _PULSE)) + _END
_LEAST_LENGTH: Final = 5
_ZONE_AT: Final = 10
"""In the content of a login, u16: behind the IMEI and the type. Its lower four bits are others."""


class Gt06Stream(Stream):
    """A tracker's frames."""

    most_bytes: ClassVar[int] = 4096

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._zone = b""

    def measure(self, data: bytes, at: int) -> int:
        """The length counts neither the marks nor itself."""
        head = data[at : at + 2]
        if head == _SHORT:
            return 0 if len(data) - at < 4 else self._short(data, at)
        if head == _LONG:
            if len(data) - at < 4:
                return 0
            return 6 + int.from_bytes(data[at + 2 : at + 4], "big")
        if head in {b"\x78", b"\x79"}:
            return 0
        return garbage(data, at, b"\x78\x79")

    def _short(self, data: bytes, at: int) -> int:
        """Lists of WiFi stations have their count where others have their length."""
        length, number = data[at + 2], data[at + 3]
        if number == _STATIONS or (length < _LEAST_LENGTH and number != _PULSE):
            return until(data, at, _END, self.most_bytes)
        return 5 + length

    def read(self, frame: bytes) -> Iterable[Step]:
        """By the number behind the length."""
        number_at = 3 if frame[:2] == _SHORT else 4
        if frame == _LONE_PULSE:
            return ()
        if len(frame) < number_at + 7 or frame[-2:] != _END:
            return (Step(wrong="bad_syntax"),)
        number, serial = frame[number_at], frame[-6:-4]
        if number == _LOGIN:
            digits = frame[number_at + 1 : number_at + 9].hex()
            if not digits.isdigit():
                return (Step(wrong="bad_login"),)
            self._zone = frame if _has_zone(frame) else b""
            return (Step(ident=digits[1:], reply=_answer(number, b"", serial)),)
        if number in _HEARTBEATS or number == _TIME_REQUEST:
            content = self._now() if number == _TIME_REQUEST else b""
            return (Step(reply=_answer(number, content, serial)),)
        reply = _answer(number, b"", serial) if number in _ALARMS else b""
        return (Step(payload=self._zone + frame, reply=reply),)

    def _now(self) -> bytes:
        now = time.gmtime(self._clock() // 1_000_000)
        return bytes((now.tm_year - 2000, now.tm_mon, now.tm_mday)) + bytes(now[3:6])


def _has_zone(login: bytes) -> bool:
    """Whether a login is sound and says a time zone other than UTC."""
    content = login[4:-6]
    is_sound = login[:2] == _SHORT and crc_x25(login[2:-4]) == int.from_bytes(login[-4:-2], "big")
    return is_sound and int.from_bytes(content[_ZONE_AT : _ZONE_AT + 2], "big") >> 4 != 0


def _answer(number: int, content: bytes, serial: bytes) -> bytes:
    checked = bytes((len(content) + 5, number)) + content + serial
    return _SHORT + checked + crc_x25(checked).to_bytes(2, "big") + _END
