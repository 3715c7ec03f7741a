"""Gateway: opens the ports, looks after the connections, and stops in order."""

import asyncio
import contextlib
import socket
import struct
from typing import Any, Final

import structlog

from devices.streams.catalogue import DATAGRAMS, STREAMS
from devices.streams.stream import Clock
from ingest.errors import GatewayError
from ingest.gateway.admission import Admission
from ingest.gateway.answers import TOO_LATE
from ingest.gateway.connection import Connection, TrackerConnection
from ingest.gateway.datagrams import Datagrams
from ingest.gateway.encryption import Certificates, Encrypted
from ingest.gateway.house import House, Pause
from ingest.gateway.http import HttpConnection, HttpOptions
from ingest.gateway.logins import Logins
from ingest.gateway.metrics import GatewayMetrics
from ingest.gateway.options import GatewayOptions, Listener, check
from ingest.gateway.publisher import Publisher

BACKLOG: Final = 4096
"""Connections that the kernel holds until they are accepted: a fleet comes back all at once."""

KERNEL_BYTES: Final = 65_536
"""What the kernel takes in for a connection that is not read, and of answers that are not: its own
default may grow to megabytes, times 20,000."""

SWEEP_S: Final = 0.5
"""How often limits of time are looked at."""

FILES_S: Final = 5.0
"""How often the certificate's files are looked at."""

CROWDED: Final = 0.9
"""Of the connections that there may be: from there on those whose tracker has left are given up,
with what they still have to say. A tracker that is not read cannot be heard leaving."""

_CLOSE_WAIT: Final = 8
"""State of a TCP connection whose other end has gone (Linux, tcp_states.h)."""

log = structlog.get_logger(__name__)


