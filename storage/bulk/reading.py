"""A table of whichever format, and everything that is wrong with its cells."""

from storage.bulk.csv_tables import read_csv
from storage.bulk.tables import Table, TableError
from storage.bulk.xlsx_tables import MAGIC, read_xlsx

_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def read_table(content: bytes, sheet: str = "") -> Table:
    """The table of a file, whose first bytes say what it is.

    sheet: of a workbook; "": the first. Raises TableError.
    """
    if content.startswith(MAGIC):
        return read_xlsx(content, sheet)
    if content.startswith(_OLD_EXCEL):
        raise TableError("expected CSV or XLSX, got XLS: save it as XLSX")
    if sheet:
        raise TableError("expected XLSX where a sheet is named")
    return read_csv(content)
