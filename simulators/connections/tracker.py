"""One tracker: an MQTT connection that keeps every message until the broker has acknowledged it.

Pure but for its transport. Belongs here: packet ids, acknowledgements, what is sent again after a
loss. Does not belong here: when to connect again (crowd.py).
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final, cast

from devices.mqtt_packets import (
    CONNACK_ACCEPTED,
    DISCONNECT,
    PINGREQ,
    AnswerReader,
    connect_packet,
    publish_packet,
)
from simulators.connections.wire import State

PACKET_IDS: Final = 65_535
NO_PROGRESS: Final = 3
"""So many times the longest silence may pass without an acknowledgement, if pings are answered."""

Body = tuple[str, bytes]
"""(topic, payload)"""


class Tracker(asyncio.Protocol):
    """A device of one client id over all its connections; one of them at a time.

    on_open, on_lost: told when the broker has accepted, and when a connection is gone.
    """

    __slots__ = (
        "_last_id", "_on_lost", "_on_open", "_owed_since", "_reader", "_state",
        "_transport", "_unacknowledged", "_waiting", "_window", "heard_at", "index", "is_open",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        window: int,
        state: State,
        on_open: "Callable[[Tracker], None]",
        on_lost: "Callable[[Tracker], None]",
    ) -> None:
        self.index = index
        self.is_open = False
        self.heard_at = 0.0
        self._owed_since = 0.0
        self._window = window
        self._state = state
        self._on_open = on_open
        self._on_lost = on_lost
        self._reader = AnswerReader()
        self._transport: asyncio.Transport | None = None
        self._last_id = 0
        self._unacknowledged: dict[int, Body] = {}
        self._waiting: deque[Body] = deque()

    @property
    def is_owed(self) -> bool:
        """Whether the broker has something to answer."""
        return bool(self._unacknowledged) or not self.is_open

    def is_stuck(self, now: float, patience_s: float) -> bool:
        """Whether this connection should be given up: silence, or no progress for much longer.

        A broker under load acknowledges late, and later still if everybody came back with the same.
        """
        if self._transport is None:
            return False
        silent_s, waited_s = now - self.heard_at, now - self._owed_since
        return self.is_owed and (silent_s > patience_s or waited_s > NO_PROGRESS * patience_s)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.heard_at = self._owed_since = asyncio.get_running_loop().time()
        self._reader = AnswerReader()

    def greet(self, name: str, username: str | None, password: str | None, keep_alive: int) -> None:
        """Log in on the connection that was just made."""
        if self._transport is not None:
            self._transport.write(connect_packet(name, username, password, keep_alive))

    def publish(self, topic: str, payload: bytes) -> None:
        """Send when there is a connection and room in its window; again until it is taken."""
        self._waiting.append((topic, payload))
        if self.is_open:
            self._write()

    def ping(self) -> None:
        """Say that we are there."""
        if self._transport is not None:
            self._transport.write(PINGREQ)

    def cut(self) -> None:
        """Give the connection up."""
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Say goodbye."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(DISCONNECT)
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        try:
            for packet in self._reader.feed(data):
                self._take(packet)
        except ValueError as error:
            self._state.failure = str(error)
            self.cut()
            return
        if self.is_open and self._waiting:
            self._write()

    def eof_received(self) -> None:
        self._state.failure = "the broker closed the connection"

    def failed(self, error: Exception) -> None:
        """Say why a connection ended, or could not be made; and if so it will be, always."""
        self._state.failure = str(error)
        if not self.is_open:
            self._state.refused = _distrust(error) or self._state.refused

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.failed(exc)
        self._transport = None
        if self.is_open:
            self.is_open = False
            self._state.connected -= 1
        # The session was a clean one: the broker knows nothing of these, so they are new publishes.
        self._waiting.extendleft(reversed(self._unacknowledged.values()))
        self._unacknowledged.clear()
        self._on_lost(self)

    def _take(self, packet: bytes) -> None:
        if packet[0] == 0x40:
            if self._unacknowledged.pop(int.from_bytes(packet[2:4], "big"), None) is not None:
                self._state.acknowledged += 1
                self._owed_since = self.heard_at
        elif packet[0] == 0x20:
            if packet != CONNACK_ACCEPTED:
                self._state.refused = f"connection refused, CONNACK {packet.hex()}"
                self.cut()
                return
            self.is_open = True
            self._state.connected += 1
            self._on_open(self)

    def _write(self) -> None:
        assert self._transport is not None
        if not self._unacknowledged:
            self._owed_since = asyncio.get_running_loop().time()
        packets = []
        while self._waiting and len(self._unacknowledged) < self._window:
            topic, payload = body = self._waiting.popleft()
            packet_id = self._next_id()
            self._unacknowledged[packet_id] = body
            packets.append(publish_packet(topic, payload, packet_id))
        if packets:
            self._state.sent += len(packets)
            self._transport.write(b"".join(packets))

    def _next_id(self) -> int:
        # The window is far below the number of ids: one that is free is near.
        while True:
            self._last_id = self._last_id % PACKET_IDS + 1
            if self._last_id not in self._unacknowledged:
                return self._last_id


def _distrust(error: Exception) -> str:
    """Why TLS with this broker cannot be, however often it is tried; empty: it may."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        said = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return f"it does not take our certificate, or asks for one: {said}"
    return "expected a listener with TLS" if reason == "WRONG_VERSION_NUMBER" else ""
