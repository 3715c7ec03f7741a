"""Codec "jt808-json": what EMQX's JT/T 808 gateway publishes (docs/codecs/jt808-json.md).

    {"header": {"msg_id": 512, "phone": "...", ...}, "body": {"alarm": 0, "status": 3, ...}}

Single locations of the usual shape are read as columns, everything else message by message.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from devices.batch import I64
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.formats.jt808.framing import Message
from devices.formats.jt808.json_columns import decode_columns
from devices.formats.jt808.json_encoding import encode
from devices.formats.jt808.json_items import binary, read_items
from devices.formats.jt808.kinds import kind_name
from devices.formats.jt808.location import digits_time, place
from devices.formats.jt808.meaning import said
from devices.formats.jt808.messages import BUFFERED
from devices.formats.jt808.transparent import read_transparent
from devices.json_input import as_object, number, read_objects, required_number
from devices.merging import merged
from devices.rows import FixRows, decode_each, read_each
from devices.texts import is_ident

_U32: Final = 0xFFFF_FFFF
_U16: Final = 0xFFFF


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads: locations of the usual shape as columns, the rest one by one."""
    part, rest = decode_columns(payloads, received)
    return merged([part, decode_each(payloads, received, _read, rest)])


def decode_slowly(payloads: Sequence[bytes], received: I64) -> Decoded:
    """The same, message by message."""
    return decode_each(payloads, received, _read)


def _read(payload: bytes, rows: FixRows) -> None:
    read_each(read_objects(payload), _read_message, rows)


def _read_message(element: Any, at: int, rows: FixRows) -> None:
    message = as_object(element, "message")
    for name in ("header", "body"):
        if message.get(name) is None:
            raise DecodeError(Reject.MISSING_FIELD, detail=f"{name}: expected an object")
    header = as_object(message["header"], "header")
    body = as_object(message["body"], "body")
    kind = whole(header, "msg_id", _U16)
    reader = READERS.get(kind)
    if reader is None:
        raise DecodeError(Reject.UNSUPPORTED, detail=f"{kind_name(kind)} carries no location")
    version = whole(header, "proto_ver", _U16) if header.get("proto_ver") is not None else 0
    reader(Message(at, kind, version > 0, ident(header), 0, 1, 1, b""), body, rows)


def whole(values: dict[str, Any], key: str, most: int) -> int:
    """Take a whole number, 0 to `most`, out of an object. Raises DecodeError."""
    value = required_number(values, key)
    if not (0 <= value <= most and value.is_integer()):
        raise DecodeError(Reject.BAD_VALUE, detail=f"{key}: expected 0..{most}, got {value:g}")
    return int(value)


def ident(header: dict[str, Any]) -> str:
    """The terminal's number without leading zeros. Raises DecodeError."""
    phone = header.get("phone")
    if phone is None or phone == "":
        return ""
    if isinstance(phone, bool) or not isinstance(phone, int | str):
        raise DecodeError(Reject.BAD_VALUE, detail=f"phone: expected digits, got {phone!r:.40}")
    found = str(phone).lstrip("0")
    if found and not is_ident(found):
        raise DecodeError(Reject.BAD_VALUE, detail=f"phone: expected digits, got {phone!r:.40}")
    return found


def _location(message: Message, body: dict[str, Any], rows: FixRows) -> None:
    _add(message, body, rows, {})


