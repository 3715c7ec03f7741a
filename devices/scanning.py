"""Kernels that read characters: what the compiled readers of several text formats share.

Belongs here: digits, numbers and instants. Fields and messages stand with their formats.
"""

from typing import Final

import numpy as np

from devices.batch import U8
from devices.compile import inlined_kernel

_QUOTE, _BACKSLASH, _COLON, _MINUS, _PLUS, _DOT, _ZERO = (ord(sign) for sign in '"\\:-+.0')
_E, _T, _Z = (ord(letter) for letter in "ETZ")
_LOWER: Final = 0x20
_ODD: Final = -1

_EXACT: Final = 1 << 53
_MOST_DIGITS: Final = 18

PLAIN: Final = np.zeros(256, np.bool_)
"""Characters that stand for themselves in a text of JSON: printable ASCII, but for two."""
PLAIN[ord(" ") : 0x7F] = True
PLAIN[[_QUOTE, _BACKSLASH]] = False

_FIRST_YEAR, _LAST_YEAR = 1970, 2200
"""Seconds of these years are exact in float64, to the microsecond."""

POWERS: Final = 10.0 ** np.arange(23)
"""Powers of ten that are exact: a whole number below 2**53 divided by one is rounded as `float`
rounds the text."""


@inlined_kernel
def sign_at(raw: U8, at: int) -> int:
    """The character or byte that stands here, for sums that may be negative."""
    return np.int64(raw[at])  # type: ignore[return-value]


@inlined_kernel
def digit_at(raw: U8, at: int) -> int:
    """The value of a decimal digit; something else than 0 to 9 if there is none."""
    return np.int64(raw[at]) - _ZERO  # type: ignore[return-value]


@inlined_kernel
def whole_at(raw: U8, at: int, width: int) -> int:
    """A number of so many digits; -1 if one of them is none."""
    value = 0
    for k in range(at, at + width):
        one = digit_at(raw, k)
        if one < 0 or one > 9:
            return -1
        value = value * 10 + one
    return value


@inlined_kernel
def past_digits(raw: U8, at: int) -> int:
    """Where digits end that may begin here."""
    while 0 <= digit_at(raw, at) <= 9:
        at += 1
    return at


@inlined_kernel
def word_at(raw: U8, at: int, word: tuple[int, ...]) -> bool:
    """Whether these characters stand here."""
    k = 0
    while k < len(word) and raw[at + k] == word[k]:
        k += 1
    return k == len(word)


