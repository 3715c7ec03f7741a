"""Runs asynchronous work on a connection of its own, as a test's one event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from psycopg import AsyncConnection

from storage.database import connect

T = TypeVar("T")


def connected(dsn: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    async def main() -> T:
        conn = await connect(dsn, name="test")
        try:
            return await work(conn)
        finally:
            await conn.close()

    return asyncio.run(main())


async def rows(conn: AsyncConnection, query: str, *params: object) -> list[tuple[object, ...]]:
    return await (await conn.execute(query.encode(), params or None)).fetchall()
