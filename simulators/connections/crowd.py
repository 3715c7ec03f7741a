"""A crowd of trackers on one event loop: `python -m simulators.connections.crowd`.

A process of its own, because a process may open only so many files and Python uses one processor
in each. It reads an order and messages from standard input, keeps every connection for as long as
that lasts, and reports on standard output. Belongs here: connecting, again and again, and sending
when it is due. Does not belong here: what one connection says (tracker.py).
"""

import asyncio
import contextlib
import random
import socket
import sys
import time
from collections import deque
from typing import Final

import msgspec

from simulators.connections.room import SPARE_FILES, raise_files
from simulators.connections.tracker import Tracker
from simulators.connections.wire import LENGTH_BYTES, Item, Order, State, Target, framed

AT_ONCE: Final = 128
"""Connections under way at the same time: brokers accept from a queue of a few hundred."""

HANDSHAKES_AT_ONCE: Final = 32
"""With TLS, of which each costs the broker over half a millisecond of a processor: more of them at
once are not sooner done, and each waits the longer."""

FAREWELL_S: Final = 5.0
"""How long a broker may take to answer the end of TLS."""

RECONNECT_MIN_S: Final = 0.5
RECONNECT_MAX_S: Final = 30.0

KEEP_ALIVE_S: Final = 120
PING_S: Final = 15.0
"""A broker that owes an answer and is silent for so long is asked whether it is there."""

SWEEP_S: Final = 5.0
"""How often silent connections are looked for."""

REPORT_S: Final = 0.1
BEAT_S: Final = 0.004
"""Messages that fall due within so long are sent in one go."""

HELD_AT_MOST: Final = 500_000
"""Messages held by the process; with more, it reads no further ones."""


