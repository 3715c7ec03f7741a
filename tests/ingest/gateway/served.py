"""A gateway within the test, on free ports, before the test's broker; trackers, and who listens."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiomqtt

import devices.catalogue  # noqa: F401 - fills the table of codecs
from hanhtrinh.embedded import EmbeddedNats
from ingest.gateway.gateway import Gateway
from ingest.gateway.metrics import GatewayMetrics
from ingest.gateway.options import BrokerLink, GatewayOptions, Limits, Listener, Transport
from mqtt.options import Server
from tests.devices.streams.dialogues import IMEI, clock

DEADLINE_S = 30.0
LOGIN = b"\x00\x0f" + IMEI.encode()
QUIET_S = 0.3
"""How long nothing must come for a test to believe that nothing comes."""


class Served:
    """A running gateway."""

    def __init__(self, gateway: Gateway, metrics: GatewayMetrics, stop: asyncio.Event) -> None:
        self.gateway = gateway
        self.metrics = metrics
        self.stop = stop
        self.task: asyncio.Task[None] | None = None

    @property
    def house(self):
        assert self.gateway._house is not None
        return self.gateway._house

    @property
    def admission(self):
        assert self.gateway._admission is not None
        return self.gateway._admission

    @property
    def logins(self):
        assert self.gateway._logins is not None
        return self.gateway._logins

    @property
    def certificates(self):
        assert self.gateway._certificates is not None
        return self.gateway._certificates

    def port(self, codec: str, transport: Transport = "tcp") -> int:
        (found,) = [
            port
            for listener, port in self.gateway.ports.items()
            if (listener.codec, listener.transport) == (codec, transport)
        ]
        return found

    async def tracker(
        self, codec: str = "teltonika", local: str | None = None, tls: ssl.SSLContext | None = None
    ) -> "Tracker":
        address = (local, 0) if local else None
        port = self.port(codec, "tls" if tls else "tcp")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=address, ssl=tls
        )
        return Tracker(reader, writer)


class Tracker:
    """One TCP connection of a tracker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hears(self, expected: bytes) -> None:
        async with asyncio.timeout(DEADLINE_S):
            assert await self.reader.readexactly(len(expected)) == expected

    async def hears_nothing(self) -> None:
        try:
            async with asyncio.timeout(QUIET_S):
                heard = await self.reader.read(1)
        except TimeoutError:
            return
        raise AssertionError(f"expected nothing, heard {heard!r}")

    async def is_hung_up_on(self) -> bytes:
        """Wait for the end; returns what came before it."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""
            finally:
                self.close()

    def close(self) -> None:
        self.writer.close()


def listeners(*names: str) -> tuple[Listener, ...]:
    """From such as "teltonika tcp"."""
    parts = [name.split() for name in names]
    return tuple(
        Listener(codec, transport, "127.0.0.1", 0)  # type: ignore[arg-type]
        for codec, transport in parts
    )


def options(
    broker: EmbeddedNats, *names: str, secret=None, tls=None, registry=None, **limits
) -> GatewayOptions:
    device = broker.device
    link = BrokerLink(
        (Server(broker.host, broker.mqtt_port),), device.username, device.password, silence_s=3.0
    )
    return GatewayOptions(
        listeners(*(names or ("teltonika tcp",))),
        link,
        Limits(**limits),
        secret=secret,
        tls=tls,
        registry=registry,
    )


@asynccontextmanager
async def serving(
    made: GatewayOptions, *, is_up: bool = True, opens: bool = True
) -> AsyncIterator[Served]:
    metrics = GatewayMetrics()
    served = Served(Gateway(made, metrics, clock), metrics, asyncio.Event())
    served.task = asyncio.create_task(served.gateway.run(served.stop))
    try:
        await until(
            lambda: (
                served.task.done() or len(served.gateway.ports) == len(made.listeners) or not opens
            ),
            "open ports",
        )
        if is_up and opens:
            await until(lambda: served.house.publisher.is_up, "the broker")
        yield served
    finally:
        served.stop.set()
        await served.task


@asynccontextmanager
async def listening(broker: EmbeddedNats, topics: str = "gsht/v1/#") -> AsyncIterator["Heard"]:
    """Everything that is published while the block runs."""
    worker = broker.worker
    async with aiomqtt.Client(
        broker.host, broker.mqtt_port, username=worker.username, password=worker.password
    ) as client:
        await client.subscribe(topics, qos=0)
        heard = Heard()
        task = asyncio.create_task(heard.listen(client))
        try:
            yield heard
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Heard:
    """What was published."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []

    async def listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            self.messages.append((str(message.topic), bytes(message.payload)))

    async def hears(self, *expected: tuple[str, bytes]) -> None:
        await until(lambda: len(self.messages) >= len(expected), f"{len(expected)} messages")
        assert self.messages == list(expected)


@asynccontextmanager
async def standing_still(broker: EmbeddedNats) -> AsyncIterator[None]:
    """The broker takes bytes and does nothing; it has stopped in all its threads."""
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        await until(lambda: set(_states(broker.pid)) == {"T"}, "the broker's standstill")
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


def _states(pid: int) -> list[str]:
    threads = Path(f"/proc/{pid}/task").glob("*/stat")
    return [thread.read_text().rpartition(")")[2].split()[0] for thread in threads]


async def until(condition, what: str) -> None:
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not condition():  # noqa: ASYNC110 - the condition is another task's
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"waited {DEADLINE_S:.0f} s for {what}") from None


def limited(made: GatewayOptions, **limits) -> GatewayOptions:
    return replace(made, limits=replace(made.limits, **limits))
