"""Ends the connections of those whose secret was revoked.

PostgreSQL tells of a revocation when it is committed; NATS' servers are asked for the connections
of that name, and told to close them. Whoever holds another secret in force comes back at once.
"""

import asyncio
from collections import deque
from datetime import datetime
from typing import Final

import msgspec
import nats
import psycopg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from ingest.identity.metrics import AuthMetrics
from storage import credentials, database

CONNECTIONS: Final = "$SYS.REQ.SERVER.PING.CONNZ"
KICK: Final = "$SYS.REQ.SERVER.{}.KICK"

AGAIN_S: Final = 6.0
"""Looked at a second time then: a client that was let in just before the revocation shows only when
its server has taken the answer, which is at most `ANSWER_WITHIN_S` later."""

RETRY_S: Final = 1.0
LOOK_EVERY_S: Final = 1.0
MOST_LISTED: Final = 1024
"""A name has one client id and so one connection; more only where a broker is misconfigured."""

SLACK_S: Final = 0.5
"""A connection so much younger than the revocation is thrown out, too, and comes back."""

SPARE_S: Final = 60.0
"""The database's clock and a transaction that began before it was heard: looked at once more."""

log = structlog.get_logger(__name__)


class _Connection(msgspec.Struct):
    cid: int
    start: datetime


class _Listed(msgspec.Struct):
    server_id: str
    now: datetime
    connections: list[_Connection] = []


class _Answer(msgspec.Struct):
    data: _Listed


class Kicker:
    """Listens for revocations and has them carried out."""

    def __init__(self, client: Client, dsn: str, session_s: float, metrics: AuthMetrics) -> None:
        self._metrics = metrics
        self._client = client
        self._dsn = dsn
        self._session_s = session_s
        self._inbox = client.new_inbox()
        self._decoder = msgspec.json.Decoder(_Answer)
        self._again: deque[tuple[float, list[str]]] = deque()

    async def prepare(self) -> None:
        """Be ready for the servers' answers."""
        await self._client.subscribe(f"{self._inbox}.*", cb=self._kick)

    async def run(self) -> None:
        """Carry out revocations for ever.

        Those that happened while nobody listened are made up for: no session outlives
        `session_s`, so that older ones need not be looked at.
        """
        loop = asyncio.get_running_loop()
        missing_s = self._session_s
        while True:
            heard_at = loop.time()
            try:
                async with await database.connect(self._dsn, name="hanhtrinh kick") as conn:
                    await credentials.listen(conn)
                    # Here too: where nobody logs in, no question finds out.
                    self._metrics.is_listening = self._metrics.is_database_up = True
                    await self._end(await credentials.revoked_since(conn, missing_s))
                    while True:
                        heard_at = loop.time()
                        told = conn.notifies(timeout=LOOK_EVERY_S, stop_after=1)
                        await self._end(sorted({note.payload async for note in told}))
                        await self._end_again(loop.time())
            except (psycopg.Error, nats.errors.Error, OSError) as error:
                self._metrics.is_listening = False
                log.warning("auth.not_listening", detail=str(error).strip())
                missing_s = min(loop.time() - heard_at + SPARE_S, self._session_s)
                await asyncio.sleep(RETRY_S)

    async def _end(self, idents: list[str]) -> None:
        """End the connections of these names, and look again later."""
        if not idents:
            return
        log.info("auth.revoked", logins=len(idents), ident=idents[0])
        now = asyncio.get_running_loop().time()
        for ident in idents:
            await self._ask(ident, now)
        self._again.append((now, idents))

    async def _end_again(self, now: float) -> None:
        while self._again and self._again[0][0] + AGAIN_S <= now:
            heard, idents = self._again.popleft()
            for ident in idents:
                await self._ask(ident, heard)

    async def _ask(self, ident: str, heard: float) -> None:
        """Ask all servers for the connections of a name; `_kick` takes their answers.

        heard: when the revocation was, which the answers carry back in their subject.
        """
        asked = {"user": ident, "auth": True, "limit": MOST_LISTED}
        await self._client.publish(
            CONNECTIONS, msgspec.json.encode(asked), reply=f"{self._inbox}.{heard * 1e3:.0f}"
        )

    async def _kick(self, message: Msg) -> None:
        try:
            heard = int(message.subject.rpartition(".")[2]) / 1e3
            listed = self._decoder.decode(message.data).data
        except ValueError:  # the answer to a kick, or a server that cannot answer
            return
        # Who came since then was checked since then. Ages are by the server's own clock.
        gone_s = asyncio.get_running_loop().time() - heard
        for connection in listed.connections:
            if (listed.now - connection.start).total_seconds() < gone_s - SLACK_S:
                continue
            self._metrics.kicked += 1
            await self._client.publish(
                KICK.format(listed.server_id),
                msgspec.json.encode({"cid": connection.cid}),
                reply=f"{self._inbox}.kicked",  # what nobody waits for, the server does not do
            )
