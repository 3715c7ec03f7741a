"""CSV tables of the registry: rows of named cells, each of which knows its line and column.

Belongs here: reading cells and saying what is wrong with them. What the rows of a kind of file mean
is for that file's module.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hanhtrinh.offline.wrong_file import WrongFileError, text_of


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table; its cells by name, without blanks around them."""

    file: Path
    line: int
    cells: dict[str, str]

    def wrong(self, column: str, expected: str) -> WrongFileError:
        """The error that says what was expected in a column."""
        got = f"{expected}, got {self.cells[column]!r}"
        return WrongFileError(self.file, got, line=self.line, column=column)

    def text(self, column: str) -> str:
        """The cell's text; "" where there is none."""
        return self.cells.get(column, "")

    def name(self, column: str) -> str:
        """The cell's text, of which there must be some."""
        if not self.text(column):
            raise self.wrong(column, "expected a name")
        return self.text(column)

    def choice(self, column: str, choices: Sequence[str], default: str) -> str:
        """The cell's text, one of some."""
        text = self.text(column) or default
        if text not in choices:
            raise self.wrong(column, f"expected one of {', '.join(choices)}")
        return text

    def number(self, column: str, low: float, high: float) -> float | None:
        """The cell's number within bounds; None where there is none."""
        text = self.text(column)
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise self.wrong(column, f"expected a number {low:g}..{high:g}")
        return number

    def count(self, column: str, low: int, high: int) -> int | None:
        """The cell's whole number within bounds; None where there is none."""
        number = self.number(column, low, high)
        if number is not None and not number.is_integer():
            raise self.wrong(column, f"expected a whole number {low}..{high}")
        return None if number is None else int(number)


def read_table(file: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a CSV file with a header. Raises WrongFileError naming line and column."""
    reader = csv.reader(io.StringIO(text_of(file), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(file, header, required, optional)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                expected = f"expected {len(header)} cells, got {len(cells)}"
                raise WrongFileError(file, expected, line=reader.line_num)
            stripped = (cell.strip() for cell in cells)
            yield Row(file, reader.line_num, dict(zip(header, stripped, strict=True)))
    except csv.Error as error:
        raise WrongFileError(file, f"expected CSV: {error}", line=reader.line_num) from None


def _check_header(
    file: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    known = (*required, *optional)
    for name in required:
        if name not in header:
            wrong = f"expected a column {name}, got {', '.join(header) or 'an empty file'}"
            raise WrongFileError(file, wrong, line=1)
    for name in header:
        if name not in known:
            wrong = f"expected one of {', '.join(known)}"
            raise WrongFileError(file, wrong, line=1, column=repr(name))
        if header.count(name) > 1:
            raise WrongFileError(file, "expected once, got twice", line=1, column=name)
