"""Weekly hours and the local clock, for all fixes at once.

Belongs here: local time of UTC instants without a Python loop over them, and the minutes of the
week at which a schedule is open. A week begins on Monday 00:00 local time.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from devices.batch import I64, Bool
from devices.compile import kernel
from geofence.errors import RegistryError

MINUTE_US: Final = 60_000_000
DAY_US: Final = 86_400_000_000
DAY_MINUTES: Final = 1_440
WEEK_MINUTES: Final = 7 * DAY_MINUTES

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_FEW_DAYS: Final = 64

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_MINUTE: Final = 3 * DAY_MINUTES  # 1970-01-01 was a Thursday
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


def midnight_us(day: date, timezone: ZoneInfo) -> int:
    """The instant at which a calendar day begins."""
    return round(datetime.combine(day, time(), timezone).timestamp()) * 1_000_000


@lru_cache(maxsize=8)
def midnights_us(timezone: ZoneInfo) -> I64:
    """The instants at which local days begin, ascending; read only. From 1970 to 2099."""
    first, last = date(1970, 1, 1).toordinal(), date(2100, 1, 1).toordinal()
    found = [midnight_us(date.fromordinal(day), timezone) for day in range(first, last)]
    midnights = np.array(found, np.int64)
    midnights.flags.writeable = False
    return midnights


def _offset_us(timezone: ZoneInfo, instant_us: int) -> int:
    offset = (_EPOCH + timedelta(microseconds=instant_us)).astimezone(timezone).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


@lru_cache(maxsize=20_000)
def _offsets_of_day(timezone: ZoneInfo, day: int) -> tuple[int, int, int]:
    """Offset from UTC at the start of a UTC day, the instant it changes, the offset from there.

    A day without a change names its end as that instant. Clocks never change twice in a day.
    """
    low, high = day * DAY_US, (day + 1) * DAY_US
    before, after = _offset_us(timezone, low), _offset_us(timezone, high)
    if before == after:
        return before, high, before
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_us(timezone, middle) == before:
            low = middle
        else:
            high = middle
    return before, high, after


def steady_offset_us(first: int, last: int, timezone: ZoneInfo) -> int | None:
    """The offset from UTC between two instants; None: it changes, or they are far apart."""
    days = range(first // DAY_US, last // DAY_US + 1)
    if len(days) > _FEW_DAYS:
        return None
    offsets = {offset for day in days for offset in _offsets_of_day(timezone, day)[::2]}
    return offsets.pop() if len(offsets) == 1 else None


def local_us(times: I64, timezone: ZoneInfo) -> I64:
    """Local clock time of UTC instants, as microseconds since 1970-01-01 00:00 local time.

    times: shape (n,), microseconds since 1970-01-01 UTC, within the years 1 to 9998. Cost: one
    look-up in the timezone for each UTC day, kept for the next time.
    """
    of_fix = times // DAY_US
    first, last = (int(of_fix.min()), int(of_fix.max())) if len(times) else (0, -1)
    if last - first < _FEW_DAYS:  # without sorting
        days: Sequence[int] = range(first, last + 1)
        inverse = of_fix - first
    else:
        distinct, inverse = np.unique(of_fix, return_inverse=True)
        days = distinct.tolist()
    found = [_offsets_of_day(timezone, day) for day in days]
    table = np.array(found, np.int64).reshape(-1, 3)
    before, changes_at, after = table[inverse].T
    local: I64 = times + np.where(times < changes_at, before, after)
    return local


def local_at_us(instant_us: int, timezone: ZoneInfo) -> int:
    """What `local_us` says of one instant, without an array."""
    before, changes_at, after = _offsets_of_day(timezone, instant_us // DAY_US)
    return instant_us + (before if instant_us < changes_at else after)


def minute_of_week(times: I64, timezone: ZoneInfo) -> I64:
    """Local minute of the week [0, 10080) of UTC instants, shape (n,); Monday 00:00 is 0."""
    return (local_us(times, timezone) // MINUTE_US + _EPOCH_MINUTE) % WEEK_MINUTES


@kernel
def minute_at(local: int) -> int:
    """Minute of the week of one local time, microseconds."""
    return int((local // MINUTE_US + _EPOCH_MINUTE) % WEEK_MINUTES)


def _minute(key: str, clock: object) -> int:
    if not isinstance(clock, str) or not _CLOCK.fullmatch(clock):
        raise RegistryError(f"{key}: expected a time from 00:00 to 24:00, got {clock!r}")
    return int(clock[:2]) * 60 + int(clock[3:])


def weekly_minutes(weekly_hours: Sequence[Sequence[str]] | None, key: str = "weekly_hours") -> Bool:
    """The minutes of the week at which a schedule is open, shape (10080,). None: all of them.

    Intervals are half open, [from, to); one whose end is before its start ends on the next day, and
    none is empty. Raises RegistryError naming the interval and what was expected.
    """
    if weekly_hours is None:
        return np.ones(WEEK_MINUTES, np.bool_)
    minutes = np.zeros(WEEK_MINUTES, np.bool_)
    for number, interval in enumerate(weekly_hours):
        place = f"{key}[{number}]"
        if isinstance(interval, str) or len(interval) != 3:
            raise RegistryError(f"{place}: expected [day, from, to], got {interval!r}")
        day, begin, end = interval
        if day not in DAYS:
            raise RegistryError(f"{place}: expected a day of {', '.join(DAYS)}, got {day!r}")
        first, last = _minute(place, begin), _minute(place, end)
        if first in (last, DAY_MINUTES):
            raise RegistryError(
                f"{place}: expected hours of some length, got {begin} to {end} "
                "(a whole day is 00:00 to 24:00)"
            )
        if last < first:
            last += DAY_MINUTES
        start = DAYS.index(day) * DAY_MINUTES
        minutes[np.arange(start + first, start + last) % WEEK_MINUTES] = True
    return minutes
