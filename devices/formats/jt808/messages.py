"""JT/T 808: messages to fixes, one by one: the slow, obvious reader of everything."""

from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from devices.errors import DecodeError, Reject
from devices.formats.jt808.framing import Message, pieces
from devices.formats.jt808.kinds import kind_name
from devices.formats.jt808.location import FIXED, read_location
from devices.formats.jt808.padlock import read_padlock
from devices.formats.jt808.transparent import read_transparent
from devices.rows import FixRows

_U16: Final = Struct(">H")
_BATCH: Final = Struct(">HB")
_MEDIA: Final = Struct(">IBBBB")
_STORED: Final = Struct(">IBBB")
_SEARCH: Final = Struct(">HH")

BUFFERED: Final = 1
"""Type of a 0704: the locations come from a blind area; 0 says that they are recent."""

BATTERY_BODY_BYTES: Final = 7
"""A 0210 of this length is a battery level and a time, not locations."""


def read_payload(payload: bytes, rows: FixRows) -> None:
    """All messages of a payload; what cannot be read of one is refused at its place."""
    parts = _Parts()
    for piece in pieces(payload):
        if isinstance(piece.found, DecodeError):
            rows.refuse(piece.found, piece.at)
            continue
        try:
            message = parts.whole(piece.found)
        except DecodeError as error:
            rows.refuse(error, piece.at)
            continue
        if message:
            _read(message, rows)
    for message in parts.left():
        _read_alone(message, rows)


def _read(message: Message, rows: FixRows) -> None:
    reader = READERS.get(message.kind)
    if reader is None:
        detail = f"{kind_name(message.kind)} carries no location"
        rows.refuse(DecodeError(Reject.UNSUPPORTED, detail=detail), message.at)
        return
    try:
        reader(message, rows)
    except DecodeError as error:
        rows.refuse(error, message.at)


def _read_alone(message: Message, rows: FixRows) -> None:
    """A sub-packet whose siblings are not in the payload: what stands in the first is read."""
    detail = (
        f"sub-packet {message.packet} of {message.packets} of {kind_name(message.kind)}: "
        "the others are not in the payload"
    )
    if message.packet == 1 and message.kind in READ_ALONE:
        _read(message, rows)
        if message.kind == 0x0801:
            return
    rows.refuse(DecodeError(Reject.UNSUPPORTED, detail=detail), message.at)


