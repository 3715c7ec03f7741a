"""Logins: whether what an HTTP sender shows is a secret in force of the device it sends as.

The digests of those who sent lately are held in memory, never a secret: a check of a secret of ours
costs microseconds, and who was known goes on being served while the database is away. A change is
heard of (admission.py) and looked up anew at the next request.
"""

import asyncio
import contextlib
from typing import Final

import psycopg
import structlog

from ingest.identity.checking import Attempt, Checker, Refused, Verdict
from ingest.source import Clock
from storage import credentials, database
from storage.credentials import Checkable

MOST_HELD: Final = 50_000
"""Devices whose digests are held, about 400 bytes each; beyond, the oldest are forgotten."""

BATCH: Final = 256
PATIENCE_S: Final = 5.0
"""A database that says nothing for so long is away."""

_WEIGHINGS: Final = "weigh-"

log = structlog.get_logger(__name__)


class Logins:
    """Secrets in force, as far as they were asked for. `run` looks up what is not known."""

    def __init__(self, dsn: str, clock: Clock) -> None:
        self._dsn = dsn
        self._clock = clock
        self._checker = Checker(clock)
        self._held: dict[str, list[Checkable]] = {}
        self._stale: dict[str, list[Checkable]] = {}
        self._wanted: dict[str, asyncio.Future[list[Checkable] | None]] = {}
        self._changed: set[str] = set()  # while something is looked up
        self._some_wanted = asyncio.Event()
        self._conn: psycopg.AsyncConnection | None = None

    def forget(self, idents: frozenset[str] | None) -> None:
        """Look these up anew when they come; None: all. What was known serves if that fails."""
        self._changed |= self._wanted.keys() if idents is None else idents
        if idents is None:
            self._stale, self._held = self._held | self._stale, {}
            while len(self._stale) > MOST_HELD:
                del self._stale[next(iter(self._stale))]
            return
        for ident in idents & self._held.keys():
            del self._held[ident]
        for ident in idents & self._stale.keys():  # it is known that this is no longer so
            del self._stale[ident]

    def at_once(self, codec: str, ident: str, shown: str) -> Verdict | None:
        """The verdict, if it needs neither the database nor a slow check."""
        known = self._held.get(ident)
        return None if known is None else self._quick(codec, ident, shown, known)

    async def verdict(self, codec: str, ident: str, shown: str) -> Verdict:
        """Whether the secret is the device's. NO_REGISTRY: nobody can tell."""
        known = self._held.get(ident)
        if known is None:
            known = await self._look_up(ident)
        if known is None:
            return Refused.NO_REGISTRY
        quick = self._quick(codec, ident, shown, known)
        if quick is not None:
            return quick
        return await self._checker.slow(_attempt(ident, shown, known), self._in_force(codec, known))

    async def run(self) -> None:
        """Look up whom somebody asks for, for ever; many at a time."""
        try:
            while True:
                await self._some_wanted.wait()
                idents = list(self._wanted)[:BATCH]
                self._changed.clear()
                found = await self._read(idents)
                for ident in idents:
                    known = self._stale.get(ident) if found is None else found.get(ident, [])
                    if found is not None and known is not None and ident not in self._changed:
                        self._hold(ident, known)
                    waiting = self._wanted.pop(ident)
                    if not waiting.done():
                        waiting.set_result(known)
                if not self._wanted:
                    self._some_wanted.clear()
        finally:
            await self._disconnect()

    def _quick(self, codec: str, ident: str, shown: str, known: list[Checkable]) -> Verdict | None:
        in_force = self._in_force(codec, known)
        return self._checker.quick(_attempt(ident, shown, known), in_force)

    def _in_force(self, codec: str, known: list[Checkable]) -> list[Checkable]:
        """Secrets that have not ended since they were read, of a sender of such things."""
        now, is_station = self._clock(), codec.startswith(_WEIGHINGS)
        return [
            secret
            for secret in known
            if secret.valid_until > now and (secret.kind == "station") == is_station
        ]

    async def _look_up(self, ident: str) -> list[Checkable] | None:
        waiting = self._wanted.get(ident)
        if waiting is None:
            waiting = self._wanted[ident] = asyncio.get_running_loop().create_future()
            self._some_wanted.set()
        return await asyncio.shield(waiting)

    async def _read(self, idents: list[str]) -> dict[str, list[Checkable]] | None:
        """The secrets of these names; None: the database does not answer."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._conn is None or self._conn.closed:
                    self._conn = await database.connect(self._dsn, name="hanhtrinh gateway logins")
                return await credentials.to_check(self._conn, idents)
        except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
            log.warning("gateway.no_registry", detail=str(error).strip() or type(error).__name__)
            await self._disconnect()
            return None

    def _hold(self, ident: str, known: list[Checkable]) -> None:
        self._stale.pop(ident, None)
        self._held[ident] = known
        if len(self._held) > MOST_HELD:
            del self._held[next(iter(self._held))]

    async def _disconnect(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._conn.close()
            self._conn = None


def _attempt(ident: str, shown: str, known: list[Checkable]) -> Attempt:
    """HTTP has no client ids: each connection is its own."""
    return Attempt(ident, shown, known[0].client_id if known else "")
