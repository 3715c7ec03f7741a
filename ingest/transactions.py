"""Transactions: what a worker does with its database, for as long as the database is away.

Belongs here: the one connection with its shards, the look at the registry before each transaction,
and which errors say something about the server (they are waited out) and which about messages. Does
not belong here: what is done in a transaction, and what becomes of a message that stands in the way
(worker.py).
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.errors import (
    InsufficientPrivilege,
    ProgramLimitExceeded,
    StatementTooComplex,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedTable,
    UniqueViolation,
)

from devices.errors import DevicesError
from geofence.errors import GeofenceError
from ingest.account import Account
from ingest.errors import RegistryUnusableError, ShardsLostError
from ingest.holding import Holding, Sleep, Wanted
from ingest.pipeline import Pipeline
from ingest.retrying import Retrying

REFRESH_EVERY_S = 1.0
"""How often the registry's version is looked at: a registration or a new fence counts within it."""

CONFLICT_TRIES = 3

WAIT_OUT = (
    psycopg.OperationalError,
    psycopg.InternalError,
    psycopg.InterfaceError,
    InsufficientPrivilege,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedTable,
    OSError,
    RegistryUnusableError,
)
"""Errors that say something about the server, not about the messages: waiting can help. A schema
that is not what it should be, or a right that was taken away, would else have every message set
aside."""

TOO_LARGE = (ProgramLimitExceeded, StatementTooComplex)
"""Operational errors by their class, but what they say is said of something in a message."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Transactions:
    """The connection of one worker, and what is done by it."""

    def __init__(
        self, wanted: Wanted, pipeline: Pipeline, account: Account, sleep: Sleep = asyncio.sleep
    ) -> None:
        """wanted: whose `learn` is called before anything is done by a new connection or shard."""
        self._pipeline = pipeline
        self._account = account
        self._sleep = sleep
        self._learn_more = wanted.learn
        self._holding = Holding(replace(wanted, learn=self._learn), sleep)
        self._loads = 0
        self._refreshed_at = -np.inf

    async def connected(self, stop: asyncio.Event) -> AsyncConnection | None:
        """The connection, with all shards that are to be had; None if stopped before it is made."""
        return await unless_stopped(self._holding.connected(), stop)

    async def do(
        self, operation: Callable[[AsyncConnection], Awaitable[T]], messages: int,
        stop: asyncio.Event,
    ) -> T | None:  # fmt: skip
        """Do one transaction; None if stopped.

        Waits out a database that is down, read-only or full; raises what the messages cause.
        messages: how many it is about, for the log.
        """
        retrying, conflicts = Retrying(), 0
        while not stop.is_set():
            try:
                conn = await self.connected(stop)
                if conn is None:
                    break
                await self._refresh(conn)
                done = await operation(conn)
            except TOO_LARGE:
                raise
            except WAIT_OUT as error:
                delay_s = retrying.failed()
                self._account.database_is(up=False)
                self._account.failed(error, messages, retrying.failures)
                await self.let_go()
                await unless_stopped(self._sleep(delay_s), stop)
            except UniqueViolation as error:
                # Somebody else stored a fix of ours. What memory held of the vehicle has been
                # forgotten, so the next try sees it.
                conflicts += 1
                if conflicts == CONFLICT_TRIES:
                    raise
                self._account.failed(error, messages, conflicts)
            else:
                self._account.database_is(up=True)
                return done
        return None

    async def look(self, stop: asyncio.Event) -> None:
        """See that the connection, and so the locks, are there; take shards that are free now."""

        async def look(conn: AsyncConnection) -> bool:
            await self._holding.look(conn)
            return True

        with contextlib.suppress(ShardsLostError):
            await self.do(look, 0, stop)

    async def let_go(self) -> None:
        """Let go of the connection and of all shards."""
        await self._holding.close()
        self._account.holds(frozenset())

    async def _learn(self, conn: AsyncConnection, held: frozenset[int]) -> None:
        self._refreshed_at = -np.inf
        self._account.database_is(up=True)
        await self._learn_more(conn, held)

    async def _refresh(self, conn: AsyncConnection) -> None:
        now = time.monotonic()
        if now - self._refreshed_at < REFRESH_EVERY_S:
            return
        self._refreshed_at = now
        try:
            await self._pipeline.refresh(conn)
        except (GeofenceError, DevicesError) as error:
            # One bad row of the registry must not cost a single message: go on by the rules there
            # are, or wait for the row to be mended if there are none yet.
            self._account.registry_refused(error)
            if not self._pipeline.is_ready:
                raise RegistryUnusableError(str(error)) from error
            return
        # A message of somebody unknown has the registry looked at as well.
        loads, self._loads = self._pipeline.loads - self._loads, self._pipeline.loads
        if loads:
            self._account.registry_loaded(loads, self._pipeline.warnings)


async def unless_stopped(work: Awaitable[T], stop: asyncio.Event) -> T | None:
    """What the work comes to; None if stopped while it went on, which ends it."""
    doing = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        doing.cancel()
        stopped.cancel()
        await asyncio.gather(doing, stopped, return_exceptions=True)
