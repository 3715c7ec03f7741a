"""Answers NATS' question whether a client may come in, and throws out whose secret was revoked.

The server asks on `$SYS.REQ.USER.AUTH` and takes a signed answer (NATS documentation, "Auth
callout"). Any number of these services may run: each question goes to one of them.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec
import nats
import psycopg
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from psycopg import AsyncConnection

from ingest.identity.access import access_of, subject_of
from ingest.identity.checking import Attempt, Checker, Granted, Refused, Verdict
from ingest.identity.kicking import Kicker
from ingest.identity.metrics import AuthMetrics
from ingest.identity.tokens import Issuer, claims_of
from ingest.source import Clock
from storage import credentials, database

QUESTIONS: Final = "$SYS.REQ.USER.AUTH"
QUEUE: Final = "hanhtrinh-auth"

BATCH: Final = 256
"""Questions that are looked up together: one query, and less than 0.1 s of work."""

MOST_WAITING: Final = 20_000
"""Questions that wait, some seconds of work. Of more the broker hears nothing, and its clients try
again: an answer that comes too late would only delay the others."""

ANSWER_WITHIN_S: Final = 5.0
"""Older questions are left unanswered; shorter than the server's `timeout`."""

REPORT_EVERY_S: Final = 10.0
RECONNECT_S: Final = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CalloutOptions:
    """Where broker and database are, and for how long a session lasts at most.

    account: NATS' account of the devices, $G unless the server's configuration has accounts.
    """

    url: str
    username: str
    password: str
    dsn: str
    patterns: Mapping[str, str]
    account: str = "$G"
    session_s: float = 86_400.0


class _Server(msgspec.Struct):
    id: str


class _Client(msgspec.Struct):
    mqtt_id: str = ""


class _Connect(msgspec.Struct):
    user: str = ""
    secret: str = msgspec.field(default="", name="pass")


class _Question(msgspec.Struct):
    server_id: _Server
    user_nkey: str
    client_info: _Client
    connect_opts: _Connect


class _Claims(msgspec.Struct):
    nats: _Question


@dataclass(slots=True)
class _Waiting:
    message: Msg
    question: _Question
    attempt: Attempt
    since: float


