"""Who may be let in at the gateway's door: registered, and not shut by a revocation."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

from psycopg import AsyncConnection

from storage.credentials import Kind
from storage.queries import queries

SQL = queries("admission")

READ_ROWS: Final = 10_000
"""Fetched at a time: some milliseconds of work."""

Admitted = tuple[str, Kind]
"""A name, and as what."""


async def everybody(conn: AsyncConnection) -> AsyncIterator[list[Admitted]]:
    """All who may be let in, in pieces, as of one instant. A name may come once for each kind."""
    async with conn.transaction(), conn.cursor(name="admitted", binary=True) as cur:
        await cur.execute(SQL["everybody"])
        while found := await cur.fetchmany(READ_ROWS):
            yield found


async def some(conn: AsyncConnection, idents: Iterable[str]) -> list[Admitted]:
    """Those of these names that may be let in."""
    cur = conn.cursor(binary=True)
    await cur.execute(SQL["some"], {"idents": list(idents)})
    return await cur.fetchall()


async def listen(conn: AsyncConnection) -> None:
    """Have this connection told of changes; its `notifies` yields names, "" for very many."""
    await conn.execute(SQL["listen"])
