"""NMEA 0183 sentences: the checksum, and the fields of RMC, GGA, VTG and GLL.

Belongs here: one sentence at a time. How sentences become fixes stands in codec.py beside it. Field
numbers count from the address, which is field 0; angles are written "dddmm.mmmm".
"""

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from math import nan
from typing import Final, NamedTuple

from devices.errors import DecodeError, Reject
from devices.units import KNOT_KMH
from devices.xor8 import xor8

DAY_US: Final = 86_400_000_000


class Sentence(NamedTuple):
    """What one sentence says; NaN or None is "does not say". Times in microseconds."""

    time_of_day: int | None = None
    day: int | None = None
    lon: float = nan
    lat: float = nan
    valid: bool | None = None
    speed_kmh: float = nan
    heading: float = nan
    altitude: float = nan
    hdop: float = nan
    satellites: float = nan


class Found(NamedTuple):
    """A sentence in a text: what it says (None: a type that is not read), and where it ends.

    contradicts: its checksum is another's.
    """

    said: Sentence | None
    ident: str
    end: int
    contradicts: bool = False


def parse(line: bytes) -> Sentence | None:
    """One sentence, from behind its "$" to its end; None for a type that is not read here.

    A checksum, where there is one, must be right. Raises DecodeError.
    """
    return find(line).said


def find(line: bytes, *, in_text: bool = False) -> Found:
    """The sentence that a line begins with; the text of a tracker may follow it.

    in_text: it is part of such a text, and may contradict its checksum. `end` is where its checksum
    ends or, if it has none, its last field by the standard. Raises DecodeError.
    """
    kind = line[2:5]
    reader = READERS.get(kind) if line[5:6] == b"," and line[:1] != PROPRIETARY else None
    if reader is None:
        return Found(None, "", 0)
    body, end, is_right = _checked(line, FIELDS[kind], in_text=in_text)
    if b"_" in body:
        raise DecodeError(Reject.BAD_VALUE, detail="a field with an underscore")
    fields = body.split(b",")
    ident = ""
    if kind == b"RMC" and _is_serial(fields):
        ident = fields.pop(1).decode()
    try:
        return Found(reader(fields), ident, end, not is_right)
    except (ValueError, OverflowError) as error:
        raise DecodeError(Reject.BAD_VALUE, detail=f"{kind.decode()}: {error}") from None


def _checked(line: bytes, most_fields: int, *, in_text: bool) -> tuple[bytes, int, bool]:
    """Body and end of a sentence, and whether its checksum is right (or absent).

    Some receivers put a blank before the "*" and do not count it.
    """
    star = line.find(b"*")
    if star < 0:
        body = b",".join(line.split(b",", most_fields)[:most_fields])
        return body, len(body), True
    body = line[:star]
    sent = _CHECKSUM.match(line, star)
    if sent is None:
        cut = not line[star + 2 :].strip()
        reason = Reject.TRUNCATED if cut else Reject.BAD_CHECKSUM
        detail = f"checksum: expected two digits, got {line[star + 1 : star + 9]!r}"
        raise DecodeError(reason, detail=detail)
    is_right = int(sent[1], 16) in {xor8(body), xor8(body.rstrip())}
    if not is_right and not in_text:
        detail = f"checksum: expected {xor8(body):02X}, got {sent[1]!r}"
        raise DecodeError(Reject.BAD_CHECKSUM, detail=detail)
    return body, sent.end(), is_right


def _is_serial(fields: list[bytes]) -> bool:
    """Whether a tracker's serial stands before the time of an RMC sentence."""
    return len(fields) > 10 and len(fields[1]) > 8 and fields[1].isdigit()


def _rmc(f: list[bytes]) -> Sentence:
    """Recommended minimum: 1 time, 2 status, 3-6 place, 7 knots, 8 course, 9 date, 12 mode."""
    _expect(f, 10)
    lon, lat = _place(f, 3)
    mode = f[12].strip() if len(f) > 12 else b""
    return Sentence(
        time_of_day=time_of_day_us(f[1]),
        day=day_us(f[9]) if f[9] else None,
        lon=lon,
        lat=lat,
        valid=f[2] == b"A" and mode != b"N",
        speed_kmh=float(f[7]) * KNOT_KMH if f[7] else nan,
        heading=float(f[8]) if f[8] else nan,
    )


