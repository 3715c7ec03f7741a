"""The worker as a process of its own, and what its log says about its progress."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from hanhtrinh.embedded import EmbeddedNats
from hanhtrinh.embedded.process import Launch, ServerProcess, log_end
from hanhtrinh.wiring import embedded_environment

PATIENCE_S = 300.0
LOOK_EVERY_S = 0.05


class WorkerProcess:
    """`hanhtrinh worker` with every setting at its default.

    messages: committed so far, repeated ones each time. fixes: stored so far. committed_at: when
    the last of them were, seconds since 1970.
    """

    def __init__(
        self, folder: Path, dsn: str, broker: EmbeddedNats, *, name: str = "worker",
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:  # fmt: skip
        """settings: variables that differ from the defaults."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HANHTRINH_")}
        self._log = folder / f"{name}.log"
        self._read = 0
        self._subscriptions = 0
        self.messages = self.fixes = 0
        self.committed_at = 0.0
        self._process = ServerProcess(
            Launch(
                name="worker",
                command=[sys.executable, "-m", "hanhtrinh", "worker"],
                log=self._log,
                stop=[("SIGTERM", 20.0)],
                death_signal="SIGTERM",
                env={
                    **inherited,
                    **embedded_environment(dsn, broker),
                    **settings,
                    "PYTHONPATH": str(Path(__file__).parents[2]),
                    "HANHTRINH_LOG__FORMAT": "json",
                },
            )
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        self._process.stop()

    def kill(self) -> None:
        """End it at once with SIGKILL."""
        self._process.kill()

    async def subscribed(self, brokers: int = 1) -> None:
        """Wait until what is published at so many brokers reaches it."""
        await self._until(lambda: self._subscriptions >= brokers, "subscription")

    async def committed(self, messages: int) -> None:
        """Wait until so many messages in all are committed."""
        await self._until(lambda: self.messages >= messages, f"{messages:,} messages committed")

    def look(self) -> None:
        """Take in what it has written. Raises RuntimeError if it has ended."""
        self._look()
        if not self._process.is_running:
            raise RuntimeError(f"worker: ended, its log:{log_end(self._log)}")

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if not self._process.is_running or time.monotonic() > deadline:
                raise RuntimeError(f"worker: expected {what}, its log:{log_end(self._log)}")
            await asyncio.sleep(LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
        """Take in what is new in the log: reading it costs neither worker nor database."""
        with self._log.open("rb") as stream:
            stream.seek(self._read)
            *lines, _ = stream.read().split(b"\n")
        self._read += sum(len(line) + 1 for line in lines)
        for line in filter(lambda line: line.startswith(b"{"), lines):
            event = json.loads(line)
            self._subscriptions += event["event"] in {"broker.subscribed", "shard.begun"}
            if event["event"] == "batch.committed":
                self.messages += event["messages"]
                self.fixes += event["fixes"]
                self.committed_at = datetime.fromisoformat(event["timestamp"]).timestamp()
