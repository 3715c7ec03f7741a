"""The demo's processes: PostgreSQL, NATS, worker and API, started side by side, ended in order."""

import asyncio
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from typing import Final, Self

import hanhtrinh
from hanhtrinh.embedded import DataFolder, EmbeddedNats, EmbeddedPostgres, ServerNotStartedError
from hanhtrinh.embedded.ports import LOOPBACK, free_port
from hanhtrinh.embedded.process import Launch, ServerProcess, log_end

READY_S: Final = 60.0
"""How long worker and API may take; kernels that are not cached yet take most of it."""

STOP: Final = (("SIGTERM", 20.0), ("SIGQUIT", 5.0))

POSTGRES: Final = {
    # Commit times are what the demo measures the lag by.
    "track_commit_timestamp": "on",
}


class Servers:
    """Broker and database of one demo, both empty, whatever an earlier one left behind."""

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self.postgres: EmbeddedPostgres
        self.nats: EmbeddedNats

    @classmethod
    async def start(cls, folder: DataFolder) -> Self:
        """Start both at once; the database is migrated."""
        servers = cls(folder)
        database = asyncio.create_task(asyncio.to_thread(servers._start_postgres))
        broker = asyncio.create_task(asyncio.to_thread(servers._start_nats))
        await asyncio.wait({database, broker})
        try:
            database.result()
            broker.result()
        except BaseException:
            servers.stop()
            raise
        return servers

    @property
    def dsn(self) -> str:
        return self.postgres.dsn

    @property
    def api_dsn(self) -> str:
        """The same database, as the API's user, who owns nothing."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415

        password = self.folder.secret("api")
        return make_conninfo(self.postgres.dsn, user="hanhtrinh_api_login", password=password)

    def stop(self) -> None:
        """Stop both. Stopping twice is harmless."""
        self._stack.close()

    def _start_postgres(self) -> None:
        is_new = not self.folder.path.joinpath("postgres").exists()
        self.postgres = self._stack.enter_context(EmbeddedPostgres(self.folder, POSTGRES))
        import psycopg  # noqa: PLC0415 - imported while the server was starting

        from storage.access.logins import ensure_login  # noqa: PLC0415
        from storage.migrations import upgrade  # noqa: PLC0415

        if not is_new:
            # The fleet starts anew: yesterday's fixes of the same vehicles would be one long gap.
            with psycopg.connect(self.postgres.dsn_of("postgres"), autocommit=True) as conn:
                conn.execute("DROP DATABASE IF EXISTS hanhtrinh WITH (FORCE)")
                conn.execute("CREATE DATABASE hanhtrinh")
        upgrade(self.postgres.dsn)
        ensure_login(self.postgres.dsn, self.api_dsn)

    def _start_nats(self) -> None:
        store = self.folder.path / "nats" / "jetstream"
        is_new = not store.exists()
        self.nats = self._stack.enter_context(EmbeddedNats(self.folder))
        if not is_new:
            self.nats.stop()
            rmtree(store)
            self.nats.restart()


class Parts:
    """Worker and API as processes of their own, configured through their environment."""

    def __init__(self, servers: Servers, roads: Path) -> None:
        """roads: the road file that the worker judges by."""
        self._servers = servers
        self._roads = roads
        self._processes: list[ServerProcess] = []
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/api/v1"

    def start(self) -> None:
        """Start both; they are ready some seconds later."""
        for name in ("worker", "api"):
            self._processes.append(self._launch(name))

    def check(self) -> None:
        """Raises ServerNotStartedError, with the end of its log, if one of them has ended."""
        for process in self._processes:
            if not process.is_running:
                raise ServerNotStartedError(
                    f"{process.launch.name}: ended:{log_end(process.launch.log)}"
                )

    async def api_is_ready(self) -> None:
        """Wait until the API answers. Raises ServerNotStartedError."""
        import httpx  # noqa: PLC0415 - imported while the parts are starting

        deadline = time.monotonic() + READY_S
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                self.check()
                try:
                    answer = await client.get(f"{self.address}/ready", timeout=2.0)
                    if answer.is_success:
                        return
                except httpx.TransportError:
                    pass
                if time.monotonic() > deadline:
                    raise ServerNotStartedError(f"api: not ready after {READY_S:g} s")
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        """Stop both, the worker after it has acknowledged what it committed."""
        while self._processes:
            self._processes.pop().stop()

    def _launch(self, name: str) -> ServerProcess:
        return ServerProcess(
            Launch(
                name=name,
                command=[sys.executable, "-m", "hanhtrinh", name],
                log=self._servers.folder.path / f"{name}.log",
                stop=STOP,
                death_signal="SIGTERM",
                env=self._environment(),
            )
        )

    def _environment(self) -> dict[str, str]:
        """Ours, without settings of another deployment, and with where the servers are."""
        nats = self._servers.nats
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HANHTRINH_")}
        # Not installed but run from its folder, the product must be found from any other.
        paths = [str(Path(hanhtrinh.__path__[0]).parent), inherited.get("PYTHONPATH", "")]
        return inherited | {
            "PYTHONPATH": os.pathsep.join(path for path in paths if path),
            "HANHTRINH_DATABASE__DSN": self._servers.dsn,
            "HANHTRINH_BROKER__HOST": nats.host,
            "HANHTRINH_BROKER__PORT": str(nats.mqtt_port),
            "HANHTRINH_BROKER__USERNAME": nats.worker.username,
            "HANHTRINH_BROKER__PASSWORD": nats.worker.password,
            "HANHTRINH_API__DSN": self._servers.api_dsn,
            "HANHTRINH_API__HOST": LOOPBACK,
            "HANHTRINH_API__PORT": str(self.port),
            "HANHTRINH_JUDGE__ROADS": str(self._roads),
            "HANHTRINH_LOG__FORMAT": "json",
        }
