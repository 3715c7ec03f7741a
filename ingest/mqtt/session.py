"""MqttSession: one MQTT broker's messages, in a persistent session with manual acknowledgement.

QoS 1: a message leaves the broker only when it is acknowledged here. The network runs in a thread
of its own, so that keep-alives go out while the event loop judges; the thread and the loop meet
only in `Inbox` and in the queue of acknowledgements. Belongs here: one connection, made again and
again. Does not belong here: batches (source.py).
"""

import contextlib
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from devices.mqtt_packets import DISCONNECT
from ingest.mqtt.inbox import Inbox, Taken
from ingest.mqtt.line import Line
from ingest.mqtt.wire import (
    REASONS,
    Accepted,
    Control,
    Granted,
    Left,
    Login,
    PacketReader,
    Pong,
    WireError,
    puback_packets,
    subscribe_packet,
)
from ingest.retrying import Retrying
from ingest.source import Backlog, Clock
from ingest.topics import DEFAULT_PATTERNS, subscriptions
from mqtt.options import Server

GREETING_S: Final = 30.0
"""How long the broker may take to answer the login and the subscription."""

GOODBYE_S: Final = 2.0
"""How long the last acknowledgements may take to be written."""


SESSION_EXPIRY_S: Final = 7 * 86_400
"""How long an MQTT 5 broker keeps the session of a worker that is away: the law gives a provider
five days to send what a line break held back (docs/topics.md), and a week covers it."""

