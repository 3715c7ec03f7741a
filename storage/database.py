"""Connections: how this product opens them.

Every connection is in autocommit mode: a transaction is a visible `async with conn.transaction()`,
never something that a read began by accident.
"""

from typing import Final

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

OPTIONS: Final = (
    "-c timezone=UTC -c jit=off -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5"
    " -c tcp_keepalives_count=4 -c tcp_user_timeout=30000"
)
"""JIT compiles for tens of milliseconds what here runs for one. The server lets go of a client that
a network has swallowed, and of its locks, within half a minute and not within hours."""

PATIENCE: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
"""A server that a network has swallowed is given up within half a minute. All in seconds, but for
the last, in milliseconds. What a connection string says of these counts more."""


async def connect(dsn: str, *, name: str) -> AsyncConnection:
    """Open a connection; `name` shows in pg_stat_activity."""
    return await AsyncConnection.connect(
        patient(dsn), autocommit=True, application_name=name, options=OPTIONS
    )


def patient(dsn: str) -> str:
    """The connection string with PATIENCE for what it does not say itself."""
    return make_conninfo(dsn, **{**PATIENCE, **conninfo_to_dict(dsn)})


async def open_pool(
    dsn: str, *, name: str, min_size: int = 2, max_size: int = 10, timeout_s: float = 10.0
) -> AsyncConnectionPool:
    """Open a pool and wait until its first connection stands; `timeout_s` bounds every wait.

    A connection is checked when it is handed out: the server may have been restarted since.
    """
    pool = AsyncConnectionPool(
        patient(dsn),
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
