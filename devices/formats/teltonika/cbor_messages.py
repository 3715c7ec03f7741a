"""Codec "teltonika-cbor": the CBOR of Teltonika's MQTT firmware (docs/codecs/teltonika-cbor.md).

The same object as in its JSON, {"state": {"reported": {...}}}, or the inner object alone, one or an
array of them, in CBOR (RFC 8949). AVL ids are text or whole numbers, bytes are kept as hexadecimal.
"""

from collections.abc import Sequence
from typing import Any, Final, NoReturn

import cbor2

from devices.batch import I64, FixBatch
from devices.codec import Codec, Decoded, register
from devices.errors import DecodeError, Reject
from devices.formats.teltonika.cbor_kernel import SELF_DESCRIBED, as_json
from devices.formats.teltonika.json_messages import SHAPE, messages_of, read_messages, say
from devices.json_columns import decode_columns
from devices.rows import FixRows

MAX_DEPTH: Final = 16


def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
    """Decode payloads of messages."""
    return decode_columns(payloads, received, SHAPE, say, read, as_json(payloads))


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
    data = payload.removeprefix(bytes(SELF_DESCRIBED))
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
