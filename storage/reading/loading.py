"""How values of the database become values of a response, once, as they are loaded.

Text format throughout: a `real` then has the digits it was stored with (53.2, not 53.2000008), and
an instant needs no arithmetic.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from psycopg import AsyncConnection, AsyncCursor
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import args_row

Row = TypeVar("Row")

TURN: Final = 2_000
"""Rows loaded at a time: about 20 milliseconds."""


class InstantLoader(Loader):
    """timestamptz as RFC 3339 text in UTC with milliseconds; the infinities are None.

    Microseconds are cut, not rounded, so that an instant never moves past another.
    """

    def load(self, data: Buffer) -> str | None:
        text = str(data, "ascii")
        if text[-3:] != "+00" or text[4] != "-":
            if text in {"infinity", "-infinity"}:
                return None
            raise ValueError(f"timestamptz {text!r}: expected ISO text in UTC, as `begin` sets it")
        return f"{text[:10]}T{text[11:19]}.{text[20:-3][:3]:0<3}Z"


class JsonLoader(Loader):
    """json and jsonb as the bytes they are: they are only ever passed on."""

    def load(self, data: Buffer) -> msgspec.Raw:
        return msgspec.Raw(bytes(data))


def rows_of(conn: AsyncConnection[Any], row: Callable[..., Row]) -> AsyncCursor[Row]:
    """A cursor whose rows are `row(*columns)`."""
    cursor = conn.cursor(row_factory=args_row(row))
    cursor.adapters.register_loader("timestamptz", InstantLoader)
    cursor.adapters.register_loader("jsonb", JsonLoader)
    cursor.adapters.register_loader("json", JsonLoader)
    return cursor


async def all_rows(cursor: AsyncCursor[Row]) -> list[Row]:
    """Every row of an answer that may be long, loaded in turns: other requests go on meanwhile."""
    rows: list[Row] = []
    while some := await cursor.fetchmany(TURN):
        rows += some
        await asyncio.sleep(0)
    return rows


def with_key(row: Callable[..., Row]) -> Callable[..., tuple[Row, Any]]:
    """For statements whose last column is the row's place in the order of its list."""

    def split(*columns: Any) -> tuple[Row, Any]:
        return row(*columns[:-1]), columns[-1]

    return split
