"""Load: QoS 1 messages as fast as the broker takes them, or at a fixed rate, for benchmarks.

Packets are encoded before the clock starts, written by the hundred, and acknowledgements only
counted, so that the generator takes little of the processor that it measures. Aimed at this
machine only. Belongs here: connections and pacing. Does not belong here: what is published.
"""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from devices.mqtt_packets import (
    CONNACK_ACCEPTED,
    DISCONNECT,
    AckCounter,
    connect_packet,
    publish_packets,
)
from simulators.errors import LoadTargetError, PublishError
from simulators.publisher import BrokerOptions

CHUNK: Final = 128
"""Packets that are written in one piece."""

CLOSE_S: Final = 5.0
"""How long a socket may take to close before it is cut."""

PACE_S: Final = 0.01
"""How often a paced connection is given its next packets."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """connections: over which messages are dealt out by topic, so that each topic keeps its order.

    window: unacknowledged publishes of one connection. rate: messages/s of all connections
    together; None: as fast as they are acknowledged. patience_s: longest silence of the broker.
    """

    broker: BrokerOptions
    connections: int = 4
    window: int = 2048
    rate: float | None = None
    patience_s: float = 30.0


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a run came to. cpu_s: processor seconds of this process, sending alone."""

    messages: int
    seconds: float
    cpu_s: float

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds if self.seconds else 0.0


class _Connection(asyncio.Protocol):
    """One MQTT connection that writes prepared packets and counts acknowledgements."""

    def __init__(self, packets: list[bytes], window: int) -> None:
        self._packets = packets
        self._window = window
        self._acks = AckCounter()
        self._greeting = b""
        self._sent = 0
        self._allowed = 0
        self._paused = False
        self.acknowledged = 0
        loop = asyncio.get_running_loop()
        self.accepted: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self._gone: asyncio.Future[None] = loop.create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def greet(self, packet: bytes) -> None:
        assert self._transport is not None
        self._transport.write(packet)

    def data_received(self, data: bytes) -> None:
        if not self.accepted.done():
            self._greeting += data
            if len(self._greeting) < len(CONNACK_ACCEPTED):
                return
            if self._greeting[:4] != CONNACK_ACCEPTED:
                self._fail(f"broker: connection refused, CONNACK {self._greeting[:4].hex()}")
                return
            data = self._greeting[4:]
            self.accepted.set_result(None)
        try:
            self.acknowledged += self._acks.feed(data)
        except ValueError as error:
            self._fail(f"broker: {error}")
            return
        if self.acknowledged == len(self._packets):
            if not self.done.done():
                self.done.set_result(None)
            return
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self._fail(f"broker: connection lost: {exc or 'closed by the broker'}")

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write()

    def allow(self, packets: int) -> None:
        """Let the first so many packets be sent."""
        self._allowed = min(packets, len(self._packets))
        self._write()

    async def close(self) -> None:
        """Say goodbye, and wait until the socket is closed: nobody else would close it."""
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(DISCONNECT)
            self._transport.close()
        await asyncio.wait({self._gone}, timeout=CLOSE_S)
        self._transport.abort()

    def _write(self) -> None:
        assert self._transport is not None
        while not self._paused:
            free = self._window - (self._sent - self.acknowledged)
            due = min(self._allowed - self._sent, CHUNK, self._window)
            # A full chunk or the last of what is due: many small writes would cost more.
            if due <= 0 or free < due:
                return
            self._transport.write(b"".join(self._packets[self._sent : self._sent + due]))
            self._sent += due

    def _fail(self, reason: str) -> None:
        for future in (self.accepted, self.done):
            if not future.done():
                future.set_exception(PublishError(reason))
                future.exception()  # it may be that only the other one is awaited


class Load:
    """Messages encoded for their connections, ready to be sent."""

    def __init__(
        self, options: LoadOptions, topics: Sequence[str], payloads: Sequence[bytes]
    ) -> None:
        check_loopback(options.broker.host)
        if not 1 <= options.window < 65_535:
            raise ValueError(f"window: expected 1..65534, got {options.window}")
        self._options = options
        of_topic = {topic: n % options.connections for n, topic in enumerate(dict.fromkeys(topics))}
        dealt: list[tuple[list[str], list[bytes]]] = [([], []) for _ in range(options.connections)]
        for topic, payload in zip(topics, payloads, strict=True):
            theirs = dealt[of_topic[topic]]
            theirs[0].append(topic)
            theirs[1].append(payload)
        self._packets = [publish_packets(*theirs) for theirs in dealt if theirs[0]]
        self._connections: list[_Connection] = []

    @property
    def messages(self) -> int:
        return sum(len(packets) for packets in self._packets)

    @property
    def acknowledged(self) -> int:
        """How many the broker has taken so far."""
        return sum(connection.acknowledged for connection in self._connections)

    async def run(self) -> LoadReport:
        """Send everything once. Raises PublishError."""
        connections = self._connections = []
        try:
            for packets in self._packets:
                # One by one: if this one is refused, those before it have to be closed.
                connections.append(await self._connect(packets))  # noqa: PERF401
            begun, cpu = time.perf_counter(), time.process_time()
            pacing = asyncio.create_task(self._pace(connections), name="load-pace")
            try:
                await self._finish(connections)
            finally:
                pacing.cancel()
            return LoadReport(self.messages, time.perf_counter() - begun, time.process_time() - cpu)
        finally:
            await asyncio.gather(*(connection.close() for connection in connections))

    async def _finish(self, connections: list[_Connection]) -> None:
        """Wait until all is acknowledged, or the broker says nothing for `patience_s`."""
        waiting: set[asyncio.Future[None]] = {connection.done for connection in connections}
        before, heard = -1, time.perf_counter()
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=1.0)
            for future in done:
                future.result()
            if self.acknowledged != before:
                before, heard = self.acknowledged, time.perf_counter()
            elif time.perf_counter() - heard > self._options.patience_s:
                raise PublishError(
                    f"broker: {before} of {self.messages} acknowledged, then silence"
                )

    async def _connect(self, packets: list[bytes]) -> _Connection:
        broker = self._options.broker
        loop = asyncio.get_running_loop()
        try:
            transport, protocol = await loop.create_connection(
                lambda: _Connection(packets, self._options.window), broker.host, broker.port
            )
        except OSError as error:
            raise PublishError(f"broker {broker.host}:{broker.port}: {error}") from error
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = f"{broker.client_id or 'load'}-{id(protocol):x}"
        protocol.greet(connect_packet(name, broker.username, broker.password))
        try:
            async with asyncio.timeout(self._options.patience_s):
                await protocol.accepted
        except BaseException:
            await protocol.close()
            raise
        return protocol

    async def _pace(self, connections: list[_Connection]) -> None:
        """Let packets go: all at once, or so many at every beat of the clock."""
        rate = self._options.rate
        begun = time.perf_counter()
        while rate is not None:
            due = rate * (time.perf_counter() - begun) / self.messages
            for connection, packets in zip(connections, self._packets, strict=True):
                connection.allow(int(due * len(packets)))
            if due >= 1.0:
                return
            await asyncio.sleep(PACE_S)
        for connection, packets in zip(connections, self._packets, strict=True):
            connection.allow(len(packets))


def check_loopback(host: str) -> None:
    """Raises LoadTargetError unless the name leads to this machine and nowhere else."""
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise LoadTargetError(f"host {host!r}: {error}") from error
    if not all(ipaddress.ip_address(str(address)).is_loopback for address in found):
        raise LoadTargetError(
            f"host {host!r}: expected a loopback address, load stays on this machine"
        )
