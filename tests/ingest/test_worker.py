"""The worker between a real broker and a real database."""

import asyncio
import contextlib
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
import pytest
from psycopg import OperationalError
from psycopg.errors import ProgramLimitExceeded
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from hanhtrinh.embedded import DataFolder, EmbeddedPostgres
from ingest.errors import ShardTakenError
from ingest.intake import take_in
from ingest.metrics import WorkerMetrics
from ingest.mqtt.source import MqttSource
from ingest.release import release
from ingest.source import MessageBatch
from ingest.stages import STAGES
from ingest.worker import Worker, WorkerOptions
from storage import registry
from storage.database import connect
from storage.migrations import upgrade
from tests.ingest.fleet import T0_S, Sent, new_pipeline, register
from tests.ingest.publishing import DEADLINE_S, mqtt_options, publish, until

pytestmark = pytest.mark.integration


def clock():
    return time.time_ns() // 1000


@contextlib.asynccontextmanager
async def working(dsn, broker, **options):
    """A running worker; its source, and its metrics."""
    metrics = WorkerMetrics()
    source = MqttSource(mqtt_options(broker, **options), clock)
    metrics.watch(source.backlog)
    worker = Worker(WorkerOptions(dsn), source, new_pipeline(), metrics, clock)
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        await until(lambda: source.connected or task.done(), "the worker's connection")
        yield metrics
    finally:
        stop.set()
        await task


