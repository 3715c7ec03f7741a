"""Fields of text frames one by one: the twins of what columns.py reads of many frames at once.

Both give the same numbers to the last bit, so that a fast path and the reader of single frames do.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from math import floor, isnan, nan
from typing import Final

from devices.batch import I64
from devices.codec import EARLIEST_FIX_US
from devices.errors import DecodeError, EncodeError, Reject

_NUMBER: Final = re.compile(rb"[+-]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})")


def number(text: bytes, name: str) -> float:
    """A decimal number; NaN for nothing but blanks. Raises DecodeError."""
    text = text.strip()
    if not text:
        return nan
    if not _NUMBER.fullmatch(text):
        raise DecodeError(Reject.BAD_VALUE, detail=f"{name}: expected a number, got {text[:24]!r}")
    return float(text)


def degrees_minutes(value: float, name: str) -> float:
    """Degrees of a number that is written dddmm.mmmm. Raises DecodeError for 60 minutes."""
    whole = floor(value / 100)
    minutes = value - whole * 100
    if not minutes < 60:
        detail = f"{name}: expected minutes under 60, got {minutes:g}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    return whole + minutes / 60


def two_digits(text: bytes) -> list[int]:
    """Digits read two by two: b"230109" is 23, 1, 9."""
    return [int(text[k : k + 2]) for k in range(0, len(text), 2)]


def instant_us(date: Sequence[int], clock: Sequence[int]) -> int:
    """Microseconds since 1970 of (year of 2000 to 2099, month, day) and (hour, minute, second).

    A second of 60 is the first of the next minute. Raises DecodeError.
    """
    (year, month, day), (hour, minute, second) = date, clock
    leap = second == 60
    try:
        when = datetime(2000 + year % 100, month, day, hour, minute, second - leap, tzinfo=UTC)
    except ValueError:
        said = f"{year:02d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}"
        raise DecodeError(
            Reject.BAD_VALUE, detail=f"time: expected a date and time of day, got {said}"
        ) from None
    return (int(when.timestamp()) + leap) * 1_000_000


def written_angle(value: float, whole_digits: int, decimals: int) -> str:
    """Degrees without their sign as dddmm.mmmm, for encoders."""
    unit = 10**decimals
    degrees, parts = divmod(round(abs(value) * 60 * unit), 60 * unit)
    minutes, part = divmod(parts, unit)
    return f"{degrees:0{whole_digits}d}{minutes:02d}.{part:0{decimals}d}"


def written_number(value: float, decimals: int, width: int = 0) -> str:
    """A number with so many decimals, filled with zeros to a width; "" for NaN."""
    return "" if isnan(value) else f"{value:0{width}.{decimals}f}"


def written_times(times: I64, pattern: str) -> list[str]:
    """Instants (microseconds) written by a pattern of strftime, in UTC.

    Raises EncodeError outside the years 2000 to 2099, of which two digits are written.
    """
    for us in times.tolist():
        if not EARLIEST_FIX_US <= us < _END_OF_CENTURY_US:
            raise EncodeError(f"time: expected a year of 2000 to 2099, got {us} us")
    return [datetime.fromtimestamp(us // 1_000_000, UTC).strftime(pattern) for us in times.tolist()]


def check_idents(idents: Sequence[str]) -> None:
    """Raise EncodeError for an identity that is not 1 to 20 letters and digits."""
    for ident in idents:
        if not _IDENT.fullmatch(ident):
            raise EncodeError(f"ident: expected 1 to 20 letters and digits, got {ident!r}")


_IDENT: Final = re.compile(r"[0-9A-Za-z]{1,20}")
_END_OF_CENTURY_US: Final = 4_102_444_800_000_000
