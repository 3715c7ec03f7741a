"""Extra: what a format carries beside the columns of a fix, as one JSON object in UTF-8.

The bytes made here can be stored as PostgreSQL's jsonb, whatever a device sent: bounded in size
and depth, no NUL and no lone surrogate in any string, every number finite and of ordinary size.
"""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

import msgspec

from devices.errors import DecodeError, Reject

MAX_EXTRA_BYTES: Final = 16_384
MAX_EXTRA_DEPTH: Final = 12

_ENCODER: Final = msgspec.json.Encoder()
_SCALARS: Final = (str, int, float, type(None))
_CONTAINERS: Final = (Mapping, list)


def extra_bytes(values: Mapping[str, Any]) -> bytes:
    """One JSON object. Raises DecodeError (BAD_VALUE) for values that could not be stored."""
    try:
        made = _ENCODER.encode(values)
        if not _is_plain(made, values):
            _check(values, MAX_EXTRA_DEPTH)
    except RecursionError:
        raise DecodeError(Reject.BAD_VALUE, detail=_TOO_DEEP) from None
    except (ValueError, TypeError, OverflowError) as error:
        _check(values, MAX_EXTRA_DEPTH)
        raise DecodeError(Reject.BAD_VALUE, detail=f"extra: {error}") from None
    if len(made) > MAX_EXTRA_BYTES:
        raise DecodeError(
            Reject.BAD_VALUE,
            detail=f"extra: expected at most {MAX_EXTRA_BYTES} bytes, got {len(made)}",
        )
    return made


def _is_plain(made: bytes, values: Mapping[str, Any]) -> bool:
    """Whether a glance shows that there is nothing to refuse: most objects are such.

    No escaped control character, no null (which stands for a number that is not finite, too), too
    few brackets to be deep, no large number.
    """
    return not (
        b"null" in made
        or b"\\u00" in made
        or made.count(b"{") + made.count(b"[") > MAX_EXTRA_DEPTH
        or _has_large(values.values())
    )


def _has_large(values: Iterable[Any]) -> bool:
    for value in values:
        kind = type(value)
        if kind is int:
            if not -_LARGE < value < _LARGE:
                return True
        elif kind is dict:
            if _has_large(value.values()) or _has_large(value):
                return True
        elif kind is list and _has_large(value):
            return True
    return False


_LARGE: Final = 1 << 63
_TOO_DEEP: Final = f"extra: deeper than {MAX_EXTRA_DEPTH}"


def extra_values(extra: bytes) -> dict[str, Any]:
    """The object that `extra_bytes` wrote."""
    return msgspec.json.decode(extra, type=dict[str, Any])


def _check(value: Any, depth: int) -> None:
    # Scalars first: asking an abstract class costs more than all the rest.
    if isinstance(value, _SCALARS):
        _check_scalar(value)
    elif isinstance(value, _CONTAINERS):
        if not depth:
            raise DecodeError(Reject.BAD_VALUE, detail=_TOO_DEEP)
        if isinstance(value, Mapping):
            for key in value:
                _check_scalar(key)
            value = value.values()
        for inner in value:
            _check(inner, depth - 1)


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value or not _is_unicode(value):
            raise DecodeError(Reject.BAD_VALUE, detail="extra: a string with NUL or half a pair")
    elif isinstance(value, float):
        if not isfinite(value):
            raise DecodeError(Reject.NOT_FINITE, detail=f"extra: {value}")
    elif isinstance(value, int) and abs(value) >= 1 << 64:
        raise DecodeError(Reject.BAD_VALUE, detail="extra: an integer of more than 64 bits")


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
