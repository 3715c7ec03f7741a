"""The whole product with a link before broker and database, for benchmarks that disturb it.

Belongs here: running it, looking at it, and the comparison with an undisturbed run.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import psutil
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from benchmarks.parts.live import LiveTraffic, fleet_of
from benchmarks.parts.processor import Cost
from benchmarks.parts.servers import new_folder
from benchmarks.parts.worker import WorkerProcess
from geofence.profile import shipped_profile
from geofence.quality import Region
from hanhtrinh.demo_registry import register
from hanhtrinh.embedded import EmbeddedNats, EmbeddedPostgres
from ingest.pipeline import Pipeline
from ingest.rules import JudgingOptions
from ingest.source import MessageBatch
from ingest.topics import TopicRouter
from simulators.feed import Message, single
from simulators.link import Link
from storage.database import connect
from storage.migrations import upgrade

INTERVAL_S: Final = 10
LOOK_EVERY_S: Final = 0.5
PATIENCE_S: Final = 3600.0

VIOLATIONS: Final = """
SELECT kind, subject, rule_profile, vehicle_id, started_at, ended_at, duration_s, fixes,
       status = 'open'
FROM violations WHERE status <> 'withdrawn' AND vehicle_id <> ALL (
    SELECT id FROM vehicles WHERE plate = ANY (%s)
) ORDER BY 1, 2, 4, 5"""
"""Without vehicles (plates) whose clocks are ahead: which of their fixes are `future`, and so are
judged by their arrival alone, depends on when they arrive, and a fault changes that."""

LIVE: Final = "SELECT count(*) FROM fixes WHERE time >= to_timestamp(%s)"


@dataclass(slots=True)
class Findings:
    """What a disturbed run came to. Seconds; rss in MB, of the samples since the fault began."""

    sent: int = 0
    stored: int = 0
    lost: int = 0
    repeated: int = 0
    set_aside: int = 0
    violations: int = 0
    violations_equal: bool = False
    recovery_s: float = 0.0
    max_lag_s: float = 0.0
    rss_mb: dict[str, tuple[float, float]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


class House:
    """Broker, database, worker and a live fleet of `vehicles`, each with a fix in 10 s."""

    def __init__(
        self, vehicles: int, *, most_bytes: int | None = None, past_s: float = 90.0
    ) -> None:
        """most_bytes: of the broker's disk. past_s: for so long has the fleet driven already.

        Planned violations begin after a minute.
        """
        self._past_us = round(past_s * 1e6)
        self.findings = Findings()
        self._vehicles = vehicles
        self._most_bytes = most_bytes
        self._samples: list[dict[str, int]] = []
        self._is_disturbed = False
        self.max_lag_s = 0.0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = stack.enter_context(new_folder())
            self.postgres = stack.enter_context(EmbeddedPostgres(self.folder))
            self.broker = stack.enter_context(
                EmbeddedNats(self.folder, most_bytes=self._most_bytes)
            )
            upgrade(self.postgres.dsn)
            parts = conninfo_to_dict(self.postgres.dsn)
            self.to_database = stack.enter_context(
                Link(str(parts["host"]), int(str(parts["port"])))
            )
            self.to_broker = stack.enter_context(Link(self.broker.host, self.broker.mqtt_port))
            start_us = time.time_ns() // 1_000_000 * 1000 - self._past_us
            self.fleet = fleet_of(self._vehicles, start_us)
            asyncio.run(self._register(self.postgres.dsn))
            self.start_worker()
            stack.callback(self._stop_worker)
            asyncio.run(self.worker.subscribed())
            begin_us = time.time_ns() // 1000
            self.live = LiveTraffic(self.fleet, INTERVAL_S, self.broker, begin_us)
            self.live.start()
            stack.callback(self.live.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_worker(self) -> None:
        """Start a worker, by way of both links."""
        dsn = make_conninfo(self.postgres.dsn, host="127.0.0.1", port=self.to_database.port)
        more = {"HANHTRINH_BROKER__PORT": str(self.to_broker.port)}
        self.worker = WorkerProcess(self.folder.path, dsn, self.broker, settings=more)

    def _stop_worker(self) -> None:
        self.worker.stop()

    def run(self, seconds: float) -> None:
        """Let it go on, and look at it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> int | None:
        """Take a sample; the live fixes that are stored, None if the database says nothing."""
        if self._is_disturbed:
            pids = {
                "broker": self.broker.pid,
                "database": self.postgres.pid,
                "worker": self.worker.pid,
            }
            sample = {}
            for name, pid in pids.items():
                try:
                    sample[name] = Cost.of(pid).rss
                except psutil.NoSuchProcess:
                    continue  # it is being restarted
            self._samples.append(sample)
        try:
            stored = self.stored()
        except psycopg.Error:
            return None
        self.max_lag_s = max(self.max_lag_s, self.live.lag_s(stored))
        return stored

    def stored(self) -> int:
        """Live fixes in the database."""
        with psycopg.connect(self.postgres.dsn, connect_timeout=5) as conn:
            row = conn.execute(LIVE, [self.live.begin_us / 1e6]).fetchone()
        assert row is not None
        return int(row[0])

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Around the fault: from now on lag and memory are measured; afterwards the recovery."""
        self._is_disturbed, self.max_lag_s = True, 0.0
        yield
        ended = time.monotonic()
        deadline = ended + PATIENCE_S
        while True:
            stored = self.look()
            if stored is not None and self.live.lag_s(stored) < 3.0:
                break
            if time.monotonic() > deadline:
                raise RuntimeError("expected live fixes to be stored again")
            time.sleep(LOOK_EVERY_S)
        self.findings.recovery_s = round(time.monotonic() - ended, 1)

    def finish(self, others: list[Message] | None = None) -> Findings:
        """Stop the fleet, wait until all is stored, and compare with an undisturbed run.

        others: what was sent beside the live fixes.
        """
        self.live.stop()
        fixes = self.fleet.due(self.live.begin_us, self.live.end_us, INTERVAL_S)
        sent = [*single(self.fleet, fixes), *(others or [])]
        deadline = time.monotonic() + PATIENCE_S
        while self._arrived() < len(sent) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
            self.look()
        found = self.findings
        found.sent, found.max_lag_s = len(sent), round(self.max_lag_s, 1)
        self.worker.stop()
        with psycopg.connect(self.postgres.dsn) as conn:
            ours = conn.execute(VIOLATIONS, [self._plates_ahead()]).fetchall()
            found.stored = _one(conn, "SELECT count(*) FROM fixes")
            found.repeated = _one(conn, "SELECT coalesce(sum(repeats), 0) FROM repeat_counts")
            found.set_aside = _one(conn, "SELECT count(*) FROM quarantine")
        found.lost = found.sent - found.stored - found.set_aside
        reference = self._undisturbed(sent)
        found.violations, found.violations_equal = len(reference), ours == reference
        for name in ("worker", "broker", "database"):
            sizes = [sample[name] / 1e6 for sample in self._samples if name in sample]
            quarter = max(1, len(sizes) // 4)
            found.rss_mb[name] = (
                round(float(np.median(sizes[:quarter])), 1),
                round(float(np.median(sizes[-quarter:])), 1),
            )
        return found

    def _arrived(self) -> int:
        """Messages that are stored or set aside."""
        try:
            with psycopg.connect(self.postgres.dsn, connect_timeout=5) as conn:
                return _one(
                    conn, "SELECT (SELECT count(*) FROM fixes) + (SELECT count(*) FROM quarantine)"
                )
        except psycopg.Error:
            return 0

    async def _register(self, dsn: str) -> None:
        async with await connect(dsn, name="benchmark") as conn:
            await register(conn, self.fleet)

    def _undisturbed(self, sent: list[Message]) -> list[tuple[Any, ...]]:
        """The violations of the same messages, judged in order, with nothing in between."""
        with psycopg.connect(self.postgres.dsn_of("postgres"), autocommit=True) as admin:
            admin.execute("CREATE DATABASE undisturbed")
        dsn = self.postgres.dsn_of("undisturbed")
        upgrade(dsn)
        asyncio.run(self._judge(dsn, sorted(sent, key=lambda message: message.due_us)))
        with psycopg.connect(dsn) as conn:
            return conn.execute(VIOLATIONS, [self._plates_ahead()]).fetchall()

    def _plates_ahead(self) -> list[str]:
        return [self.fleet.vehicles[row].plate for row in self.fleet.tampering.rows("ahead")]

    async def _judge(self, dsn: str, sent: list[Message]) -> None:
        await self._register(dsn)
        judging = JudgingOptions((shipped_profile("qcvn31"),), "Asia/Ho_Chi_Minh", Region())
        pipeline = Pipeline(judging, TopicRouter())
        async with await connect(dsn, name="benchmark") as conn:
            await pipeline.refresh(conn)
            for start in range(0, len(sent), 4096):
                part = sent[start : start + 4096]
                received = np.array([message.due_us for message in part], np.int64)
                await pipeline.process(
                    conn,
                    MessageBatch([m.topic for m in part], [m.payload for m in part], received),
                )


def _one(conn: psycopg.Connection[Any], question: str, *values: Any) -> int:
    row = conn.execute(question.encode(), values or None).fetchone()
    assert row is not None
    return int(row[0])


def as_row(name: str, found: Findings) -> Mapping[str, object]:
    """One line of the report."""
    return {
        "fault": name, "sent": found.sent, "stored": found.stored, "lost": found.lost,
        "repeated": found.repeated, "set aside": found.set_aside,
        "violations": found.violations, "equal": found.violations_equal,
        "recovery_s": found.recovery_s, "max_lag_s": found.max_lag_s,
        "rss_mb (first, last quarter)": found.rss_mb, **found.more,
    }  # fmt: skip
