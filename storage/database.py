"""Connections: how this product opens them.

Every connection is in autocommit mode: a transaction is a visible `async with conn.transaction()`,
never something that a read began by accident.
"""

from typing import Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

OPTIONS: Final = "-c timezone=UTC -c jit=off"
"""JIT compiles for tens of milliseconds what here runs for one."""


async def connect(dsn: str, *, name: str) -> AsyncConnection:
    """Open a connection; `name` shows in pg_stat_activity."""
    return await AsyncConnection.connect(
        dsn, autocommit=True, application_name=name, options=OPTIONS
    )


async def open_pool(
    dsn: str, *, name: str, min_size: int = 2, max_size: int = 10, timeout_s: float = 10.0
) -> AsyncConnectionPool:
    """Open a pool and wait until its first connection stands; `timeout_s` bounds every wait.

    A connection is checked when it is handed out: the server may have been restarted since.
    """
    pool = AsyncConnectionPool(
        dsn,
        kwargs={"autocommit": True, "application_name": name, "options": OPTIONS},
        min_size=min_size,
        max_size=max_size,
        timeout=timeout_s,
        open=False,
        check=AsyncConnectionPool.check_connection,
        name=name,
    )
    await pool.open(wait=True, timeout=timeout_s)
    return pool