def _gga(f: list[bytes]) -> Sentence:
    """Fix data: 1 time, 2-5 place, 6 quality, 7 satellites, 8 hdop, 9 altitude in metres."""
    _expect(f, 10)
    lon, lat = _place(f, 2)
    return Sentence(
        time_of_day=time_of_day_us(f[1]),
        lon=lon,
        lat=lat,
        valid=f[6] not in {b"0", b""},
        altitude=float(f[9]) if f[9] else nan,
        hdop=float(f[8]) if f[8] else nan,
        satellites=float(f[7]) if f[7] else nan,
    )


def _gll(f: list[bytes]) -> Sentence:
    """Geographic position: 1-4 place, 5 time, 6 status, 7 mode."""
    _expect(f, 6)
    lon, lat = _place(f, 1)
    status = f[6].strip() if len(f) > 6 else b"A"
    mode = f[7].strip() if len(f) > 7 else b""
    return Sentence(
        time_of_day=time_of_day_us(f[5]), lon=lon, lat=lat, valid=status == b"A" and mode != b"N"
    )


def _vtg(f: list[bytes]) -> Sentence:
    """Course and speed: 1 true course, 5 knots, 7 km/h; before version 2.3 without the letters."""
    if len(f) > 2 and f[2] != b"T" and len(f) < 9:
        _expect(f, 5)
        course, knots, kmh = f[1], f[3], f[4]
    else:
        _expect(f, 8)
        course, knots, kmh = f[1], f[5], f[7]
    speed = float(kmh) if kmh else float(knots) * KNOT_KMH if knots else nan
    return Sentence(speed_kmh=speed, heading=float(course) if course else nan)


PROPRIETARY: Final = b"P"
"""Addresses that begin with it are a maker's own: $PGRMC is no RMC."""

FIELDS: Final = {b"RMC": 14, b"GGA": 15, b"GLL": 8, b"VTG": 10}
"""The most fields of each type, the address counted, by version 4.11."""

_CHECKSUM: Final = re.compile(rb"\*[ \t]*([0-9A-Fa-f]{2})")

READERS: Final[dict[bytes, Callable[[list[bytes]], Sentence]]] = {
    b"RMC": _rmc,
    b"GGA": _gga,
    b"GLL": _gll,
    b"VTG": _vtg,
}


def _expect(fields: list[bytes], least: int) -> None:
    if len(fields) < least:
        detail = f"{fields[0].decode('latin-1')}: expected {least} fields, got {len(fields)}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)


def _place(f: list[bytes], first: int) -> tuple[float, float]:
    """(lon, lat) of four fields: latitude, N or S, longitude, E or W; NaN where they are empty."""
    lat, north, lon, east = f[first : first + 4]
    if not lat and not lon:
        return nan, nan
    return degrees(lon, east, b"E", b"W"), degrees(lat, north, b"N", b"S")


def degrees(angle: bytes, side: bytes, positive: bytes, negative: bytes) -> float:
    dot = angle.find(b".")
    split = (dot if dot >= 0 else len(angle)) - 2
    if split < 1 or not angle[: split + 2].isdigit():
        raise ValueError(f"expected dddmm.mmmm, got {angle!r}")
    minutes = float(angle[split:])
    if not minutes < 60:
        raise ValueError(f"expected minutes under 60, got {angle[split:]!r}")
    value = int(angle[:split]) + minutes / 60
    if side == positive:
        return value
    if side == negative:
        return -value
    raise ValueError(f"expected {positive.decode()} or {negative.decode()}, got {side!r}")


def time_of_day_us(field: bytes) -> int | None:
    """Microseconds of hhmmss or hhmmss.sss; None if the field is empty."""
    if not field:
        return None
    whole = field[:6]
    part = field[7:]
    if len(whole) < 6 or not whole.isdigit() or (part and not part.isdigit()):
        raise ValueError(f"expected a time hhmmss.ss, got {field!r}")
    if len(field) > 6 and field[6:7] != b".":
        raise ValueError(f"expected a time hhmmss.ss, got {field!r}")
    clock = int(whole)
    hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
    if hours > 23 or minutes > 59 or seconds > 60:
        raise ValueError(f"expected a time of day, got {field!r}")
    fraction = int(part[:6].ljust(6, b"0")) if part else 0
    return (hours * 3600 + minutes * 60 + seconds) * 1_000_000 + fraction


@lru_cache(maxsize=1024)
def day_us(field: bytes) -> int:
    """Microseconds to the midnight of ddmmyy; the years 80 to 99 are of the last century."""
    if len(field) != 6 or not field.isdigit():
        raise ValueError(f"expected a date ddmmyy, got {field!r}")
    year = int(field[4:6])
    when = date(year + (1900 if year >= 80 else 2000), int(field[2:4]), int(field[:2]))
    return (when - date(1970, 1, 1)).days * DAY_US
