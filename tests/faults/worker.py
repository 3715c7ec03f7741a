"""A worker as a process of its own that can be told where on a batch's way to die.

Forked from a server that has loaded everything already, so that a start costs milliseconds. It runs
the real worker on the real broker and database; only the death is made up.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import structlog

from ingest import pipeline
from ingest.clock import SteadyClock
from ingest.late import LatePolicy, LateRoom
from ingest.metrics import WorkerMetrics
from ingest.mqtt.source import MqttOptions, MqttSource
from ingest.pipeline import Pipeline
from ingest.topics import TopicRouter
from ingest.worker import Worker, WorkerOptions
from storage import quarantine
from tests.forked import FORKING
from tests.ingest.fleet import OPTIONS

STAGES = ("before decode", "after decode", "inside the transaction", "after commit")
POISON = b"kills"
EVERYTHING_WAITS = LatePolicy(over_s=-1e9, vehicles_at_once=0, quiet_s=0.2)
"""Whatever is behind waits for a moment."""


@dataclass(frozen=True)
class Doom:
    """Die at a stage of the first batch that holds as many messages; or of any with poison.

    late: of this vehicle (its registry id) late fixes wait, and taking them up is deadly.
    """

    stage: str = ""
    messages: int = 1
    poison: bool = False
    late: int | None = None


def die() -> None:
    """As by a segmentation fault or the kernel's killer: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


class _Doomed(Pipeline):
    """Dies on the way."""

    doom = Doom()

    async def take_up(self, conn: Any, vehicles: Any, *more: Any) -> Any:
        if self.doom.late in vehicles.tolist():
            die()
        return await super().take_up(conn, vehicles, *more)

    async def process(self, conn: Any, batch: Any, *more: Any) -> Any:
        doom = self.doom
        is_due = bool(doom.stage) and len(batch) >= doom.messages
        if doom.poison:
            is_due = any(POISON in payload for payload in batch.payloads)
        stage = doom.stage if is_due else ""
        if stage == "before decode":
            die()
        if stage == "after decode":
            pipeline.take_in = _then(pipeline.take_in)  # type: ignore[attr-defined]
        if stage == "inside the transaction":
            quarantine.insert = _then_async(quarantine.insert)  # type: ignore[assignment]
        outcome = await super().process(conn, batch, *more)
        if stage == "after commit":
            die()
        return outcome


def _then(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        function(*arguments)
        die()

    return call


def _then_async(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def call(*arguments: Any) -> None:
        await function(*arguments)
        die()

    return call


async def hurried(seconds: float) -> None:
    """Sleep, but no test waits long for a database that is back."""
    await asyncio.sleep(min(seconds, 0.5))


def _work(dsn: str, options: MqttOptions, doom: Doom) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    _Doomed.doom = doom
    clock = SteadyClock(lambda: time.time_ns() // 1000)
    source = MqttSource(options, clock)
    room = LateRoom() if doom.late is None else LateRoom(EVERYTHING_WAITS)
    pipeline = _Doomed(OPTIONS, TopicRouter(), late=room)
    stop = asyncio.Event()

    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        worker = Worker(WorkerOptions(dsn), source, pipeline, WorkerMetrics(), clock, hurried)
        await worker.run(stop)

    asyncio.run(run())


class WorkerProcess:
    """The process; leaving it as a context ends it in order."""

    def __init__(self, dsn: str, options: MqttOptions, doom: Doom = Doom(), **more: Any) -> None:
        self._process = FORKING.Process(target=_work, args=(dsn, replace(options, **more), doom))
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.terminate()
        self.join()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()
        self.join()

    def join(self) -> int | None:
        """Wait for its end; its exit code, negative: the signal that ended it."""
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        return self._process.exitcode
