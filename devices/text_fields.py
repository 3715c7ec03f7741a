"""Fields of text frames one by one: the scalar twins of what columns.py reads of many at once.

Both give the same numbers to the last bit, so that a codec's fast path and its reader of single
frames cannot differ.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from math import floor, isnan, nan
from typing import Final

from devices.batch import I64
from devices.codec import EARLIEST_FIX_US
from devices.errors import DecodeError, EncodeError, Reject

_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,15})?", re.ASCII)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_NUMBER: Final = re.compile(rb"[+-]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})")
_IDENT: Final = re.compile(r"[0-9A-Za-z]{1,20}")
_END_OF_CENTURY_US: Final = 4_102_444_800_000_000


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


def decimal(text: str, name: str, *, at: int = 0) -> float:
    """A decimal number; NaN if the text is empty. Raises DecodeError for anything else."""
    if not text:
        return nan
    if _DECIMAL.fullmatch(text) is None:
        detail = f"{name}: expected a decimal number, got {text!r:.40}"
        raise DecodeError(Reject.BAD_VALUE, at=at, detail=detail)
    return float(text)


def instant_us(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    """Microseconds since 1970 of a date and time of day in UTC; NaN if there is no such date.

    A year below 100 is one of 2000 to 2099; a second of 60 is the first of the next minute.
    """
    if hour > 23 or minute > 59 or second > 60:
        return nan
    try:
        days = date(year + 2000 if year < 100 else year, month, day).toordinal() - _EPOCH
    except ValueError:
        return nan
    return (days * 86_400 + hour * 3600 + minute * 60 + second) * 1e6


def compact_instant_us(digits: str) -> float:
    """`instant_us` of yyyymmddhhmmss, or yymmddhhmmss: 14 or 12 digits."""
    year = len(digits) - 10
    month, day, hour, minute, second = (
        int(digits[at : at + 2]) for at in range(year, year + 10, 2)
    )
    return instant_us(int(digits[:year]), month, day, hour, minute, second)


def dated_us(day: Sequence[int], clock: Sequence[int]) -> int:
    """As `instant_us` of (year, month, day) and (hour, minute, second). Raises DecodeError."""
    (year, month, of_month), (hour, minute, second) = day, clock
    found = instant_us(year % 100, month, of_month, hour, minute, second)
    if isnan(found):
        said = f"{year:02d}-{month:02d}-{of_month:02d} {hour:02d}:{minute:02d}:{second:02d}"
        detail = f"time: expected a date and time of day, got {said}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail)
    return int(found)


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