@inlined_kernel
def is_date(year: int, month: int, day: int) -> bool:
    """Whether the calendar has this day."""
    if month < 1 or month > 12 or day < 1 or day > 30 + (month + month // 8) % 2:
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return month != 2 or day <= (29 if leap else 28)


@inlined_kernel
def days_since_1970(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the calendar."""
    # Counted in years that begin in March, so that the leap day is the last of its year.
    march_year, march_month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    days = march_year * 365 + march_year // 4 - march_year // 100 + march_year // 400
    return days + (153 * march_month + 2) // 5 + day - 1 - 719_468


@inlined_kernel
def _exponent_end(data: U8, at: int) -> int:
    """Where digits end that may have a sign, or -1."""
    if data[at] == _MINUS or data[at] == _PLUS:
        at += 1
    end = past_digits(data, at)
    return end if end > at else _ODD


@inlined_kernel
def _upper_half(value: float) -> float:
    """The first 26 bits of a number: products of two such halves are exact."""
    wide = value * 134_217_729.0
    return wide - (wide - value)


@inlined_kernel
def quotient(value: int, power: float) -> float:
    """A whole number from 0 to 10**18 divided by a power of ten, rounded once, as `float` rounds.

    NaN for the few of which this arithmetic cannot tell.
    """
    low = value & 0x7FF
    high, rest = float(value - low), float(low)
    found = (high + rest) / power
    # What is left over, from the product without any error (Dekker 1971, A floating-point technique
    # for extending the available precision).
    product, one, other = found * power, _upper_half(found), _upper_half(power)
    error = one * other - product + one * (power - other) + (found - one) * other
    error += (found - one) * (power - other)
    missing = ((high - product) + (rest - error)) / power
    # The missing part is good to some 40 bits; where its last ones matter, it could be a tie.
    least, most = found + missing * (1 - 2.0**-30), found + missing * (1 + 2.0**-30)
    return least if least == most else np.nan


@inlined_kernel
def json_number_at(data: U8, at: int) -> tuple[float, int]:  # noqa: C901 one number, one exit
    """A number and where it ends; NaN if only `float` rounds it well; -1 for what is odd."""
    negative = data[at] == _MINUS
    at += negative
    begin, value, dot = at, 0, 0
    while 0 <= digit_at(data, at) <= 9 and at - begin <= _MOST_DIGITS:
        value = value * 10 + digit_at(data, at)
        at += 1
    if not 1 <= at - begin <= _MOST_DIGITS or (data[begin] == _ZERO and at > begin + 1):
        return 0.0, _ODD
    whole = True
    if data[at] == _DOT:
        dot = at
        at += 1
        while 0 <= digit_at(data, at) <= 9:
            if at - begin <= _MOST_DIGITS:
                value = value * 10 + digit_at(data, at)
            at += 1
        if at == dot + 1:
            return 0.0, _ODD
        whole = at - begin <= _MOST_DIGITS + 1
    elif value > _EXACT or (negative and value == 0):
        return 0.0, _ODD
    if data[at] | _LOWER == _E | _LOWER:
        whole, at = False, _exponent_end(data, at + 1)
    if not whole:
        return np.nan, at
    found = float(value)
    if value > _EXACT:
        found = quotient(value, POWERS[at - dot - 1])
    elif dot:
        found = value / POWERS[at - dot - 1]
    return (-found if negative else found), at


@inlined_kernel
def _day(data: U8, at: int) -> int:
    """Days since 1970 of 2026-01-05T, or -1."""
    year, month, day = whole_at(data, at, 4), whole_at(data, at + 5, 2), whole_at(data, at + 8, 2)
    signs = data[at + 4] == _MINUS and data[at + 7] == _MINUS and data[at + 10] == _T
    if not signs or not _FIRST_YEAR <= year <= _LAST_YEAR or not is_date(year, month, day):
        return _ODD
    return days_since_1970(year, month, day)


@inlined_kernel
def _minutes(data: U8, at: int) -> int:
    """Minutes of 11:59, or -1."""
    hour, minute = whole_at(data, at, 2), whole_at(data, at + 3, 2)
    if data[at + 2] != _COLON or hour < 0 or hour > 23 or minute < 0 or minute > 59:
        return _ODD
    return hour * 60 + minute


@inlined_kernel
def _part(data: U8, at: int) -> tuple[int, int]:
    """Microseconds of .5 to .123456, or of nothing, and where they end."""
    micros, unit = 0, 1_000_000
    if data[at] == _DOT:
        at += 1
        while unit > 1 and 0 <= digit_at(data, at) <= 9:
            unit //= 10
            micros += digit_at(data, at) * unit
            at += 1
    return micros, (at if data[at - 1] != _DOT else _ODD)


@inlined_kernel
def instant_at(data: U8, at: int) -> tuple[float, int]:
    """Seconds since 1970 of "2026-01-05T11:59:30.123Z" in its quotes, and where they end; or -1."""
    days, minutes, second = _day(data, at + 1), _minutes(data, at + 12), whole_at(data, at + 18, 2)
    if days < 0 or minutes < 0 or second < 0 or second > 59 or data[at + 17] != _COLON:
        return 0.0, _ODD
    seconds = days * 86_400 + minutes * 60 + second
    part, at = _part(data, at + 20)
    sign = data[at]
    if at < 0 or sign not in (_Z, _PLUS, _MINUS):
        return 0.0, _ODD
    at += 1
    if sign != _Z:
        ahead = _minutes(data, at)
        seconds += ahead * (60 if sign == _MINUS else -60)
        at = at + 5 if ahead >= 0 else _ODD
    if at < 0 or data[at] != _QUOTE:
        return 0.0, _ODD
    return (seconds * 1_000_000 + part) / 1e6, at + 1
