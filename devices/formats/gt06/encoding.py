"""Writing GT06 frames 22, for simulators and tests: position, cell, report and mileage.

The format has no way to say that a speed or course is unknown: devices send 0. It has no altitude,
and no place for an identity: that stands in the login.
"""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import isnan
from struct import Struct
from typing import Any, Final

from devices.batch import FixBatch, Input, inputs_states
from devices.crc16 import ITU
from devices.each_fix import each_fix
from devices.errors import EncodeError
from devices.extra import extra_values
from devices.formats.gt06.framing import BEHIND_CONTENT, END, SHORT
from devices.formats.gt06.gps import (
    IGNITION,
    IGNITION_KNOWN,
    LOCATED,
    NORTH,
    PARTS_A_DEGREE,
    WEST,
)

KIND: Final = 0x22

_CONTENT: Final = Struct(">6BBIIBHHBH3sBBB")
_MILEAGE: Final = Struct(">I")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GPS_BYTES: Final = 0xC0
"""The upper half of the byte of satellites says how many bytes of position follow: twelve."""
_MOST_SATELLITES: Final = 15
_UNKNOWN_SATELLITES: Final = 255
_NO_CELL: Final = (0, 0, 0, 0)


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One frame per fix; idents and drivers have no place in it."""
    del idents, drivers
    out = []
    for row, fix in enumerate(each_fix(fixes)):
        extra = extra_values(fixes.extra[row]) if row in fixes.extra else {}
        ignition = inputs_states(fix.inputs).get(Input.IGNITION)
        flags = _flags(fix.lon, fix.lat, fix.heading, ignition, located=not fix.is_lost)
        country, network, area, cell = _cell(extra)
        count = (
            0 if fix.satellites == _UNKNOWN_SATELLITES else min(fix.satellites, _MOST_SATELLITES)
        )
        try:
            content = _CONTENT.pack(
                *_date(fix.time_us), _GPS_BYTES | count,
                round(abs(fix.lat) * PARTS_A_DEGREE), round(abs(fix.lon) * PARTS_A_DEGREE),
                _whole(fix.speed_kmh), flags, country, network, area, cell.to_bytes(3),
                bool(ignition), int(extra.get("reason", 0)), bool(extra.get("buffered")),
            )  # fmt: skip
            if not isnan(fix.odometer):
                content += _MILEAGE.pack(round(fix.odometer))
        except (struct.error, ValueError, TypeError, OverflowError) as error:
            raise EncodeError(f"gt06: fix {row}: {error}") from None
        out.append(frame(KIND, content, serial=row & 0xFFFF))
    return out


def frame(kind: int, content: bytes, *, serial: int = 0) -> bytes:
    """One frame 7878 with its CRC."""
    length = 1 + len(content) + BEHIND_CONTENT
    if length > 255:
        raise EncodeError(f"gt06: content: expected at most 250 bytes, got {len(content)}")
    data = bytes((length, kind)) + content + serial.to_bytes(2)
    return SHORT + data + ITU.of(data).to_bytes(2) + END


def _flags(lon: float, lat: float, heading: float, ignition: bool | None, *, located: bool) -> int:
    flags = _whole(heading) % 360
    if located:
        flags |= LOCATED
    if lat >= 0:
        flags |= NORTH
    if lon < 0:
        flags |= WEST
    if ignition is not None:
        flags |= IGNITION_KNOWN | (IGNITION if ignition else 0)
    return flags


def _cell(extra: dict[str, Any]) -> tuple[int, int, int, int]:
    cell = extra.get("cell")
    if isinstance(cell, list) and len(cell) == len(_NO_CELL):
        country, network, area, number = (int(part) for part in cell)
        return country, network, area, number
    return _NO_CELL


def _date(time_us: int) -> tuple[int, ...]:
    when = _EPOCH + timedelta(microseconds=time_us)
    if not 2000 <= when.year <= 2099:
        raise ValueError(f"time: expected 2000 to 2099, got {when:%Y}")
    return when.year - 2000, when.month, when.day, when.hour, when.minute, when.second


def _whole(value: float) -> int:
    return 0 if isnan(value) else round(value)
