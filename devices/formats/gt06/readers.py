"""GT06: frames with a position as Concox and Jimi write them; others stand in makers.py.

A reader gets the content (between the kind and the serial number) and the device's offset from UTC.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from math import nan
from struct import Struct
from typing import Final

from devices.errors import DecodeError, Reject
from devices.formats.gt06.gps import (
    GPS,
    LOCATED,
    NORTH,
    WEST,
    Position,
    expect,
    instant,
    place,
    read_gps,
)
from devices.formats.gt06.status import (
    Cells,
    take_mileage,
    take_modules,
    take_report,
    take_report_or_mileage,
    take_state,
)

Reader = Callable[[bytes, int], Position]

NARROW: Final = Cells()
NARROW_4: Final = Cells(cell=4)
WIDE: Final = Cells(area=4, cell=8)
LONG_NETWORK: Final = Cells(cell=4, long_network=True)

IMEI_BYTES: Final = 8
DATE_BYTES: Final = 6


def imei(raw: bytes) -> str:
    """Fifteen digits behind a zero in eight bytes of BCD; "" if they are none."""
    digits = raw.hex()
    if len(digits) != 2 * IMEI_BYTES or not digits.isdecimal() or not int(digits):
        return ""
    return digits.removeprefix("0")


def keep(position: Position, rest: bytes) -> Position:
    """The position, with what was not read of its frame."""
    if rest:
        position.extra["rest"] = rest.hex()
    return position


def plain(cells: Cells, at: int = 0) -> Reader:
    """Position, cell, and an end of a report or a mileage."""

    def read(content: bytes, zone_us: int) -> Position:
        position = read_gps(content, at, zone_us)
        rest = cells.take(position, content[at + GPS.itemsize :])
        return keep(position, take_report_or_mileage(position, rest))

    return read


def reported(cells: Cells) -> Reader:
    """Position, cell, report, and perhaps a mileage."""

    def read(content: bytes, zone_us: int) -> Position:
        position = read_gps(content, 0, zone_us)
        rest = take_report(position, cells.take(position, content[GPS.itemsize :]))
        return keep(position, take_mileage(position, rest))

    return read


def with_state(cells: Cells, *, has_length: bool = True, has_fence: bool = False) -> Reader:
    """Position, cell behind its length, state, and what there is behind it."""

    def read(content: bytes, zone_us: int) -> Position:
        position = read_gps(content, 0, zone_us)
        tail = content[GPS.itemsize :]
        take = cells.take_behind_length if has_length else cells.take
        rest = take_state(position, take(position, tail))
        if has_fence and rest:
            position.extra["fence"] = rest[0]
            rest = rest[1:]
        return keep(position, take_report_or_mileage(position, rest))

    return read


def gps_only(content: bytes, zone_us: int) -> Position:
    """Position, and nothing that is known behind it."""
    return keep(read_gps(content, 0, zone_us), content[GPS.itemsize :])


def with_modules(content: bytes, zone_us: int) -> Position:
    """37: position, cell, report, modules."""
    position = read_gps(content, 0, zone_us)
    rest = take_report(position, NARROW.take(position, content[GPS.itemsize :]))
    return keep(position, take_modules(position, rest))


def with_cell_kind(content: bytes, zone_us: int) -> Position:
    """38: position, reason and buffered u8, cell by its kind, modules."""
    position = read_gps(content, 0, zone_us)
    tail = content[GPS.itemsize :]
    if len(tail) > 2:
        position.extra["reason"] = tail[0]
        if tail[1]:
            position.extra["buffered"] = True
        tail = tail[2:]
    return keep(position, take_modules(position, _take_kind_of_cell(position, tail)))


def alarm_with_modules(content: bytes, zone_us: int) -> Position:
    """39: position, cell by its kind, state, modules."""
    position = read_gps(content, 0, zone_us)
    rest = _take_kind_of_cell(position, content[GPS.itemsize :])
    return keep(position, take_modules(position, take_state(position, rest)))


def _take_kind_of_cell(position: Position, tail: bytes) -> bytes:
    """Kind u8 (from 3 on: fourth generation, wide), cell, signal (u16 if wide, else u8)."""
    if not tail:
        return tail
    cells, signal = (WIDE, 2) if tail[0] >= 3 else (NARROW, 1)
    if len(tail) < 1 + cells.size(tail[1:]) + signal:
        return tail
    rest = cells.take(position, tail[1:])
    position.extra["cell_signal"] = int.from_bytes(rest[:signal])
    return rest[signal:]


def dashcam_alarm(content: bytes, zone_us: int) -> Position:
    """95: time, place and flags, event u8, data u16, names of files.

    With the marker ffff and a version before them: satellites u8 before the place, speed u16 behind
    the flags, power u16 (0.1 V) before the event.
    """
    marked = content[:2] == b"\xff\xff"
    layout = _MARKED if marked else _UNMARKED
    at = 3 if marked else 0
    expect(content, at + DATE_BYTES + layout.size)
    values = list(layout.unpack_from(content, at + DATE_BYTES))
    satellites = values.pop(0) & 0xF if marked else nan
    lat, lon, flags = values[:3]
    speed, power = values[3:5] if marked else (nan, None)
    event, data = values[-2:]
    east, north = place(lat, lon, flags)
    time = instant(content[at : at + DATE_BYTES], zone_us)
    position = Position(time, east, north, flags, speed_kmh=speed, satellites=satellites)
    position.extra |= {"event": event, "event_data": data}
    if power is not None:
        position.extra["power_v"] = power / 10
    if files := content[at + DATE_BYTES + layout.size :]:
        position.extra["files"] = files.rstrip(b"\0").decode("latin-1")
    return position


_MARKED: Final = Struct(">BIIHHHBH")
_UNMARKED: Final = Struct(">IIHBH")


def with_length(content: bytes, zone_us: int) -> Position:
    """32 and 33 in long frames: time, length u8 of the position, position, cells and wifi."""
    expect(content, DATE_BYTES + 1)
    if not content[DATE_BYTES]:
        raise DecodeError(Reject.UNSUPPORTED, detail="cells or wifi, no position")
    without_length = content[:DATE_BYTES] + content[DATE_BYTES + 1 :]
    return gps_only(without_length, zone_us)


def modular(content: bytes, zone_us: int) -> Position:
    """70: modules of id u16, length u16 and value; 33 is the position, in seconds of UTC."""
    del zone_us
    found = Position(nan, nan, nan, 0)
    keep(found, take_modules(found, content, 2))
    others = found.extra.pop("modules", {})
    raw = bytes.fromhex(others.pop(f"{_MODULE_GPS:04x}", ""))
    if others:
        found.extra["modules"] = others
    if not raw:
        raise DecodeError(Reject.UNSUPPORTED, detail="70 (modules) without a position")
    expect(raw, _MODULE.size)
    seconds, satellites, altitude, lat, lon, speed, flags = _MODULE.unpack_from(raw)
    found.time = seconds * 1e6
    found.lon, found.lat = place(lat, lon, flags)
    found.satellites, found.altitude = satellites, altitude
    found.speed_kmh, found.flags = speed, flags
    return found


_MODULE_GPS: Final = 0x33
_MODULE: Final = Struct(">IBhIIBH")


def text(content: bytes, zone_us: int) -> Position:
    """21: an answer to a command which says the place in words."""
    said = _TEXT.search(content)
    if said is None:
        raise DecodeError(Reject.UNSUPPORTED, detail="21 (answer to a command) without a position")
    lat, lon, course, speed = (float(said[name]) for name in ("lat", "lon", "course", "speed"))
    try:
        when = datetime.strptime(said["time"].decode(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise DecodeError(Reject.BAD_VALUE, detail=f"time: got {said['time']!r}") from None
    flags = LOCATED
    if said["north"] == b"N":
        flags |= NORTH
    if said["east"] == b"W":
        flags |= WEST
    return Position(
        when.timestamp() * 1e6 - zone_us,
        -lon if flags & WEST else lon,
        lat if flags & NORTH else -lat,
        flags | int(course) % 360,
        speed_kmh=speed,
    )


_TEXT: Final = re.compile(
    rb"Lat:(?P<north>[NS])(?P<lat>\d{1,2}\.\d{1,8}),Lon:(?P<east>[EW])(?P<lon>\d{1,3}\.\d{1,8}),"
    rb"Course:(?P<course>\d{1,3}\.\d{1,4}),Speed:(?P<speed>\d{1,4}\.\d{1,4}),"
    rb"DateTime:(?P<time>\d{4}-\d\d-\d\d +\d\d:\d\d:\d\d)"
)
