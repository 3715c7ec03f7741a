"""Columns out of frames: what many frames of one shape say, read at once.

A codec that must be fast sorts its payloads by shape (a pattern that matches, a length and a type
byte), reads every shape here as columns, and leaves whatever has no common shape to its reader of
single frames. Both must say the same; tests hold them together.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from devices.batch import F32, F64, U8

T = TypeVar("T")

DAY_US: Final = 86_400_000_000
SECOND_US: Final = 1_000_000

_LENGTHS: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def decimals(texts: Sequence[bytes]) -> F64:
    """Decimal numbers in ASCII, shape (len(texts),); NaN where a text is empty.

    Raises ValueError if a text is no number: patterns let through nothing else.
    """
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:  # some are empty
        return np.array([float(text) if text else np.nan for text in texts], np.float64)


def few_decimals(texts: Sequence[bytes]) -> F64:
    """`decimals` of texts of which most are equal, as counts are; shape (len(texts),)."""
    return np.array(of_each(lambda text: float(text or b"nan"), texts), np.float64)


def of_each(function: Callable[[bytes], T], texts: Sequence[bytes]) -> list[T]:
    """`function` of each text, computed once for all that are equal."""
    known = {text: function(text) for text in set(texts)}
    return [*map(known.__getitem__, texts)]


def digits(texts: Sequence[bytes], width: int) -> U8:
    """Texts of `width` ASCII digits each, as values 0 to 9, shape (len(texts), width)."""
    raw = np.frombuffer(b"".join(texts), np.uint8).reshape(len(texts), width)
    return raw - np.uint8(ord("0"))


def pairs(texts: Sequence[bytes], width: int) -> NDArray[np.int64]:
    """Texts of `width` digits read two by two: `b"230109"` is (23, 1, 9); shape (n, width / 2)."""
    single = digits(texts, width).astype(np.int64)
    return single[:, 0::2] * 10 + single[:, 1::2]


def bcd_pairs(raw: U8) -> NDArray[np.int64]:
    """Bytes of two decimal digits each (packed BCD) as 0 to 99; -1 where a half is over 9."""
    high, low = (raw >> 4).astype(np.int64), (raw & 0xF).astype(np.int64)
    return np.where((high > 9) | (low > 9), -1, high * 10 + low)


def bcd_numbers(raw: U8) -> F64:
    """Packed BCD numbers of equal size, shape (n, bytes): NaN where a half is over 9."""
    parts = bcd_pairs(raw)
    weights = 100 ** np.arange(raw.shape[1] - 1, -1, -1)
    found: F64 = np.where((parts < 0).any(axis=1), np.nan, parts @ weights)
    return found


def instants(
    year: NDArray[np.integer[Any]],
    month: NDArray[np.integer[Any]],
    day: NDArray[np.integer[Any]],
    hour: NDArray[np.integer[Any]],
    minute: NDArray[np.integer[Any]],
    second: NDArray[np.integer[Any]],
) -> F64:
    """Microseconds since 1970 of dates and times of day in UTC; NaN where there is no such date.

    A year below 100 is one of 2000 to 2099. A second of 60 is the leap second, and taken as the
    first of the next minute.
    """
    year = year.astype(np.int64)
    year = np.where((year >= 0) & (year < 100), year + 2000, year)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    known_month = (month >= 1) & (month <= 12)
    length = _LENGTHS[np.where(known_month, month, 1)] + (leap & (month == 2))
    good = (
        known_month
        & (year >= 1)
        & (year <= 9999)
        & (day >= 1)
        & (day <= length)
        & (hour >= 0)
        & (hour < 24)
        & (minute >= 0)
        & (minute < 60)
        & (second >= 0)
        & (second <= 60)
    )
    months = (np.where(good, year, 1970) - 1970) * 12 + np.where(good, month, 1) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    found: F64 = np.where(good, seconds * float(SECOND_US), np.nan)
    return found


def degrees(degrees_minutes: F64) -> F64:
    """Degrees of numbers that are written dddmm.mmmm: degrees times 100, and minutes."""
    whole: F64 = np.floor(degrees_minutes / 100)
    return whole + (degrees_minutes - whole * 100) / 60


def rounded(column: F32 | F64) -> list[float]:
    """Values of a column to three decimals: what a float32 of these sizes can tell apart."""
    values: list[float] = np.round(column.astype(np.float64), 3).tolist()
    return values
