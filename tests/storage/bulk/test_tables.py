"""Tables come back as they were written, whoever wrote them; what cannot be read is named."""

import csv
import io
import zipfile
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from storage.bulk import tables
from storage.bulk.reading import read_table
from storage.bulk.tables import MOST_BYTES, TableError, letter_of
from storage.bulk.xlsx_tables import read_xlsx
from tests.storage.bulk.tables import workbook

LETTERS = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff\ufeff")
text = st.text(LETTERS | st.sampled_from('\n",;\t'), max_size=8).map(str.strip)
name = st.text(st.characters(categories=["L"]), min_size=1, max_size=6)


@st.composite
def rows_of_texts(draw):
    width = draw(st.integers(1, 4))
    header = draw(st.lists(name, min_size=width, max_size=width))
    body = draw(st.lists(st.lists(text, min_size=width, max_size=width), max_size=5))
    return [header, *body]


def kept(rows):
    """(number, cells) of the rows that are not empty, the header's being 1."""
    return [(at, list(row)) for at, row in enumerate(rows, 1) if any(cell != "" for cell in row)]


def read(content):
    found = read_table(content)
    assert all(row.wrong == () for row in found.rows)
    rows = [(row.number, list(row.cells)) for row in found.rows]
    return [(found.header_row, list(found.header)), *rows]


@settings(deadline=None, max_examples=60)
@given(
    rows_of_texts(),
    st.sampled_from(",;\t"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_a_table_written_as_csv_reads_back(rows, separator, encoding, end, quoting):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    # What a field with several lines of text does to the ends of them is the writer's choice.
    assert read(out.getvalue().encode(encoding)) == kept(rows)


xlsx_text = text.filter(lambda cell: not cell.startswith(("=", "#")) and "_x" not in cell)
number = st.integers(-(10**12), 10**12).map(lambda whole: whole / 8)
"""Of 15 digits: openpyxl writes 16, which is one too few for all others."""
instant = st.datetimes(
    datetime.fromisoformat("1905-01-01"), datetime.fromisoformat("2199-01-01")
).map(lambda at: at.replace(microsecond=0))
cell = xlsx_text | number | st.booleans() | instant


@settings(deadline=None, max_examples=40)  # each writes a workbook
@given(st.lists(st.lists(cell, min_size=3, max_size=3), max_size=4), st.booleans())
def test_a_table_written_as_xlsx_reads_back(body, is_1904):
    def date_from_1904(book, _):
        if is_1904:
            book.epoch = CALENDAR_MAC_1904

    rows = [["a", "b", "c"], *body]
    found = read(workbook(rows, date_from_1904))
    assert found == kept(rows)
    assert [[type(c) for c in cells] for _, cells in found] == [
        [type(c) for c in cells] for _, cells in kept(rows)
    ]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 16_383))
def test_letters_of_columns_are_those_of_spreadsheets(at):
    assert letter_of(at) == get_column_letter(at + 1)


def test_days_of_a_workbook_are_days_whatever_their_format():
    def formatted(_, sheet):
        for at, form in enumerate(("dd/mm/yyyy", "[$-vi-VN]d mmmm yyyy;@", '0.0 "days"', "0"), 2):
            sheet.cell(at, 1).number_format = form

    rows = read(workbook([["d"], *[[date(2026, 5, 1)]] * 2, [46143], [46143]], formatted))
    assert [cells[0] for _, cells in rows[1:]] == [datetime.fromisoformat("2026-05-01")] * 2 + [
        46143.0
    ] * 2


def test_what_has_no_value_in_a_workbook_is_named_by_row_and_column():
    def spoil(_, sheet):
        sheet["A5"] = "merged"
        sheet.merge_cells("A5:B6")
        sheet["B3"].number_format = "dd/mm/yyyy"
        sheet["D9"] = "beside"

    rows = [["a", "b", ""], ["=1+1", "x"], ["y", 0.25], ["#N/A", "z"]]
    found = read_table(workbook(rows, spoil))
    said = [(row.number, *wrong) for row in found.rows for wrong in row.wrong]
    assert said == [
        (2, 0, "expected a value, got a formula without one: open the file, save it again"),
        (3, 1, "expected a day from 1900-03-01, got the number 0.25"),
        (4, 0, "expected a value, got the error #N/A"),
        (5, 1, "expected a value of its own, got a cell merged with A5"),
        (6, 0, "expected a value of its own, got a cell merged with A5"),
        (6, 1, "expected a value of its own, got a cell merged with A5"),
        (9, 3, "expected 2 columns, got a value in D"),
    ]


