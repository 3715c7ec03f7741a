"""JT/T 808 as padlocks and trailer trackers send it: 5501 and 5502, a shorter location.

    time BCD ddmmyyhhmmss in UTC, latitude BCD ddmmmmmm, longitude BCD dddmmmmmm (minutes to four
    decimals), flags (4 bits: 1 located, 2 north, 4 east), speed BCD 1 byte (knots),
    course u8 (2 degrees), signal u8, satellites u8, mileage u32 (km), battery u8 (%), cell u32,
    area u16, product u8, status u16, alarm u16, items (id u8, length u8, value)

5502 is the same from a blind area: the place is the last one known.
"""

from struct import Struct
from typing import Any, Final

from devices.batch import Quality
from devices.errors import DecodeError, Reject
from devices.formats.jt808.framing import Message
from devices.formats.jt808.items import layout
from devices.formats.jt808.location import digits_time
from devices.rows import FixRows
from devices.units import KNOT_KMH

BLIND: Final = 0x5502

LOCATED, NORTH, EAST = 1, 2, 4

_REST: Final = Struct(">BBBBIBIHBHH")
_PLACE_BYTES: Final = 15
_MAX_BATTERY: Final = 100
_CHARGING: Final = frozenset({0xAA, 0xAB})
_ALTITUDE: Final = (0x02, 2)


def read_padlock(message: Message, rows: FixRows) -> None:
    """Add the fix of a 5501 or 5502. Raises DecodeError."""
    body = message.body
    if len(body) < _PLACE_BYTES + _REST.size:
        detail = f"location: expected at least {_PLACE_BYTES + _REST.size} bytes, got {len(body)}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)
    digits = body[:_PLACE_BYTES].hex()
    if not digits[:-1].isdecimal():
        raise DecodeError(Reject.BAD_VALUE, detail=f"place: expected digits, got {digits}")
    flags = int(digits[-1], 16)
    time = digits_time(digits[4:6] + digits[2:4] + digits[:2] + digits[6:12], zone_us=0)
    lat = _degrees(digits[12:20], bool(flags & NORTH))
    lon = _degrees(digits[20:29], bool(flags & EAST))
    (speed, course, signal, satellites, kilometres, battery, cell, area, product, status,
     alarm) = _REST.unpack_from(body, _PLACE_BYTES)  # fmt: skip
    extra: dict[str, Any] = {"message": f"{message.kind:04x}", "signal": signal}
    if battery in _CHARGING:
        extra["charging"] = True
    elif battery <= _MAX_BATTERY:
        extra["battery_pct"] = battery
    extra |= {"cell": cell, "cell_area": area, "product": product, "status": status}
    if alarm:
        extra["alarm"] = alarm
    altitude = _items(body, _PLACE_BYTES + _REST.size, extra)
    rows.add(
        time,
        lon,
        lat,
        at=message.at,
        speed_kmh=_knots(speed) * KNOT_KMH,
        heading=course * 2,
        altitude=altitude,
        satellites=satellites,
        odometer=kilometres * 1000.0,
        ident=message.number,
        quality=0 if flags & LOCATED and message.kind != BLIND else Quality.NO_POSITION,
        extra=extra,
    )


def _items(body: bytes, at: int, extra: dict[str, Any]) -> float:
    """Put the items into `extra`; the altitude is a column."""
    altitude = float("nan")
    found = layout(body, at)
    if found is None:
        extra["rest"] = body[at:].hex()
        return altitude
    for kind, size, start in found:
        value = body[start : start + size]
        if (kind, size) == _ALTITUDE:
            altitude = int.from_bytes(value, signed=True)
        else:
            extra.setdefault("items", {})[f"{kind:02x}"] = value.hex()
    return altitude


def _knots(bcd: int) -> int:
    high, low = divmod(bcd, 16)
    return high * 10 + low


def _degrees(digits: str, positive: bool) -> float:
    """Degrees of the digits of (d)ddmmmmmm, minutes to four decimals."""
    value = int(digits[:-6]) + int(digits[-6:]) / 600_000
    return value if positive else -value
