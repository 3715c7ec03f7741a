"""What does it cost to share a fleet out among workers, and what does a worker of its own carry?

The same messages, one fix each, go through one worker on MQTT (the baseline) and through 1, 2 and 4
partitions of a JetStream stream with as many workers. Broker, database, workers and load generator
are processes on this machine: where these are more than its processors, the rate says how they
share those, and the processor seconds per 1,000 fixes say what each kind of process costs.
"""

import asyncio
import sys
import time
from contextlib import ExitStack

import aiomqtt

from benchmarks.ingest import VEHICLES, check
from benchmarks.parts.processor import Cost, costs
from benchmarks.parts.sender import INTERVAL_S, Plan, Sender
from benchmarks.parts.servers import new_database, new_folder
from benchmarks.parts.worker import LOOK_EVERY_S, WorkerProcess
from benchmarks.report import Rate, Result, run
from hanhtrinh.demo_registry import register
from hanhtrinh.embedded import DataFolder, EmbeddedNats, EmbeddedPostgres
from ingest.jetstream.connection import JetStreamOptions, connect
from ingest.jetstream.layout import Layout
from ingest.jetstream.stream import establish
from storage.database import connect as connect_database

PARTITIONS = (1, 2, 4)


async def make_stream(broker: EmbeddedNats, partitions: int) -> None:
    """Let there be a stream."""
    device, maker = broker.device, broker.stream
    # The first MQTT client has the server make the stream that ours is fed from.
    async with aiomqtt.Client(
        broker.host, broker.mqtt_port, username=device.username, password=device.password
    ):
        pass
    options = JetStreamOptions(broker.nats_url, username=maker.username, password=maker.password)
    client = await connect(options, "benchmark", attempts=3)
    await establish(client, Layout(partitions=partitions))
    await client.close()


def workers_of(
    folder: DataFolder, dsn: str, broker: EmbeddedNats, partitions: int
) -> list[WorkerProcess]:
    """One for each partition; with none, one on MQTT."""
    if not partitions:
        return [WorkerProcess(folder.path, dsn, broker)]
    return [
        WorkerProcess(
            folder.path, dsn, broker, name=f"worker-{shard}",
            settings={
                "HANHTRINH_INGEST__SOURCE": "jetstream",
                "HANHTRINH_INGEST__SHARD": str(shard),
                "HANHTRINH_JETSTREAM__PARTITIONS": str(partitions),
            },
        )
        for shard in range(partitions)
    ]  # fmt: skip


async def until_committed(workers: list[WorkerProcess], messages: int) -> float:
    """Wait until all of them together have committed so many, repeated ones once; when that was."""
    while sum(worker.fixes for worker in workers) < messages:
        await asyncio.sleep(LOOK_EVERY_S)
        for worker in workers:
            worker.look()
    return max(worker.committed_at for worker in workers)


async def case(
    folder: DataFolder, postgres: EmbeddedPostgres, broker: EmbeddedNats, partitions: int,
    rounds: list[int],
) -> tuple[Rate, dict[str, object]]:  # fmt: skip
    """Messages/s from publish to commit, and what each kind of process cost."""
    span_us = (1 + sum(rounds)) * INTERVAL_S * 1_000_000
    plan = Plan.to(broker, VEHICLES, time.time_ns() // 1000 - span_us, [1, *rounds])
    with ExitStack() as stack:
        async with await connect_database(postgres.dsn, name="benchmark") as conn:
            await register(conn, plan.fleet())
            if partitions:
                await make_stream(broker, partitions)
            sender = await Sender.start(plan)
            workers = workers_of(folder, postgres.dsn, broker, partitions)
            for worker in workers:
                stack.callback(worker.stop)
            for worker in workers:
                await worker.subscribed()
            sent = (await sender.send()).messages
            await until_committed(workers, sent)
            before = spent(broker, postgres, sender, workers)
            known, rates = sent, []
            for _ in rounds:
                part = await sender.send()
                sent += part.messages
                rates.append(part.messages / (await until_committed(workers, sent) - part.began))
            after = spent(broker, postgres, sender, workers)
            await check(conn, plan.start_us, sent)
            await sender.stop()
    fixes = sent - known
    cost = {name: (after[name].cpu_s - before[name].cpu_s) / fixes * 1000 for name in after}
    return Rate.of(rates), {
        "messages/s": round(Rate.of(rates)),
        "processor s per 1,000 fixes": {
            name: round(cpu_s, 4) for name, cpu_s in {**cost, "all": sum(cost.values())}.items()
        },
        "fixes of each worker": [worker.fixes for worker in workers],
        "memory of a worker, MB": round(after["workers"].rss / 1e6 / len(workers)),
    }


def spent(
    broker: EmbeddedNats, postgres: EmbeddedPostgres, sender: Sender, workers: list[WorkerProcess]
) -> dict[str, Cost]:
    """By kind of process; the workers together."""
    found = costs({"broker": broker.pid, "database": postgres.pid, "load generator": sender.pid})
    each = [Cost.of(worker.pid) for worker in workers]
    together = Cost(sum(cost.cpu_s for cost in each), sum(cost.rss for cost in each))
    return {"workers": together, **found}


def measure(quick: bool) -> Result:
    """Every case with servers of its own, new and empty."""
    rounds = [4] if quick else [10, 10, 10]
    found: dict[str, object] = {}
    rates = {}
    for partitions in (0, *PARTITIONS):
        name = f"{partitions} partitions" if partitions else "MQTT"
        sys.stderr.write(f"{name}\n")
        with (
            new_folder() as folder,
            new_database(folder) as postgres,
            EmbeddedNats(folder) as broker,
        ):
            rates[partitions], found[name] = asyncio.run(
                case(folder, postgres, broker, partitions, rounds)
            )
    return Result(
        "messages from MQTT to commit, judged, by workers that share a stream",
        "messages/s", rates[2], rates[0], "one worker on MQTT", found,
    )  # fmt: skip


if __name__ == "__main__":
    run(measure)
