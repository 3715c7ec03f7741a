"""How many single-fix messages a second go from MQTT to commit, judged?

Broker, database, worker and load generator are processes of their own on this machine, with the
settings of the demo. The trackers of a fleet send one fix in each message, QoS 1, as fast as the
broker takes them. A run lasts from its first publish to the worker's last commit; afterwards every
message must be found in the database. A first fix of each vehicle is sent before the first run,
and the last run goes on for a minute or so. The broker is given one processor of the machine's.
Baseline: writing such fixes row by row with executemany, and doing nothing else. Yardsticks, before
the worker begins: a run into a subscriber that only counts, and into one that decodes each message
by itself and writes it with executemany, both through paho.
"""

import asyncio
import time
from contextlib import ExitStack

from psycopg import AsyncConnection

from benchmarks.parts.processor import Cost, costs
from benchmarks.parts.rows import insert_row_by_row, made_fixes
from benchmarks.parts.sender import INTERVAL_S, Plan, Sender
from benchmarks.parts.servers import new_database, new_folder
from benchmarks.parts.subscriber import Plan as Listening
from benchmarks.parts.subscriber import Subscriber
from benchmarks.parts.worker import WorkerProcess
from benchmarks.report import Rate, Result, run
from hanhtrinh.demo_registry import register
from hanhtrinh.embedded import DataFolder, EmbeddedNats, EmbeddedPostgres
from storage.database import connect

VEHICLES = 5000
BASELINE_ROWS = 20_000
YARDSTICKS = ("count", "executemany")
BASELINE_US = 1_700_000_000_000_000

FOUND = """
SELECT (SELECT count(*) FROM fixes WHERE time >= to_timestamp(%(start_s)s)),
       (SELECT count(*) FROM quarantine),
       (SELECT count(*) FROM latest l WHERE l.judged_until < l.stored_until AND NOT EXISTS (
            SELECT FROM fixes f WHERE f.vehicle_id = l.vehicle_id AND f.time = l.stored_until
            AND f.quality & 4 <> 0))
"""
"""Fixes, messages in quarantine, vehicles whose newest fix is not judged; 4: it is one of the
future, which nobody judges."""


async def baseline(dsn: str, repeats: int) -> Rate:
    """Rows/s of the plain way, into a day of its own of the same table."""
    async with await connect(dsn, name="benchmark") as conn:
        return Rate.of(
            [
                await insert_row_by_row(conn, made_fixes(BASELINE_ROWS, BASELINE_US + turn * 10**9))
                for turn in range(repeats)
            ]
        )


async def drive(sender: Sender, worker: WorkerProcess, runs: int) -> list[float]:
    """Send part after part. Returns the messages/s of each run, from publish to commit."""
    rates = []
    for _ in range(runs):
        before = worker.messages
        sent = await sender.send()
        await worker.committed(before + sent.messages)
        rates.append(sent.messages / (worker.committed_at - sent.began))
    return rates


async def yardstick(
    kind: str, postgres: EmbeddedPostgres, broker: EmbeddedNats, sender: Sender
) -> dict[str, object]:
    """Send a part into a subscriber of the plainest kind: messages/s, and what they cost."""
    worker = broker.worker
    listening = Listening(
        [(broker.host, broker.mqtt_port)], worker.username, worker.password, postgres.dsn
    )
    subscriber = await Subscriber.start(kind, listening)
    try:
        pids = {"broker": broker.pid, "subscriber": subscriber.pid}
        before, sent = costs(pids), await sender.send()
        heard = await subscriber.finished(sent.messages)
        return {
            "messages/s": round(heard.messages / (heard.at - sent.began)),
            "lost": max(sent.messages - heard.messages, 0),
            "processor s per 1,000 fixes": _per_thousand(before, costs(pids), heard.messages),
        }
    finally:
        await subscriber.stop()


async def check(conn: AsyncConnection, start_us: int, messages: int) -> None:
    """Every message is a fix, each was judged, and nothing is in the quarantine."""
    found = await (await conn.execute(FOUND, {"start_s": start_us / 1e6})).fetchone()
    if found != (messages, 0, 0):
        raise RuntimeError(
            f"expected {messages} fixes, nothing in quarantine and nothing unjudged, got {found}"
        )


async def ours(
    folder: DataFolder, postgres: EmbeddedPostgres, broker: EmbeddedNats,
    rounds: list[int], long: int,
) -> tuple[Rate, dict[str, object]]:  # fmt: skip
    """Messages/s, and what each process cost. rounds, long: each vehicle's fixes in each run."""
    parts = [*(rounds[0] for _ in YARDSTICKS), 1, *rounds, long]
    span_us = sum(parts) * INTERVAL_S * 1_000_000
    plan = Plan.to(broker, VEHICLES, time.time_ns() // 1000 - span_us, parts)
    with ExitStack() as stack:
        async with await connect(postgres.dsn, name="benchmark") as conn:
            await register(conn, plan.fleet())
            sender = await Sender.start(plan)
            plain = {kind: await yardstick(kind, postgres, broker, sender) for kind in YARDSTICKS}
            worker = WorkerProcess(folder.path, postgres.dsn, broker)
            stack.callback(worker.stop)
            await worker.subscribed()
            await drive(sender, worker, 1)
            pids = {
                "broker": broker.pid, "database": postgres.pid, "worker": worker.pid,
                "load generator": sender.pid,
            }  # fmt: skip
            before, known = costs(pids), worker.messages
            rates = await drive(sender, worker, len(rounds))
            after, until = costs(pids), worker.messages
            spent = _per_thousand(before, after, until - known)
            (sustained,) = await drive(sender, worker, 1)
            long_spent = _per_thousand(after, costs(pids), worker.messages - until)
            await check(conn, plan.start_us, worker.messages)
            await sender.stop()
    return Rate.of(rates), {
        "messages": until - known,
        "vehicles": VEHICLES,
        "processor s per 1,000 fixes": spent,
        "the last run": {
            "messages/s": round(sustained),
            "processor s per 1,000 fixes": long_spent,
        },
        "attainable messages/s of two processors": round(2000 / spent["all"]),
        "yardsticks": plain,
        "memory at the end, MB": {name: round(cost.rss / 1e6) for name, cost in after.items()},
    }


def _per_thousand(before: dict[str, Cost], after: dict[str, Cost], fixes: int) -> dict[str, float]:
    spent = {name: (after[name].cpu_s - before[name].cpu_s) / fixes * 1000 for name in after}
    return {name: round(cpu_s, 4) for name, cpu_s in {**spent, "all": sum(spent.values())}.items()}


def measure(quick: bool) -> Result:
    """Send single-fix json messages of 5,000 vehicles through broker, worker and database."""
    rounds, long = ([8], 16) if quick else ([40, 40, 40], 440)
    with (
        new_folder() as folder,
        new_database(folder) as postgres,
        EmbeddedNats(folder, processors=1) as broker,
    ):
        plain = asyncio.run(baseline(postgres.dsn, len(rounds)))
        rate, more = asyncio.run(ours(folder, postgres, broker, rounds, long))
    return Result(
        "messages from MQTT to commit, judged", "messages/s", rate, plain,
        "executemany, one INSERT a fix: no broker, no decoding, no judging", more,
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