class Gateway:
    """Listens, and hands what trackers send to the broker. `run` it once."""

    def __init__(self, options: GatewayOptions, metrics: GatewayMetrics, clock: Clock) -> None:
        """Raise GatewayError for listeners that cannot be opened as they are."""
        check(options)
        self._options = options
        self._metrics = metrics
        self._clock = clock
        self._servers: list[asyncio.Server] = []
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._house: House | None = None
        self._certificates = Certificates(options.tls) if options.tls is not None else None
        registry = options.registry
        self._admission = self._logins = None
        if registry is not None:
            self._admission = Admission(registry.dsn, self._changed)
            if registry.http_secrets:
                self._logins = Logins(registry.dsn, clock)
        self.ports: dict[Listener, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; then stop accepting, and wait for the broker. GatewayError."""
        limits = self._options.limits
        publisher = Publisher(self._options.broker, limits, self._release)
        now = asyncio.get_running_loop().time
        registry = self._options.registry
        only = self._admission if registry is not None and registry.registered_only else None
        house = self._house = House(limits, publisher, self._metrics, now, only)
        self._measure(house)
        publisher.start()
        stopped = asyncio.create_task(stop.wait(), name="gateway-stop")
        tasks = [stopped, *self._ask_the_registry()]
        try:
            await self._know_the_registered({*tasks, *publisher.tasks})
            if not stop.is_set():
                for listener in self._options.listeners:
                    await self._open(listener, house)
                tasks.append(asyncio.create_task(self._sweep(house), name="gateway-sweep"))
                # Whatever ends but for the stop has failed: nothing goes on without one of them.
                watched = {*tasks, *publisher.tasks}
                done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            await self._finish(house)
        finally:
            self._close_ports()
            for connection in [*house.connections]:
                connection.abort()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await publisher.stop()

    def _ask_the_registry(self) -> list[asyncio.Task[Any]]:
        """What keeps up with the registry, if it is asked at all."""
        asking: list[asyncio.Task[Any]] = []
        if self._admission is not None:
            asking.append(asyncio.create_task(self._admission.run(), name="gateway-admission"))
        if self._logins is not None:
            asking.append(asyncio.create_task(self._logins.run(), name="gateway-logins"))
        return asking

    async def _know_the_registered(self, tasks: "set[asyncio.Task[Any]]") -> None:
        """Open no port before it is known who is registered: all would be turned away.

        tasks: of which none ends before, but for a stop or a failure.
        """
        if self._admission is not None:
            known = asyncio.create_task(self._admission.ready.wait())
            await asyncio.wait({known, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            known.cancel()

    def _changed(self, idents: frozenset[str] | None) -> None:
        """Something changed about these names, or any: nobody stays who would not be let in."""
        if self._logins is not None:
            self._logins.forget(idents)
        house = self._house
        if house is None:
            return
        for connection in [*house.connections]:
            ident = connection.ident
            is_meant = bool(ident) and (idents is None or ident in idents)
            if is_meant and not house.serves(connection.codec, ident):
                connection.close("unregistered")

    async def _open(self, listener: Listener, house: House) -> None:
        loop = asyncio.get_running_loop()
        clock, codec = self._clock, listener.codec
        try:
            if listener.transport == "udp":
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: Datagrams(house, codec, DATAGRAMS[codec], clock),
                    (listener.host, listener.port),
                )
                self._datagrams.append(transport)
                port = transport.get_extra_info("sockname")[1]
            else:
                server = await loop.create_server(
                    lambda: self._connection(listener, house),
                    sock=_listening(listener), backlog=BACKLOG,
                )  # fmt: skip
                self._servers.append(server)
                port = server.sockets[0].getsockname()[1]
        except OSError as error:
            raise GatewayError(f"gateway.listeners: {listener.name}: {error.strerror}") from error
        self.ports[listener] = port
        log.info("gateway.listening", codec=codec, transport=listener.transport,
                 host=listener.host, port=port)  # fmt: skip

    def _connection(self, listener: Listener, house: House) -> Connection:
        tls = None
        if listener.is_encrypted:
            assert self._certificates is not None  # `check` asks for them
            tls = Encrypted(self._certificates.context)
        if listener.is_http:
            options = HttpOptions(self._options.secret, self._logins)
            return HttpConnection(house, listener.codec, options, tls)
        return TrackerConnection(house, listener.codec, STREAMS[listener.codec](self._clock), tls)

    def reload(self) -> None:
        """Read the certificate's files again; connections that are open keep theirs."""
        if self._certificates is not None:
            self._certificates.reload(even_if_unchanged=True)

    def _measure(self, house: House) -> None:
        publisher, admission = house.publisher, self._admission
        if admission is not None:
            self._metrics.gauges |= {
                "registered": ("Senders that the registry knows", lambda: float(len(admission))),
                "registry_up": (
                    "1 while changes of the registry are heard of",
                    lambda: float(admission.is_current),
                ),
            }
        self._metrics.gauges |= {
            "open_connections": ("Connections now", lambda: float(len(house.connections))),
            "waiting_connections": ("Not read because of the broker", lambda: len(house.waiting)),
            "held_messages": ("Not acknowledged by the broker", lambda: publisher.held_messages),
            "held_bytes": ("Their payloads", lambda: publisher.held_bytes),
            "certificate_current": (
                "1 while the certificate in force is what its file says",
                lambda: float(self._certificates is None or self._certificates.is_current),
            ),
            "broker_up": ("1 while the broker takes messages", lambda: float(publisher.is_up)),
        }

    def _release(self) -> None:
        """The broker has room again: read on."""
        house = self._house
        if house is None or house.is_closing:
            return
        waiting, house.waiting = house.waiting, set()
        for connection in waiting:
            connection.resume(Pause.HELD)

    async def _sweep(self, house: House) -> None:
        """Look at every connection now and then."""
        looked_at = house.now()
        while True:
            await asyncio.sleep(SWEEP_S)
            now = house.now()
            if self._certificates is not None and now - looked_at >= FILES_S:
                self._certificates.reload()
                looked_at = now
            is_crowded = len(house.connections) > CROWDED * self._options.limits.connections
            for connection in [*house.connections]:
                self._look_at(connection, now, is_crowded=is_crowded)

    def _look_at(self, connection: Connection, now: float, *, is_crowded: bool) -> None:
        limits = self._options.limits
        if isinstance(connection, HttpConnection):
            late = connection.late_answers(now - limits.answer_s, TOO_LATE)
            self._metrics.answers["503"] += late
        if connection.pauses:
            if connection.pauses & Pause.UNREAD and now - connection.unread_since > limits.slow_s:
                connection.close("slow_reader")
                connection.abort()
            elif is_crowded and has_left(connection.transport):
                connection.close("left")
        elif reason := connection.overdue(now):
            connection.close(reason)

    async def _finish(self, house: House) -> None:
        """Take nothing more, and wait for what the broker still has to acknowledge."""
        house.is_closing = True
        for server in self._servers:
            server.close()
        for connection in house.connections:
            connection.pause(Pause.HELD)
        await house.publisher.drain(self._options.limits.stop_s)
        held = house.publisher.held_messages
        for connection in [*house.connections]:
            connection.close("stopping")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while house.connections:  # noqa: ASYNC110 - answers are on their way out
                    await asyncio.sleep(0.01)
        log.info("gateway.stopped", unacknowledged=held)

    def _close_ports(self) -> None:
        for server in self._servers:
            server.close()
        for transport in self._datagrams:
            transport.close()


def _listening(listener: Listener) -> socket.socket:
    """A listening socket whose connections have small buffers in the kernel."""
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    sock = socket.create_server((listener.host, listener.port), family=family, backlog=BACKLOG)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
    return sock


def has_left(transport: asyncio.Transport | None) -> bool:
    """Whether a tracker that is not read has closed its end, as far as the system tells."""
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None or not hasattr(socket, "TCP_INFO"):
        return False
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except OSError:
        return True
    return bool(struct.unpack("B", info)[0] == _CLOSE_WAIT)
