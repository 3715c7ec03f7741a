"""The fleet of the tests of faults, and what has to be so after each of them."""

import asyncio
import contextlib
import math
import random
import time

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devices.batch import Quality
from ingest.late import LateRoom
from ingest.metrics import WorkerMetrics
from ingest.mqtt.source import MqttSource
from ingest.pipeline import Pipeline
from ingest.topics import TopicRouter
from ingest.worker import Worker, WorkerOptions
from storage.database import connect
from tests.ingest.fleet import OPTIONS, Sent, stored_state
from tests.ingest.publishing import until as aio_until
from tests.questions import ask

VEHICLES = 12
FIXES = 40
DEADLINE_S = 60.0

BY_ARRIVAL = int(Quality.LATE | Quality.FUTURE)
"""The bits `late` and `future`, which say how a fix came."""


def fleet(vehicles=VEHICLES, fixes=FIXES):
    """Vehicles to and fro on a road through a banned and a speed zone, some of them too fast."""
    sent = []
    for device in range(vehicles):
        rng = random.Random(device)
        at = rng.randrange(10)
        for _ in range(fixes):
            at += rng.choice([10, 10, 10, 10, 20, 130])
            lon = 106.75 - 0.06 * math.cos(at / 300 + device)
            speed = 40 + 55 * (rng.random() < 0.7 and device % 2)
            sent.append(Sent(device, at, round(lon, 6), 10.75, float(speed)))
    sent.sort(key=lambda s: s.at)
    return sent


def messages(sent=None):
    return [(topic, payload) for topic, payload, _ in (s.message for s in sent or fleet())]


class Working:
    """A worker that runs in this process, seen from a test."""

    def __init__(self, dsn, options, clock, late=None):
        self.metrics = WorkerMetrics()
        self.source = MqttSource(options, clock)
        self.metrics.watch(self.source.backlog)
        pipeline = Pipeline(OPTIONS, TopicRouter(), late=late or LateRoom())
        self.worker = Worker(
            WorkerOptions(dsn), self.source, pipeline, self.metrics, clock, sleep=self._sleep
        )
        self.retries = 0

    async def _sleep(self, seconds):
        self.retries += 1
        await asyncio.sleep(min(seconds, 0.1))

    def count(self, name, **labels):
        """The sum of a metric's samples with these labels."""
        return sum(
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == f"hanhtrinh_{name}" and labels.items() <= sample.labels.items()
        )

    @property
    def stored(self):
        """Fixes that it has stored; what a slow machine has delivered again does not count."""
        return self.count("fixes_total", outcome="stored")

    async def until(self, condition, what):
        await aio_until(condition, what)

    async def until_stored(self, dsn, fixes):
        await aio_until(lambda: fixes_in(dsn) >= fixes, f"{fixes} fixes")


@contextlib.asynccontextmanager
async def working(dsn, options, clock=lambda: time.time_ns() // 1000, **more):
    run = Working(dsn, options, clock, **more)
    stop = asyncio.Event()
    task = asyncio.create_task(run.worker.run(stop))
    try:
        await aio_until(lambda: run.source.connected or task.done(), "a connection")
        yield run
    finally:
        stop.set()
        await task


def fixes_in(dsn):
    ((fixes,),) = ask(dsn, "SELECT count(*) FROM fixes")
    return fixes


def address(dsn):
    """Host and port of a connection string."""
    parts = conninfo_to_dict(dsn)
    return str(parts["host"]), int(str(parts["port"]))


def linked(dsn, link):
    """The same database, by way of a link."""
    return make_conninfo(dsn, host="127.0.0.1", port=link.port)


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:.0f} s for {what}"
        time.sleep(0.02)


def assert_nothing_happened(dsn, undisturbed, quarantined=0):
    """Stored fixes equal those sent, none twice, violations and all else as undisturbed."""

    async def read():
        async with await connect(dsn, name="test") as conn:
            return await stored_state(conn)

    state = asyncio.run(read())
    ((kept,),) = ask(dsn, "SELECT count(*) FROM quarantine")
    assert kept == quarantined
    assert len(undisturbed["violations"]) > 5
    for name in undisturbed.keys() - {"marks"}:  # of so long ago they are thinned out
        rows = undisturbed[name]
        if name in {"fixes", "latest"}:
            column = 5 if name == "fixes" else 4
            rows, state[name] = (
                [(*row[:column], row[column] & ~BY_ARRIVAL, *row[column + 1 :]) for row in each]
                for each in (rows, state[name])
            )
        assert state[name] == rows, name
