"""Binary COPY to and from NumPy: a whole table of fixed-width columns as one structured array.

Format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". A row is the number
of columns (int16) and, for each, the length (int32) and the value. With fixed widths and no NULLs
the counts and lengths are constants, so that the rows are an array of structures.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from storage.errors import CopyFormatError
from storage.wire import Wire

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
HEADER: Final = SIGNATURE + bytes(8)
"""No flags, no header extension."""

TRAILER: Final = b"\xff\xff"


class Layout:
    """The columns of a table in order, all of them fixed-width and never NULL."""

    def __init__(self, columns: Mapping[str, Wire]) -> None:
        self.columns = dict(columns)
        fields: list[tuple[str, np.dtype[Any]]] = [("", np.dtype(">i2"))]
        for name, wire in columns.items():
            fields += [(f"len {name}", np.dtype(">i4")), (name, wire.dtype)]
        fields[0] = ("count", fields[0][1])
        self.row = np.dtype(fields)
        self._constants = np.zeros(1, self.row)
        self._constants["count"] = len(columns)
        for name, wire in columns.items():
            self._constants[f"len {name}"] = wire.dtype.itemsize

    def encode(self, columns: Mapping[str, NDArray[Any]]) -> bytes:
        """The binary COPY of the columns, shape (n,) each; names as in the layout."""
        first = next(iter(self.columns))
        rows = np.repeat(self._constants, len(columns[first]))
        for name, wire in self.columns.items():
            rows[name] = wire.outgoing(columns[name])
        return b"".join((HEADER, rows.tobytes(), TRAILER))

    def decode(self, data: bytes) -> dict[str, NDArray[Any]]:
        """The columns of a binary COPY, shape (n,) each. Raises CopyFormatError."""
        if data[: len(HEADER)] != HEADER:
            raise CopyFormatError(f"header: expected {HEADER!r}, got {data[: len(HEADER)]!r}")
        if data[-len(TRAILER) :] != TRAILER:
            raise CopyFormatError(f"trailer: expected {TRAILER!r}, got {data[-len(TRAILER) :]!r}")
        body = memoryview(data)[len(HEADER) : -len(TRAILER)]
        if len(body) % self.row.itemsize:
            raise CopyFormatError(
                f"rows: expected a multiple of {self.row.itemsize} bytes, got {len(body)}",
            )
        rows = np.frombuffer(body, self.row)
        for name in ("count", *(f"len {name}" for name in self.columns)):
            expected = self._constants[name][0]
            if not (rows[name] == expected).all():
                wrong = rows[name][rows[name] != expected][0]
                raise CopyFormatError(f"{name}: expected {expected} in every row, got {wrong}")
        return {name: wire.incoming(rows[name]) for name, wire in self.columns.items()}
