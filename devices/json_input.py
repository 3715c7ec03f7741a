"""Reading JSON payloads: msgspec's complaints turned into reasons, numbers that may be text.

Belongs here: what the JSON formats share about syntax. Their fields stand in their own modules.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite, nan
from typing import Any, Final

import msgspec

from devices.errors import DecodeError, Reject
from devices.input_names import named_word
from devices.texts import is_ident

_BYTE: Final = re.compile(r"\(byte (\d+)\)")

_GENERIC: Final = msgspec.json.Decoder()

JSON_ERRORS: Final = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What msgspec can raise for bad bytes: malformed, invalid UTF-8, nested too deeply."""


def json_error(error: Exception, payload: bytes) -> DecodeError:
    """The DecodeError for one of JSON_ERRORS."""
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        missing = "missing required field" in text
        return DecodeError(Reject.MISSING_FIELD if missing else Reject.BAD_VALUE, detail=text)
    if "truncated" in text:
        return DecodeError(Reject.TRUNCATED, at=len(payload), detail=text)
    try:
        payload.decode()
    except UnicodeDecodeError as bad:
        return DecodeError(Reject.BAD_ENCODING, at=bad.start, detail=f"not utf-8: {bad.reason}")
    place = _BYTE.search(text)
    reason = Reject.TRAILING_BYTES if "trailing" in text else Reject.BAD_SYNTAX
    return DecodeError(reason, at=int(place[1]) if place else 0, detail=text or "nested too deeply")


def read_json(payload: bytes) -> Any:
    """Any JSON value. Raises DecodeError."""
    try:
        return _GENERIC.decode(payload)
    except JSON_ERRORS as error:
        raise json_error(error, payload) from None


def read_objects(payload: bytes) -> list[Any]:
    """The elements of an array, or the one value that stands alone. Raises DecodeError."""
    value = read_json(payload)
    return value if isinstance(value, list) else [value]


def number(values: dict[str, Any], key: str) -> float:
    """Take the number out of an object; it may be written as text. NaN if absent or null.

    Raises DecodeError (BAD_VALUE) for anything else.
    """
    value = values.pop(key, None)
    if value is None or value == "":
        return nan
    return as_number(value, key)


def as_number(value: Any, key: str) -> float:
    """A JSON number, or a text that holds one, as a float. Raises DecodeError (BAD_VALUE)."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            pass
    raise DecodeError(Reject.BAD_VALUE, detail=f"{key}: expected a number, got {value!r:.60}")


def required_number(values: dict[str, Any], key: str) -> float:
    """Like `number`; raises DecodeError (MISSING_FIELD) if it is absent or null."""
    if values.get(key) is None:
        raise DecodeError(Reject.MISSING_FIELD, detail=f"{key}: expected a number, got nothing")
    return number(values, key)


def as_object(value: Any, name: str = "element") -> dict[str, Any]:
    """A JSON object. Raises DecodeError (BAD_VALUE) for anything else."""
    if not isinstance(value, dict):
        raise DecodeError(
            Reject.BAD_VALUE, detail=f"{name}: expected an object, got {type(value).__name__}"
        )
    return value


MILLISECONDS_FROM: Final = 1e11
"""A number of seconds as large as this is one of milliseconds: it would be the year 5138."""


def whole_us(us: float) -> float:
    """Microseconds without a fraction; what is not finite stays so."""
    return float(round(us)) if isfinite(us) else us


def seconds_us(values: dict[str, Any], key: str) -> float:
    """Take an instant out of an object: seconds since 1970, as microseconds. Raises DecodeError."""
    return whole_us(required_number(values, key) * 1e6)


def instant_us(value: Any, key: str) -> float:
    """An instant as microseconds: seconds or milliseconds since 1970, or a text of ISO 8601.

    A text without an offset is UTC. Raises DecodeError (BAD_VALUE).
    """
    if isinstance(value, str):
        text = value.strip()
        if ":" in text or "T" in text:
            try:
                return iso_us(text)
            except (ValueError, OverflowError):
                detail = f"{key}: expected an instant, got {value!r:.60}"
                raise DecodeError(Reject.BAD_VALUE, detail=detail) from None
    number_ = as_number(value, key)
    return whole_us(number_ * (1e3 if abs(number_) >= MILLISECONDS_FROM else 1e6))


def iso_us(text: str) -> float:
    """An ISO 8601 text as microseconds, UTC where it has no offset. Raises ValueError."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return round(when.timestamp() * 1e6)


def identity(values: dict[str, Any], key: str) -> str:
    """Take an identity out of an object: a text or a whole number; "" if there is none.

    Raises DecodeError (BAD_VALUE) for what cannot be one.
    """
    value = values.pop(key, None)
    if value is None or value == "":
        return ""
    text = str(value).strip() if isinstance(value, str | int) else ""
    if isinstance(value, bool) or not is_ident(text):
        raise DecodeError(Reject.BAD_VALUE, detail=f"{key}: expected text, got {value!r:.60}")
    return text


_SWITCHES: Final = {
    "1": True, "true": True, "on": True, "0": False, "false": False, "off": False,
}  # fmt: skip


def switch(values: dict[str, Any], key: str) -> bool | None:
    """Take what is on or off out of an object; what is neither stays there, and is None."""
    value = values.get(key)
    state = _SWITCHES.get(str(value).lower()) if isinstance(value, str | int) else None
    if state is not None or value is None:
        values.pop(key, None)
    return state


def switches(values: dict[str, Any], names: Mapping[str, str]) -> int:
    """Take the inputs out of an object: the word of those that are on or off.

    names: by key, what we call the input.
    """
    states = {ours: switch(values, key) for key, ours in names.items()}
    return named_word({name: state for name, state in states.items() if state is not None})