class _Parts:
    """Sub-packets of one payload, until all of a message are there."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, str, int, int], dict[int, Message]] = {}

    def whole(self, message: Message) -> Message | None:
        """The message that this one completes; itself if it has no parts. Raises DecodeError."""
        if message.packets == 1 and message.packet == 1:
            return message
        if not 1 <= message.packet <= message.packets:
            detail = f"sub-packet: expected 1..{message.packets}, got {message.packet}"
            raise DecodeError(Reject.BAD_VALUE, detail=detail)
        first_serial = message.serial - message.packet & 0xFFFF
        key = (message.kind, message.number, message.packets, first_serial)
        parts = self._parts.setdefault(key, {})
        parts.setdefault(message.packet, message)
        if len(parts) < message.packets:
            return None
        del self._parts[key]
        body = b"".join(parts[number].body for number in range(1, message.packets + 1))
        return parts[1]._replace(packets=1, packet=1, body=body)

    def left(self) -> list[Message]:
        """Sub-packets that wait for others, in the order of their places."""
        found = [part for parts in self._parts.values() for part in parts.values()]
        return sorted(found, key=lambda message: message.at)


def _location(message: Message, rows: FixRows) -> None:
    _add(message, message.body, rows)


def _answer(message: Message, rows: FixRows) -> None:
    """0201, 0500: the serial number of the question, and a location."""
    _add(message, message.body[_U16.size :], rows, {"message": f"{message.kind:04x}"})


def _add(message: Message, body: bytes, rows: FixRows, extra: dict[str, Any] | None = None) -> None:
    read_location(
        body, rows, at=message.at, ident=message.number, is_2019=message.is_2019, extra=extra
    )


def _batch(message: Message, rows: FixRows) -> None:
    """0704: count u16, type u8, then each location behind its length u16."""
    if len(message.body) < _BATCH.size:
        raise DecodeError(Reject.TRUNCATED, detail="0704: expected a count and a type")
    count, kind = _BATCH.unpack_from(message.body)
    extra = {"buffered": True} if kind == BUFFERED else None
    found = _locations(message, rows, _BATCH.size, _U16.size, extra)
    if found < count:
        detail = f"0704: expected {count} locations, got {found}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)


def _small_batch(message: Message, rows: FixRows) -> None:
    """0210 of some trackers: each location behind its length u8."""
    if len(message.body) == BATTERY_BODY_BYTES:
        detail = "0210 (battery level) carries no location"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    _locations(message, rows, 0, 1, {"message": "0210"})


def _locations(
    message: Message, rows: FixRows, at: int, width: int, extra: dict[str, Any] | None
) -> int:
    """Locations behind lengths of `width` bytes; how many there were, good or bad."""
    body, found = message.body, 0
    while at < len(body):
        start = at + width
        at = start + int.from_bytes(body[at:start])
        if start > len(body) or at > len(body):
            detail = f"a location reaches past the end at {len(body)}"
            rows.refuse(DecodeError(Reject.TRUNCATED, detail=detail), message.at)
            return found
        try:
            _add(message, body[start:at], rows, extra)
        except DecodeError as error:
            rows.refuse(error, message.at)
        found += 1
    return found


def _media(message: Message, rows: FixRows) -> None:
    """0801: number u32, type, format, event and channel u8, a location of 28 bytes, the data."""
    end = _MEDIA.size + FIXED.itemsize
    if len(message.body) < end:
        detail = f"0801: expected at least {end} bytes, got {len(message.body)}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)
    media = dict(zip(_MEDIA_NAMES, _MEDIA.unpack_from(message.body), strict=True))
    extra = {"message": "0801", "media": media}
    _add(message, message.body[_MEDIA.size : end], rows, extra)


def _media_event(message: Message, rows: FixRows) -> None:
    """0800: what 0801 begins with; some trackers add the location."""
    if len(message.body) < _MEDIA.size + FIXED.itemsize:
        detail = f"{kind_name(message.kind)} without a location"
        raise DecodeError(Reject.UNSUPPORTED, detail=detail)
    media = dict(zip(_MEDIA_NAMES, _MEDIA.unpack_from(message.body), strict=True))
    _add(message, message.body[_MEDIA.size :], rows, {"message": "0800", "media": media})


def _stored_media(message: Message, rows: FixRows) -> None:
    """0802: serial u16, count u16, then number u32, type, channel, event u8 and 28 bytes each."""
    size = _STORED.size + FIXED.itemsize
    for at in range(_SEARCH.size, len(message.body) - size + 1, size):
        media = dict(zip(_STORED_NAMES, _STORED.unpack_from(message.body, at), strict=True))
        body = message.body[at + _STORED.size : at + size]
        try:
            _add(message, body, rows, {"message": "0802", "media": media})
        except DecodeError as error:
            rows.refuse(error, message.at)
    if len(message.body) < _SEARCH.size or (len(message.body) - _SEARCH.size) % size:
        detail = f"0802: expected 4 bytes and {size} each, got {len(message.body)}"
        raise DecodeError(Reject.TRUNCATED, detail=detail)
    if len(message.body) == _SEARCH.size:
        raise DecodeError(Reject.UNSUPPORTED, detail="0802 (no stored media) carries no location")


_MEDIA_NAMES: Final = ("id", "type", "format", "event", "channel")
_STORED_NAMES: Final = ("id", "type", "channel", "event")

READERS: Final[dict[int, Callable[[Message, FixRows], None]]] = {
    0x0200: _location,
    0x0201: _answer,
    0x0210: _small_batch,
    0x0500: _answer,
    0x0704: _batch,
    0x0800: _media_event,
    0x0801: _media,
    0x0802: _stored_media,
    0x0900: read_transparent,
    0x5501: read_padlock,
    0x5502: read_padlock,
}

READ_ALONE: Final = frozenset({0x0704, 0x0801})
"""Kinds whose first sub-packet says something without the others."""
