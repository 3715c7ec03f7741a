"""Tables in CSV, as spreadsheets of any locale write it.

UTF-8 with or without a byte order mark, or UTF-16 with one ("Unicode text"); cells separated by
whichever of comma, semicolon and tab the header has most of.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import Final

from storage.bulk.tables import MOST_COLUMNS, MOST_ROWS, Row, Table, TableError, check_size

SEPARATORS: Final = ",;\t"
NO_SEPARATOR: Final = "\x1f"
"""Under a header of one column a comma is part of the text."""
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"?')
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_csv(content: bytes) -> Table:
    """The table of a CSV file. Raises TableError naming the row of what cannot be read."""
    check_size(len(content))
    text = _decoded(content)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        return _table(reader, _CONTROL.search(text) is not None)
    except csv.Error as error:
        raise TableError(f"expected CSV: {error} (line {reader.line_num})") from None


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start]
        raise TableError(
            f"expected UTF-8, got the byte 0x{content[error.start]:02x}: save it as CSV UTF-8",
            row=before.count(b"\n") + 1 if encoding == "utf-8-sig" else 0,
        ) from None


def _separator(text: str) -> str:
    first = _QUOTED.sub("", text[:100_000]).lstrip("\r\n").partition("\n")[0]
    if not any(mark in first for mark in SEPARATORS):
        return NO_SEPARATOR
    return max(SEPARATORS, key=first.count)


def _table(reader: Iterator[list[str]], has_controls: bool) -> Table:
    header: tuple[str, ...] = ()
    header_row = 0
    rows: list[Row] = []
    for number, raw in enumerate(reader, 1):
        cells = [cell.strip() for cell in raw]
        if not any(cells):
            continue
        if number > MOST_ROWS:
            raise TableError(f"expected at most {MOST_ROWS:,} rows", row=number)
        if not header:
            header, header_row = tuple(cells), number
            if len(header) > MOST_COLUMNS:
                wrong = f"expected at most {MOST_COLUMNS} columns, got {len(header)}"
                raise TableError(wrong, row=number)
        else:
            rows.append(_row(number, cells, len(header), has_controls))
    return Table(header, tuple(rows), header_row)


def _row(number: int, cells: list[str], width: int, has_controls: bool) -> Row:
    """A row as wide as the header. Cells that are missing are empty; cells too many are wrong."""
    wrong = []
    extra = [at for at, cell in enumerate(cells[width:], width) if cell]
    if len(cells) < width:
        wrong.append((len(cells), f"expected {width} cells, got {len(cells)}"))
        cells += [""] * (width - len(cells))
    elif extra:
        wrong.append((extra[0], f"expected {width} cells, got {len(cells)}"))
    for at, cell in enumerate(cells[:width]) if has_controls else ():
        if _CONTROL.search(cell):
            wrong.append((at, f"expected a text without control characters, got {cell[:40]!r}"))
            cells[at] = ""
    return Row(number, cells[:width], tuple(wrong))