class Crowd:
    """Trackers that share a loop."""

    def __init__(self, order: Order) -> None:
        """Raises OSError, ValueError for certificates that cannot be used."""
        self._order = order
        self._loop = asyncio.get_running_loop()
        self.state = State()
        self._tls = None if order.tls is None else order.tls.context()
        self._room = asyncio.Semaphore(AT_ONCE if order.tls is None else HANDSHAKES_AT_ONCE)
        self._failures = [0] * len(order.names)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._greetings: dict[int, asyncio.Future[None]] = {}
        self._taken = 0
        self._due: deque[Item] = deque()
        self._more = asyncio.Event()
        self._leaving = False
        self._empty = asyncio.Event()
        self.has_room = asyncio.Event()
        self.trackers = [
            Tracker(n, order.window, self.state, self._opened, self._lost)
            for n in range(len(order.names))
        ]

    def begin(self) -> None:
        """Connect everybody."""
        for tracker in self.trackers:
            self._start(tracker, 0.0)

    def add(self, items: list[Item]) -> None:
        """Take messages over, in order of `due_us`."""
        self._taken += len(items)
        self._due.extend(items)
        self._more.set()
        self._look_for_room()

    async def report(self) -> None:
        """Say how things are, for ever."""
        while True:
            self._look_for_room()
            _say(self.state)
            await asyncio.sleep(REPORT_S)

    async def pace(self) -> None:
        """Send what is due, for ever."""
        due = self._due
        while True:
            if not due:
                self._more.clear()
                await self._more.wait()
            now = time.time_ns() // 1000
            while due and due[0][1] <= now:
                number, due_us, topic, payload = due.popleft()
                self.trackers[number].publish(topic, payload)
                self.state.behind_us = now - due_us if due_us else 0
            ahead_s = (due[0][1] - now) / 1e6 if due else 0.0
            await asyncio.sleep(max(ahead_s, BEAT_S))

    async def sweep(self) -> None:
        """Keep connections alive, and give up those that are owed an answer, for ever."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = self._loop.time()
            for tracker in self.trackers:
                if tracker.is_stuck(now, self._order.patience_s):
                    self.state.failure = "the broker owed an answer for too long"
                    tracker.cut()
                elif tracker.is_open and now - tracker.heard_at > (
                    PING_S if tracker.is_owed else KEEP_ALIVE_S / 2
                ):
                    tracker.ping()

    async def leave(self) -> None:
        """Disconnect everybody."""
        self._leaving = True
        for task in list(self._tasks.values()):
            task.cancel()
        for tracker in self.trackers:
            tracker.leave()
        if self.state.connected:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), self._order.patience_s)
        for tracker in self.trackers:
            tracker.cut()

    def _look_for_room(self) -> None:
        if self._taken - self.state.acknowledged > HELD_AT_MOST:
            self.has_room.clear()
        else:
            self.has_room.set()

    def _opened(self, tracker: Tracker) -> None:
        self._failures[tracker.index] = 0
        self._greeted(tracker)

    def _lost(self, tracker: Tracker) -> None:
        self._greeted(tracker)
        if not self.state.connected:
            self._empty.set()
        if not self._leaving:
            self.state.lost += 1
            self._again(tracker)

    def _again(self, tracker: Tracker) -> None:
        """Connect later: the longer the more often it failed, and not all at the same moment."""
        failures = self._failures[tracker.index] = self._failures[tracker.index] + 1
        longest = min(RECONNECT_MAX_S, RECONNECT_MIN_S * 2.0 ** min(failures, 10))
        self._start(tracker, longest * (0.5 + random.random() / 2))  # noqa: S311 - spreads them

    def _greeted(self, tracker: Tracker) -> None:
        answer = self._greetings.pop(tracker.index, None)
        if answer is not None and not answer.done():
            answer.set_result(None)

    def _start(self, tracker: Tracker, delay_s: float) -> None:
        task = self._loop.create_task(self._connect(tracker, delay_s))
        self._tasks[tracker.index] = task
        task.add_done_callback(lambda done: self._ended(tracker.index, done))

    def _ended(self, index: int, task: asyncio.Task[None]) -> None:
        if self._tasks.get(index) is task:
            del self._tasks[index]

    async def _connect(self, tracker: Tracker, delay_s: float) -> None:
        if delay_s:
            await asyncio.sleep(delay_s)
        order, index = self._order, tracker.index
        target = order.targets[index % len(order.targets)]
        async with self._room:
            greeting = self._greetings[index] = self._loop.create_future()
            try:
                await self._reach(tracker, target)
            except OSError as error:
                self._greetings.pop(index, None)
                tracker.failed(error)
                self.state.failure = f"{target[2]}:{target[1]}: {self.state.failure}"
                self._again(tracker)
                return
            tracker.greet(order.names[index], order.username, order.password, KEEP_ALIVE_S)
            await greeting

    async def _reach(self, tracker: Tracker, target: Target) -> None:
        """Have the tracker connected, up to the end of the handshake. Raises OSError."""
        sock = await self._open_socket(tracker.index, target)
        if self._tls is None:
            await self._loop.create_connection(lambda: tracker, sock=sock)
            return
        await self._loop.create_connection(
            lambda: tracker,
            sock=sock,
            ssl=self._tls,
            server_hostname=target[2],
            ssl_handshake_timeout=self._order.patience_s,
            ssl_shutdown_timeout=FAREWELL_S,
        )

    async def _open_socket(self, index: int, target: Target) -> socket.socket:
        order = self._order
        sock = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if order.addresses:
                sock.bind((order.addresses[index % len(order.addresses)], 0))
            await self._loop.sock_connect(sock, target[:2])
        except BaseException:
            sock.close()
            raise
        return sock


def _say(state: State) -> None:
    sys.stdout.buffer.write(framed(msgspec.msgpack.encode(state)))
    sys.stdout.buffer.flush()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """The next frame; empty at the end, or if whoever gave the order is gone."""
    try:
        length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return b""


async def work() -> None:
    """Serve one order."""
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    order = msgspec.msgpack.decode(await _frame(reader), type=Order)
    raise_files(len(order.names) + SPARE_FILES // 2)
    try:
        crowd = Crowd(order)
    except (OSError, ValueError) as error:
        _say(State(refused=f"certificates: {error}"))
        return
    tasks = [
        asyncio.create_task(job, name=name)
        for name, job in (
            ("pace", crowd.pace()), ("sweep", crowd.sweep()), ("report", crowd.report()),
        )
    ]  # fmt: skip
    crowd.begin()
    decoder = msgspec.msgpack.Decoder(list[Item])
    try:
        while frame := await _frame(reader):
            crowd.add(decoder.decode(frame))
            await crowd.has_room.wait()
        await crowd.leave()
        _say(crowd.state)
    finally:
        for task in tasks:
            task.cancel()


def main() -> None:
    """Be the process."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        asyncio.run(work())
    else:
        uvloop.run(work())


if __name__ == "__main__":
    main()