Came = Callable[[int], None]
"""Told from the network thread that messages have come, and how many waited here before."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Where the brokers are, and how much is taken at once.

    servers: brokers that know nothing of each other; at each the worker is known by the same name.
    share_group: of a shared subscription, MQTT 5 only; right only where the broker gives all
        messages of a topic to one member (docs/brokers.md).
    batch_messages, batch_age_s: a batch ends at this many messages, or this long after its first.
    window_messages, window_bytes: of all brokers together, each with an even share. Reading from
        one pauses while its share is received and not acknowledged; the broker then holds the
        rest. 65,535 is the protocol's own limit of QoS 1 messages under way.
    """

    servers: tuple[Server, ...]
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

    def share(self, of: int) -> int:
        """What of a window is one broker's; never nothing."""
        return max(1, of // len(self.servers))


class MqttSession:
    """What one broker has for us; `take` and `release` are the loop's, `came` the thread's."""

    def __init__(self, options: MqttOptions, server: Server, clock: Clock, came: Came) -> None:
        self._options = options
        self._server = server
        self._clock = clock
        self._came = came
        self._window = options.share(options.window_messages)
        self._window_bytes = options.share(options.window_bytes)
        self._topics = options.subscriptions
        if options.share_group:
            self._topics = tuple(f"$share/{options.share_group}/{t}" for t in self._topics)
        self._inbox = Inbox()
        self._released: deque[Taken] = deque()
        self._stopping = threading.Event()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._reader = PacketReader(options.protocol)
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{server}", daemon=True)
        self._log = log.bind(broker=str(server))
        self.connected = False
        self._retrying = Retrying()

    @property
    def failures(self) -> int:
        """Connections in a row that came to nothing, or have ended."""
        return self._retrying.failures

    @property
    def due(self) -> int:
        """Batches that were released and whose acknowledgements are not on their way yet."""
        return len(self._released)

    @property
    def waiting(self) -> int:
        """Messages that nobody has taken."""
        return self._inbox.waiting

    @property
    def oldest(self) -> float:
        """Since when the oldest of them has waited, as `time.monotonic` says."""
        return self._inbox.oldest

    def backlog(self) -> Backlog:
        """What is received and not acknowledged, at this moment."""
        inbox = self._inbox
        return Backlog(
            self.connected, inbox.waiting, inbox.held_messages, inbox.held_bytes, self._window
        )

    # The event loop's side ------------------------------------------------------------------

    def start(self) -> None:
        """Start the network thread. It connects, and connects again, until `stop`."""
        self._thread.start()

    def take(self, most: int) -> Taken | None:
        """The oldest messages that wait, at most so many; None if there are none."""
        return self._inbox.take(most)

    def release(self, taken: Taken) -> None:
        """Let the broker forget these messages."""
        self._released.append(taken)
        self._wake()

    def stop(self) -> None:
        """Have the thread send the acknowledgements that are due, disconnect and end."""
        self._stopping.set()
        self._wake()

    def join(self, patience_s: float) -> None:
        """Wait for the thread's end after `stop`; blocks."""
        if self._thread.ident is not None:
            self._thread.join(patience_s)
        self._wake_read.close()
        self._wake_write.close()

    def _wake(self) -> None:
        # A full pipe wakes as well; a closed one has nobody to wake.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_write.send(b"\0")

    # The network thread's side --------------------------------------------------------------

    def _run(self) -> None:
        """Keep a connection until stopped, with a delay that grows while there is none."""
        options = self._options
        while not self._stopping.is_set():
            self.connected = False
            began = time.monotonic()
            try:
                line = Line.open(*self._server, options.tls, options.keepalive_s)
                with contextlib.closing(line):
                    self._serve(line)
                held_s = time.monotonic() - began if self.connected else 0.0
                delay_s = self._retrying.failed(held_s)
            except ssl.SSLError as error:
                delay_s = self._retrying.failed()
                self._log.error(
                    "broker.untrusted", error=str(error), failures=self.failures,
                    hint="broker.host, broker.tls_ca, broker.tls_cert",
                )  # fmt: skip
            except OSError as error:
                delay_s = self._retrying.failed()
                self._log.warning("broker.unreachable", error=str(error), failures=self.failures)
            except Exception:  # noqa: BLE001 - without this thread nothing would ever come again
                delay_s = self._retrying.failed()
                self._log.exception("broker.unreadable", failures=self.failures)
            self.connected = False
            if not self._stopping.is_set():
                self._stopping.wait(delay_s)

    def _serve(self, line: Line) -> None:
        """Speak MQTT until the connection ends or `stop` is called. Raises ssl.SSLError."""
        options = self._options
        self._reader.begin_connection()
        # Before anything is written: what is released now belongs to a connection that is gone.
        self._inbox.begin_connection()
        login = Login(
            options.client_id, options.username, options.password, options.protocol,
            options.keepalive_s, SESSION_EXPIRY_S, self._window,
        )  # fmt: skip
        line.write(login.packet())
        try:
            self._move(line)
            line.leave(DISCONNECT, GOODBYE_S)
        except ssl.SSLError:
            raise
        except (OSError, WireError) as error:
            if not self._stopping.is_set():
                self._log.warning("broker.disconnected", reason=str(error))

    def _move(self, line: Line) -> None:
        """Move bytes until it is for us to leave. Raises OSError, WireError."""
        greeted_by = time.monotonic() + GREETING_S
        while not self._stopping.is_set():
            self._send_acknowledgements(line)
            line.flush()
            wake, is_full = self._wake_read.fileno(), self._is_window_full()
            has_more = not is_full and line.has_more
            readable, _, _ = select.select(
                [wake] if is_full else [wake, line.fileno()],
                [line.fileno()] if line.wants_write else [],
                [],
                0.0 if has_more else 1.0,
            )
            if wake in readable:
                self._drain_wake()
            if (has_more or line.fileno() in readable) and not self._read(line):
                return
            line.keep_alive(hears=not is_full)
            if not self.connected and time.monotonic() > greeted_by:
                raise TimeoutError(f"the broker did not answer for {GREETING_S:g} s")
        self._send_acknowledgements(line)

    def _read(self, line: Line) -> bool:
        """Take in what has come; False: we have no business with this broker."""
        messages, control = self._reader.feed(line.read())
        # First: what comes with the answer to the login is of the new connection.
        for packet in control:
            if not self._heard(packet, line):
                return False
        if messages:
            before, now = self._inbox.put(messages, self._clock())
            if before < now:
                self._came(before)
        return True

    def _heard(self, packet: Control, line: Line) -> bool:
        match packet:
            case Pong():
                line.answered()
            case Left():
                raise ConnectionResetError(_reason(packet.code))
            case Granted():
                self._subscribed(packet)
            case Accepted():
                return self._accepted(packet, line)
        return True

    def _accepted(self, answer: Accepted, line: Line) -> bool:
        """Subscribe; False: we are refused, or cannot work with this broker."""
        if answer.code:
            self._log.error("broker.refused", reason=_reason(answer.code), hint="hanhtrinh doctor")
            return False
        if self._options.share_group and not answer.has_shared:
            self._log.error("broker.no_shared_subscriptions", hint="unset ingest.share_group")
            return False
        if answer.keepalive_s is not None:
            line.keep_alive_at(answer.keepalive_s)
        line.write(subscribe_packet(self._topics, self._options.protocol))
        return True

    def _subscribed(self, answer: Granted) -> None:
        refused = [
            topic for topic, code in zip(self._topics, answer.codes, strict=False) if code >= 0x80
        ]
        if refused:
            self._log.error("broker.subscription_refused", topics=refused, hint="hanhtrinh doctor")
            return
        self.connected = True
        self._log.info("broker.subscribed")

    def _is_window_full(self) -> bool:
        inbox = self._inbox
        return inbox.held_messages >= self._window or inbox.held_bytes >= self._window_bytes

    def _send_acknowledgements(self, line: Line) -> None:
        while self._released:
            line.write(puback_packets(self._inbox.release(self._released.popleft())))

    def _drain_wake(self) -> None:
        try:
            while self._wake_read.recv(4096):
                pass
        except BlockingIOError:
            pass


def _reason(code: int) -> str:
    return REASONS.get(code, f"code {code:#x}")
