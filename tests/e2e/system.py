"""The product as people run it: worker and API as processes, on a real broker and database."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from hanhtrinh.embedded import EmbeddedNats
from hanhtrinh.embedded.ports import free_port
from ingest.replay import ReplayOptions, ReplayReport, replay
from ingest.replay_columns import ColumnMap
from mqtt.options import BrokerOptions
from storage import registry
from storage.access import keys
from storage.database import connect
from storage.registry import NewVehicle
from tests.forked import Program
from tests.hanhtrinh.command import hanhtrinh
from tests.ingest.jetstream.streams import make_stream
from tests.questions import ask

DEADLINE_S = 60.0


class System:
    """A database and a broker, and the processes that the test starts on them."""

    def __init__(self, dsn: str, broker: EmbeddedNats, logs: Path) -> None:
        self.dsn = dsn
        self.broker = broker
        self._logs = logs
        self._started: list[Program] = []
        self._environment = os.environ | {
            "HANHTRINH_DATABASE__DSN": dsn,
            "HANHTRINH_BROKER__HOST": broker.host,
            "HANHTRINH_BROKER__PORT": str(broker.mqtt_port),
            "HANHTRINH_BROKER__USERNAME": broker.worker.username,
            "HANHTRINH_BROKER__PASSWORD": broker.worker.password,
            "HANHTRINH_INGEST__BATCH_MESSAGES": "256",
        }

    def start(self, *arguments: str) -> Program:
        """Start `hanhtrinh ARGUMENTS`; its log lies in the test's folder."""
        log = self._logs / f"{arguments[0]}-{len(self._started)}.log"
        log.touch()
        process = Program(*arguments, env=self._environment, out=log)
        self._started.append(process)
        return process

    def call(self, *arguments: str, is_tracker: bool = False) -> str:
        """What `hanhtrinh ARGUMENTS` writes to standard output, whatever it exits with.

        is_tracker: it publishes as the broker's devices do.
        """
        access = self.broker.device if is_tracker else self.broker.worker
        as_whom = {
            "HANHTRINH_BROKER__USERNAME": access.username,
            "HANHTRINH_BROKER__PASSWORD": access.password,
        }
        done = hanhtrinh(*arguments, settings=self._environment | as_whom)
        assert done.stdout, done.stderr
        return done.stdout

    def start_worker(self) -> Program:
        """A worker that has subscribed: what is published from now on waits for it."""
        worker = self.start("worker")
        log = self._logs / f"worker-{len(self._started) - 1}.log"
        self.until(lambda: "broker.subscribed" in log.read_text(), "a subscription", worker)
        return worker

    def have_roads(self, file: Path) -> None:
        """Make a road file of the simulated country; workers started from now on judge by it."""
        self.call("roads", "simulated", "-o", str(file))
        self._environment["HANHTRINH_JUDGE__ROADS"] = str(file)

    def share_stream(self, partitions: int) -> None:
        """Make a stream, and have the workers that are started from now on read it."""
        asyncio.run(make_stream(self.broker, partitions))
        self._environment |= {
            "HANHTRINH_INGEST__SOURCE": "jetstream",
            "HANHTRINH_JETSTREAM__URL": self.broker.nats_url,
            "HANHTRINH_JETSTREAM__USERNAME": self.broker.shards.username,
            "HANHTRINH_JETSTREAM__PASSWORD": self.broker.shards.password,
            "HANHTRINH_JETSTREAM__PARTITIONS": str(partitions),
        }

    def log_of(self, process: Program) -> str:
        """What a process that was started has written until now."""
        number = self._started.index(process)
        (log,) = self._logs.glob(f"*-{number}.log")
        return log.read_text()

    @contextmanager
    def api(self, token: str) -> Iterator[httpx.Client]:
        """The API, ready, for the holder of a token."""
        port = free_port()
        process = self.start("api", "--port", str(port))
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=30,
        ) as client:
            self.until(lambda: _is_ready(client), "the API to be ready", process)
            yield client

    def stop(self) -> None:
        """End every process by its own id."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def said(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"{p.name}: {p.read_text()[-800:]}" for p in self._logs.iterdir())

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        return ask(self.dsn, question)

    def until(self, condition: Any, what: str, process: Program | None = None) -> None:
        """Poll a condition until the deadline; fail at once if the process has ended."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert process is None or process.poll() is None, f"ended before {what}\n{self.said}"
            assert time.monotonic() < deadline, f"waited {DEADLINE_S:.0f} s for {what}\n{self.said}"
            time.sleep(0.05)

    def until_committed(self, messages: int, process: Program) -> None:
        """Wait until that many messages were dealt with: stored, repeated or quarantined."""
        self.until(lambda: self.dealt_with() >= messages, f"{messages} messages", process)

    def dealt_with(self) -> int:
        """Messages of one fix each that are in the database, one way or another."""
        ((stored, repeated, refused),) = self.ask(
            "SELECT (SELECT count(*) FROM fixes),"
            " (SELECT coalesce(sum(repeats), 0) FROM repeat_counts),"
            " (SELECT count(*) FROM quarantine)"
        )
        return int(stored + repeated + refused)


def _is_ready(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/ready").is_success
    return False


def register_fleet(dsn: str, names: Iterable[str]) -> tuple[dict[str, int], str]:
    """A vehicle with a device of that name for each; their ids, and an inspector's token."""

    async def go() -> tuple[dict[str, int], str]:
        ordered = sorted(names)
        async with await connect(dsn, name="test") as conn:
            operator = await registry.add_operator(conn, "REAL", "Real vehicles")
            ids = await registry.add_vehicles(
                conn,
                [
                    NewVehicle(f"50E{number:05d}", operator, vehicle_class="car")
                    for number in range(len(ordered))
                ],
            )
            devices = await registry.add_devices(conn, ordered)
            await registry.assign_devices(conn, devices, ids)
            token = (await keys.create(conn, "test", "inspector")).key
        return dict(zip(ordered, ids, strict=True)), token

    return asyncio.run(go())


def replay_file(system: System, file: Path, columns: str) -> ReplayReport:
    """Publish a file as fast as the broker takes it."""
    device = system.broker.device
    return asyncio.run(
        replay(
            ReplayOptions(
                file,
                ColumnMap.parse(columns),
                BrokerOptions(
                    system.broker.host, system.broker.mqtt_port, device.username, device.password
                ),
            )
        )
    )


def journey(client: httpx.Client, vehicle: int, day_us: int) -> list[dict[str, Any]]:
    """All fixes of a vehicle within two days around an instant, page after page."""
    middle = datetime.fromtimestamp(day_us / 1e6, UTC)
    params: dict[str, Any] = {
        "from": (middle - timedelta(days=2)).isoformat(),
        "to": (middle + timedelta(days=2)).isoformat(),
        "limit": 5000,
    }
    fixes: list[dict[str, Any]] = []
    while True:
        answer = client.get(f"/vehicles/{vehicle}/journey", params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        fixes += page["fixes"]
        if page["next_cursor"] is None:
            return fixes
        params["cursor"] = page["next_cursor"]
