"""Reading single values of a profile's TOML, with errors that name the key.

Belongs here: checks of types that any part of a profile needs.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final

from geofence.errors import ProfileError

Table = Mapping[str, Any]

MARKS: Final = ("C", "CI", "R", "D", "U")
"""Confirmed; confirmed in practice; recalled; derived; unknown, a guess that waits for a source."""

UNBOUNDED: Final = ("-infinity", "infinity")


def join(place: str, key: str) -> str:
    """The dotted name of a key of a table."""
    return f"{place}.{key}" if place else key


def read_table(raw: object, place: str) -> Table:
    """The value as a table."""
    if not isinstance(raw, dict):
        raise ProfileError(place, f"expected a table, got {raw!r}")
    return raw


def check_keys(table: Table, known: Sequence[str], place: str) -> None:
    """Refuse keys that nothing would read: a misspelt key must not be overlooked."""
    for key in table:
        if key not in known:
            raise ProfileError(join(place, key), f"expected one of {', '.join(known)}")


def read_text(table: Table, key: str, place: str) -> str:
    """A text that is not empty."""
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ProfileError(join(place, key), f"expected a text, got {value!r}")
    return value


def read_mark(table: Table, place: str) -> str:
    """How sure a value is."""
    value = table.get("mark")
    if not isinstance(value, str) or value not in MARKS:
        raise ProfileError(
            join(place, "mark"), f"expected one of {', '.join(MARKS)}, got {value!r}"
        )
    return value


def read_date(table: Table, key: str, place: str) -> date | None:
    """A calendar day; None for "-infinity" and "infinity", which must be said."""
    value = table.get(key)
    unbounded = UNBOUNDED[0] if key == "effective_from" else UNBOUNDED[1]
    if value == unbounded:
        return None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ProfileError(
            join(place, key), f'expected a day like 2015-06-01 or "{unbounded}", got {value!r}'
        )
    return value


def read_number(table: Table, key: str, place: str, *, over: float = 0.0) -> float:
    """A finite number over a bound."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ProfileError(join(place, key), f"expected a number over {over:g}, got {value!r}")
    if not over < value < float("inf"):
        raise ProfileError(join(place, key), f"expected a number over {over:g}, got {value!r}")
    return float(value)


def check_days(begins: date | None, ends: date | None, place: str) -> None:
    """Refuse a span of days that ends before it begins."""
    if begins is not None and ends is not None and begins >= ends:
        raise ProfileError(f"{place}.effective_to", f"expected a day after {begins}, got {ends}")


def check_order(spans: Sequence[tuple[date | None, date | None]], place: str) -> None:
    """Refuse tables of days that overlap or do not follow each other in time."""
    for number, ((_, ended), (begins, _)) in enumerate(pairwise(spans), 1):
        if begins is None or ended is None or begins < ended:
            raise ProfileError(
                f"{place}[{number}].effective_from",
                f"expected a day from {ended or 'infinity'} on, where the table before ends, "
                f"got {begins or '-infinity'}",
            )
