"""Teltonika trackers as a process of their own: `python -m benchmarks.parts.trackers`.

It reads one JSON object of options, connects and logs in one tracker after the other, says how many
the gateway took, and from then on has each of them send so many packets for each line that it
reads, the next when the one before is acknowledged; it answers with how many were.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from devices.batch import FixBatch
from devices.formats.teltonika.encoding import encode
from hanhtrinh.commands.state import run

AT_ONCE = 200
"""Trackers that log in at the same time."""

PATIENCE_S = 120.0
COUNT_OF_ONE = b"\x00\x00\x00\x01"
FIRST_IMEI = 352_000_000_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """first: number of the first of them. addresses: 127.0.0.x that they come from."""

    port: int
    first: int
    trackers: int
    addresses: int


class Tracker(asyncio.Protocol):
    """One connection: says the next thing when the last was answered."""

    def __init__(self, imei: int) -> None:
        self._imei = imei
        self._heard = b""
        self._left = 0
        self._packet = b""
        self._transport: asyncio.WriteTransport | None = None
        self.named: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.acknowledged = 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport):
        self._transport = transport
        transport.write(b"\x00\x0f%d" % self._imei)

    def connection_lost(self, _exc):
        self._transport = None
        if not self.named.done():
            self.named.set_result(False)
        if not self.done.done():
            self.done.set_result(None)

    def send(self, packet: bytes, times: int) -> None:
        """Send a packet so many times."""
        self._packet, self._left = packet, times
        self.done = asyncio.get_running_loop().create_future()
        if self._transport is None:
            self.done.set_result(None)
        else:
            self._transport.write(packet)

    def data_received(self, data):
        if not self.named.done():
            self.named.set_result(data == b"\x01")
            return
        self._heard += data
        while self._heard.startswith(COUNT_OF_ONE) and self._transport is not None:
            self._heard = self._heard[len(COUNT_OF_ONE) :]
            self.acknowledged += 1
            self._left -= 1
            if self._left:
                self._transport.write(self._packet)
            else:
                self.done.set_result(None)


def packet() -> bytes:
    """One fix."""
    fix = FixBatch.blank(
        1,
        time=np.array([time.time_ns() // 1000]),
        received=np.array([time.time_ns() // 1000]),
        lon=np.array([105.8]),
        lat=np.array([21.0]),
        speed_kmh=np.array([40.0]),
    )
    return encode(fix, [""], [])[0]


async def connect(plan: Plan) -> list[Tracker]:
    """All trackers, some at a time; those that were not taken are among them."""
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Tracker:
        tracker = Tracker(FIRST_IMEI + number)
        address = f"127.0.0.{2 + number % plan.addresses}"
        async with room:
            await loop.create_connection(
                lambda: tracker, "127.0.0.1", plan.port, local_addr=(address, 0)
            )
            await tracker.named
        return tracker

    return await asyncio.gather(*(one(plan.first + n) for n in range(plan.trackers)))


async def work() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    trackers = await connect(Plan(**json.loads(await reader.readline())))
    print(json.dumps({"taken": sum(tracker.is_open for tracker in trackers)}), flush=True)
    while line := await reader.readline():
        times, before = int(line), sum(tracker.acknowledged for tracker in trackers)
        made = packet()
        for tracker in trackers:
            tracker.send(made, times)
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(tracker.done for tracker in trackers))
        sent = sum(tracker.acknowledged for tracker in trackers) - before
        print(json.dumps({"acknowledged": sent}), flush=True)


class Trackers:
    """The process, seen from the benchmark."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, plan: Plan) -> "Trackers":
        """Start it; it begins to connect."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __name__,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        trackers = cls(process)
        trackers._say(json.dumps(asdict(plan)))
        return trackers

    async def taken(self) -> int:
        """Wait until all have tried to log in; returns how many could."""
        return (await self._answer())["taken"]

    async def send(self, times: int) -> int:
        """Have each send so many packets; returns how many were acknowledged."""
        self._say(str(times))
        return (await self._answer())["acknowledged"]

    async def stop(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"trackers: ended with {await self._process.wait()}")
        found: dict[str, int] = json.loads(answer)
        return found


if __name__ == "__main__":
    run(work())
