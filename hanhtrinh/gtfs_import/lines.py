"""The files of a feed as lines with named columns; every wrong value is reported at its place.

Belongs here: folders and archives, and single values. What the files mean together is `feed`'s.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

from hanhtrinh.errors import CommandError
from storage.bulk.csv_tables import read_csv
from storage.bulk.problems import Problem, Problems
from storage.bulk.tables import MOST_BYTES, Row, Table, TableError

_TIME: Final = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)")
YEARS: Final = range(1990, 2101)
MOST_HOURS: Final = 168
"""Times of day go on over midnight, for trips of several days; none takes over a week."""


class Line:
    """One line of a file. What is wrong with a value is reported, and `is_good` turns False."""

    __slots__ = ("_lines", "_row", "is_good")

    def __init__(self, lines: "Lines", row: Row) -> None:
        self._lines, self._row = lines, row
        self.is_good = not row.wrong
        for at, wrong in row.wrong:
            lines.report(row.number, lines.name(at), wrong)

    @property
    def number(self) -> int:
        """The line's number, the header being 1."""
        return self._row.number

    def wrong(self, column: str, expected: str) -> None:
        """Report what was expected in a column, and what is there."""
        self._lines.report(self.number, column, f"{expected}, got {self.given(column)!r}")
        self.is_good = False

    def given(self, column: str) -> str:
        """The text of a column; "" where the file has no such column."""
        at = self._lines.at.get(column)
        return "" if at is None else str(self._row.cells[at])

    def text(self, column: str) -> str:
        """The text of a column, of which there must be some."""
        text = self.given(column)
        if not text:
            self.wrong(column, "expected a text")
        return text

    def number_of(self, column: str, low: float, high: float, default: float = 0.0) -> float:
        """A number within bounds; the default where there is none or a wrong one."""
        try:
            number = float(self.given(column))
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            self.wrong(column, f"expected a number {low:g}..{high:g}")
            return default
        return number

    def count(self, column: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number within bounds. default: where there is none; None: there must be one."""
        text = self.given(column)
        if not text and default is not None:
            return default
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            self.wrong(column, f"expected a whole number {low}..{high}")
            return low
        return int(text)

    def seconds(self, column: str) -> int | None:
        """A time of day in seconds, which may be past midnight; None where there is none."""
        text = self.given(column)
        if not text:
            return None
        found = _TIME.fullmatch(text)
        if not found or int(found[1]) >= MOST_HOURS:
            self.wrong(column, f"expected H:MM:SS under {MOST_HOURS} h")
            return None
        return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3])

    def day(self, column: str) -> date:
        """A day, YYYYMMDD; the first of YEARS where it is wrong."""
        text = self.given(column)
        try:
            day = datetime.strptime(text, "%Y%m%d").date() if len(text) == 8 else date.min  # noqa: DTZ007 - a day has no timezone
        except ValueError:
            day = date.min
        if day.year not in YEARS:
            self.wrong(column, f"expected a day YYYYMMDD of {YEARS[0]}..{YEARS[-1]}")
            return date(YEARS[0], 1, 1)
        return day


class Lines:
    """The lines of one file of a feed.

    file: its name. at: column number by name.
    """

    def __init__(
        self, file: str, table: Table, problems: Problems, required: Sequence[str]
    ) -> None:
        self.file = file
        self._table, self._problems = table, problems
        self.at = {name.strip(): at for at, name in enumerate(table.header)}
        missing = [name for name in required if name not in self.at]
        for name in missing:
            self.report(table.header_row, name, "expected this column, got none")
        self.is_good = not missing

    def name(self, at: int) -> str:
        """The header of a column."""
        return self._table.header[at] if at < len(self._table.header) else str(at + 1)

    def report(self, number: int, column: str, wrong: str) -> None:
        """Report what is wrong at a line and column."""
        self._problems.add(Problem(self.file, number, column, wrong, unit="line"))

    def __iter__(self) -> Iterator[Line]:
        if self.is_good:
            for row in self._table.rows:
                yield Line(self, row)


def read_files(path: Path) -> dict[str, bytes]:
    """The .txt files of a feed by name, from a folder or a zip archive. Raises CommandError."""
    if path.is_dir():
        files = {file.name: _of_file(file) for file in sorted(path.glob("*.txt"))}
    elif zipfile.is_zipfile(path):
        files = _of_archive(path)
    else:
        raise CommandError(f"{path}: expected a folder or a zip archive of a GTFS feed")
    if not files:
        raise CommandError(f"{path}: expected the .txt files of a GTFS feed, got none")
    return files


def _of_file(file: Path) -> bytes:
    _check_size(file, file.stat().st_size)
    return file.read_bytes()


def _of_archive(path: Path) -> dict[str, bytes]:
    """Files at the top of an archive, or in the one folder that is there."""
    files = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(".txt") and entry.filename.count("/") <= 1:
                    _check_size(path / entry.filename, entry.file_size)
                    name = entry.filename.rpartition("/")[2]
                    if name in files:
                        raise CommandError(f"{path}: expected one {name}, got two")
                    files[name] = archive.read(entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise CommandError(f"{path}: expected a zip archive: {error}") from None
    return files


def _check_size(file: Path, n_bytes: int) -> None:
    if n_bytes > MOST_BYTES:
        raise CommandError(f"{file}: expected at most {MOST_BYTES >> 20} MiB, got {n_bytes:,}")


def lines_of(
    files: dict[str, bytes], name: str, problems: Problems, required: Sequence[str]
) -> Lines:
    """The lines of one file; none, and a problem, where it is missing or no table."""
    if name not in files:
        problems.add(Problem(name, 0, "", "expected this file, got none"))
        return Lines(name, Table((), ()), Problems(), ())
    try:
        table = read_csv(files[name])
    except TableError as error:
        problems.add(Problem(name, error.row, error.column, error.wrong, unit="line"))
        return Lines(name, Table((), ()), Problems(), ())
    return Lines(name, table, problems, required)