def test_a_sheet_is_found_by_its_name_and_hidden_ones_are_not_guessed():
    def second(book, _):
        book.create_sheet("Xe").append(["plate"])

    content = workbook([["first"]], second)
    assert read_table(content).header == ("first",)
    assert read_table(content, "Xe").header == ("plate",)
    with pytest.raises(TableError, match="expected one of the sheets Sheet, Xe, got 'Xê'"):
        read_table(content, "Xê")


def test_rows_are_counted_as_a_spreadsheet_counts_them():
    found = read_table(b'\n"a\nb",c\n\n"x\ny",1\n,\nz,2\n')
    assert (found.header_row, found.header) == (2, ("a\nb", "c"))
    assert [row.number for row in found.rows] == [4, 6]


@pytest.mark.parametrize(
    ("content", "row", "said"),
    [
        ("tên\nĐứ\n".encode("utf-16-le"), 0, "expected UTF-8"),
        ("a\nb\nĐức".encode("cp1258", "replace") + b"\xc7", 3, "expected UTF-8, got the byte 0x"),
        (b'a,b\n"x"y,1\n', 0, r"expected CSV: .*line 2"),
        (b'a,b\n"x,1\n', 0, r"expected CSV: unexpected end of data"),
        (b"PK\x03\x04 not really", 0, "expected an XLSX file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", 0, "got XLS: save it as XLSX"),
        (b",".join([b"x"] * 201), 1, "expected at most 200 columns, got 201"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(content, row, said):
    with pytest.raises(TableError, match=said) as refused:
        read_table(content)
    assert refused.value.row in (row, 0, 1)


def archive(**parts):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as out:
        for path, part in parts.items():
            out.writestr(path.replace("__", "/"), part)
    return content.getvalue()


def parts_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return {item: book.read(item) for item in book.namelist()}


def test_a_workbook_with_entities_is_refused_before_they_are_expanded():
    parts = parts_of(workbook([["a"], ["b"]]))
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
    parts["xl/worksheets/sheet1.xml"] = bomb + parts["xl/worksheets/sheet1.xml"]
    with pytest.raises(TableError, match="without a document type declaration"):
        read_xlsx(archive(**parts))


def test_a_workbook_that_unpacks_to_too_much_is_refused_while_it_is_unpacked(monkeypatch):
    parts = parts_of(workbook([["a"], *[[f"{row}" * 9_000] for row in range(9)]]))
    monkeypatch.setattr("storage.bulk.xlsx_tables.MOST_UNPACKED", 50_000)
    with pytest.raises(TableError, match="unpacks to at most"):
        read_xlsx(archive(**parts))


@pytest.mark.parametrize("merged", ["A1:GR1048576", "A2:GR600"])
def test_merging_everything_costs_nothing(merged):
    parts = parts_of(workbook([["a"], ["b"]]))
    sheet = parts["xl/worksheets/sheet1.xml"]
    more = f'</sheetData><mergeCells><mergeCell ref="{merged}"/></mergeCells>'.encode()
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</sheetData>", more)
    with pytest.raises(TableError, match="expected at most 100,000 cells without a value"):
        read_xlsx(archive(**parts))


def test_a_small_file_does_not_unpack_to_a_large_one():
    parts = parts_of(workbook([["a"], ["b"]]))
    parts["xl/sharedStrings.xml"] = b"<sst><si><t>" + b"a" * (17 << 20) + b"</t></si></sst>"
    with pytest.raises(TableError, match="unpacks to at most 16 MiB"):
        read_xlsx(archive(**parts))


def test_a_sheet_of_errors_is_refused_before_they_are_all_told():
    parts = parts_of(workbook([["a"], ["b"]]))
    row = b"<row>" + b"<c t='e'><v>#N/A</v></c>" * 200 + b"</row>"
    sheet = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(b"</sheetData>", row * 501 + b"</sheetData>")
    with pytest.raises(TableError, match="expected at most 100,000 cells without a value"):
        read_xlsx(archive(**parts))


@pytest.mark.parametrize("lost", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_workbook_without_a_part_is_refused(lost):
    parts = parts_of(workbook([["a"]]))
    del parts[lost]
    with pytest.raises(TableError, match=r"expected (an XLSX workbook|the part)"):
        read_xlsx(archive(**parts))


def test_files_of_any_size_are_bounded():
    with pytest.raises(TableError, match="expected at most 64 MiB, got 67,108,865 bytes"):
        tables.check_size(MOST_BYTES + 1)


def test_control_characters_are_named_and_not_taken():
    (row,) = read_table(b"a,b\nx\x00y,z\n").rows
    assert (row.cells, row.wrong) == (
        ["", "z"], ((0, "expected a text without control characters, got 'x\\x00y'"),),
    )  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", workbook([])])
def test_an_empty_file_is_an_empty_table(content):
    assert read_table(content).header == ()
