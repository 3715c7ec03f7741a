"""Pages by key: the rows after a given row, in an order that nothing inserted later disturbs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

Row = TypeVar("Row")
Key = TypeVar("Key")


class TimeKey(NamedTuple):
    """Place of a row in a list ordered by time and id; at_us: microseconds since 1970-01-01 UTC."""

    at_us: int
    id: int


@dataclass(frozen=True, slots=True)
class Page(Generic[Row, Key]):
    """`last`: the key of the last row where more follow, else None."""

    rows: list[Row]
    last: Key | None


def page_of(found: Sequence[tuple[Row, Key]], limit: int) -> Page[Row, Key]:
    """The first `limit` of at most `limit + 1` rows with their keys."""
    rows = [row for row, _ in found[:limit]]
    return Page(rows, found[limit - 1][1] if len(found) > limit else None)


def time_page_of(found: Sequence[tuple[Row, Sequence[int]]], limit: int) -> Page[Row, TimeKey]:
    """The same for keys that came as an array of two."""
    page = page_of(found, limit)
    return Page(page.rows, None if page.last is None else TimeKey(*page.last))
