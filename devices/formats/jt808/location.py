"""JT/T 808: the body of a location, 28 bytes and items (2013, 8.18; 2019, 8.12).

alarm u32, status u32, latitude u32, longitude u32 (1e-6 degree), altitude u16 (m),
speed u16 (0.1 km/h), course u16 (degrees), time BCD yymmddhhmmss in GMT+8
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, Final

import numpy as np

from devices.errors import DecodeError, Reject
from devices.formats.jt808.items import Items, read_items
from devices.formats.jt808.meaning import SOUTH, TIME_ZONE_US, WEST, said
from devices.rows import FixRows

FIXED: Final = np.dtype(
    [
        ("alarm", ">u4"),
        ("status", ">u4"),
        ("lat_e6", ">i4"),
        ("lon_e6", ">i4"),
        ("altitude_m", ">i2"),
        ("speed_tenths", ">u2"),
        ("course_deg", ">u2"),
        ("time", "u1", 6),
    ]
)
"""The fixed part. Angles are unsigned by the standard and have their side in the status; trackers
that send them with a sign are read, too. Altitudes below the sea are two's complement."""

_FIXED: Final = Struct(">IIiihHH6s")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def bcd_time(raw: bytes, zone_us: int = TIME_ZONE_US) -> float:
    """Microseconds since 1970 UTC of BCD yymmddhhmmss in a time zone. Raises DecodeError."""
    return digits_time(raw.hex(), zone_us)


def digits_time(text: str, zone_us: int = TIME_ZONE_US) -> float:
    """Microseconds since 1970 UTC of the digits yymmddhhmmss. Raises DecodeError."""
    detail = f"time: expected the digits yymmddhhmmss, got {text:.40}"
    if not (text.isdecimal() and text.isascii() and len(text) == 12):
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    year, month, day, hour, minute, second = (int(text[i : i + 2]) for i in range(0, 12, 2))
    leap = second == 60
    try:
        when = datetime(2000 + year, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError:
        raise DecodeError(Reject.BAD_VALUE, detail=detail) from None
    return float((when - _EPOCH) // _MICROSECOND + leap * 1_000_000 - zone_us)


def place(lat_e6: int, lon_e6: int, status: int) -> tuple[float, float]:
    """(lon, lat) in degrees of millionths and the sides in the status."""
    lat, lon = lat_e6 / 1e6, lon_e6 / 1e6
    return (-abs(lon) if status & WEST else lon), (-abs(lat) if status & SOUTH else lat)


def read_location(
    body: bytes,
    rows: FixRows,
    *,
    at: int,
    ident: str,
    is_2019: bool,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Add the fix of one location body, with more `extra`. Raises DecodeError."""
    if len(body) < FIXED.itemsize:
        detail = f"location: expected at least {FIXED.itemsize} bytes, got {len(body)}"
        raise DecodeError(Reject.TRUNCATED, at=at, detail=detail)
    alarm, status, lat_e6, lon_e6, altitude, speed, course, time = _FIXED.unpack_from(body)
    meaning = said(alarm, status, is_2019)
    items = read_items(body, FIXED.itemsize) if len(body) > FIXED.itemsize else Items()
    lon, lat = place(lat_e6, lon_e6, status)
    rows.add(
        bcd_time(time),
        lon,
        lat,
        at=at,
        speed_kmh=speed / 10,
        heading=course,
        altitude=altitude,
        satellites=items.satellites,
        odometer=items.odometer,
        ident=ident,
        inputs=meaning.inputs | items.inputs,
        quality=meaning.quality,
        extra={**meaning.extra, **items.extra, **(extra or {})},
    )
