"""CrowdPublisher: sends a fleet's messages over a connection for each of its trackers.

The simulation's side of crowd.py. Belongs here: starting the processes, dealing messages out, and
what they report. Does not belong here: connections (crowd.py), and one connection for all
(simulators/publisher.py).
"""

import asyncio
import contextlib
import socket
import sys
import time
import zlib
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from simulators.connections.room import processes_for, source_addresses
from simulators.connections.wire import LENGTH_BYTES, Item, Order, State, Target, framed
from simulators.errors import PublishError
from simulators.feed import Message
from simulators.publisher import BrokerOptions

WINDOW: Final = 16
"""Publishes of one connection that may wait for their acknowledgement."""

LOGINS_PER_S: Final = 200
"""A broker that takes fewer than so many is not waited for."""

PATIENCE_S: Final = 60.0
"""A broker that says nothing for so long is left: one under load must not be flooded, too, by
everybody who comes back."""

LOOK_S: Final = 0.05
LEAVE_S: Final = 60.0
ITEMS_A_FRAME: Final = 5_000


@dataclass(frozen=True, slots=True)
class CrowdOptions:
    """names: client ids of the connections. listeners: host and port, where the broker has several.

    Vehicle n sends on connection n modulo their number, so that its messages keep their order.
    """

    broker: BrokerOptions
    names: Sequence[str]
    listeners: Sequence[tuple[str, int]] = ()


class _Member:
    """One process of connections, from outside. state: what it said last."""

    def __init__(self, process: Process, connections: int) -> None:
        self._process = process
        self._reading = asyncio.create_task(self._listen(), name="crowd-states")
        self.connections = connections
        self.state = State()
        self.ended = False

    @property
    def pid(self) -> int:
        return self._process.pid

    async def give(self, body: bytes) -> None:
        """A frame; waits while the process takes no more."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(framed(body))
            await self._process.stdin.drain()
        except (ConnectionResetError, BrokenPipeError) as error:
            raise PublishError(f"connections: process {self.pid} has ended") from error

    async def leave(self) -> None:
        """Have it disconnect and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._reading
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        decoder = msgspec.msgpack.Decoder(State)
        try:
            while True:
                head = await self._process.stdout.readexactly(LENGTH_BYTES)
                frame = await self._process.stdout.readexactly(int.from_bytes(head, "big"))
                self.state = decoder.decode(frame)
        except asyncio.IncompleteReadError:
            self.ended = True


