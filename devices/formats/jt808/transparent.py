"""JT/T 808: transparent data (0900) of trackers that put a location into it.

The first byte says what it is. With a location: f0 (data of a vehicle's bus), ff (acceleration),
53 and 54 (tags and sensors nearby). What stands beside the location is kept in hexadecimal.
"""

from collections.abc import Callable
from math import nan
from struct import Struct
from typing import Any, Final

from devices.batch import Input, Quality, inputs_word
from devices.errors import DecodeError, Reject
from devices.formats.jt808.framing import Message
from devices.formats.jt808.location import bcd_time, place
from devices.formats.jt808.meaning import ACC, LOCATED
from devices.rows import FixRows

BUS_DATA, ACCELERATION, TAGS, SENSORS = 0xF0, 0xFF, 0x53, 0x54

_TIME_BYTES: Final = 6
_U16: Final = Struct(">H")
_BUS_HEAD: Final = Struct(">BBBB")
_PLACE: Final = Struct(">Iii")
_MOTION: Final = Struct(">hHH6s")
_SIGNED: Final = Struct(">iihHH")
_VALUES, _CODES, _EVENTS = 0x01, 0x02, 0x03


def read_transparent(message: Message, rows: FixRows) -> None:
    """Add the fix of a 0900. Raises DecodeError."""
    kind = message.body[0] if message.body else None
    reader = READERS.get(kind) if kind is not None else None
    if reader is None:
        what = "of no bytes" if kind is None else f"{kind:02x}"
        detail = f"0900 (transparent data {what}) carries no location"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    try:
        reader(message, rows)
    except (IndexError, ValueError) as error:
        raise DecodeError(Reject.TRUNCATED, detail=f"0900: {error}") from None


def _bus_data(message: Message, rows: FixRows) -> None:
    """Time, archived u8, vehicle u8, part u8; by the part its values; status and place behind.

    Parts: 1 values, 2 trouble codes, 3 events; the others have no place. Bytes behind the place,
    which look like one more time, are kept as `rest`: the time of the fix is the first.
    """
    body = message.body
    archived, vehicle, part, count = _unpack(_BUS_HEAD, body, 1 + _TIME_BYTES)
    start = 1 + _TIME_BYTES + _BUS_HEAD.size
    if part == _VALUES:
        end = _behind(body, start, count, 2)
    elif part == _EVENTS:
        end = _behind(body, start, count, 1)
    elif part == _CODES:
        end = _behind_codes(body, start - 1)
    else:
        detail = f"0900 (bus data, part {part:02x}) carries no location"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    status, lat_e6, lon_e6 = _unpack(_PLACE, body, end)
    extra = {"message": "0900", "part": part, "vehicle": vehicle, "bus": body[start:end].hex()}
    if archived:
        extra["buffered"] = True
    if rest := body[end + _PLACE.size :]:
        extra["rest"] = rest.hex()
    _add(message, rows, bcd_time(body[1 : 1 + _TIME_BYTES]), (status, lat_e6, lon_e6), extra)


def _behind(body: bytes, at: int, count: int, id_bytes: int) -> int:
    """Where `count` values end: each an id, a length u8 and so many bytes."""
    for _ in range(count):
        at += id_bytes + 1 + body[at + id_bytes]
    return at


def _behind_codes(body: bytes, at: int) -> int:
    """Where trouble codes end: count u16; each system u32, count u16 and its codes.

    A code is u32, its status u32, and a text behind its length u16.
    """
    systems, at = _count(body, at)
    for _ in range(systems):
        codes, at = _count(body, at + 4)
        for _ in range(codes):
            size, at = _count(body, at + 8)
            at += size
    return at


def _count(body: bytes, at: int) -> tuple[int, int]:
    """The u16 at a place, and the place behind it."""
    (count,) = _unpack(_U16, body, at)
    return count, at + _U16.size


def _acceleration(message: Message, rows: FixRows) -> None:
    """Time, latitude and longitude i32, altitude, speed and course; then samples."""
    end = 1 + _TIME_BYTES + _SIGNED.size
    lat_e6, lon_e6, altitude, speed, course = _unpack(_SIGNED, message.body, 1 + _TIME_BYTES)
    extra: dict[str, Any] = {"message": "0900", "part": ACCELERATION}
    if len(message.body) > end:
        extra["samples"] = message.body[end:].hex()
    rows.add(
        bcd_time(message.body[1 : 1 + _TIME_BYTES]),
        lon_e6 / 1e6,
        lat_e6 / 1e6,
        at=message.at,
        altitude=altitude,
        speed_kmh=speed / 10,
        heading=course,
        ident=message.number,
        extra=extra,
    )


def _nearby(message: Message, rows: FixRows) -> None:
    """Status and place, altitude, speed, course and time; then tags or samples."""
    where = _unpack(_PLACE, message.body, 1)
    altitude, speed, course, time = _unpack(_MOTION, message.body, 1 + _PLACE.size)
    end = 1 + _PLACE.size + _MOTION.size
    name = "tags" if message.body[0] == TAGS else "sensors"
    extra = {"message": "0900", "part": message.body[0], name: message.body[end:].hex()}
    _add(
        message, rows, bcd_time(time), where, extra,
        altitude=altitude, speed_kmh=speed / 10, heading=course,
    )  # fmt: skip


def _add(
    message: Message,
    rows: FixRows,
    time_us: float,
    where: tuple[int, int, int],
    extra: dict[str, Any],
    altitude: float = nan,
    speed_kmh: float = nan,
    heading: float = nan,
) -> None:
    status, lat_e6, lon_e6 = where
    lon, lat = place(lat_e6, lon_e6, status)
    rows.add(
        time_us,
        lon,
        lat,
        at=message.at,
        ident=message.number,
        inputs=inputs_word({Input.IGNITION: bool(status & ACC)}),
        quality=0 if status & LOCATED else Quality.NO_POSITION,
        extra={**extra, "status": status},
        altitude=altitude,
        speed_kmh=speed_kmh,
        heading=heading,
    )


def _unpack(layout: Struct, body: bytes, at: int) -> Any:
    if len(body) < at + layout.size:
        raise ValueError(f"expected at least {at + layout.size} bytes, got {len(body)}")
    return layout.unpack_from(body, at)


READERS: Final[dict[int, Callable[[Message, FixRows], None]]] = {
    BUS_DATA: _bus_data,
    ACCELERATION: _acceleration,
    TAGS: _nearby,
    SENSORS: _nearby,
}