def count(metrics, name, **labels):
    """The sum of a metric's samples with these labels."""
    return sum(
        sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def messages_of(sent):
    return [(topic, payload) for topic, payload, _ in (s.message for s in sent)]


def drive(device, count, start=0):
    return [Sent(device, start + 10 * i, 106.6, 10.75, 30.0) for i in range(count)]


async def rows(dsn, question):
    async with await connect(dsn, name="test") as conn:
        return await (await conn.execute(question)).fetchall()


async def registered(dsn):
    async with await connect(dsn, name="test") as conn:
        await register(conn)


RANDOM = Random(7).randbytes(9000).hex()
"""Longer than a row of any index may be, however it is compressed."""

BAD = [
    ("gsht/v1/json/imei-0", b'{"time": 17600', "truncated"),
    ("gsht/v1/json/imei-0", b"\xff\xfe\x00", "bad_"),
    ("gsht/v1/json/imei-0", b'{"time":1760000000,"lat":NaN,"lon":106.6}', "bad_syntax"),
    ("gsht/v1/json/imei-0", b'{"time":0,"lat":10.7,"lon":106.6}', "time_out_of_range"),
    ("gsht/v1/json/imei-0", b'{"time":4294967295,"lat":10.7,"lon":106.6}', "time_out_of_range"),
    ("gsht/v1/json/imei-0", b'{"time":1760000000,"lat":99,"lon":1e3}', "coordinates_out_of_range"),
    ("gsht/v1/json/imei-0", b"[" + b" " * (10 << 20) + b"]", "too_large"),
    ("gsht/v1/json/imei-9", b'{"time":1760000000,"lat":10.7,"lon":106.6}', "unknown_device"),
    ("gsht/v1/teltonika/imei-0", bytes.fromhex("00000000000000088e01"), "truncated"),
    ("gsht/v1/nmea/imei-0", b"$GPRMC,120000,A,1045.0,N,10642.0,E,0,0,091025,,*00", "bad_checksum"),
    ("gsht/v1/ufms/provider", b"\x08\x64\xff\xff", "bad_"),
    ("gsht/v1/morse/imei-0", b"... --- ...", "unknown_codec"),
    (f"gsht/v1/json/{RANDOM}", b'{"time":1760000000,"lat":10.7,"lon":106.6}', "unknown_device"),
    ("weigh/v1/json/QL9", b'{"time":1.76e9,"plate":"29C00000","gross_kg":1}', "unknown_station"),
    ("weigh/v1/csv/QL5", b"nonsense", "missing_field"),
]  # fmt: skip


def test_bad_input_is_quarantined_with_its_bytes_and_the_worker_goes_on(database, broker):
    async def go():
        await registered(database)
        async with working(database, broker) as metrics:
            for topic, payload, _ in BAD:
                await publish(broker, [(topic, payload)])
            await publish(broker, messages_of(drive(0, 3)))
            await until(lambda: count(metrics, "hanhtrinh_messages_total") >= len(BAD) + 3, "all")
        kept = await rows(database, "SELECT topic, payload, reason FROM quarantine ORDER BY id")
        fixes = await rows(database, "SELECT count(*) FROM fixes")
        return kept, fixes

    kept, fixes = asyncio.run(go())
    assert fixes == [(3,)]
    found = {(topic, bytes(payload)): reason for topic, payload, reason in kept}
    assert found.keys() == {(topic, payload) for topic, payload, _ in BAD}
    for topic, payload, reason in BAD:
        assert found[topic, payload].startswith(reason), (topic, payload[:40])


def test_what_was_quarantined_is_released_as_soon_as_its_cause_is_mended(database, broker):
    async def go():
        await registered(database)
        stranger = [(t.replace("imei-0", "imei-new"), p) for t, p in messages_of(drive(0, 5))]
        async with working(database, broker) as metrics:
            await publish(broker, [*stranger, ("gsht/v1/json/imei-0", b"nonsense")])
            await until(lambda: count(metrics, "hanhtrinh_messages_total") == 6, "the messages")
            async with await connect(database, name="test") as conn:
                (vehicle,) = (await rows(database, "SELECT min(id) FROM vehicles"))[0]
                device = await registry.add_device(conn, "imei-new")
                await registry.assign_device(conn, device, vehicle)

                done = await release(conn, partial(publish, broker))
            await until(
                lambda: count(metrics, "hanhtrinh_fixes_total", outcome="stored") == 5, "all"
            )
            await until(
                lambda: count(metrics, "hanhtrinh_quarantined_total", reason="bad_syntax") == 2,
                "the bad one",
            )
        waiting = await rows(database, "SELECT reason FROM quarantine WHERE released_at IS NULL")
        stored = await rows(database, "SELECT count(*) FROM fixes")
        return done, waiting, stored

    done, waiting, stored = asyncio.run(go())
    assert done.released == 6
    assert waiting == [("bad_syntax",)]
    assert stored == [(5,)]


def test_every_line_of_a_batch_carries_one_name_and_every_stage_is_timed(database, broker):
    async def go():
        await registered(database)
        async with working(database, broker) as metrics:
            assert count(metrics, "hanhtrinh_shard_held", shard="0") == 1
            assert count(metrics, "hanhtrinh_broker_up") == 1
            with capture_logs(processors=[merge_contextvars]) as lines:
                await publish(broker, [("gsht/v1/json/imei-0", b"nonsense")])
                done = "hanhtrinh_acknowledged_messages_total"
                await until(lambda: count(metrics, done) == 1, "the message")
            await until(lambda: count(metrics, "hanhtrinh_held_messages") == 0, "its release")
        assert count(metrics, "hanhtrinh_shard_held", shard="0") == 0
        return lines, metrics

    lines, metrics = asyncio.run(go())
    of_batch = [line for line in lines if line["event"].startswith("batch.")]
    assert [line["event"].removeprefix("batch.") for line in of_batch] == [
        "received", "decoded", "refused", "judged", "committed", "acknowledged",
    ]  # fmt: skip
    assert len({line["batch"] for line in of_batch}) == 1
    assert "nonsense" not in repr(lines)
    for stage in STAGES:
        assert count(metrics, "hanhtrinh_stage_seconds_count", stage=stage) == 1
    for name in ("received_messages_total", "batch_messages_sum", "database_up"):
        assert count(metrics, f"hanhtrinh_{name}") == 1
    assert count(metrics, "hanhtrinh_last_commit_timestamp_seconds") > T0_S


def test_messages_that_break_the_transaction_are_set_aside_alone(database, broker, monkeypatch):
    real = take_in

    def explode(batch, *rest):
        if any(b"boom" in payload for payload in batch.payloads):
            raise RuntimeError("boom")
        if any(b"large" in payload for payload in batch.payloads):
            raise ProgramLimitExceeded("large")
        return real(batch, *rest)

    monkeypatch.setattr("ingest.pipeline.take_in", explode)

    async def go():
        await registered(database)
        sent = messages_of(drive(0, 10))
        boom, large = (
            ("gsht/v1/json/imei-1", json.dumps({"time": T0_S, "x": x}).encode())
            for x in ("boom", "large")
        )
        async with working(database, broker, batch_age_s=1.0) as metrics:
            await publish(broker, [*sent[:5], boom, *sent[5:], large])
            await until(lambda: count(metrics, "hanhtrinh_messages_total") == 10, "the others")
            aside = partial(count, metrics, "hanhtrinh_quarantined_total", reason="internal_error")
            await until(lambda: aside() == 2, "these two")
        kept = await rows(database, "SELECT topic, reason, detail FROM quarantine ORDER BY id")
        return kept, await rows(database, "SELECT count(*) FROM fixes")

    kept, fixes = asyncio.run(go())
    assert kept == [
        ("gsht/v1/json/imei-1", "internal_error", "RuntimeError: boom"),
        ("gsht/v1/json/imei-1", "internal_error", "ProgramLimitExceeded: large"),
    ]
    assert fixes == [(10,)]


def test_a_bad_row_of_the_registry_costs_no_message(database, broker):
    async def go():
        await registered(database)
        async with working(database, broker) as metrics:
            await publish(broker, messages_of(drive(0, 3)))
            await until(lambda: count(metrics, "hanhtrinh_messages_total") == 3, "the first three")
            async with await connect(database, name="test") as conn:
                # What no writer of ours would let in: a ring that crosses itself.
                await conn.execute(
                    """UPDATE zones SET geometry = '{"type": "Polygon", "coordinates":
                    [[[106, 10], [107, 11], [107, 10], [106, 11], [106, 10]]]}'
                    WHERE code = 'BAN'"""
                )
            sent, refused = 3, "hanhtrinh_registry_refusals_total"
            while not count(metrics, refused):
                await publish(broker, messages_of(drive(0, 3, start=100 * sent)))
                sent += 3
                await until(lambda n=sent: count(metrics, "hanhtrinh_messages_total") == n, "three")
        return (
            sent,
            await rows(database, "SELECT count(*) FROM fixes"),
            await rows(database, "SELECT count(*) FROM quarantine"),
        )

    sent, fixes, quarantined = asyncio.run(go())
    assert fixes == [(sent,)]
    assert quarantined == [(0,)]


def test_a_second_worker_of_the_same_shard_is_refused(database, broker):
    async def go():
        await registered(database)

        async def no_sleep(_seconds):
            return None

        async with working(database, broker):
            source = MqttSource(mqtt_options(broker, client_id="second"), clock)
            second = Worker(
                WorkerOptions(database), source, new_pipeline(), WorkerMetrics(), clock, no_sleep
            )
            with pytest.raises(ShardTakenError, match="shard 0: another worker"):
                await second.run(asyncio.Event())

    asyncio.run(go())


def test_a_worker_that_waits_for_a_shard_or_a_database_can_be_stopped(
    database, broker, monkeypatch
):
    async def stop_while_waiting():
        waits, stop = asyncio.Event(), asyncio.Event()

        async def for_ever(_seconds):
            waits.set()
            await asyncio.Event().wait()

        source = MqttSource(mqtt_options(broker, client_id="second"), clock)
        options, metrics = WorkerOptions(database), WorkerMetrics()
        worker = Worker(options, source, new_pipeline(), metrics, clock, for_ever)
        running = asyncio.create_task(worker.run(stop))
        async with asyncio.timeout(DEADLINE_S):
            await waits.wait()
        stop.set()
        async with asyncio.timeout(10):
            await running

    async def away(_pipeline, _conn):
        raise OperationalError("the database is away")

    async def one_after_the_other():
        await registered(database)
        async with working(database, broker):
            await stop_while_waiting()
        monkeypatch.setattr("ingest.pipeline.Pipeline.refresh", away)
        await stop_while_waiting()

    asyncio.run(one_after_the_other())


def test_what_comes_twice_is_counted_once_and_the_oldest_message_waits_longest(database):
    """As of a stream of several partitions, whose messages are in order within each alone."""
    now = clock()
    age_s = 30
    body = json.dumps({"time": T0_S, "plate": "29C00000", "gross_kg": 1000}).encode()
    weighing = MessageBatch(
        ["weigh/v1/json/QL5"] * 2, [body] * 2, np.array([now, now - age_s * 1_000_000])
    )

    class Twice:
        """A source that has one batch, twice, and then no more."""

        def __init__(self):
            self.left = [weighing, weighing]

        async def start(self): ...
        async def stop(self): ...
        def acknowledge(self, _batch): ...

        async def receive(self):
            if not self.left:
                await asyncio.Event().wait()
            return self.left.pop()

    async def go():
        await registered(database)
        metrics, stop = WorkerMetrics(), asyncio.Event()
        worker = Worker(WorkerOptions(database), Twice(), new_pipeline(), metrics, clock)
        running = asyncio.create_task(worker.run(stop))
        await until(lambda: count(metrics, "hanhtrinh_messages_total") == 4, "both batches")
        stop.set()
        await running
        return metrics

    metrics = asyncio.run(go())
    assert count(metrics, "hanhtrinh_weighings_total") == 1
    assert count(metrics, "hanhtrinh_stage_seconds_sum", stage="waited") >= 2 * age_s


@pytest.fixture
def own_server():
    """A PostgreSQL server that the test may kill."""
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-test-")))
    try:
        with EmbeddedPostgres(folder) as server:
            upgrade(server.dsn)
            yield server
    finally:
        folder.remove()


def test_a_database_that_is_down_stops_acknowledging_and_not_the_worker(own_server, broker):
    async def go():
        await registered(own_server.dsn)
        async with working(own_server.dsn, broker) as metrics:
            await publish(broker, messages_of(drive(0, 5)))
            await until(lambda: count(metrics, "hanhtrinh_messages_total") == 5, "the first five")
            own_server.kill()
            await publish(broker, messages_of(drive(0, 5, start=100)))
            failed = "hanhtrinh_batch_failures_total"
            await until(lambda: count(metrics, failed, error="OperationalError") >= 2, "failures")
            assert count(metrics, "hanhtrinh_messages_total") == 5
            assert count(metrics, "hanhtrinh_database_up") == 0
            own_server.restart()
            await until(lambda: count(metrics, "hanhtrinh_messages_total") >= 10, "the rest")
            assert count(metrics, "hanhtrinh_database_up") == 1
        return await rows(own_server.dsn, "SELECT count(*), count(DISTINCT time) FROM fixes")

    assert asyncio.run(go()) == [(10, 10)]
