"""The records of a packet, read one by one: Codec 8, 8 Extended and 16.

A record is its fixed part (`FIXED`) and its elements, in groups by the size of the value. A body
that contradicts itself is refused whole. `columns.py` reads plain bodies of these three much
faster and must say the same.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from struct import Struct
from typing import Any, Final, NamedTuple

from devices.batch import Quality
from devices.crc16 import crc16_ibm
from devices.errors import DecodeError, Reject
from devices.formats.teltonika.elements import measured
from devices.formats.teltonika.framing import CODECS, TEXTS, Frame
from devices.rows import FixRows

FIXED: Final = Struct(">QBiihHBH")
"""Time (ms), priority, longitude, latitude (1e-7 degree), altitude (m), course (degrees),
satellites, speed (km/h)."""

NO_SATELLITES: Final = 0
"""With no satellites in use, the position is the last known one, or zero."""

UNKNOWN_SATELLITES: Final = 255


class Record(NamedTuple):
    """One record, by its number in the packet. `io`: elements by id; of variable length as hex."""

    number: int
    time_us: float
    lon: float
    lat: float
    altitude: float
    heading: float
    speed_kmh: float
    satellites: float
    said: dict[str, Any]
    io: dict[int, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a codec writes its elements: widths of ids and counts, and what else there is.

    groups: (id, value) by size of the value: 1, 2, 4, 8 bytes.
    """

    id_bytes: int
    count_bytes: int
    has_generation: bool
    has_variable: bool
    groups: tuple[Struct, ...]


_ID_1: Final = tuple(Struct(f">B{value}") for value in "BHIQ")
_ID_2: Final = tuple(Struct(f">H{value}") for value in "BHIQ")

LAYOUTS: Final = {
    0x08: Layout(1, 1, has_generation=False, has_variable=False, groups=_ID_1),
    0x8E: Layout(2, 2, has_generation=False, has_variable=True, groups=_ID_2),
    0x10: Layout(2, 1, has_generation=True, has_variable=False, groups=_ID_2),
}


def check_body(frame: Frame) -> int:
    """The number of records. Raises DecodeError for a body that is not one, or with a wrong CRC."""
    payload, start, end = frame.payload, frame.start, frame.end
    if frame.crc >= 0 and frame.crc != (crc := crc16_ibm(payload[start:end])):
        detail = f"crc: expected {crc:04x}, got {frame.crc:04x}"
        raise DecodeError(Reject.BAD_CHECKSUM, at=end, detail=detail)
    if frame.codec not in CODECS:
        what = ", a text without positions" if frame.codec in TEXTS else ""
        detail = f"codec: expected 07, 08, 8e or 10, got {frame.codec:02x}{what}"
        raise DecodeError(Reject.UNSUPPORTED, at=start, detail=detail)
    count = payload[start + 1]
    if payload[end - 1] != count:
        detail = f"records: {count} at the start, {payload[end - 1]} at the end"
        raise DecodeError(Reject.BAD_VALUE, at=end - 1, detail=detail)
    if not count:
        raise DecodeError(Reject.NO_CONTENT, at=start + 1, detail="a packet of 0 records")
    return count


def check_all_read(frame: Frame, count: int, position: int) -> None:
    """Raise DecodeError unless the records end where the body does."""
    if position != frame.end - 1:
        detail = f"{count} records end at {position}, expected {frame.end - 1}"
        raise DecodeError(Reject.TRAILING_BYTES, at=position, detail=detail)


def records(frame: Frame) -> Iterator[Record]:
    """Records of a checked body. Raises DecodeError where one reaches past the end."""
    layout, data = LAYOUTS[frame.codec], frame.payload[: frame.end - 1]
    count, position = data[frame.start + 1], frame.start + 2
    for number in range(count):
        at = position
        position += FIXED.size
        event, io, position = _elements(data, position, layout)
        time_ms, priority, lon, lat, altitude, angle, satellites, speed = FIXED.unpack_from(
            data, at
        )
        yield Record(
            number, time_ms * 1000.0, lon / 1e7, lat / 1e7, altitude, angle, speed, satellites,
            {"priority": priority, "event": event}, io,
        )  # fmt: skip
    check_all_read(frame, count, position)


def add(rows: FixRows, record: Record, ident: str) -> None:
    """Add a record as a fix; of one with too many elements, what is left without them."""
    found, at = measured(record.io), record.number
    satellites = record.satellites

    def put(extra: dict[str, Any]) -> None:
        rows.add(
            record.time_us, record.lon, record.lat, at=at, speed_kmh=record.speed_kmh,
            heading=record.heading, altitude=record.altitude, hdop=found.hdop,
            satellites=nan if satellites == UNKNOWN_SATELLITES else satellites,
            odometer=found.odometer, inputs=found.inputs, ident=ident, extra=extra,
            quality=Quality.NO_POSITION if satellites == NO_SATELLITES else 0,
        )  # fmt: skip

    try:
        put({**record.said, "io": record.io})
    except DecodeError as error:
        put({**record.said, "io_dropped": True})
        rows.refuse(error, at)


def _elements(data: bytes, position: int, layout: Layout) -> tuple[int, dict[int, Any], int]:
    """Event id, elements by id, and where they end. Raises DecodeError past the end of data."""
    io: dict[int, Any] = {}
    wide = layout.count_bytes == 2
    start = position
    try:
        event = data[position]
        if layout.id_bytes == 2:
            event = event << 8 | data[position + 1]
        # The total of elements is not needed, and is wrong in firmware that counts modulo 256.
        position += layout.id_bytes + layout.has_generation + layout.count_bytes
        for group in layout.groups:
            count = data[position] << 8 | data[position + 1] if wide else data[position]
            position += layout.count_bytes
            if count:
                end = position + count * group.size
                io.update(group.iter_unpack(data[position:end]))
                position = end
        if layout.has_variable:
            position = _variable(data, position, io)
    except (IndexError, struct.error):
        raise past_end(start, data) from None
    if position > len(data):
        raise past_end(start, data)
    return event, io, position


_VARIABLE: Final = Struct(">HH")


def _variable(data: bytes, position: int, io: dict[int, Any]) -> int:
    """Elements of any length (Codec 8 Extended): kept as hexadecimal text."""
    count = data[position] << 8 | data[position + 1]
    position += 2
    for _ in range(count):
        element, length = _VARIABLE.unpack_from(data, position)
        position += _VARIABLE.size
        io[element] = data[position : position + length].hex()
        position += length
    return position


def past_end(position: int, data: bytes) -> DecodeError:
    """The error of a record that reaches past the end of its body."""
    return DecodeError(
        Reject.TRUNCATED, at=position, detail=f"a record reaches past the end at {len(data)}"
    )
