"""Fields of text formats: one decimal number, one instant, read strictly.

Belongs here: the scalar twins of what `devices/columns.py` reads as columns. Both say the same of
every text, so that a codec's fast path and its reader of single frames cannot differ.
"""

import re
from datetime import date
from math import nan
from typing import Final

from devices.errors import DecodeError, Reject

_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{0,15})?", re.ASCII)
_EPOCH: Final = date(1970, 1, 1).toordinal()


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
