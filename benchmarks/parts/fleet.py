"""A fleet with many connections as a process of its own: `python -m benchmarks.parts.fleet`.

It reads one JSON object of options, connects every tracker, says how many it has, and from then on
drives once for each line that it reads, as `hanhtrinh simulate --connections` does, answering with
what was sent.
"""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from benchmarks.parts.asked import AskedProcess
from simulators.connections.publisher import CrowdOptions, connect_crowd
from simulators.feed import Message
from simulators.fleet import Fleet, FleetOptions
from simulators.publisher import BrokerOptions
from simulators.simulate import SimulateOptions, now_us, travel
from simulators.world import load_world

LEAD_US_A_VEHICLE = 150
PROBE = Message(0, "gsht/v1/json/nobody", b"{}", 0)
"""Of a tracker that nobody has registered: it wakes the worker, and becomes no fix."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who drives, and where the broker listens (host, port)."""

    listeners: list[tuple[str, int]]
    username: str
    password: str
    vehicles: int
    connections: int
    interval_s: int
    codec: str
    seed: int = 1

    def fleet(self, start_us: int) -> Fleet:
        """The vehicles, as they set out at some time."""
        options = FleetOptions(self.vehicles, self.seed, self.codec, start_us)
        return Fleet(load_world(), options)


@dataclass(frozen=True, slots=True)
class Run:
    """One drive. truth: where its planned violations are written; empty: nowhere.

    duration_s: 0: a single message, which wakes whoever listens.
    """

    duration_s: float
    truth: str = ""


@dataclass(frozen=True, slots=True)
class Driven:
    """What a drive came to: fixes from `start_us` to `until_us`; counts since the process began."""

    messages: int
    fixes: int
    weighings: int
    start_us: int
    until_us: int
    connected: int
    connections_lost: int
    behind_s: float
    failures: list[str]


class FleetProcess(AskedProcess):
    """The process, seen from the benchmark."""

    @classmethod
    async def start(cls, plan: Plan) -> Self:
        """Start it and wait until every tracker is connected."""
        return await cls.run(__name__, plan=plan)

    async def drive(self, run: Run) -> Driven:
        """Drive once; returns when the broker has acknowledged all of it."""
        return Driven(**json.loads(await self.ask(json.dumps(asdict(run)))))


async def work(plan: Plan) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    names = [vehicle.ident for vehicle in plan.fleet(0).vehicles[: plan.connections]]
    host, port = plan.listeners[0]
    broker = BrokerOptions(host, port, plan.username, plan.password)
    options = SimulateOptions(broker, plan.vehicles, plan.interval_s, plan.codec, plan.seed)
    listeners = [(host, port) for host, port in plan.listeners]
    async with connect_crowd(CrowdOptions(broker, names, listeners)) as crowd:
        print(crowd.connected, flush=True)
        while line := await reader.readline():
            run = Run(**json.loads(line))
            if not run.duration_s:
                await crowd.send([PROBE])
                print(
                    json.dumps(asdict(Driven(1, 1, 0, 0, 0, crowd.connected, 0, 0.0, []))),
                    flush=True,
                )
                continue
            truth = Path(run.truth) if run.truth else None
            one = replace(options, duration_s=run.duration_s, truth=truth)
            begins = now_us() + 2_000_000 + plan.vehicles * LEAD_US_A_VEHICLE
            report = await travel(one, crowd, begins)
            await crowd.drain()
            driven = Driven(
                report.messages, report.fixes, report.weighings, report.start_us, report.until_us,
                crowd.connected, crowd.lost, crowd.behind_s, crowd.failures,
            )  # fmt: skip
            print(json.dumps(asdict(driven)), flush=True)


if __name__ == "__main__":
    asyncio.run(work(Plan(**json.loads(sys.stdin.readline()))))
