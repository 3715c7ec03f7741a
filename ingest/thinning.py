"""Which marks are thinned when: those of the last days each hour, the older ones in turns.

A look at all marks of a year at once took 26 s for 500 vehicles on a busy machine, and a worker
commits nothing meanwhile. What comes late, or is judged again, puts marks down among old ones: so
the past is gone through again and again, a little of it each hour, by whoever works then.
"""

from typing import Final

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US

DENSE_US: Final = DAY_US
"""Marks older than a day become one a day, so that they do not grow with every quarter of an hour
for ever: a fix that comes later than that has up to a day replayed."""

SPAN_US: Final = 2 * DAY_US
"""What is looked at at once."""

TURNS: Final = 200
"""After so many hours the past begins anew: 400 days, more than fixes are kept. A mark that was
just missed is met 205 hours later, for it has grown older meanwhile."""


def spans(now_us: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The spans [since, before) to be thinned in the hour of an instant: the newest, and an older.

    All in microseconds since 1970-01-01 UTC.
    """
    before = now_us - DENSE_US
    back = (1 + now_us // HOUR_US % TURNS) * SPAN_US
    return (before - SPAN_US, before), (before - back - SPAN_US, before - back)
