"""Tables as people see them: rows that know their number, columns that know their letter.

Belongs here: what CSV and XLSX files have in common once they are read. What columns mean is for
those who ask for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final

Cell = str | float | bool | datetime | date | time
"""A cell's value; "" where there is none. CSV cells are texts without blanks around them."""

MOST_ROWS: Final = 1_048_576
"""As many as a sheet of a spreadsheet holds."""

MOST_COLUMNS: Final = 200
"""The widest table that is registered has about twenty; the bound keeps a bomb small."""

MOST_BYTES: Final = 64 << 20
"""50,000 vehicles are 4 MB of CSV."""


class TableError(Exception):
    """A file that is no table. row: from 1, 0 unknown; column: letter, "" unknown."""

    def __init__(self, wrong: str, *, row: int = 0, column: str = "") -> None:
        super().__init__(wrong)
        self.wrong, self.row, self.column = wrong, row, column


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not empty; as many cells as there are columns.

    number: as a spreadsheet counts rows, the header's included. wrong: (column, what is wrong) of
    cells that have no value that could be used; they are "" among the cells.
    """

    number: int
    cells: Sequence[Cell]
    wrong: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A header and its rows.

    header_row: the number of the header's row. header: without blanks around the names.
    """

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    header_row: int = 1

    def column(self, at: int) -> str:
        """What people call a column: its letter, and its header."""
        name = self.header[at] if at < len(self.header) else ""
        return f"{letter_of(at)} ({name})" if name else letter_of(at)


def letter_of(column: int) -> str:
    """The letter of a column as spreadsheets have it: 0 is A, 25 is Z, 26 is AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def check_size(n_bytes: int) -> None:
    """Refuse a file that is larger than any table should be. Raises TableError."""
    if n_bytes > MOST_BYTES:
        raise TableError(f"expected at most {MOST_BYTES >> 20} MiB, got {n_bytes:,} bytes")