class CrowdPublisher:
    """Does for many connections what `publisher.Publisher` does for one."""

    def __init__(self, members: Sequence[_Member], connections: int) -> None:
        self._members = members
        self._connections = connections
        self._given = 0

    @property
    def pids(self) -> list[int]:
        """The processes that hold the connections."""
        return [member.pid for member in self._members]

    @property
    def acknowledged(self) -> int:
        """How many messages the broker has taken."""
        return sum(member.state.acknowledged for member in self._members)

    @property
    def connected(self) -> int:
        """How many connections hold."""
        return sum(member.state.connected for member in self._members)

    @property
    def lost(self) -> int:
        """How many connections have ended unasked."""
        return sum(member.state.lost for member in self._members)

    @property
    def failures(self) -> list[str]:
        """Why connections last ended or could not be made, one reason for a process at most."""
        return sorted({member.state.failure for member in self._members} - {""})

    @property
    def behind_s(self) -> float:
        """By how much the last messages were sent late."""
        return max(member.state.behind_us for member in self._members) / 1e6

    async def send(self, messages: Iterable[Message]) -> None:
        """Publish at once, in order; returns when all are acknowledged."""
        await self._deal((message, 0) for message in messages)
        await self.drain()

    async def send_when_due(self, messages: Iterable[Message]) -> None:
        """Publish each message at its time; returns when the processes have them."""
        await self._deal((message, message.due_us) for message in messages)

    async def drain(self) -> None:
        """Wait until all that was given is acknowledged. Raises PublishError if nothing moves."""
        before, moved = -1, time.monotonic()
        while self.acknowledged < self._given:
            self._check()
            if self.acknowledged != before:
                before, moved = self.acknowledged, time.monotonic()
            elif time.monotonic() - moved > 4 * PATIENCE_S:
                raise PublishError(
                    f"broker: {before:,} of {self._given:,} acknowledged, then silence{self._why()}"
                )
            await asyncio.sleep(LOOK_S)

    async def opened(self) -> None:
        """Wait until every connection holds. Raises PublishError."""
        deadline = time.monotonic() + 2 * PATIENCE_S + self._connections / LOGINS_PER_S
        while self.connected < self._connections:
            self._check()
            if time.monotonic() > deadline:
                raise PublishError(
                    f"broker: {self.connected:,} of {self._connections:,} connections"
                    f"{self._why()}; a broker may be out of open files, too"
                )
            await asyncio.sleep(LOOK_S)

    async def _deal(self, messages: Iterable[tuple[Message, int]]) -> None:
        count = len(self._members)
        dealt: list[list[Item]] = [[] for _ in range(count)]
        for message, due_us in messages:
            # Stations have no connection of their own: each keeps to one of the fleet's.
            sender = message.sender
            row = zlib.crc32(message.topic.encode()) if sender is None else sender
            number = row % self._connections
            dealt[number % count].append((number // count, due_us, message.topic, message.payload))
        self._given += sum(map(len, dealt))
        self._check()
        encode = msgspec.msgpack.encode
        for member, items in zip(self._members, dealt, strict=True):
            for begin in range(0, len(items), ITEMS_A_FRAME):
                await member.give(encode(items[begin : begin + ITEMS_A_FRAME]))

    def _check(self) -> None:
        for member in self._members:
            if member.state.refused:
                raise PublishError(f"broker: {member.state.refused}")
            if member.ended:
                raise PublishError(f"connections: process {member.pid} has ended")

    def _why(self) -> str:
        reasons = self.failures
        return f" ({'; '.join(reasons)})" if reasons else ""


@asynccontextmanager
async def connect_crowd(options: CrowdOptions) -> AsyncIterator[CrowdPublisher]:
    """All connections, logged in. Raises PublishError, TooManyConnectionsError.

    Those with TLS are made by `broker.tls_files`, one certificate for all.
    """
    broker, names = options.broker, options.names
    targets = await _resolved(options.listeners or [(broker.host, broker.port)])
    processes = processes_for(len(names))
    members: list[_Member] = []
    try:
        for first in range(processes):
            theirs = [name.replace("/", "-").replace(".", "-") for name in names[first::processes]]
            order = Order(
                names=theirs,
                # Processes and listeners are dealt out in turn: not all of one to one listener.
                targets=[targets[(n + first) % len(targets)] for n in range(len(targets))],
                addresses=source_addresses(targets[0][0], len(names)),
                username=broker.username,
                password=broker.password,
                window=WINDOW,
                patience_s=PATIENCE_S,
                tls=broker.tls_files,
            )
            member = _Member(await _started(), len(theirs))
            members.append(member)
            await member.give(msgspec.msgpack.encode(order))
        publisher = CrowdPublisher(members, len(names))
        await publisher.opened()
        yield publisher
    finally:
        await asyncio.gather(*(member.leave() for member in members))


async def _started() -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulators.connections.crowd"),
        stdin=PIPE,
        stdout=PIPE,
        cwd=Path(__file__).parents[2],
        start_new_session=True,  # Ctrl-C reaches us, who end it in order
    )


async def _resolved(listeners: Sequence[tuple[str, int]]) -> list[Target]:
    """Addresses for names: once, not for every connection."""
    loop = asyncio.get_running_loop()
    found = []
    for host, port in listeners:
        try:
            infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise PublishError(f"broker {host}:{port}: {error}") from error
        found.append((str(infos[0][4][0]), port, host))
    return found
