"""Fixtures of a real NATS server that asks `ingest.identity.callout` who may come in.

asking    the broker, the service in a thread of its own, the database, and logins made at will
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from psycopg import AsyncConnection

from hanhtrinh.embedded import DataFolder, EmbeddedNats
from ingest.identity.callout import Callout, CalloutOptions
from ingest.identity.tokens import Issuer
from ingest.topics import DEFAULT_PATTERNS
from storage import credentials, registry
from storage.database import connect

T = TypeVar("T")


class Asking:
    """A broker that asks, and who answers."""

    def __init__(self, broker: EmbeddedNats, dsn: str, session_s: float = 3600.0) -> None:
        assert broker.callout is not None
        self.broker = broker
        self.dsn = dsn
        self.service = Callout(
            CalloutOptions(
                url=broker.callout.url,
                username=broker.callout.user.username,
                password=broker.callout.user.password,
                dsn=dsn,
                patterns=DEFAULT_PATTERNS,
                session_s=session_s,
            ),
            Issuer(broker.callout.seed),
            lambda: time.time_ns() // 1000,
        )
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._ready = threading.Event()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        ready = asyncio.Event()
        running = asyncio.create_task(self.service.run(self._stop, ready))
        await asyncio.wait(
            {running, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        self._ready.set()
        await running

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(30)

    def stop(self) -> None:
        """Stop answering. Stopping twice is harmless."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def ask(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run work on a connection to the database."""

        async def go() -> T:
            async with await connect(self.dsn, name="test") as conn:
                return await work(conn)

        return asyncio.run(go())

    def login(self, ident: str, **options: object) -> str:
        """A device, and its new secret."""

        async def work(conn: AsyncConnection) -> str:
            if options.get("kind", "device") == "device":
                await conn.execute(
                    "INSERT INTO devices (ident) VALUES (%s) ON CONFLICT DO NOTHING", [ident]
                )
            made = await credentials.rotate(conn, ident, **options)  # type: ignore[arg-type]
            return made.secret or ""

        return self.ask(work)

    def station(self, code: str) -> str:
        """A weigh station, and its new secret."""
        from geofence.registry import StationRule

        async def work(conn: AsyncConnection) -> str:
            await registry.add_station(conn, StationRule(0, code, 106.7, 10.8))
            return (await credentials.rotate(conn, code, kind="station")).secret or ""

        return self.ask(work)

    def revoke(self, ident: str) -> int:
        return self.ask(lambda conn: credentials.revoke(conn, ident))


@pytest.fixture
def asking(database: str) -> Iterator[Asking]:
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-test-")))
    try:
        with EmbeddedNats(folder, ack_wait_s=3, callout=True) as broker:
            made = Asking(broker, database)
            made.start()
            try:
                yield made
            finally:
                made.stop()
    finally:
        folder.remove()
