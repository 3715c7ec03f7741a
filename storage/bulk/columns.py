"""The columns of tables: what their headers may be, and which field of a record each fills.

Headers are compared without capitals, accents and punctuation, so that "Biển số", "bien so" and
"BIEN_SO" are one. A unit may stand behind in brackets: "Tải trọng (tấn)".
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from storage.bulk.cells import Read, plain_name, read_text
from storage.bulk.tables import Table

_UNIT: Final = re.compile(r"(.*?)\s*[(\[]\s*([^()\[\]]*?)\s*[)\]]\s*")

KG: Final[Mapping[str, float]] = {"kg": 1.0, "t": 1000.0, "tan": 1000.0, "tonnes": 1000.0}
KMH: Final[Mapping[str, float]] = {"km h": 1.0, "kmh": 1.0}
METRES: Final[Mapping[str, float]] = {"m": 1.0, "km": 1000.0}
DEGREES: Final[Mapping[str, float]] = {"do": 1.0, "degrees": 1.0, "wgs84": 1.0}
FRACTION: Final[Mapping[str, float]] = {"%": 0.01}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. name: our header. fills: the field of the record; "": that of the name.

    vietnamese: the header in Vietnamese; others: further ones, in either language.
    units: factor by unit, as a header may name them.
    """

    name: str
    vietnamese: str
    others: tuple[str, ...] = ()
    read: Read = read_text
    units: Mapping[str, float] = field(default_factory=dict)
    fills: str = ""

    @property
    def field(self) -> str:
        """The field of the record that it fills."""
        return self.fills or self.name

    def names(self) -> Iterator[str]:
        """All its headers, as they are compared."""
        return map(plain_name, (self.name, self.vietnamese, *self.others))


@dataclass(frozen=True, slots=True)
class Found:
    """A column of a file. at: its place, from 0. factor: of its numbers."""

    column: Column
    at: int
    factor: float = 1.0


def find_columns(
    table: Table, known: Sequence[Column]
) -> tuple[list[Found], list[tuple[int, str]]]:
    """The columns of a table, and (place, what is wrong) of headers that are none."""
    by_name = {name: column for column in known for name in column.names()}
    found: dict[str, Found] = {}
    wrong: list[tuple[int, str]] = []
    for at, header in enumerate(table.header):
        if not header:
            if any(row.cells[at] != "" for row in table.rows):
                wrong.append((at, "expected a header, got none"))
            continue
        column, unit = _named(header, by_name)
        if column is None:
            wrong.append((at, f"expected one of {_near(header, known, by_name)}, got {header!r}"))
        elif unit and unit not in column.units:
            units = ", ".join(column.units) or "no unit"
            wrong.append((at, f"expected {units} of {column.name}, got {header!r}"))
        elif column.field in found:
            other = table.column(found[column.field].at)
            wrong.append((at, f"expected {column.field} in one column, it is in {other}"))
        else:
            found[column.field] = Found(column, at, column.units.get(unit, 1.0))
    return list(found.values()), wrong


def _named(header: str, by_name: Mapping[str, Column]) -> tuple[Column | None, str]:
    """The column of a header, and its unit as it is compared; "" where it names none."""
    split = _UNIT.fullmatch(header)
    if split is not None and plain_name(split[1]) in by_name:
        return by_name[plain_name(split[1])], plain_name(split[2]) or split[2]
    return by_name.get(plain_name(header)), ""


def _near(header: str, known: Sequence[Column], by_name: Mapping[str, Column]) -> str:
    """The columns that a header may have meant; all where none is near."""
    near = difflib.get_close_matches(plain_name(header), by_name, n=3, cutoff=0.6)
    columns = list(dict.fromkeys(by_name[name].name for name in near))
    return ", ".join(columns or [column.name for column in known])
