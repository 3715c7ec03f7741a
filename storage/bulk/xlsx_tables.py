"""Tables in XLSX: one sheet of a workbook, read as a stream (ECMA-376, parts 1 and 18).

Belongs here: the parts of the archive and which of them is the sheet. What the cells of a sheet say
is `xlsx_cells`'s. Nothing is computed: a formula has the value that the program stored with it.
"""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from storage.bulk.tables import MOST_BYTES, Table, TableError, check_size
from storage.bulk.xlsx_cells import SharedTexts, SheetCells, Styles, table_of
from storage.bulk.xlsx_xml import parse

MOST_UNPACKED: Final = 8 * MOST_BYTES
"""Of all parts that are read; 50,000 vehicles unpack to 40 MB."""

ANYWAY_UNPACKED: Final = 16 << 20
MOST_TIMES: Final = 30
"""What a file may unpack to: so much, and so many times its own size. Tables come to 10 to 15
times, the same word in every cell to 22, what was made to fill a memory to 1,000."""

MAGIC: Final = b"PK\x03\x04"
_WORKBOOK: Final = "xl/workbook.xml"


def read_xlsx(content: bytes, sheet: str = "") -> Table:
    """The table of a sheet, "": of the first. Raises TableError naming the place if it knows it."""
    check_size(len(content))
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            most = min(MOST_UNPACKED, ANYWAY_UNPACKED + MOST_TIMES * len(content))
            return _Book(archive, most).table(sheet)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise TableError(f"expected an XLSX file: {error}") from None
    except expat.ExpatError as error:
        raise TableError(f"expected an XLSX file: its XML is broken: {error}") from None


class _Book:
    def __init__(self, archive: zipfile.ZipFile, most_unpacked: int) -> None:
        self._archive = archive
        self._most = self._left = most_unpacked
        self._names = set(archive.namelist())

    def table(self, sheet: str) -> Table:
        """The table of the sheet of that name, "": of the first that is there."""
        if _WORKBOOK not in self._names:
            raise TableError("expected an XLSX workbook, got another archive")
        book = _Workbook()
        parse(self._part(_WORKBOOK), book.begin)
        names = [name for name, _ in book.sheets]
        if sheet and sheet not in names:
            raise TableError(f"expected one of the sheets {', '.join(names)}, got {sheet!r}")
        links = _Links()
        parse(self._part("xl/_rels/workbook.xml.rels"), links.begin)
        if not names:
            raise TableError("expected a workbook with a sheet")
        target = links.targets.get(book.sheets[names.index(sheet) if sheet else 0][1], "")
        texts, styles = SharedTexts(), Styles()
        if "xl/sharedStrings.xml" in self._names:
            parse(self._part("xl/sharedStrings.xml"), texts.begin, texts.end, texts.text)
        if "xl/styles.xml" in self._names:
            parse(self._part("xl/styles.xml"), styles.begin, styles.end)
        cells = SheetCells(texts.texts, styles.kinds(), is_1904=book.is_1904)
        parse(self._part(_path_of(target)), cells.begin, cells.end, cells.text)
        return table_of(cells)

    def _part(self, name: str) -> Iterator[bytes]:
        """A part of the archive in pieces. Raises TableError for one that unpacks to too much."""
        if name not in self._names:
            raise TableError(f"expected the part {name} in the workbook, got none")
        with self._archive.open(name) as stream:
            while piece := stream.read(1 << 16):
                self._left -= len(piece)
                if self._left < 0:
                    most = f"{self._most >> 20} MiB"
                    raise TableError(f"expected a workbook that unpacks to at most {most}")
                yield piece


def _path_of(target: str) -> str:
    """Targets are relative to xl/, or absolute in the archive."""
    return target[1:] if target.startswith("/") else posixpath.normpath(f"xl/{target}")


class _Workbook:
    """xl/workbook.xml: name and relation of each sheet; whether days count from 1904."""

    def __init__(self) -> None:
        self.sheets: list[tuple[str, str]] = []
        self.is_1904 = False

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet":
            relation = next((v for k, v in attributes.items() if k.endswith(":id")), "")
            self.sheets.append((attributes.get("name", ""), relation))
        elif tag == "workbookPr":
            self.is_1904 = attributes.get("date1904", "0") in ("1", "true")


class _Links:
    """xl/_rels/workbook.xml.rels: part by relation."""

    def __init__(self) -> None:
        self.targets: dict[str, str] = {}

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship":
            self.targets[attributes.get("Id", "")] = attributes.get("Target", "")