class Callout:
    """The service. `answered` counts its verdicts."""

    def __init__(
        self, options: CalloutOptions, issuer: Issuer, clock: Clock,
        metrics: AuthMetrics | None = None,
    ) -> None:  # fmt: skip
        """metrics: what is counted goes there, too, if somebody looks at it."""
        self._metrics = metrics or AuthMetrics()
        self.answered = self._metrics.answers
        self._options = options
        self._issuer = issuer
        self._clock = clock
        self._checker = Checker(clock)
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(MOST_WAITING)
        self._slow: set[asyncio.Task[None]] = set()
        self._conn: AsyncConnection | None = None
        self._decoder = msgspec.json.Decoder(_Claims)
        self._metrics.waiting = self._waiting.qsize
        self._metrics.slow = lambda: len(self._slow)

    async def run(self, stop: asyncio.Event, ready: asyncio.Event | None = None) -> None:
        """Answer until `stop` is set; `ready` is set once questions are taken.

        nats-py connects again by itself, but not when the server has said what was wrong.
        """
        while not stop.is_set():
            gone = asyncio.Event()
            client = await self._connect(stop, gone)
            if client is None:
                return
            self._metrics.is_broker_up = partial(getattr, client, "is_connected")
            try:
                await self._serve(client, stop, gone, ready or asyncio.Event())
            finally:
                await client.close()
                await self._disconnect()
            if not stop.is_set():
                log.warning("auth.disconnected", detail=str(client.last_error or ""))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RECONNECT_S):
                        await stop.wait()

    async def _connect(self, stop: asyncio.Event, gone: asyncio.Event) -> Client | None:
        """The connection, however long it takes; None: stopped first. gone: set when it is over."""

        async def end() -> None:
            gone.set()

        options = self._options
        connecting = asyncio.create_task(
            nats.connect(
                options.url,
                user=options.username,
                password=options.password,
                name="hanhtrinh auth",
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.5,
                error_cb=_log_error,
                closed_cb=end,
            )
        )
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if connecting.done():
            return connecting.result()
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        return None

    async def _serve(
        self, client: Client, stop: asyncio.Event, gone: asyncio.Event, ready: asyncio.Event
    ) -> None:
        """Answer until `stop` or `gone` is set."""
        kicker = Kicker(client, self._options.dsn, self._options.session_s, self._metrics)
        try:
            await kicker.prepare()
            await client.subscribe(QUESTIONS, queue=QUEUE, cb=self._take)
            await client.flush()
        except nats.errors.ConnectionClosedError:
            return
        log.info("auth.listening", url=self._options.url, issuer=self._issuer.public)
        ready.set()
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("auth-answer", self._answer_all()),
                ("auth-kick", kicker.run()),
                ("auth-report", self._report()),
                ("auth-stop", stop.wait()),
                ("auth-gone", gone.wait()),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, *self._slow):
                task.cancel()
            await asyncio.gather(*tasks, *self._slow, return_exceptions=True)

    async def _take(self, message: Msg) -> None:
        """A question came in: only put it down, so that a flood is turned away at once."""
        try:
            question = self._decoder.decode(claims_of(message.data)).nats
        except (ValueError, IndexError) as error:  # msgspec's errors are ValueErrors
            self.answered["unreadable"] += 1
            log.warning("auth.unreadable", detail=str(error))
            return
        said = question.connect_opts
        attempt = Attempt(said.user, said.secret, question.client_info.mqtt_id)
        since = asyncio.get_running_loop().time()
        try:
            self._waiting.put_nowait(_Waiting(message, question, attempt, since))
        except asyncio.QueueFull:
            self.answered["too_many"] += 1

    async def _answer_all(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            oldest = asyncio.get_running_loop().time() - ANSWER_WITHIN_S
            fresh = [waiting for waiting in batch if waiting.since >= oldest]
            self.answered["too_late"] += len(batch) - len(fresh)
            self._metrics.batch_questions.observe(len(batch))
            await self._answer(fresh)

    async def _answer(self, batch: list[_Waiting]) -> None:
        names = {waiting.attempt.username for waiting in batch} - {""}
        try:
            # A server that is gone without a word must not hold up all that come.
            async with asyncio.timeout(ANSWER_WITHIN_S):
                known = await credentials.to_check(await self._connected(), names)
            self._metrics.is_database_up = True
        except (psycopg.Error, OSError) as error:
            self._metrics.is_database_up = False
            log.warning("auth.no_registry", detail=str(error).strip() or type(error).__name__)
            await self._disconnect()
            for waiting in batch:
                await self._say(waiting, Refused.NO_REGISTRY)
            return
        for waiting in batch:
            secrets = known.get(waiting.attempt.username, [])
            verdict = self._checker.quick(waiting.attempt, secrets)
            if verdict is not None:
                await self._say(waiting, verdict)
                continue
            task = asyncio.create_task(self._answer_slowly(waiting, secrets))
            self._slow.add(task)
            task.add_done_callback(self._slow.discard)

    async def _answer_slowly(self, waiting: _Waiting, secrets: list[credentials.Checkable]) -> None:
        await self._say(waiting, await self._checker.slow(waiting.attempt, secrets))

    async def _say(self, waiting: _Waiting, verdict: Verdict) -> None:
        question = waiting.question
        answer: dict[str, Any] = {"type": "authorization_response", "version": 2}
        if isinstance(verdict, Granted):
            self.answered["granted"] += 1
            answer["jwt"] = self._issuer.sign(self._permit(question.user_nkey, verdict))
        else:
            self.answered[verdict] += 1
            answer["error"] = str(verdict)
            log.debug("auth.refused", username=waiting.attempt.username[:128], reason=verdict)
        self._metrics.answer_s.observe(asyncio.get_running_loop().time() - waiting.since)
        claims = {"sub": question.user_nkey, "aud": question.server_id.id, "nats": answer}
        with contextlib.suppress(nats.errors.Error, OSError):  # the server asks again
            await waiting.message.respond(self._issuer.sign(claims).encode("ascii"))

    def _permit(self, user: str, granted: Granted) -> dict[str, Any]:
        """Claims of a user: who, until when, what."""
        access = access_of(granted.ident, granted.kind, self._options.patterns)
        # Random by a tenth, so that those who came together do not all come again together.
        lasts_s = self._options.session_s * (1 - random.random() / 10)  # noqa: S311
        ends_us = min(self._clock() + int(lasts_s * 1e6), granted.valid_until)
        return {
            "sub": user,
            "aud": self._options.account,
            "name": granted.ident,
            "exp": max(ends_us // 1_000_000, 1),
            "nats": {
                "type": "user",
                "version": 2,
                "pub": {
                    "allow": [subject_of(topic) for topic in access.publish],
                    "deny": [subject_of(topic) for topic in access.publish_never],
                },
                "sub": (
                    {"allow": [subject_of(topic) for topic in access.subscribe]}
                    if access.subscribe
                    else {"deny": [">"]}
                ),
                "subs": -1,
                "data": -1,
                "payload": -1,
                "allowed_connection_types": ["MQTT"],
            },
        }

    async def _connected(self) -> AsyncConnection:
        if self._conn is None or self._conn.closed:
            self._conn = await database.connect(self._options.dsn, name="hanhtrinh auth")
        return self._conn

    async def _disconnect(self) -> None:
        if self._conn is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._conn.close()
            self._conn = None

    async def _report(self) -> None:
        """One line for what was answered, if anything was."""
        before: Counter[str] = Counter()
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            new = self.answered - before
            if new:
                log.info("auth.answered", **new)
            before = self.answered.copy()


async def _log_error(error: Exception) -> None:
    log.warning("auth.broker", error=type(error).__name__, detail=str(error))
