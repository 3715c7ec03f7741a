"""MqttSource: batches of messages from any MQTT 3.1.1 or 5 broker, acknowledged after the commit.

A persistent session with QoS 1 and manual acknowledgement: a message leaves the broker only when
`acknowledge` is called for its batch. The network runs in a thread of its own, so that keep-alives
go out while the event loop judges; the thread and the loop meet only in `Inbox` and in the queue
of acknowledgements.
"""

import asyncio
import contextlib
import logging
import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import structlog
from paho.mqtt.client import Client, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.source import Backlog, Clock, MessageBatch
from ingest.topics import DEFAULT_PATTERNS, subscriptions

READ_BURST: Final = 512
"""Packets read between two looks at acknowledgements and keep-alives."""

RECONNECT_MIN_S: Final = 0.2
RECONNECT_MAX_S: Final = 30.0

SESSION_EXPIRY_S: Final = 7 * 86_400
"""How long an MQTT 5 broker keeps the session of a worker that is away: the law gives a provider
five days to send what a line break held back (docs/topics.md), and a week covers it."""

log = structlog.get_logger(__name__)

LIBRARY: Final = logging.getLogger("paho.mqtt")
"""Says why a connection ended, such as that the broker asks for a certificate. Of everything else
it would say a line per packet."""
LIBRARY.setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Where the broker is, and how much is taken at once.

    share_group: of a shared subscription, MQTT 5 only; right only where the broker gives all
        messages of a topic to one member (docs/brokers.md).
    batch_messages, batch_age_s: a batch ends at this many messages, or this long after its first.
    window_messages, window_bytes: reading pauses while this much is received and not acknowledged;
        the broker then holds the rest. 65,535 is the protocol's own limit of QoS 1 messages under
        way; a smaller window would stall brokers that redeliver by time.
    """

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    protocol: int = 311
    tls: ssl.SSLContext | None = None
    keepalive_s: int = 60
    subscriptions: tuple[str, ...] = subscriptions(DEFAULT_PATTERNS)
    share_group: str | None = None
    batch_messages: int = 4096
    batch_age_s: float = 0.2
    window_messages: int = 65_535
    window_bytes: int = 256 << 20


_Received = tuple[str, bytes, int, int]
"""(topic, payload, received, packet id); packet id 0: QoS 0, nothing to acknowledge."""


@dataclass(frozen=True, slots=True)
class _Token:
    """The packet ids of a batch, and the connection in which they mean anything."""

    epoch: int
    packet_ids: list[int]
    messages: int
    size: int


class Inbox:
    """Messages received and not yet taken, shared by the network thread and the event loop.

    Packet ids are only valid within one connection. A new connection therefore empties the inbox:
    the broker sends everything that was not acknowledged again.
    """

    def __init__(self, batch_messages: int) -> None:
        self._lock = threading.Lock()
        self._batch_messages = batch_messages
        self._messages: list[_Received] = []
        self._unacknowledged: set[int] = set()
        self._epoch = 0
        self.oldest = 0.0
        self.held_messages = 0
        self.held_bytes = 0

    def begin_connection(self) -> None:
        with self._lock:
            self._epoch += 1
            self._messages = []
            self._unacknowledged.clear()
            self.held_messages = self.held_bytes = 0

    def put(self, message: _Received) -> int:
        """Add a message; how many wait now, or 0 if we hold this one already."""
        packet_id = message[3]
        with self._lock:
            if packet_id:
                if packet_id in self._unacknowledged:  # redelivered while it is being worked on
                    return 0
                self._unacknowledged.add(packet_id)
            if not self._messages:
                self.oldest = time.monotonic()
            self._messages.append(message)
            self.held_messages += 1
            self.held_bytes += len(message[1])
            return len(self._messages)

    def take(self) -> MessageBatch | None:
        """The oldest messages that wait, at most a full batch; None if there are none."""
        with self._lock:
            messages = self._messages[: self._batch_messages]
            self._messages = self._messages[self._batch_messages :]
            self.oldest = time.monotonic()
            epoch = self._epoch
        if not messages:
            return None
        token = _Token(
            epoch,
            [packet_id for *_, packet_id in messages if packet_id],
            len(messages),
            sum(len(payload) for _, payload, _, _ in messages),
        )
        received = np.fromiter((m[2] for m in messages), np.int64, len(messages))
        return MessageBatch([m[0] for m in messages], [m[1] for m in messages], received, token)

    def release(self, token: object) -> list[int]:
        """The packet ids to acknowledge: none if the connection they belong to is gone."""
        assert isinstance(token, _Token)
        with self._lock:
            if token.epoch != self._epoch:
                return []
            self._unacknowledged.difference_update(token.packet_ids)
            self.held_messages -= token.messages
            self.held_bytes -= token.size
            return token.packet_ids

    @property
    def waiting(self) -> int:
        return len(self._messages)


class MqttSource:
    """A `Source` on paho-mqtt. Use it from one event loop; not re-entrant."""

    def __init__(self, options: MqttOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._topics = options.subscriptions
        if options.share_group:
            self._topics = tuple(f"$share/{options.share_group}/{t}" for t in self._topics)
        self._inbox = Inbox(options.batch_messages)
        self._released: deque[object] = deque()
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._client = self._make_client()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._some = asyncio.Event()
        self._enough = asyncio.Event()
        self.connected = False
        self.failures = 0

    @property
    def due(self) -> int:
        """Batches that were released and whose acknowledgements are not on their way yet."""
        return len(self._released)

    def backlog(self) -> Backlog:
        """What is received and not acknowledged, at this moment."""
        inbox = self._inbox
        return Backlog(
            self.connected, inbox.waiting, inbox.held_messages, inbox.held_bytes,
            self._options.window_messages,
        )  # fmt: skip

    def _make_client(self) -> Client:
        options = self._options
        is_v5 = options.protocol == 5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            clean_session=None if is_v5 else False,
            protocol=MQTTv5 if is_v5 else MQTTv311,
            manual_ack=True,
        )
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if options.tls is not None:
            client.tls_set_context(options.tls)
        client.enable_logger(LIBRARY)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        # Acknowledgements are written by the network loop in one go, not one by one as they come.
        client.on_socket_register_write = lambda *_: None
        return client

    # The event loop's side ------------------------------------------------------------------

    async def start(self) -> None:
        """Start the network thread. It connects, and connects again, until `stop`."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="mqtt-source", daemon=True)
        self._thread.start()

    async def receive(self) -> MessageBatch:
        """The next batch: full, or as old as a batch may become; never empty."""
        while True:
            await self._some.wait()
            remaining = self._inbox.oldest + self._options.batch_age_s - time.monotonic()
            if self._inbox.waiting < self._options.batch_messages and remaining > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), remaining)
            batch = self._inbox.take()
            waiting = self._inbox.waiting
            if waiting == 0:
                self._some.clear()
            if waiting < self._options.batch_messages:
                self._enough.clear()
            if self._inbox.waiting:  # the thread may have added since
                self._some.set()
            if batch is not None:
                return batch

    def acknowledge(self, batch: MessageBatch) -> None:
        """Let the broker forget the batch's messages."""
        self._released.append(batch.token)
        self._wake()

    async def stop(self) -> None:
        """Send the acknowledgements that are due, disconnect, end the thread."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 10)
        self._wake_read.close()
        self._wake_write.close()

    def _wake(self) -> None:
        # A full pipe wakes as well; a closed one has nobody to wake.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_write.send(b"\0")

    # The network thread's side --------------------------------------------------------------

    def _run(self) -> None:
        """Keep a connection until stopped, with a delay that grows while there is none."""
        while not self._stopping.is_set():
            try:
                self._connect()
                self._serve()
                self.failures = 0 if self.connected else self.failures + 1
            except ssl.SSLError as error:
                self.failures += 1
                log.error(  # noqa: TRY400 - the reason says it all
                    "broker.untrusted", error=str(error), failures=self.failures,
                    hint="broker.host, broker.tls_ca, broker.tls_cert",
                )  # fmt: skip
            except OSError as error:
                self.failures += 1
                log.warning("broker.unreachable", error=str(error), failures=self.failures)
            except Exception:
                # Bytes that are no MQTT, in whatever way the library stumbles over them: without
                # this thread nothing would ever be received again.
                self.failures += 1
                log.exception("broker.unreadable", failures=self.failures)
            self._drop_connection()
            if not self._stopping.is_set():
                longest = min(RECONNECT_MAX_S, RECONNECT_MIN_S * 2 ** min(self.failures, 10))
                self._stopping.wait(RECONNECT_MIN_S + random.random() * longest)  # noqa: S311 - spreads reconnects
        self._drop_connection()

    def _connect(self) -> None:
        options = self._options
        properties: dict[str, Any] = {}
        if options.protocol == 5:
            connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            connect.SessionExpiryInterval = SESSION_EXPIRY_S
            connect.ReceiveMaximum = options.window_messages
            properties = {"properties": connect, "clean_start": False}
        self._client.connect(options.host, options.port, options.keepalive_s, **properties)

    def _serve(self) -> None:
        """Move bytes until the connection ends or `stop` is called."""
        while True:
            sock = self._client.socket()
            if sock is None:
                return
            self._send_acknowledgements()
            if self._stopping.is_set():
                self._finish()
                return
            readers = [self._wake_read] if self._is_window_full() else [self._wake_read, sock]
            writers = [sock] if self._client.want_write() else []
            # What TLS has decrypted already does not make the socket readable.
            has_more = sock in readers and getattr(sock, "pending", int)() > 0
            readable, writable, _ = select.select(readers, writers, [], 0.0 if has_more else 1.0)
            if self._wake_read in readable:
                self._drain_wake()
            if has_more or sock in readable:
                self._read_burst()
            if writable and self._client.socket() is not None:
                self._client.loop_write()
            self._client.loop_misc()

    def _read_burst(self) -> None:
        """Read packets until the socket has no more, or for a while."""
        inbox = self._inbox
        for _ in range(READ_BURST):
            before = inbox.held_messages
            if self._client.loop_read() != 0 or inbox.held_messages == before:
                return

    def _is_window_full(self) -> bool:
        options, inbox = self._options, self._inbox
        return (
            inbox.held_messages >= options.window_messages
            or inbox.held_bytes >= options.window_bytes
        )

    def _send_acknowledgements(self) -> None:
        while self._released:
            for packet_id in self._inbox.release(self._released.popleft()):
                self._client.ack(packet_id, 1)

    def _finish(self) -> None:
        """Write what is due, then say goodbye; give up after two seconds."""
        deadline = time.monotonic() + 2
        self._client.disconnect()
        while self._client.want_write() and time.monotonic() < deadline:
            sock = self._client.socket()
            if sock is None:
                return
            select.select([], [sock], [], 0.1)
            self._client.loop_write()

    def _drop_connection(self) -> None:
        self.connected = False
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _drain_wake(self) -> None:
        try:
            while self._wake_read.recv(4096):
                pass
        except BlockingIOError:
            pass

    # paho's callbacks, in the network thread ------------------------------------------------

    def _on_connect(
        self, client: Client, _userdata: object, _flags: object, reason: Any, properties: object
    ) -> None:
        if reason.is_failure:
            log.error("broker.refused", reason=str(reason), hint="hanhtrinh doctor")
            return
        if self._options.share_group and not getattr(properties, "SharedSubscriptionAvailable", 1):
            log.error("broker.no_shared_subscriptions", hint="unset ingest.share_group")
            client.disconnect()
            return
        self._inbox.begin_connection()
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(
        self, _client: Client, _userdata: object, _mid: int, reasons: Any, _properties: object
    ) -> None:
        refused = [
            topic for topic, reason in zip(self._topics, reasons, strict=False) if reason.is_failure
        ]
        if refused:
            log.error("broker.subscription_refused", topics=refused, hint="hanhtrinh doctor")
            return
        self.connected = True
        log.info("broker.subscribed", host=self._options.host, port=self._options.port)

    def _on_disconnect(
        self, _client: Client, _userdata: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        if not self._stopping.is_set():
            log.warning("broker.disconnected", reason=str(reason))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\N{REPLACEMENT CHARACTER}"  # goes to the quarantine as an unknown topic
        packet_id = message.mid if message.qos else 0
        waiting = self._inbox.put((topic, bytes(message.payload), self._clock(), packet_id))
        if waiting == 1:
            self._signal(self._some)
        elif waiting == self._options.batch_messages:
            self._signal(self._enough)

    def _signal(self, event: asyncio.Event) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting
            self._loop.call_soon_threadsafe(event.set)
