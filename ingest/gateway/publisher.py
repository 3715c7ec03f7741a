"""Publisher: QoS 1 over a few connections of its own, and a call when the broker has a message.

What was not acknowledged when a connection ended is published again over the next one, in its
order, before anything newer of the same device. Nothing is ever given up; how much is held is
bounded by whoever asks `is_held` before taking more.

The packets are written here and not by a client library: 20,000 trackers need 100,000 publishes a
second and processor, which is four times what the libraries reach.
"""

import asyncio
import contextlib
import random
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Final, cast
from zlib import crc32

import structlog

from devices.mqtt_packets import DISCONNECT, PINGREQ, AnswerReader, connect_packet, publish_packet
from ingest.gateway.options import BrokerLink, Limits
from ingest.retrying import Retrying

_CONNACK: Final = 0x20
_PUBACK: Final = 0x40
_PACKET_IDS: Final = 65_535

log = structlog.get_logger(__name__)

Done = Callable[[], None]
_Held = tuple[str, bytes, Done]
"""Topic, payload, and whom to tell."""


class Publisher:
    """Publishes over several links; each topic keeps to one, so that its messages keep their order.

    on_release: called when `is_held` becomes false. tasks: what keeps the links; none of them ends
    by itself.
    """

    def __init__(self, broker: BrokerLink, limits: Limits, on_release: Done) -> None:
        self._limits = limits
        self._on_release = on_release
        self._links = [_Link(broker, number, self) for number in range(broker.links)]
        self.tasks: list[asyncio.Task[None]] = []
        self._was_held = True
        self.held_messages = 0
        self.held_bytes = 0

    @property
    def is_up(self) -> bool:
        """Every link has a broker that took its login."""
        return all(link.is_up for link in self._links)

    @property
    def is_held(self) -> bool:
        """Whoever sends now should not be read any further."""
        if (
            not self.is_up
            or self.held_messages >= self._limits.window_messages
            or self.held_bytes >= self._limits.window_bytes
        ):
            self._was_held = True
            return True
        return False

    @property
    def is_full(self) -> bool:
        """Nobody may be read any further."""
        return self.held_bytes >= 2 * self._limits.window_bytes

    def start(self) -> None:
        """Connect, and stay connected until `stop`."""
        self.tasks = [
            asyncio.create_task(link.run(), name=f"gateway-broker-{number}")
            for number, link in enumerate(self._links)
        ]

    def publish(self, topic: str, payload: bytes, done: Done) -> None:
        """Take a message over; `done` is called once the broker has acknowledged it."""
        self.held_messages += 1
        self.held_bytes += len(payload)
        link = self._links[crc32(topic.encode()) % len(self._links)]
        link.publish((topic, payload, done))

    async def drain(self, deadline_s: float) -> None:
        """Wait until everything is acknowledged, or the deadline has passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self.held_messages:  # noqa: ASYNC110 - a stop happens once
                    await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Say goodbye."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def acknowledged(self, held: _Held) -> None:
        """A link's news: the broker has a message."""
        self.held_messages -= 1
        self.held_bytes -= len(held[1])
        held[2]()

    def changed(self) -> None:
        """A link's news: it is up, or has room. Whoever waits is told once there is some room."""
        limits = self._limits
        if (
            self._was_held
            and self.is_up
            and self.held_messages <= limits.window_messages // 2
            and self.held_bytes <= limits.window_bytes // 2
        ):
            self._was_held = False
            self._on_release()


