"""What a cell says, as the value of a field. Each function raises ValueError: what was expected.

Belongs here: numbers that are texts and texts that are numbers, days as people and programs write
them. Bounds are the records' own (`storage.registry.flaws`).
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from geofence.hours import midnight_us
from geofence.opening import OpeningError, weekly_hours
from geofence.registry import GeoJson, WeeklyHours
from storage.bulk.tables import Cell

Read = Callable[[Cell, ZoneInfo], Any]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTENED: Final = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?")
_DAY_FIRST: Final = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:[ T](\d{1,2}:\d\d(?::\d\d)?))?"
)
_EXACT: Final = 2**53
"""Whole numbers up to here are what the file says; beyond it a program may have rounded them."""
_TRUE: Final = frozenset({"1", "true", "yes", "x", "co", "dung"})
_FALSE: Final = frozenset({"0", "false", "no", "khong", "sai"})

DAY: Final = "a day like 2026-05-31 or 31/05/2026"


def plain_name(name: str) -> str:
    """A name as it is compared: small ASCII letters and digits, words apart by one blank."""
    letters = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d").lower())
    bare = letters.encode("ascii", "ignore").decode()
    return " ".join(re.findall("[a-z0-9]+", bare))


def shown(cell: Cell) -> str:
    """A cell as people know it, for messages."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(" ") if cell.time() != time() else cell.date().isoformat()
    text = cell if isinstance(cell, str) else str(cell)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def read_text(cell: Cell, _: ZoneInfo) -> str:
    """A text, its letters composed (NFC); a whole number is one."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    if not isinstance(cell, str):
        raise ValueError("a text")  # noqa: TRY004 - the caller asks for one kind of error
    if _SHORTENED.fullmatch(cell):
        raise ValueError("all digits: the program that saved the file has shortened the number")
    return unicodedata.normalize("NFC", cell)


def read_number(cell: Cell, _: ZoneInfo) -> float:
    """A number, with a point before decimals."""
    if isinstance(cell, float):
        return cell
    if isinstance(cell, str) and _NUMBER.fullmatch(cell):
        return float(cell)
    raise ValueError("a number, a point before decimals and nothing between thousands")


def read_count(cell: Cell, zone: ZoneInfo) -> int:
    """A whole number."""
    number = read_number(cell, zone)
    if not number.is_integer():
        raise ValueError("a whole number")
    return int(number)


def read_flag(cell: Cell, _: ZoneInfo) -> bool:
    """Yes or no."""
    if isinstance(cell, bool):
        return cell
    name = plain_name(shown(cell))
    if name in _TRUE or name in _FALSE:
        return name in _TRUE
    raise ValueError("yes or no")


def read_date(cell: Cell, _: ZoneInfo) -> date:
    """A day."""
    found = _local(cell)
    if found.tzinfo is None and found.time() == time():
        return found.date()
    raise ValueError(DAY)


def read_instant(cell: Cell, zone: ZoneInfo) -> int:
    """An instant, microseconds since 1970 UTC; a day begins at its local midnight."""
    found = _local(cell)
    if found.tzinfo is None and found.time() == time():
        return midnight_us(found.date(), zone)
    aware = found if found.tzinfo else found.replace(tzinfo=zone)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def read_last_day(cell: Cell, zone: ZoneInfo) -> int:
    """The instant at which a last day is over, microseconds since 1970 UTC."""
    return midnight_us(read_date(cell, zone) + timedelta(days=1), zone)


def read_choice(choices: Mapping[str, str]) -> Read:
    """A reader of one of some names. choices: what each plain name means."""

    def read(cell: Cell, zone: ZoneInfo) -> str:
        text = read_text(cell, zone)
        meant = choices.get(plain_name(text))
        if meant is None:
            raise ValueError("one of " + ", ".join(dict.fromkeys(choices.values())))
        return meant

    return read


def read_hours(cell: Cell, zone: ZoneInfo) -> WeeklyHours | None:
    """Opening hours as OpenStreetMap writes them; None: always."""
    try:
        return weekly_hours(read_text(cell, zone))
    except OpeningError as error:
        why = f" ({error.why})" if error.why else ""
        raise ValueError(f"{error.expected}{why}") from None


def read_line(cell: Cell, _: ZoneInfo) -> GeoJson:
    """A GeoJSON LineString."""
    try:
        found = json.loads(cell) if isinstance(cell, str) else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("type") != "LineString":
        raise ValueError("a GeoJSON LineString")
    return found


def _local(cell: Cell) -> datetime:
    """The time that a cell says, local where it names no offset; years 1900 to 2200."""
    found = cell if isinstance(cell, datetime) else None
    if isinstance(cell, str):
        day_first = _DAY_FIRST.fullmatch(cell)
        try:
            if day_first:
                day, _, month, year, clock = day_first.groups()
                found = datetime.combine(
                    date(int(year), int(month), int(day)),
                    time.fromisoformat(clock.rjust(5, "0") if clock else "00:00"),
                )
            else:
                found = datetime.fromisoformat(cell)
        except ValueError:
            found = None
    if found is None or not 1900 <= found.year <= 2200:
        raise ValueError(f"{DAY}, or an instant of RFC 3339")
    return found
