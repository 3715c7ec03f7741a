"""Opening hours as OpenStreetMap writes them, as the weekly hours of a zone or a weigh station.

The text is parsed and evaluated by `opening-hours-py`. Our hours are a week that repeats
itself: text that depends on anything but weekday and time is refused, never approximated.
"""

import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from opening_hours import (  # type: ignore[attr-defined]  # its stub leaves ParserError out
    OpeningHours,
    ParserError,
    State,
)

from geofence.hours import DAYS
from geofence.registry import WeeklyHours

_MONDAY: Final = datetime(2001, 1, 1)  # noqa: DTZ001 - any Monday: a week has no timezone
_WEEKLY: Final = re.compile(
    r"(?:Mo|Tu|We|Th|Fr|Sa|Su)(?![a-z])|\d\d:\d\d|24/7|open|closed|\|\||[-,; ]"
)
_ODD: Final = re.compile(r'"[^"]*"|[A-Za-z]+|\d+|.', re.DOTALL)
_REASONS: Final = {
    "PH": "public holidays",
    "SH": "school holidays",
    "sunrise": "the sun",
    "sunset": "the sun",
    "dawn": "the sun",
    "dusk": "the sun",
    "(": "the sun",
    "week": "weeks of the year",
    "easter": "Easter",
    "unknown": "hours that are not known",
    "+": "an open end",
    "/": "points in time",
    "[": "weekdays of a month",
}
_MONTHS: Final = frozenset(
    ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
)


class OpeningError(Exception):
    """Text that is not a weekly schedule. expected: what it should be; why: it is not, or ""."""

    def __init__(self, expected: str, text: str, why: str = "") -> None:
        self.expected, self.why = expected, why
        super().__init__(f"expected {expected}, got {text!r}{': ' if why else ''}{why}")


def weekly_hours(text: str) -> WeeklyHours | None:
    """The weekly hours that a text means, day by day; None: always. Raises OpeningError."""
    try:
        hours = OpeningHours(text)
    except ParserError as error:
        place = re.search(r"--> 1:(\d+)", str(error))
        why = f"wrong from character {place[1]}" if place else ""
        form = 'opening hours like "Mo-Fr 06:00-09:00,16:00-20:00"'
        raise OpeningError(form, text, why) from None
    _check_weekly(text, str(hours))
    found = []
    until = _MONDAY + timedelta(days=7)
    for begins, ends, state, _ in hours.intervals(_MONDAY, until):
        if state == State.OPEN:
            found += _by_day(begins, min(ends, until))
    if not found:
        raise OpeningError("hours of some length", text, "never open")
    if len(found) == len(DAYS) and all(hour[1:] == ("00:00", "24:00") for hour in found):
        return None
    return tuple(found)


def _check_weekly(text: str, canonical: str) -> None:
    """Refuse whatever the parser understood beside weekdays and times."""
    at = 0
    while at < len(canonical) and (part := _WEEKLY.match(canonical, at)):
        at = part.end()
    if not (found := _ODD.match(canonical, at)):
        return
    odd = found[0]
    because = "dates" if odd in _MONTHS or odd.isdigit() else _REASONS.get(odd, odd)
    form = "a schedule that is the same every week"
    raise OpeningError(form, text, f"{because} cannot be part of it")


def _by_day(begins: datetime, ends: datetime) -> list[tuple[str, str, str]]:
    """An interval of the week, cut at midnight."""
    midnights = [_MONDAY + timedelta(days=day) for day in range(8)]
    cuts = [begins, *(day for day in midnights if begins < day < ends), ends]
    return [
        (
            DAYS[first.weekday()],
            f"{first:%H:%M}",
            "24:00" if f"{last:%H:%M}" == "00:00" else f"{last:%H:%M}",
        )
        for first, last in pairwise(cuts)
    ]