class _Link:
    """One connection to the broker, made again whenever it ends."""

    def __init__(self, broker: BrokerLink, number: int, publisher: Publisher) -> None:
        self._broker = broker
        self._server = broker.servers[number % len(broker.servers)]
        self._publisher = publisher
        name = f"{broker.client_id}-{number}-{random.getrandbits(32):08x}"
        self._connect = connect_packet(
            name, broker.username, broker.password, int(2 * broker.silence_s)
        )
        self._wire: _Wire | None = None
        self._waiting: deque[_Held] = deque()
        self._under_way: dict[int, _Held] = {}
        self._packet_id = 0
        self._out: list[bytes] = []
        self._retrying = Retrying()
        self._accepted_at = 0.0

    @property
    def is_up(self) -> bool:
        return self._wire is not None and self._wire.is_accepted

    def publish(self, held: _Held) -> None:
        if self.is_up and not self._waiting and len(self._under_way) < self._broker.window:
            self._send(held)
        else:
            self._waiting.append(held)

    async def run(self) -> None:
        """Keep a connection, with a delay that grows while there is none."""
        while True:
            self._accepted_at = float("inf")
            try:
                await self._serve()
            except OSError as error:
                log.warning(
                    "broker.unreachable", broker=str(self._server), error=str(error),
                    failures=self._retrying.failures,
                )  # fmt: skip
            servers = self._broker.servers
            self._server = servers[(servers.index(self._server) + 1) % len(servers)]
            await asyncio.sleep(self._retrying.failed(time.monotonic() - self._accepted_at))

    async def _serve(self) -> None:
        """One connection, from its CONNECT to its end."""
        loop, broker = asyncio.get_running_loop(), self._broker
        async with asyncio.timeout(broker.silence_s):
            transport, wire = await loop.create_connection(
                lambda: _Wire(self), *self._server, ssl=broker.tls
            )
        self._wire = wire
        try:
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport.write(self._connect)
            await self._watch(wire, transport)
        except asyncio.CancelledError:
            transport.write(DISCONNECT)
            raise
        finally:
            self._wire = None
            transport.close()
            self._waiting.extendleft(reversed(self._under_way.values()))
            self._under_way.clear()
            self._out.clear()

    async def _watch(self, wire: "_Wire", transport: asyncio.WriteTransport) -> None:
        """Ask for signs of life, and end a connection that gives none."""
        beat = self._broker.silence_s / 3
        while True:
            done, _ = await asyncio.wait({wire.gone}, timeout=beat)
            if done:
                break
            if wire.beats_of_silence >= 3:
                transport.abort()
                break
            wire.beats_of_silence += 1
            transport.write(PINGREQ)
        reason = wire.why or "connection lost"
        log.warning("broker.disconnected", broker=str(self._server), reason=reason)

    def accepted(self) -> None:
        """The broker took the login."""
        self._accepted_at = time.monotonic()
        log.info("broker.connected", broker=str(self._server))
        self._send_waiting()
        self._publisher.changed()

    def acknowledge(self, packet_ids: list[int]) -> None:
        """The broker has these messages."""
        for packet_id in packet_ids:
            held = self._under_way.pop(packet_id, None)
            if held is not None:
                self._publisher.acknowledged(held)
        self._send_waiting()
        self._publisher.changed()

    def _send_waiting(self) -> None:
        while self._waiting and len(self._under_way) < self._broker.window:
            self._send(self._waiting.popleft())

    def _send(self, held: _Held) -> None:
        packet_id = self._packet_id % _PACKET_IDS + 1
        while packet_id in self._under_way:  # one that the broker is slow about
            packet_id = packet_id % _PACKET_IDS + 1
        self._packet_id = packet_id
        self._under_way[packet_id] = held
        if not self._out:  # what one turn of the loop publishes is written in one piece
            asyncio.get_running_loop().call_soon(self._write)
        self._out.append(publish_packet(held[0], held[1], packet_id))

    def _write(self) -> None:
        if self._wire is not None and self._out:
            self._wire.write(b"".join(self._out))
        self._out.clear()


class _Wire(asyncio.Protocol):
    """The bytes of one connection to the broker."""

    def __init__(self, link: _Link) -> None:
        self._link = link
        self._answers = AnswerReader()
        self._transport: asyncio.WriteTransport | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_accepted = False
        self.beats_of_silence = 0
        self.why = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_accepted = False
        self.why = self.why or str(exc or "closed by the broker")
        if not self.gone.done():
            self.gone.set_result(None)

    def write(self, data: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.beats_of_silence = 0
        acknowledged: list[int] = []
        try:
            for packet in self._answers.feed(data):
                if packet[0] == _PUBACK:
                    acknowledged.append(packet[2] << 8 | packet[3])
                elif packet[0] == _CONNACK:
                    self._greeted(packet[3])
        except ValueError as error:
            self._give_up(str(error))
        if acknowledged:
            self._link.acknowledge(acknowledged)

    def _greeted(self, code: int) -> None:
        if code:
            log.error("broker.refused", code=code, hint="hanhtrinh doctor")
            self._give_up(f"login refused, code {code}")
        else:
            self.is_accepted = True
            self._link.accepted()

    def _give_up(self, why: str) -> None:
        assert self._transport is not None
        self.why = why
        self._transport.abort()