def _add(message: Message, body: dict[str, Any], rows: FixRows, more: dict[str, Any]) -> None:
    """Add one location object; what it has beside the fields of the standard stays in `extra`."""
    status = whole(body, "status", _U32)
    lat_e6, lon_e6 = (signed(whole(body, key, _U32), 32) for key in ("latitude", "longitude"))
    alarm = whole(body, "alarm", _U32) if body.get("alarm") is not None else 0
    meaning = said(alarm, status, message.is_2019)
    altitude, speed, heading = (number(body, key) for key in ("altitude", "speed", "direction"))
    if altitude.is_integer() and 0 <= altitude <= _U16:
        altitude = signed(int(altitude), 16)
    time = body.pop("time", None)
    if time is None:
        raise DecodeError(Reject.MISSING_FIELD, detail="time: expected yymmddhhmmss, got nothing")
    items = read_items(as_object(body.pop("extra", None) or {}, "extra"))
    others = {key: value for key, value in body.items() if key not in _READ}
    lon, lat = place(lat_e6, lon_e6, status)
    rows.add(
        digits_time(time if isinstance(time, str) else str(time)),
        lon,
        lat,
        at=message.at,
        speed_kmh=speed / 10,
        heading=heading,
        altitude=altitude,
        satellites=items.satellites,
        odometer=items.odometer,
        ident=message.number,
        inputs=meaning.inputs,
        quality=meaning.quality,
        extra={**meaning.extra, **items.extra, **others, **more},
    )


_READ: Final = frozenset({"status", "latitude", "longitude", "alarm"})


def signed(value: int, bits: int) -> int:
    """A number of two's complement that was written without a sign."""
    return value - (1 << bits) if value >> bits - 1 else value


def _inner(message: Message, body: dict[str, Any], rows: FixRows) -> None:
    """0201, 0500: the answer's location, as `params` or `location`."""
    inner = body.get("params") or body.get("location")
    if inner is None:
        raise DecodeError(Reject.MISSING_FIELD, detail="location: expected an object, got nothing")
    _add(message, as_object(inner, "location"), rows, {"message": f"{message.kind:04x}"})


def _batch(message: Message, body: dict[str, Any], rows: FixRows) -> None:
    """0704: `type`, `length` and the array `location`."""
    locations = _array(body, "location")
    more = {"buffered": True} if body.get("type") == BUFFERED else {}
    for inner in locations:
        try:
            _add(message, as_object(inner, "location"), rows, more)
        except DecodeError as error:
            rows.refuse(error, message.at)


def _media(message: Message, body: dict[str, Any], rows: FixRows) -> None:
    """0801: numbers of the medium, `location`, and the data, which are not kept."""
    inner = body.get("location")
    if inner is None:
        raise DecodeError(Reject.UNSUPPORTED, detail=f"{kind_name(message.kind)} without location")
    media = {key: body[key] for key in _MEDIA if key in body}
    more = {"message": f"{message.kind:04x}", "media": media}
    _add(message, as_object(inner, "location"), rows, more)


def _stored_media(message: Message, body: dict[str, Any], rows: FixRows) -> None:
    """0802: the array `result` of media with their places."""
    found = _array(body, "result")
    if not found:
        raise DecodeError(Reject.UNSUPPORTED, detail="0802 (no stored media) carries no location")
    for inner in found:
        try:
            _media(message, as_object(inner, "result"), rows)
        except DecodeError as error:
            rows.refuse(error, message.at)


def _transparent(message: Message, body: dict[str, Any], rows: FixRows) -> None:
    """0900: `type`, and `data` in base64."""
    data = binary(body.get("data"))
    if data is None:
        raise DecodeError(Reject.BAD_VALUE, detail="data: expected base64")
    read_transparent(message._replace(body=bytes((whole(body, "type", 255),)) + data), rows)


def _array(body: dict[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    if value is None:
        raise DecodeError(Reject.MISSING_FIELD, detail=f"{key}: expected an array, got nothing")
    if not isinstance(value, list):
        detail = f"{key}: expected an array, got {type(value).__name__}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    return value


_MEDIA: Final = ("id", "type", "format", "event", "channel")

READERS: Final[dict[int, Callable[[Message, dict[str, Any], FixRows], None]]] = {
    0x0200: _location,
    0x0201: _inner,
    0x0500: _inner,
    0x0704: _batch,
    0x0800: _media,
    0x0801: _media,
    0x0802: _stored_media,
    0x0900: _transparent,
}

JT808_JSON: Final = register(Codec(name="jt808-json", decode=decode, encode=encode))
