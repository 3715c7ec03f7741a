"""What does it cost a worker to meet vehicles that it does not know?

    python -m benchmarks.meeting [--vehicles 20000] [--json]

The fixes of a mixed fleet, one of each vehicle in 10 s, go straight into a pipeline in this
process, in full batches, with a PostgreSQL beside it and no broker. Milliseconds of processor for
1,000 vehicles, of this process and of the database, medians over batches: `new` is the first fix
that anybody has of them; `setting_out` the second, by which nearly all begin to be driven; `known`
a later one; `taken_over` the first that a new worker has of vehicles whose past is stored.
"""

import argparse
import asyncio
import json
import logging
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import numpy as np
import structlog
from psycopg import AsyncConnection

from benchmarks.parts.processor import Cost
from benchmarks.parts.servers import new_database, new_folder
from benchmarks.report import machine
from geofence.profile import shipped_profile
from geofence.quality import Region
from hanhtrinh.demo_registry import register
from hanhtrinh.serving import relax_collector
from ingest.late import LateRoom
from ingest.pipeline import Pipeline
from ingest.rules import JudgingOptions
from ingest.source import MessageBatch
from ingest.topics import TopicRouter
from simulators.feed import single
from simulators.fleet import Fleet, FleetOptions
from simulators.world import load_world
from storage.database import connect

BATCH: Final = 4096
INTERVAL_S: Final = 10
PHASES: Final = ("new", "setting_out", "known", "taken_over")
AGO_US: Final = 600_000_000


async def new_pipeline(conn: AsyncConnection) -> Pipeline:
    """One that knows the registry and nothing else."""
    judging = JudgingOptions((shipped_profile("qcvn31"),), "Asia/Ho_Chi_Minh", Region())
    pipeline = Pipeline(judging, TopicRouter(), late=LateRoom())
    await pipeline.refresh(conn)
    await pipeline.open(conn, frozenset({0}))
    return pipeline


def batches(fleet: Fleet, turn: int) -> Iterator[MessageBatch]:
    """The fixes of one interval, full batches alone: a smaller one costs more for each fix."""
    begin_us = fleet.options.start_us + turn * INTERVAL_S * 1_000_000
    messages = single(fleet, fleet.due(begin_us, begin_us + INTERVAL_S * 1_000_000, INTERVAL_S))
    for start in range(0, len(messages), BATCH):
        part = messages[start : start + BATCH]
        received = np.array([message.due_us for message in part], np.int64)
        yield MessageBatch([m.topic for m in part], [m.payload for m in part], received)


async def measure(dsn: str, database: int, fleet: Fleet) -> dict[str, dict[str, float]]:
    """Each phase in turn, by the same connection."""
    found: dict[str, dict[str, float]] = {}
    async with await connect(dsn, name="benchmark") as conn:
        await register(conn, fleet)
        pipeline = await new_pipeline(conn)
        for turn, phase in enumerate(PHASES):
            if phase == "taken_over":
                pipeline = await new_pipeline(conn)
            spent: list[tuple[float, float, float]] = []
            for batch in batches(fleet, turn):
                before = time.perf_counter(), time.process_time(), Cost.of(database).cpu_s
                await pipeline.process(conn, batch)
                after = time.perf_counter(), time.process_time(), Cost.of(database).cpu_s
                if len(batch) == BATCH:
                    parts = zip(before, after, strict=True)
                    elapsed, ours, theirs = (end - begin for begin, end in parts)
                    spent.append((elapsed, ours, theirs))
            names = ("elapsed_ms", "worker_cpu_ms", "database_cpu_ms")
            found[phase] = {
                name: round(statistics.median(column) * 1e6 / BATCH, 1)
                for name, column in zip(names, zip(*spent, strict=True), strict=True)
            }
    return found


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vehicles", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    relax_collector()
    vehicles = 2 * BATCH if asked.quick else asked.vehicles
    with ExitStack() as stack:
        folder = stack.enter_context(new_folder())
        postgres = stack.enter_context(new_database(folder))
        start_us = time.time_ns() // 1000 - AGO_US
        fleet = Fleet(load_world(), FleetOptions(vehicles, 1, "mix", start_us))
        found = asyncio.run(measure(postgres.dsn, postgres.pid, fleet))
    result = {"per_1000_vehicles": found, "vehicles": vehicles, "machine": machine()}
    print(json.dumps(result) if asked.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
