"""GT06: the block of a position, 18 bytes.

    date and time, six numbers u8 | satellites u8 (low half) | latitude, longitude u32
    (1/30,000 minute) | speed u8 (km/h) | course and flags u16

Flags: bits 0-9 course (degrees), 10 north, 11 west, 12 located, 13 differential, 14 ignition is
known, 15 ignition.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import nan
from struct import Struct
from typing import Any, Final

import numpy as np

from devices.batch import Input, Quality, inputs_word
from devices.errors import DecodeError, Reject
from devices.rows import FixRows

GPS: Final = np.dtype(
    [
        ("time", "u1", 6),
        ("satellites", "u1"),
        ("lat", ">u4"),
        ("lon", ">u4"),
        ("speed_kmh", "u1"),
        ("flags", ">u2"),
    ]
)
PARTS_A_DEGREE: Final = 1_800_000

COURSE: Final = 0x03FF
NORTH: Final = 1 << 10
WEST: Final = 1 << 11
LOCATED: Final = 1 << 12
IGNITION_KNOWN: Final = 1 << 14
IGNITION: Final = 1 << 15

_PLACE: Final = Struct(">II")
_GPS: Final = Struct(">6sBIIBH")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Position:
    """What a frame says about one position; `zone_us` is the device's offset from UTC."""

    time: float
    lon: float
    lat: float
    flags: int
    speed_kmh: float = nan
    satellites: float = nan
    altitude: float = nan
    hdop: float = nan
    odometer: float = nan
    ident: str = ""
    inputs: dict[Input, bool] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    def add_to(self, rows: FixRows, at: int) -> None:
        """Add the fix. Raises DecodeError if the extra cannot be stored."""
        rows.add(
            self.time,
            self.lon,
            self.lat,
            at=at,
            speed_kmh=self.speed_kmh,
            heading=self.flags & COURSE,
            altitude=self.altitude,
            hdop=self.hdop,
            satellites=self.satellites,
            odometer=self.odometer,
            ident=self.ident,
            inputs=inputs_word({**ignition(self.flags), **self.inputs}),
            quality=0 if self.flags & LOCATED else Quality.NO_POSITION,
            extra=self.extra,
        )


def ignition(flags: int) -> dict[Input, bool]:
    """Ignition, if the flags say it."""
    return {Input.IGNITION: bool(flags & IGNITION)} if flags & IGNITION_KNOWN else {}


def place(lat: int, lon: int, flags: int) -> tuple[float, float]:
    """(lon, lat) in degrees."""
    north, east = lat / PARTS_A_DEGREE, lon / PARTS_A_DEGREE
    return (-east if flags & WEST else east), (north if flags & NORTH else -north)


def instant(raw: bytes, zone_us: int) -> float:
    """Microseconds since 1970 UTC of year (from 2000), month, day, hour, minute and second.

    Raises DecodeError.
    """
    year, month, day, hour, minute, second = raw
    leap = second == 60
    detail = f"time: expected yy mm dd hh mm ss, got {raw.hex()}"
    if year > 99:
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    try:
        when = datetime(2000 + year, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError:
        raise DecodeError(Reject.BAD_VALUE, detail=detail) from None
    return float((when - _EPOCH) // _MICROSECOND + leap * 1_000_000 - zone_us)


def read_gps(content: bytes, at: int, zone_us: int) -> Position:
    """The position whose block begins at `at`. Raises DecodeError."""
    expect(content, at + GPS.itemsize)
    time, satellites, lat, lon, speed, flags = _GPS.unpack_from(content, at)
    east, north = place(lat, lon, flags)
    return Position(
        instant(time, zone_us), east, north, flags, speed_kmh=speed, satellites=satellites & 0xF
    )


def expect(content: bytes, size: int) -> None:
    """Raise DecodeError if the content is shorter than that."""
    if len(content) < size:
        detail = f"content: expected at least {size} bytes, got {len(content)}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)
