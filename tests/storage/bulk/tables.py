"""Tables as the programs of users write them."""

import io

import openpyxl

from storage.bulk.tables import Row, Table


def utf_8_variants(text):
    """The bytes of a CSV text as several programs save it."""
    windows = text.replace("\n", "\r\n")
    return [text.encode("utf-8-sig"), windows.encode(), windows.encode("utf-8-sig")]


def workbook(rows, change=None):
    """The bytes of a workbook whose first sheet has these rows."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    if change is not None:
        change(book, sheet)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def table(text):
    """The table of a text with a header, cells separated by |, blanks around them ignored."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if not lines:
        return Table((), ())
    header, *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    return Table(tuple(header), tuple(Row(number, row) for number, row in enumerate(rows, 2)))
