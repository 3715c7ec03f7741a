"""Publisher: sends messages when they are due, over aiomqtt, and knows what was acknowledged.

Belongs here: one MQTT connection for a simulated fleet. Does not belong here: what is sent, and
load beyond some thousands of messages a second (load.py).
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiomqtt

from simulators.errors import PublishError
from simulators.feed import Message

WINDOW: Final = 128
"""Publishes that may wait for their acknowledgement at once."""

PATIENCE_S: Final = 30.0
"""How long one publish may wait for its acknowledgement."""


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Where the broker is, and as whom to connect. protocol: 311 or 5; tls: None: without."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = None
    client_id: str | None = None
    tls: ssl.SSLContext | None = None
    protocol: int = 311


class Publisher:
    """Publishes at QoS 1, many at a time, and counts what the broker has acknowledged."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self.acknowledged = 0

    async def send(self, messages: Iterable[Message]) -> None:
        """Publish at once, in order; returns when all are acknowledged."""
        batch: list[Message] = []
        for message in messages:
            batch.append(message)
            if len(batch) == WINDOW:
                await self._send(batch)
                batch = []
        if batch:
            await self._send(batch)

    async def send_when_due(
        self,
        messages: Iterable[Message],
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        """Publish each message at its time; those that are overdue go at once."""
        waiting: list[Message] = []
        for message in messages:
            ahead_s = (message.due_us - now_us()) / 1e6
            if ahead_s > 0:
                await self._send(waiting)
                waiting = []
                await asyncio.sleep(max((message.due_us - now_us()) / 1e6, 0.0))
            waiting.append(message)
        await self._send(waiting)

    async def _send(self, messages: list[Message]) -> None:
        # The client numbers and writes a publish before it first waits, and tasks start in the
        # order in which they are made: the order on the wire is that of the list.
        try:
            async with asyncio.TaskGroup() as group:
                for message in messages:
                    group.create_task(self._publish(message))
        except* aiomqtt.MqttError as errors:
            raise PublishError(f"broker: {errors.exceptions[0]}") from errors

    async def _publish(self, message: Message) -> None:
        await self._client.publish(message.topic, message.payload, qos=1, timeout=PATIENCE_S)
        self.acknowledged += 1


@asynccontextmanager
async def connect(options: BrokerOptions) -> AsyncIterator[Publisher]:
    """A connected publisher. Raises PublishError if the broker does not take the connection."""
    client = aiomqtt.Client(
        hostname=options.host,
        port=options.port,
        username=options.username,
        password=options.password,
        identifier=options.client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if options.protocol == 5 else None,
        tls_context=options.tls,
        max_inflight_messages=WINDOW,
    )
    client.pending_calls_threshold = 4 * WINDOW
    try:
        await client.__aenter__()
    except aiomqtt.MqttError as error:
        hint = "" if options.tls is None else " (over TLS; does it ask for a certificate of ours?)"
        raise PublishError(f"broker {options.host}:{options.port}: {error}{hint}") from error
    try:
        yield Publisher(client)
    finally:
        await client.__aexit__(None, None, None)
