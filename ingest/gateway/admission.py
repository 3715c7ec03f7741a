"""Admission: who is registered, as the database last said, and what becomes of whoever is not.

All names are held in memory: a tracker is let in or turned away at once, and goes on being served
while the database is away. PostgreSQL tells of every change at its commit.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from storage import admission, database
from storage.credentials import Kind

RETRY_S: Final = 1.0
READ_AGAIN_S: Final = 300.0
"""Everything is read anew so often: the end of a secret is nothing that PostgreSQL tells of."""

MOST_READING_S: Final = 60.0
ASK_S: Final = 5.0
"""A database that says nothing for so long is away; without a change it is asked so often."""

TURN_S: Final = 0.2
"""Changes of this time are looked up together."""

MOST_NAMES: Final = 5_000
"""Of more changes than these all names are read."""

TOLD_EVERY_S: Final = 600.0
"""An identity that is turned away again and again is logged once in this time."""

TOLD_MOST: Final = 10_000
"""Identities of which that is remembered; beyond, the oldest is forgotten."""

TOLD_BURST: Final = 100
"""Lines within a minute; whoever makes names up must not fill the disk."""

_WEIGHINGS: Final = "weigh-"

log = structlog.get_logger(__name__)


class Admission:
    """Who may come in. `run` keeps it up to date.

    on_change: told of names about which something changed; None: all names. ready: set once the
    names are known. is_current: changes are heard of.
    """

    def __init__(self, dsn: str, on_change: Callable[[frozenset[str] | None], None]) -> None:
        self._dsn = dsn
        self._on_change = on_change
        self._names: dict[Kind, set[str]] = {"device": set(), "station": set(), "provider": set()}
        self.ready = asyncio.Event()
        self.is_current = False

    def __len__(self) -> int:
        return sum(map(len, self._names.values()))

    def admits(self, codec: str, ident: str) -> bool:
        """Whether a sender of this codec may give that identity."""
        if codec.startswith(_WEIGHINGS):
            return ident in self._names["station"]
        return ident in self._names["device"] or ident in self._names["provider"]

    async def run(self) -> None:
        """Read the names, and hear of changes, for ever."""
        while True:
            try:
                async with asyncio.timeout(ASK_S):
                    opened = await database.connect(self._dsn, name="hanhtrinh gateway")
                async with opened as conn:
                    await admission.listen(conn)
                    while True:
                        async with asyncio.timeout(MOST_READING_S):
                            await self._read_all(conn)
                        self.is_current = True
                        self.ready.set()
                        await self._hear(conn)
            except (psycopg.Error, OSError) as error:
                self.is_current = False
                log.warning(
                    "gateway.no_registry", detail=str(error).strip(), known=len(self),
                    hint="hanhtrinh doctor",
                )  # fmt: skip
                await asyncio.sleep(RETRY_S)

    async def _read_all(self, conn: psycopg.AsyncConnection) -> None:
        names: dict[Kind, set[str]] = {kind: set() for kind in self._names}
        async for piece in admission.everybody(conn):
            for ident, kind in piece:
                names[kind].add(ident)
        self._names = names
        log.info("gateway.registry", known=len(self))
        self._on_change(None)

    async def _hear(self, conn: psycopg.AsyncConnection) -> None:
        """Take changes in, until it is time to read everything."""
        loop = asyncio.get_running_loop()
        until = loop.time() + READ_AGAIN_S
        asked_at = loop.time()
        while loop.time() < until:
            changed = {note.payload async for note in conn.notifies(timeout=TURN_S)}
            if "" in changed or len(changed) > MOST_NAMES:
                return
            # A server that is gone without a word is found out by a question only.
            if changed or loop.time() - asked_at > ASK_S:
                async with asyncio.timeout(ASK_S):
                    await self._look_up(conn, changed)
                asked_at = loop.time()

    async def _look_up(self, conn: psycopg.AsyncConnection, changed: set[str]) -> None:
        found = await admission.some(conn, changed)
        for names in self._names.values():
            names.difference_update(changed)
        for ident, kind in found:
            self._names[kind].add(ident)
        if changed:
            self._on_change(frozenset(changed))


class Seldom:
    """Whether something about an identity is worth a line of the log; `unsaid`: how often not."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._said: dict[str, float] = {}
        self._minute = now()
        self._lines = 0
        self.unsaid = 0

    def is_due(self, ident: str) -> bool:
        """Ask once for each occasion: a yes is remembered."""
        now = self._now()
        if now - self._minute >= 60.0:
            self._minute, self._lines = now, 0
        if now - self._said.get(ident, now - TOLD_EVERY_S) < TOLD_EVERY_S:
            return False
        if self._lines >= TOLD_BURST:
            self.unsaid += 1
            return False
        self._said.pop(ident, None)
        self._said[ident] = now
        if len(self._said) > TOLD_MOST:
            del self._said[next(iter(self._said))]
        self._lines += 1
        return True
