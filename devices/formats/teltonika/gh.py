"""The records of Codec 7 ("GH", of GH3000 and older GPS handsets), read one by one.

    time u32: 2 bits of priority, 30 bits of seconds since 2007-01-01T00:00:00Z
    global mask u8: 1 position, 2, 4, 8 elements of 1, 2, 4 bytes
    position: mask u8, and for each bit from the lowest:
        latitude and longitude f32 (degrees) | altitude i16 (m) | course u8 (360/256 degrees) |
        speed u8 (km/h) | satellites u8 | area u16, cell u16 | signal u8 | operator u32
    elements: count u8, (id u8, value)...

A record without coordinates is no fix: it is refused, and the others are kept.
"""

import struct
from collections.abc import Callable, Iterator
from math import nan
from struct import Struct
from typing import Any, Final

from devices.errors import DecodeError, Reject
from devices.formats.teltonika.framing import Frame
from devices.formats.teltonika.records import Record, check_all_read, past_end

EPOCH_S: Final = 1_167_609_600
"""2007-01-01T00:00:00Z."""

COURSE_UNIT: Final = 360 / 256

_HEAD: Final = Struct(">IB")
_PARTS: Final = (
    (Struct(">ff"), ("lat", "lon")),
    (Struct(">h"), ("altitude",)),
    (Struct(">B"), ("course",)),
    (Struct(">B"), ("speed",)),
    (Struct(">B"), ("satellites",)),
    (Struct(">HH"), ("area", "cell")),
    (Struct(">B"), ("signal",)),
    (Struct(">I"), ("operator",)),
)
_CELL: Final = ("area", "cell", "signal", "operator")
_GROUPS: Final = (Struct(">BB"), Struct(">BH"), Struct(">BI"))


def gh_records(frame: Frame, refuse: Callable[[DecodeError, int], None]) -> Iterator[Record]:
    """Records of a checked body; `refuse` gets what is wrong with one, and its number.

    Raises DecodeError where one reaches past the end.
    """
    data = frame.payload[: frame.end - 1]
    count, position = data[frame.start + 1], frame.start + 2
    for number in range(count):
        at = position
        try:
            clock, mask = _HEAD.unpack_from(data, position)
            position += _HEAD.size
            place: dict[str, float] = {}
            if mask & 1:
                place, position = _place(data, position)
            io, position = _elements(data, position, mask)
        except (IndexError, struct.error):
            raise past_end(at, data) from None
        if "lat" not in place:
            detail = "a GH record without coordinates"
            refuse(DecodeError(Reject.UNSUPPORTED, detail=detail), number)
            continue
        said: dict[str, Any] = {"priority": clock >> 30}
        said.update((name, place[name]) for name in _CELL if name in place)
        yield Record(
            number, (EPOCH_S + (clock & 0x3FFFFFFF)) * 1e6, place["lon"], place["lat"],
            place.get("altitude", nan), place.get("course", nan) * COURSE_UNIT,
            place.get("speed", nan), place.get("satellites", nan), said, io,
        )  # fmt: skip
    check_all_read(frame, count, position)


def _place(data: bytes, position: int) -> tuple[dict[str, float], int]:
    mask = data[position]
    position += 1
    found: dict[str, float] = {}
    for bit, (layout, names) in enumerate(_PARTS):
        if mask >> bit & 1:
            found.update(zip(names, layout.unpack_from(data, position), strict=True))
            position += layout.size
    return found, position


def _elements(data: bytes, position: int, mask: int) -> tuple[dict[int, Any], int]:
    io: dict[int, Any] = {}
    for bit, group in enumerate(_GROUPS, 1):
        if mask >> bit & 1:
            end = position + 1 + data[position] * group.size
            io.update(group.iter_unpack(data[position + 1 : end]))
            position = end
    return io, position
