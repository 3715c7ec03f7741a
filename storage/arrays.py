"""NumPy arrays as parameters and results: PostgreSQL's binary arrays, with no loop over elements.

A statement takes a column as `unnest(%(time)s)` and gives one back as `array_agg(time)`. For reads
this costs a fiftieth of the processor time that a COPY does in this process, because psycopg hands
out a COPY row by row (docs/storage.md).
"""

import struct
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

from storage import wire
from storage.errors import CopyFormatError
from storage.wire import BEGINNING_US, END_US, PG_EPOCH_US, Wire

_HEADER: Final = struct.Struct("!iiIii")
"""Dimensions, has NULLs, element type, length, lower bound (array_send in arrayfuncs.c)."""

_EMPTY: Final = struct.Struct("!iiI")

_TEXT_OID: Final = 25
_TEXT_ARRAY_OID: Final = 1009


class Param:
    """An array on its way into a statement; a subclass for each type names it for psycopg."""

    type: Wire

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def encoded(self) -> bytes:
        """The binary form of the array."""
        if not len(self.values):
            return _EMPTY.pack(0, 0, self.type.oid)
        items = np.empty(len(self.values), _items(self.type))
        items["length"] = self.type.dtype.itemsize
        items["value"] = self.type.outgoing(self.values)
        return _HEADER.pack(1, 0, self.type.oid, len(items), 1) + items.tobytes()


class Bools(Param):
    """boolean[]."""

    type = wire.BOOL


class Int2s(Param):
    """smallint[]."""

    type = wire.INT2


class Int4s(Param):
    """integer[]."""

    type = wire.INT4


class Int8s(Param):
    """bigint[]."""

    type = wire.INT8


class Float4s(Param):
    """real[]."""

    type = wire.FLOAT4


class Float8s(Param):
    """double precision[]."""

    type = wire.FLOAT8


class Instants(Param):
    """timestamptz[], from microseconds since 1970."""

    type = wire.TIMESTAMPTZ


class Texts:
    """text[], of a list. psycopg's own way takes five times as long, which counts in thousands."""

    def __init__(self, values: Iterable[str]) -> None:
        self.values = list(values)

    def encoded(self) -> bytes:
        """The binary form of the array."""
        texts = [value.encode() for value in self.values]
        if not texts:
            return _EMPTY.pack(0, 0, _TEXT_OID)
        parts = [_HEADER.pack(1, 0, _TEXT_OID, len(texts), 1)]
        for text in texts:
            parts += (len(text).to_bytes(4), text)
        return b"".join(parts)


class Instant(int):
    """One instant, in microseconds since 1970, on its way into a statement."""

    __slots__ = ()


def _items(kind: Wire) -> np.dtype[Any]:
    return np.dtype([("length", ">i4"), ("value", kind.dtype)])


def read_array(data: Buffer | None, kind: Wire) -> NDArray[Any]:
    """The elements of a binary array, shape (n,); NULL (array_agg of no rows) is empty."""
    if data is None:
        return np.empty(0, kind.native)
    dimensions, has_null, oid = _EMPTY.unpack_from(data)
    if dimensions == 0:
        return np.empty(0, kind.native)
    if (dimensions, has_null, oid) != (1, 0, kind.oid):
        raise CopyFormatError(
            f"array: expected one dimension of {kind.name} without NULLs, "
            f"got {dimensions} of type {oid}, NULLs {has_null}",
        )
    items = np.frombuffer(data, _items(kind), offset=_HEADER.size)
    return kind.incoming(items["value"])


class _ParamDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Param | Texts) -> Buffer:
        return obj.encoded()


def _dumper(kind: type[Param]) -> type[Dumper]:
    return type(f"{kind.__name__}Dumper", (_ParamDumper,), {"oid": kind.type.array_oid})


_DUMPERS: Final = [
    (kind, _dumper(kind)) for kind in (Bools, Int2s, Int4s, Int8s, Float4s, Float8s, Instants)
]


class _TextsDumper(_ParamDumper):
    oid = _TEXT_ARRAY_OID


class _InstantDumper(Dumper):
    format = Format.BINARY
    oid = wire.TIMESTAMPTZ.oid

    def dump(self, obj: Instant) -> Buffer:
        infinite = obj in (BEGINNING_US, END_US)
        return struct.pack("!q", obj if infinite else obj - PG_EPOCH_US)


class _InstantLoader(Loader):
    """timestamptz to microseconds: datetime cannot say infinity."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        value: int = struct.unpack("!q", data)[0]
        return value if value in (BEGINNING_US, END_US) else value + PG_EPOCH_US


def cursor(conn: AsyncConnection) -> AsyncCursor:
    """A cursor that takes the types of this module and gives instants as microseconds.

    The adapters are the cursor's own: other users of the connection keep psycopg's.
    """
    made = conn.cursor(binary=True)
    adapters = made.adapters
    for kind, dumper in _DUMPERS:
        adapters.register_dumper(kind, dumper)
    adapters.register_dumper(Texts, _TextsDumper)
    adapters.register_dumper(Instant, _InstantDumper)
    adapters.register_loader("timestamptz", _InstantLoader)
    return made


async def read_columns(
    cur: AsyncCursor, query: bytes, params: dict[str, Any], columns: dict[str, Wire]
) -> dict[str, NDArray[Any]]:
    """Run a statement that gives one row of arrays (array_agg) and read them."""
    await cur.execute(query, params)
    result = cur.pgresult
    assert result is not None
    return {
        name: read_array(result.get_value(0, at), kind)
        for at, (name, kind) in enumerate(columns.items())
    }
