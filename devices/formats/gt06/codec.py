"""Codec "gt06": frames of Concox, Jimi and their relatives (docs/codecs/gt06.md).

A payload is one or more frames. A login in front of others names the device and its time zone.
Single frames of 12 and 22 are read as columns; everything else frame by frame.
"""

from collections.abc import Sequence
from typing import Final

from devices.batch import I64
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.formats.gt06.columns import decode_columns
from devices.formats.gt06.encoding import encode
from devices.formats.gt06.framing import Frame, pieces
from devices.formats.gt06.gps import GPS
from devices.formats.gt06.kinds import kind_name
from devices.formats.gt06.makers import (
    if_imei,
    state_with_long_network,
    with_button,
    with_card,
    with_climate,
    with_hours,
    with_imei,
    with_long_network,
    with_ports,
    with_power,
    with_terminal,
    with_two_times,
    with_voltage,
)
from devices.formats.gt06.readers import (
    IMEI_BYTES,
    LONG_NETWORK,
    NARROW,
    NARROW_4,
    WIDE,
    Reader,
    alarm_with_modules,
    dashcam_alarm,
    gps_only,
    imei,
    modular,
    plain,
    reported,
    text,
    with_cell_kind,
    with_length,
    with_modules,
    with_state,
)
from devices.merging import merged
from devices.rows import FixRows, decode_each

LOGIN: Final = 0x01

SHORT_READERS: Final[dict[tuple[int, int], Reader]] = {
    (0x12, 31): with_voltage,
    (0x12, 34): if_imei(0, with_imei, plain(NARROW)),
    (0x12, 38): with_voltage,
    (0x16, 31): with_state(NARROW, has_length=False),
    (0x16, 33): with_state(NARROW_4),
    (0x17, 35): with_card,
    (0x22, 42): with_climate,
    (0x22, 55): if_imei(1, with_two_times, reported(NARROW)),
    (0x24, 41): with_power,
    (0x31, 37): with_long_network,
    (0x32, 34): state_with_long_network,
    (0x32, 36): state_with_long_network,
    (0x36, 48): with_hours,
    (0xA2, 59): with_terminal,
}
"""Frames 7878 by kind and bytes of content, where makers gave a kind a meaning of their own."""

READERS: Final[dict[int, Reader]] = {
    0x10: gps_only,
    0x12: plain(NARROW),
    0x16: with_state(NARROW),
    0x1A: gps_only,
    0x1E: gps_only,
    0x22: reported(NARROW),
    0x25: if_imei(1, with_two_times, reported(NARROW_4)),
    0x26: with_state(NARROW),
    0x27: with_state(NARROW, has_fence=True),
    0x2D: reported(NARROW),
    0x2F: reported(NARROW_4),
    0x31: reported(NARROW),
    0x32: with_state(NARROW),
    0x37: with_modules,
    0x38: with_cell_kind,
    0x39: alarm_with_modules,
    0x61: with_button,
    0xA0: reported(WIDE),
    0xA4: with_state(WIDE, has_fence=True),
}
"""Frames with a position of either start, by kind."""

LONG_READERS: Final[dict[int, Reader]] = {
    0x21: text,
    0x32: with_length,
    0x33: with_length,
    0x70: modular,
}
"""Frames 7979 that differ from 7878 of the same kind."""

LONG_ENOUGH: Final[dict[int, tuple[int, Reader]]] = {
    0x11: (GPS.itemsize + 10, plain(LONG_NETWORK)),
    0x34: (GPS.itemsize + 30, with_ports),
    0x95: (8, dashcam_alarm),
    0xA3: (GPS.itemsize + 20, with_state(WIDE)),
}
"""Frames 7878 by kind that have a position only if the content is at least so long."""


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: what has a common shape as columns, the rest one by one."""
    parts, rest = decode_columns(payloads, received)
    if rest:
        parts.append(decode_each(payloads, received, _read, rest))
    return merged(parts)


def decode_slowly(payloads: Sequence[bytes], received: I64) -> Decoded:
    """The same, frame by frame."""
    return decode_each(payloads, received, _read)


def _read(payload: bytes, rows: FixRows) -> None:
    ident, zone_us = "", 0
    login, others = None, 0
    for piece in pieces(payload):
        if isinstance(piece.found, DecodeError):
            rows.refuse(piece.found, piece.at)
            continue
        frame = piece.found
        if frame.kind == LOGIN and not frame.is_long:
            ident, zone_us = read_login(frame.content)
            login = frame
            continue
        others += 1
        reader = reader_of(frame)
        if reader is None:
            detail = f"{kind_name(frame.kind)} carries no position"
            rows.refuse(DecodeError(Reject.UNSUPPORTED, detail=detail), frame.at)
            continue
        try:
            position = reader(frame.content, zone_us)
            position.ident = position.ident or ident
            position.extra["frame"] = f"{frame.kind:02x}"
            position.add_to(rows, frame.at)
        except DecodeError as error:
            rows.refuse(error, frame.at)
    if login and not others:
        detail = f"{kind_name(LOGIN)} carries no position"
        rows.refuse(DecodeError(Reject.UNSUPPORTED, detail=detail), login.at)


def reader_of(frame: Frame) -> Reader | None:
    """What reads a frame; None if it carries no position."""
    size = len(frame.content)
    if frame.is_long:
        return LONG_READERS.get(frame.kind) or READERS.get(frame.kind)
    special = SHORT_READERS.get((frame.kind, size))
    if special:
        return special
    if frame.kind in LONG_ENOUGH:
        least, reader = LONG_ENOUGH[frame.kind]
        return reader if size >= least else None
    return READERS.get(frame.kind)


_LOGIN_ZONE_AT: Final = IMEI_BYTES + 2


def read_login(content: bytes) -> tuple[str, int]:
    """Who logs in, and the device's offset from UTC in microseconds.

    IMEI in eight bytes, type u16, and perhaps u16: bits 4 to 15 are hours times 100 and minutes
    (800 is eight hours, 545 is five and three quarters), bit 3 says west.
    """
    bits = int.from_bytes(content[_LOGIN_ZONE_AT : _LOGIN_ZONE_AT + 2])
    hours, minutes = divmod(bits >> 4, 100)
    offset = (hours * 60 + minutes) * 60_000_000
    return imei(content[:IMEI_BYTES]), -offset if bits & 8 else offset


GT06: Final = register(Codec(name="gt06", decode=decode, encode=encode))
