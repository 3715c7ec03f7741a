"""Compressed positions of HEX reports (type 100): one a second, most as a step from the one before.

A point begins with two bits. 01: whole: fix u1, speed (0.1 km/h) u12, azimuth u9, longitude i32,
latitude i32 in millionths, and for the first one its time u32. 10: a step: fix u1, speed i7,
azimuth i7, longitude i12, latitude i11. Others are one byte: nothing new, or no fix.
"""

from struct import Struct
from typing import Final, NamedTuple

from devices.errors import DecodeError, Reject

_WHOLE: Final = 0b01
_STEP: Final = 0b10
_PLACE: Final = Struct(">ii")
_TIME: Final = Struct(">I")
_HEAD_BYTES: Final = 3
_STEP_BYTES: Final = 5


class Point(NamedTuple):
    """A point of a track: its place in the frame, and seconds, tenths, degrees, millionths."""

    at: int
    time: int
    speed: int
    azimuth: int
    lon: int
    lat: int


def points(data: bytes, at: int, end: int, count: int) -> tuple[list[Point], int, int]:
    """Points, how many places of the track have none, and where it ends. Raises DecodeError."""
    found: list[Point] = []
    missing = time = speed = azimuth = lon = lat = 0
    for second in range(count):
        if at >= end:
            raise _too_short(at, count)
        kind, start = data[at] >> 6, at
        if kind == _WHOLE:
            first = not time
            at += _HEAD_BYTES + _PLACE.size + (_TIME.size if first else 0)
            if at > end:
                raise _too_short(at, count)
            bits = int.from_bytes(data[start : start + _HEAD_BYTES], "big")
            speed, azimuth = bits >> 9 & 0xFFF, bits & 0x1FF
            lon, lat = _PLACE.unpack_from(data, start + _HEAD_BYTES)
            if first:
                (time,) = _TIME.unpack_from(data, at - _TIME.size)
                time -= second
        elif kind == _STEP and time:
            at += _STEP_BYTES
            if at > end:
                raise _too_short(at, count)
            bits = int.from_bytes(data[start:at], "big")
            speed += _signed(bits >> 30, 7)
            azimuth += _signed(bits >> 23, 7)
            lon += _signed(bits >> 11, 12)
            lat += _signed(bits, 11)
        else:
            at += 1
            missing += 1
            continue
        found.append(Point(start, time + second, speed, azimuth % 360, lon, lat))
    return found, missing, at


def _signed(bits: int, width: int) -> int:
    """The lowest bits as a number in two's complement."""
    value = bits & (1 << width) - 1
    return value - (1 << width) if value >> width - 1 else value


def _too_short(at: int, count: int) -> DecodeError:
    return DecodeError(Reject.TRUNCATED, at=at, detail=f"a track of {count} points does not fit")
