"""Codec "teltonika-cbor": the CBOR of Teltonika's MQTT firmware (docs/codecs/teltonika-cbor.md).

The same object as in its JSON, {"state": {"reported": {...}}}, or the inner object alone, one or an
array of them, in CBOR (RFC 8949). AVL ids are text or whole numbers, bytes are kept as hexadecimal.
"""

from collections.abc import Sequence
from typing import Any, Final, NoReturn

import cbor2
import msgspec

from devices.batch import I64, FixBatch
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.formats.teltonika.elements import HDOP, HDOP_UNIT, INPUTS, ODOMETER_M
from devices.formats.teltonika.json_messages import NAMES, messages_of, read_messages
from devices.input_names import OFF, ON
from devices.messages import Row, decode_messages
from devices.rows import FixRows

MAX_DEPTH: Final = 16
_ENCODER: Final = msgspec.json.Encoder()
_SCALE: Final = {"time": 1e3, "hdop": HDOP_UNIT}
"""Milliseconds; tenths."""
_WORDS: Final = [
    (str(element), OFF[str(bit.name).lower()], ON[str(bit.name).lower()])
    for element, bit in INPUTS.items()
]
SELF_DESCRIBED: Final = b"\xd9\xd9\xf7"
"""The tag that says "this is CBOR" (RFC 8949, section 3.4.6); the only one that is taken."""


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of messages."""
    return decode_messages(payloads, received, _shape, read, _SCALE)


def _shape(payload: bytes) -> Sequence[Row]:
    found = _loads(payload)
    messages = [found] if type(found) is dict else found
    return [_row(message) for message in messages]


def _row(message: dict[Any, Any]) -> Row:
    values = message["state"]["reported"] if "state" in message else message
    if type(next(reversed(values), None)) is int:
        values = {str(key): value for key, value in values.items()}
    return _row_of(values)


def _row_of(values: dict[str, Any]) -> Row:
    """The row of a "reported" as it mostly is; whatever is odd may raise."""
    take = values.pop
    lat, _, lon = take("latlng").partition(",")
    time, altitude, heading = take("ts"), take("alt", None), take("ang", None)
    satellites, speed = take("sat", None), take("sp", None)
    extra: dict[str, Any] = {}
    for key, name in NAMES.items():
        if key in values:
            extra[name] = take(key)
            if type(extra[name]) is not int or abs(extra[name]) > _LARGEST:
                raise ValueError
    word, io = 0, values.get
    if values:
        if not "".join(values).isdecimal() or set(map(type, values.values())) != _WHOLE:
            raise ValueError
        if max(values.values()) > _LARGEST or min(values.values()) < -_LARGEST:
            raise ValueError
        for element, off, on in _WORDS:
            if element in values:
                word |= on if values[element] else off
        extra["io"] = values
    return (
        time, float(lon), float(lat), speed, heading, altitude, io(_HDOP), satellites,
        io(_ODOMETER), None, None, word, satellites == 0, _ENCODER.encode(extra) if extra else None,
    )  # fmt: skip


_WHOLE: Final = {int}
_LARGEST: Final = 1 << 63
_HDOP: Final = str(HDOP)
_ODOMETER: Final = str(ODOMETER_M)


def read(payload: bytes, rows: FixRows) -> None:
    """Read one payload, element by element."""
    found = _loads(payload)
    elements = found if isinstance(found, list) else [found]
    messages = [_as_json(element) for element in elements]
    read_messages([_whole(message) for message in messages], rows)


def _whole(message: Any) -> Any:
    """A message with the objects around what is reported, whether they were sent or not."""
    if isinstance(message, dict) and "state" not in message:
        return {"state": {"reported": message}}
    return message


def _refuse_tag(*_: Any) -> NoReturn:
    raise cbor2.CBORDecodeError("expected no tag, got one")


_NO_TAGS: Final = dict.fromkeys(
    (
        0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000,
        55799,
    ),
    _refuse_tag,
)  # fmt: skip
"""Every tag that the library would act upon: shared values can make circles, patterns and fractions
can take for ever, and no device sends any."""


def _loads(payload: bytes) -> Any:
    """The value of a payload, without tags. Raises DecodeError."""
    data = payload.removeprefix(SELF_DESCRIBED)
    try:
        # The library does not say where a value ends: a second one shows whether it ended there.
        value, end = _plain_loads(b"\x82" + data + b"\x50" + _END)
    except _CBOR_ERRORS:
        end = None
    if end == _END:
        return value
    try:
        _plain_loads(data)
    except cbor2.CBORDecodeEOF as error:
        raise DecodeError(Reject.TRUNCATED, at=len(payload), detail=str(error)) from None
    except _CBOR_ERRORS as error:
        raise DecodeError(Reject.BAD_SYNTAX, detail=f"cbor: {error}") from None
    raise DecodeError(Reject.TRAILING_BYTES, detail="expected one value, got more behind it")


_END: Final = b"end of the value"
_CBOR_ERRORS: Final = (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError)


def _plain_loads(data: bytes) -> Any:
    return cbor2.loads(data, semantic_decoders=_NO_TAGS, tag_hook=_refuse_tag, max_depth=MAX_DEPTH)


def _as_json(value: Any) -> Any:
    """A value with text for the keys of maps, and hexadecimal for bytes. Raises DecodeError."""
    if isinstance(value, dict):
        return {_key(key): _as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_json(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    if value is None or isinstance(value, str | int | float):
        return value
    raise DecodeError(Reject.BAD_VALUE, detail=f"cbor: expected a JSON type, got {value!r:.40}")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise DecodeError(Reject.BAD_VALUE, detail=f"cbor: expected a name or an id, got {key!r:.40}")


def encode(fixes: FixBatch, idents: Sequence[str], drivers: Sequence[str]) -> list[bytes]:
    """One message per fix; idents and drivers have no place in it."""
    del idents, drivers
    return [cbor2.dumps(message) for message in messages_of(fixes)]


TELTONIKA_CBOR: Final = register(Codec(name="teltonika-cbor", decode=decode, encode=encode))
