"""The load generator as a process of its own: `python -m benchmarks.parts.sender`.

It reads one JSON object of options, encodes every message, says "ready", and from then on sends
one part of them for each line that it reads, answering with one JSON object.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

from benchmarks.parts.asked import AskedProcess
from hanhtrinh.embedded import EmbeddedNats
from simulators.feed import Message, single
from simulators.fleet import Fleet, FleetOptions
from simulators.load import Load, LoadOptions
from simulators.publisher import BrokerOptions
from simulators.world import load_world

INTERVAL_S = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent, and to whom. rounds: fixes of each vehicle in each part."""

    port: int
    username: str
    password: str
    vehicles: int
    start_us: int
    rounds: Sequence[int]

    @classmethod
    def to(
        cls, broker: EmbeddedNats, vehicles: int, start_us: int, rounds: Sequence[int]
    ) -> "Plan":
        """Parts for this broker."""
        device = broker.device
        return cls(broker.mqtt_port, device.username, device.password, vehicles, start_us, rounds)

    def fleet(self) -> Fleet:
        """Whose fixes they are."""
        return Fleet(load_world(), FleetOptions(self.vehicles, 1, "json", self.start_us))


@dataclass(frozen=True, slots=True)
class Sent:
    """One part. began: when its first message was sent, seconds since 1970."""

    messages: int
    began: float
    seconds: float


class Sender(AskedProcess):
    """The process, seen from the benchmark."""

    @classmethod
    async def start(cls, plan: Plan) -> Self:
        """Start it and wait until every message is encoded."""
        return await cls.run(__name__, plan=plan)

    async def send(self) -> Sent:
        """Send the next part; returns when the broker has acknowledged it."""
        return Sent(**json.loads(await self.ask("send")))


def _parts(plan: Plan) -> list[list[Message]]:
    fleet = plan.fleet()
    parts, begin = [], plan.start_us
    for rounds in plan.rounds:
        end = begin + rounds * INTERVAL_S * 1_000_000
        parts.append(single(fleet, fleet.due(begin, end, INTERVAL_S)))
        begin = end
    return parts


def main() -> None:
    """Be the process."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    broker = BrokerOptions("127.0.0.1", plan.port, plan.username, plan.password)
    loads = [
        Load(LoadOptions(broker), [m.topic for m in part], [m.payload for m in part])
        for part in _parts(plan)
    ]
    print("ready", flush=True)
    for load in loads:
        if not sys.stdin.readline():
            return
        began = time.time()
        report = asyncio.run(load.run())
        print(json.dumps(asdict(Sent(report.messages, began, report.seconds))), flush=True)
    sys.stdin.read()  # until it is closed: what this process cost is still to be read


if __name__ == "__main__":
    main()
