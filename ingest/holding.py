"""Holding: a worker's database connection, and the shards that it judges by it.

A shard is an advisory lock of the connection, so that it is free when its worker is dead. What goes
with a shard (what its last worker had in hand, which late fixes wait) is learnt as it is taken.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import psycopg
import structlog
from psycopg import AsyncConnection

from ingest.errors import ShardsLostError, ShardTakenError
from storage import database
from storage import progress as progress_table

SHARD_LOCK: Final = 0x68_61_6E_68
"""First key ("hanh") of the advisory locks that a worker holds; the second key is a shard."""

LOCK_TRIES: Final = 30

Sleep = Callable[[float], Awaitable[None]]

log = structlog.get_logger(__name__)


def _tells_nobody(_shards: frozenset[int]) -> None:
    pass


async def _learns_nothing(_conn: AsyncConnection, _shards: frozenset[int]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which shards to hold, and who is told.

    is_standby: shards that others judge are waited for, each for itself; if not, all are wanted at
    once. learn: called with the connection and all shards that are held, whenever that connection
    or those shards are new, before anything is judged by them. tell: called with all shards that
    are held, whenever they change.
    """

    dsn: str
    shards: tuple[int, ...]
    is_standby: bool = False
    learn: Callable[[AsyncConnection, frozenset[int]], Awaitable[None]] = _learns_nothing
    tell: Callable[[frozenset[int]], None] = field(default=_tells_nobody)


class Holding:
    """The connection, made anew when it is lost. connections: how often it was made."""

    def __init__(self, wanted: Wanted, sleep: Sleep = asyncio.sleep) -> None:
        self._wanted = wanted
        self._sleep = sleep
        self._conn: AsyncConnection | None = None
        self._last_pid = 0
        self._held: frozenset[int] = frozenset()
        self.connections = 0

    async def connected(self) -> AsyncConnection:
        """The connection, made anew and with the shards' locks if there is none.

        Raises ShardTakenError, or for a standby ShardsLostError, if another worker has a shard that
        this one had.
        """
        if self._conn is not None and not self._conn.closed:
            return self._conn
        conn = await database.connect(self._wanted.dsn, name="hanhtrinh worker")
        before, self._held = self._held, frozenset()
        try:
            await conn.set_autocommit(True)
            await self._lock_all(conn)
            await self._wanted.learn(conn, self._held)
        except BaseException:
            self._held = frozenset()
            self._wanted.tell(self._held)
            await conn.close()
            raise
        self._conn = conn
        self._last_pid = conn.info.backend_pid
        self.connections += 1
        if lost := before - self._held:
            # What is in hand is left as it is, so that every shard of it has to begin again.
            self._wanted.tell(frozenset())
        self._wanted.tell(self._held)
        if lost:
            raise ShardsLostError(f"shards {sorted(lost)}: another worker judges them now")
        return conn

    async def look(self, conn: AsyncConnection) -> None:
        """Take shards that are free now. Fails if the connection is gone, and so its locks."""
        before = self._held
        await self._lock_free(conn)
        if self._held != before:
            try:
                await self._wanted.learn(conn, self._held)
            except BaseException:
                await self.close()  # and with it the locks: what goes with them is not known
                raise
            self._wanted.tell(self._held)

    async def close(self) -> None:
        """Let go of the connection and of all shards."""
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._conn.close()
            self._conn = None

    async def _lock_all(self, conn: AsyncConnection) -> None:
        """Take the shards; the server of a killed worker needs a moment to let go of them.

        It may never have heard that our own last connection is gone: that session we end.
        """
        for attempt in range(LOCK_TRIES):
            await self._lock_free(conn)
            missing = sorted(set(self._wanted.shards) - self._held)
            if not missing:
                return
            if await progress_table.end_session(conn, SHARD_LOCK, missing[0], self._last_pid):
                log.warning("database.session_ended", pid=self._last_pid)
                continue
            if self._wanted.is_standby:
                return
            await self._sleep(min(0.1 * (attempt + 1), 1.0))
        raise ShardTakenError(f"shard {missing[0]}: another worker judges it")

    async def _lock_free(self, conn: AsyncConnection) -> None:
        """Take those of the shards that are missing and free, in order."""
        missing = sorted(set(self._wanted.shards) - self._held)
        self._held |= set(await progress_table.lock_free(conn, SHARD_LOCK, missing))
