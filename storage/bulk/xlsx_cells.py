"""The cells of a sheet: texts, numbers, days, and what has no value that could be used.

Belongs here: the XML of worksheets, shared texts and number formats (ECMA-376 part 1, 18.3, 18.4,
18.8), and dates as spreadsheets count them.
"""

import re
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final, Literal

from storage.bulk.tables import MOST_COLUMNS, MOST_ROWS, Cell, Row, Table, TableError, letter_of

MOST_CELLS: Final = 4_000_000
MOST_WRONG: Final = 100_000
"""Cells without a value that could be used: a file with more is another one, not one with mistakes.
A few bytes of a workbook can merge millions, each of which would be remembered with its reason."""
_ADDRESS: Final = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})")
_NOT_OF_DATES: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_OF_DATES: Final = re.compile(r"[dmyhs]", re.IGNORECASE)
_BUILT_IN_DATES: Final = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
"""numFmtId of dates and times, those of East Asian locales included."""

Kind = Literal["date", "other"]


class SharedTexts:
    """xl/sharedStrings.xml: the texts that cells refer to, without readings of characters (rPh)."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._parts: list[str] = []
        self._is_text = False
        self._is_reading = False

    def begin(self, tag: str, _: dict[str, str]) -> None:
        if tag == "si":
            self._parts = []
        self._is_reading = self._is_reading or tag == "rPh"
        self._is_text = tag == "t" and not self._is_reading

    def end(self, tag: str) -> None:
        self._is_text = False
        if tag == "rPh":
            self._is_reading = False
        elif tag == "si":
            self.texts.append("".join(self._parts))

    def text(self, text: str) -> None:
        if self._is_text:
            self._parts.append(text)


class Styles:
    """xl/styles.xml: which styles of cells show dates."""

    def __init__(self) -> None:
        self._formats: dict[str, str] = {}
        self._of_cells: list[str] = []
        self._is_in_cells = False

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "numFmt":
            self._formats[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif tag == "cellXfs":
            self._is_in_cells = True
        elif tag == "xf" and self._is_in_cells:
            self._of_cells.append(attributes.get("numFmtId", "0"))

    def end(self, tag: str) -> None:
        if tag == "cellXfs":
            self._is_in_cells = False

    def kinds(self) -> list[Kind]:
        """What the cells of each style are."""
        return ["date" if self._is_date(number) else "other" for number in self._of_cells]

    def _is_date(self, number: str) -> bool:
        if number in self._formats:
            # "[Red]dd/mm;@" is one, "0.0 \"days\"" is none.
            return bool(_OF_DATES.search(_NOT_OF_DATES.sub("", self._formats[number])))
        return number.isdigit() and int(number) in _BUILT_IN_DATES


class SheetCells:
    """xl/worksheets/sheetN.xml: values by row and column, and what is wrong with some.

    rows: by number from 1, {column from 0: value}. wrong: the same way. merged: (row, column) of
    cells that belong to the one at the left or above.
    """

    def __init__(self, texts: list[str], styles: list[Kind], *, is_1904: bool) -> None:
        self.rows: dict[int, dict[int, Cell]] = defaultdict(dict)
        self.wrong: dict[int, dict[int, str]] = defaultdict(dict)
        self.merged: list[tuple[int, int, str]] = []
        self._texts, self._styles = texts, styles
        self._epoch = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 - local time of a sheet
        self._row, self._column = 0, -1
        self._kind, self._style = "n", 0
        self._parts: list[str] = []
        self._takes = False
        self._is_formula = False
        self._count = self._count_wrong = 0

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self._begin_cell(attributes)
        elif tag == "row":
            self._row = _number(attributes.get("r"), self._row + 1)
            self._column = -1
            if self._row > MOST_ROWS:
                raise TableError(f"expected at most {MOST_ROWS:,} rows", row=self._row)
        elif tag == "f":
            self._is_formula = True
        elif tag == "mergeCell":
            self._merge(attributes.get("ref", ""))
        self._takes = tag in ("v", "t")

    def end(self, tag: str) -> None:
        self._takes = False
        if tag == "c":
            self._end_cell()

    def text(self, text: str) -> None:
        if self._takes:
            self._parts.append(text)

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        found = _ADDRESS.fullmatch(attributes.get("r", ""))
        self._column = _column_of(found[1]) if found else self._column + 1
        self._kind = attributes.get("t", "n")
        self._style = _number(attributes.get("s"), 0)
        self._parts, self._is_formula = [], False
        self._count += 1
        if self._count > MOST_CELLS:
            raise TableError(f"expected at most {MOST_CELLS:,} cells", row=self._row)

    def _end_cell(self) -> None:
        raw = "".join(self._parts)
        try:
            value = self._value(raw)
        except ValueError as error:
            self._spoil(str(error))
            return
        if value != "":
            self.rows[self._row][self._column] = value
        elif self._is_formula:
            self._spoil("expected a value, got a formula without one: open the file, save it again")

    def _spoil(self, said: str) -> None:
        self._check_wrong(self._row, 1)
        self.wrong[self._row][self._column] = said

    def _check_wrong(self, row: int, more: int) -> None:
        self._count_wrong += more
        if self._count_wrong > MOST_WRONG:
            raise TableError(f"expected at most {MOST_WRONG:,} cells without a value", row=row)

    def _value(self, raw: str) -> Cell:
        """The value of a cell; "" for none. Raises ValueError: what was expected instead."""
        if self._kind == "s":
            at = _number(raw, -1)
            if not 0 <= at < len(self._texts):
                raise ValueError(f"expected a text of the workbook, got the number {raw!r}")
            return self._texts[at].strip()
        if self._kind in ("str", "inlineStr"):
            return raw.strip()
        if self._kind == "e":
            raise ValueError(f"expected a value, got the error {raw}")
        if self._kind == "b":
            return raw == "1"
        if self._kind == "d":
            return datetime.fromisoformat(raw)
        if not raw:
            return ""
        number = float(raw)
        is_date = self._style < len(self._styles) and self._styles[self._style] == "date"
        return self._date(number) if is_date else number

    def _date(self, days: float) -> datetime:
        """Days since the epoch, to the millisecond; before 1900-03-01 spreadsheets disagree."""
        if not 61 <= days < 2_958_466:
            raise ValueError(f"expected a day from 1900-03-01, got the number {days:g}")
        return self._epoch + timedelta(milliseconds=round(days * 86_400_000))

    def _merge(self, ref: str) -> None:
        first, _, last = ref.partition(":")
        one, other = _ADDRESS.fullmatch(first), _ADDRESS.fullmatch(last)
        if one and other:
            rows = range(int(one[2]), min(int(other[2]), MOST_ROWS) + 1)
            columns = range(_column_of(one[1]), min(_column_of(other[1]), MOST_COLUMNS) + 1)
            self._check_wrong(int(one[2]), len(rows) * len(columns))
            self.merged += [(row, column, first) for row in rows for column in columns][1:]


def table_of(cells: SheetCells) -> Table:
    """The table of a sheet: its first row that is not empty is the header."""
    for row, column, first in cells.merged:
        said = f"expected a value of its own, got a cell merged with {first}"
        cells.wrong[row].setdefault(column, said)
    numbers = sorted(cells.rows)
    if not numbers:
        return Table((), ())
    top = cells.rows[numbers[0]]
    width = max(top) + 1
    if width > MOST_COLUMNS:
        raise TableError(f"expected at most {MOST_COLUMNS} columns, got {width}", row=numbers[0])
    header = tuple(str(top.get(at, "")) for at in range(width))
    below = sorted({*numbers[1:], *(number for number in cells.wrong if number > numbers[0])})
    rows = (_row(cells, number, width) for number in below)
    return Table(
        header,
        tuple(row for row in rows if row.wrong or any(c != "" for c in row.cells)),
        numbers[0],
    )


def _row(cells: SheetCells, number: int, width: int) -> Row:
    """A row as wide as the header; a value beside the header's columns is wrong."""
    values = cells.rows.get(number, {})
    wrong = [(at, said) for at, said in cells.wrong.get(number, {}).items() if at < width]
    beyond = min((at for at in values if at >= width), default=None)
    if beyond is not None:
        wrong.append((beyond, f"expected {width} columns, got a value in {letter_of(beyond)}"))
    return Row(number, [values.get(at, "") for at in range(width)], tuple(sorted(wrong)))


def _column_of(letters: str) -> int:
    at = 0
    for letter in letters:
        at = at * 26 + ord(letter) - ord("A") + 1
    return at - 1


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else default
