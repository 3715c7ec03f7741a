"""A fleet of many connections through broker, worker and database: what holds, what it costs.

    python -m benchmarks.load --vehicles 50000 --interval 10 --duration 600 --json

Every process runs on this machine with the demo's settings: the broker (several that know nothing
of each other where one may not open enough files; `--clustered`: nodes of one cluster), PostgreSQL,
the worker, and the fleet, whose trackers are a connection each.
Afterwards every fix that was sent is looked for in the database by its key. Its lag is taken from
the time of the fix, when it was due to be sent, to the commit as PostgreSQL recorded it. Two
yardsticks take the same load first: a subscriber that counts, and one that writes with executemany.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
from psycopg import AsyncConnection

from benchmarks.parts import found
from benchmarks.parts.fleet import PROBE, Driven, FleetProcess, Plan, Run
from benchmarks.parts.nodes import brokers_for, new_brokers, new_cluster
from benchmarks.parts.processor import Cost
from benchmarks.parts.servers import new_folder
from benchmarks.parts.subscriber import Plan as Listening
from benchmarks.parts.subscriber import Subscriber
from benchmarks.parts.worker import WorkerProcess
from benchmarks.report import machine, show
from hanhtrinh.demo_registry import register
from hanhtrinh.embedded import DataFolder, EmbeddedNats, EmbeddedPostgres
from hanhtrinh.simulation import score_against
from simulators.truth_file import read_truth
from storage.database import connect
from storage.migrations import upgrade

Pids = Mapping[str, list[int]]
"""The processes of each kind."""


class Brokers(NamedTuple):
    """Where the fleet sends, and of these where the worker reads: all, or one node of a cluster."""

    all: list[EmbeddedNats]
    read: list[EmbeddedNats]

    @property
    def pids(self) -> list[int]:
        """Of all."""
        return [broker.pid for broker in self.all]


def listeners(brokers: Sequence[EmbeddedNats]) -> list[tuple[str, int]]:
    """Host and port of each."""
    return [(broker.host, broker.mqtt_port) for broker in brokers]


WARM_INTERVALS = 2
"""Of these the fixes count as sent and stored, but neither their lag nor what they cost: the first
fix of a vehicle has the worker ask for its past."""


MINUTE_US = 60_000_000


class Meter:
    """What processes cost from its making on."""

    def __init__(self, pids: Pids) -> None:
        self._pids = pids
        self._before = _costs(pids)

    def per_thousand(self, messages: int) -> dict[str, float]:
        """Processor seconds per 1,000 messages, of each kind and of all."""
        spent = {
            kind: (cost.cpu_s - self._before[kind].cpu_s) / max(messages, 1) * 1000
            for kind, cost in _costs(self._pids).items()
        }
        return {
            kind: round(cpu_s, 4) for kind, cpu_s in {**spent, "all": sum(spent.values())}.items()
        }

    def rss_mb(self) -> dict[str, int]:
        """Memory now."""
        return {kind: round(cost.rss / 1e6) for kind, cost in _costs(self._pids).items()}


def _costs(pids: Pids) -> dict[str, Cost]:
    costs = {}
    for kind, of_kind in pids.items():
        each = [Cost.of(pid) for pid in of_kind]
        costs[kind] = Cost(sum(one.cpu_s for one in each), sum(one.rss for one in each))
    return costs


async def yardstick(
    kind: str, fleet: FleetProcess, brokers: Brokers, dsn: str, duration_s: float
) -> dict[str, Any]:
    """The same load into a subscriber of the plainest kind."""
    worker = brokers.read[0].worker
    subscriber = await Subscriber.start(
        kind,
        Listening(listeners(brokers.read), worker.username, worker.password, dsn),
    )
    try:
        meter = Meter({"broker": brokers.pids, "subscriber": [subscriber.pid]})
        began = time.time()
        driven = await fleet.drive(Run(duration_s))
        heard = await subscriber.finished(driven.messages)
        return {
            "messages": heard.messages,
            "lost": max(driven.messages - heard.messages, 0),
            "rate": round(heard.messages / (heard.at - began)),
            "cpu_s_per_1000": meter.per_thousand(heard.messages),
        }
    finally:
        await subscriber.stop()


async def ours(
    folder: DataFolder, postgres: EmbeddedPostgres, brokers: Brokers,
    fleet: FleetProcess, plan: Plan, duration_s: float,
) -> dict[str, Any]:  # fmt: skip
    """The load through the product, and what the database then has."""
    warm_s = WARM_INTERVALS * plan.interval_s
    truth = folder.path / "truth.jsonl"
    with ExitStack() as stack:
        worker = WorkerProcess(
            folder.path, postgres.dsn, brokers.read[0], settings={
                "HANHTRINH_BROKER__HOST": ",".join(f"{h}:{p}" for h, p in listeners(brokers.read)),
            },
        )  # fmt: skip
        stack.callback(worker.stop)
        await worker.subscribed(len(brokers.read))
        pids = {
            "broker": brokers.pids, "database": [postgres.pid],
            "worker": [worker.pid], "generator": [fleet.pid],
        }  # fmt: skip
        # Loads the registry and the kernels, so that the first of the fleet need not wait for them.
        await fleet.drive(Run(0))
        await worker.committed(1)
        driving = asyncio.create_task(fleet.drive(Run(warm_s + duration_s, str(truth))))
        await worker.committed(1 + plan.vehicles)
        await asyncio.wait({driving}, timeout=warm_s)
        meter, known = Meter(pids), worker.messages
        driven = await driving
        await worker.committed(1 + driven.messages)
        cost, memory = meter.per_thousand(worker.messages - known), meter.rss_mb()
        async with await connect(postgres.dsn, name="benchmark") as conn:
            result = await _figures(conn, plan, driven, driven.start_us + round(warm_s * 1e6))
            scored = (await score_against(conn, read_truth(truth), None)).score
    return {
        **result,
        "violations_planned": sum(kind.planned for kind in scored.kinds.values()),
        "violations_found": sum(kind.matched for kind in scored.kinds.values()),
        "violations_false": len(scored.false),
        "violations_wrong": [f"{v.kind} {v.vehicle}" for v in (*scored.missed, *scored.false)],
        "cpu_s_per_1000": cost,
        "attainable_rate": round(2000 / max(cost["all"], 1e-9)),
        "rss_mb": memory,
    }


async def _figures(
    conn: AsyncConnection, plan: Plan, driven: Driven, warm_until_us: int
) -> dict[str, Any]:
    """By key: what was sent, and what of it is stored; lags of what came after the warm-up."""
    simulated = plan.fleet(driven.start_us)
    fixes = simulated.due(driven.start_us, driven.until_us, plan.interval_s)
    # Clocks of some trackers are ahead.
    last_us = max(driven.until_us, int(fixes.time.max(initial=0)) + 1)
    there = await found.stored(conn, driven.start_us, last_us)
    ids = await found.ids_of(conn, simulated)
    compared = found.compare(ids[fixes.vehicle], fixes.time, there)
    measured = (there.time >= warm_until_us) & (there.time < driven.until_us)
    lags = (there.committed - there.time)[measured] / 1e3
    minutes = (there.time[measured] - warm_until_us) // MINUTE_US
    seen = await found.violation_lags_ms(conn, warm_until_us)
    seconds = (int(there.committed.max(initial=0)) - driven.start_us) / 1e6
    return {
        "connections": driven.connected,
        **asdict(compared),
        "rate": round(compared.stored / seconds, 1) if compared.stored else 0.0,
        "lag_ms_p50": _percentile(lags, 50),
        "lag_ms_p99": _percentile(lags, 99),
        "lag_ms_max": _percentile(lags, 100),
        "lag_ms_p99_after_first_minute": _percentile(lags[minutes > 0], 99),
        "lag_ms_p99_by_minute": [
            _percentile(lags[minutes == minute], 99) for minute in np.unique(minutes)
        ],
        "violation_lag_ms_p50": _percentile(seen, 50),
        "violation_lag_ms_p99": _percentile(seen, 99),
        "violations_timed": len(seen),
        "connections_lost": driven.connections_lost,
        "connections_failed_by": driven.failures,
        "messages": driven.messages,
        **await found.others(conn, PROBE.topic),
    }


def _percentile(values: Any, share: float) -> float | None:
    return round(float(np.percentile(values, share)), 1) if len(values) else None


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start everything, run, stop."""
    connections = arguments.connections or arguments.vehicles
    with ExitStack() as stack:
        folder = stack.enter_context(new_folder())
        recording = {"track_commit_timestamp": "on"}
        postgres = stack.enter_context(EmbeddedPostgres(folder, recording))
        upgrade(postgres.dsn)
        count = arguments.brokers or brokers_for(connections)
        make = new_cluster if arguments.clustered else new_brokers
        nodes = stack.enter_context(make(folder, count))
        brokers = Brokers(nodes, nodes[:1] if arguments.clustered else nodes)
        plan = Plan(
            listeners(nodes), nodes[0].device.username, nodes[0].device.password,
            arguments.vehicles, connections, arguments.interval, arguments.codec,
        )  # fmt: skip
        async with await connect(postgres.dsn, name="benchmark") as conn:
            await register(conn, plan.fleet(0))
        began = time.monotonic()
        fleet = await FleetProcess.start(plan)
        logins_s = time.monotonic() - began
        try:
            plain = {
                kind: await yardstick(kind, fleet, brokers, postgres.dsn, arguments.yardstick)
                for kind in ("count", "executemany")
                if arguments.yardstick
            }
            result = await ours(folder, postgres, brokers, fleet, plan, arguments.duration)
        finally:
            await fleet.stop()
    return {
        **result,
        "vehicles": arguments.vehicles,
        "interval_s": arguments.interval,
        "duration_s": arguments.duration,
        "brokers": len(nodes),
        "clustered": arguments.clustered,
        "logins_s": round(logins_s, 1),
        "yardsticks": plain,
        "machine": machine(),
    }


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description="A fleet of many connections, end to end.")
    parser.add_argument("--vehicles", type=int, default=1000)
    parser.add_argument("--interval", type=int, default=10, help="seconds between two fixes")
    parser.add_argument("--duration", type=float, default=60, help="seconds that are measured")
    parser.add_argument("--connections", type=int, help="as many as vehicles by default")
    parser.add_argument("--codec", default="mix")
    parser.add_argument(
        "--brokers", type=int, help="as many as the limit of open files asks for by default"
    )
    parser.add_argument(
        "--clustered", action="store_true", help="nodes of one cluster, three at least"
    )
    parser.add_argument(
        "--yardstick", type=float, default=20, help="seconds of each yardstick; 0: none"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments))
    show(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
