"""MQTT as a subscriber speaks it: packets written, and a byte stream read in one pass.

OASIS MQTT 3.1.1 and 5.0; sections in the text are those of 5.0. Pure: no socket, no clock. Belongs
here: what the worker's session sends and hears. Does not belong here: publishing
(devices/mqtt_packets.py), and when anything is sent (source.py).

A worker reads tens of thousands of messages a second, so that what is done for each one counts:
one loop over the bytes of many packets, no object for a packet, and the acknowledgements of a batch
made by one array operation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from devices.mqtt_packets import remaining_length, text_field
from ingest.topics import KNOWN_LENGTH, KNOWN_TOPICS

SUBSCRIPTION_ID: Final = 1
"""The packet id of the one SUBSCRIBE of a connection."""

PACKET_BYTES: Final = 32 << 20
"""A packet that says it is longer ends the connection. Brokers allow less (MAX_PAYLOAD_BYTES)."""

FROM_BROKERS: Final = frozenset({0x20, 0x30, 0x90, 0xD0, 0xE0})
"""CONNACK, PUBLISH, SUBACK, PINGRESP, DISCONNECT: what a subscriber at QoS 1 hears."""

REASONS: Final = {
    1: "unacceptable protocol version", 2: "client id rejected", 3: "server unavailable",
    4: "bad user name or password", 5: "not authorized",
    0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error",
    0x83: "implementation specific error", 0x84: "unsupported protocol version",
    0x85: "client id not valid", 0x86: "bad user name or password", 0x87: "not authorized",
    0x88: "server unavailable", 0x89: "server busy", 0x8A: "banned", 0x8B: "server shutting down",
    0x8C: "bad authentication method", 0x8D: "keep alive timeout", 0x8E: "session taken over",
    0x8F: "topic filter not valid", 0x93: "receive maximum exceeded", 0x95: "packet too large",
    0x97: "quota exceeded", 0x98: "administrative action", 0x9C: "use another server",
    0x9E: "shared subscriptions not supported", 0x9F: "connection rate exceeded",
    0xA2: "wildcard subscriptions not supported",
}  # fmt: skip
"""What the codes of CONNACK (3.1.1: 1 to 5), SUBACK and DISCONNECT mean; section 2.4."""

_SESSION_EXPIRY: Final = 0x11
_SERVER_KEEP_ALIVE: Final = 0x13
_RECEIVE_MAXIMUM: Final = 0x21
_SHARED_AVAILABLE: Final = 0x2A

_BYTES_OF: Final = {
    0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2,
    0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip
"""Property -> length of its value where that is fixed; section 2.2.2.2."""

_TEXTS: Final = frozenset({0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F})
"""Properties with a length before their value."""


class WireError(Exception):
    """What the broker sent is not MQTT as it was agreed upon."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a connection begins with: a session that the broker keeps.

    protocol: 311 or 5. expiry_s, receive_maximum: of MQTT 5 alone.
    """

    client_id: str
    username: str | None
    password: str | None
    protocol: int
    keepalive_s: int
    expiry_s: int
    receive_maximum: int

    def packet(self) -> bytes:
        """CONNECT, section 3.1. The flag of a clean session is not set."""
        flags = 0x80 * (self.username is not None) | 0x40 * (self.password is not None)
        level, properties = 4, b""
        if self.protocol == 5:
            level = 5
            known = (
                bytes((_SESSION_EXPIRY,)) + self.expiry_s.to_bytes(4, "big")
                + bytes((_RECEIVE_MAXIMUM,)) + self.receive_maximum.to_bytes(2, "big")
            )  # fmt: skip
            properties = remaining_length(len(known)) + known
        body = text_field("MQTT") + bytes((level, flags)) + self.keepalive_s.to_bytes(2, "big")
        body += properties + text_field(self.client_id)
        for secret in (self.username, self.password):
            if secret is not None:
                body += text_field(secret)
        return b"\x10" + remaining_length(len(body)) + body


def subscribe_packet(topics: Sequence[str], protocol: int) -> bytes:
    """SUBSCRIBE at QoS 1, section 3.8."""
    body = SUBSCRIPTION_ID.to_bytes(2, "big") + (b"\x00" if protocol == 5 else b"")
    body += b"".join(text_field(topic) + b"\x01" for topic in topics)
    return b"\x82" + remaining_length(len(body)) + body


def puback_packets(packet_ids: Sequence[int]) -> bytes:
    """One PUBACK for each id, section 3.4: success, in the short form that both versions know."""
    packets = np.empty((len(packet_ids), 2), ">u2")
    packets[:, 0] = 0x4002
    packets[:, 1] = packet_ids
    return packets.tobytes()


class Accepted(NamedTuple):
    """CONNACK. code: 0: the broker takes us. keepalive_s: its own, instead of ours; None: ours."""

    code: int
    keepalive_s: int | None = None
    has_shared: bool = True


class Granted(NamedTuple):
    """SUBACK: a code for each topic; 0x80 and above: refused."""

    codes: tuple[int, ...]


class Left(NamedTuple):
    """DISCONNECT, of MQTT 5 alone: the broker says why it closes."""

    code: int


class Pong(NamedTuple):
    """PINGRESP."""


Control = Accepted | Granted | Left | Pong


@dataclass(slots=True)
class Messages:
    """Columns of messages that were read, one entry each. packet_id 0: QoS 0, nothing to answer.

    sent_again: packet ids with the flag DUP: the broker may have sent that message before.
    """

    topics: list[str] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    packet_ids: list[int] = field(default_factory=list)
    sent_again: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.topics)


class PacketReader:
    """Splits what a broker sends into messages and the rest; holds one unfinished packet."""

    def __init__(self, protocol: int) -> None:
        self._is_v5 = protocol == 5
        self._rest = b""
        self._topics: dict[bytes, str] = {}

    def begin_connection(self) -> None:
        """Forget the half of a packet that an old connection left."""
        self._rest = b""

    def feed(self, data: bytes) -> tuple[Messages, list[Control]]:
        """What is whole with these bytes, messages in the order of arrival. Raises WireError."""
        data = self._rest + data if self._rest else data
        messages, control = Messages(), list[Control]()
        add_topic, add_payload = messages.topics.append, messages.payloads.append
        add_id, known = messages.packet_ids.append, self._topics
        is_v5, at, size = self._is_v5, 0, len(data)
        while size - at >= 2:
            head, length, body = data[at], data[at + 1], at + 2
            if length > 127:
                length, body = _length(data, at + 1)
            end = body + length
            if end > size or not body:
                _check_kind(head)
                break
            if head & 0xF0 != 0x30:
                control.append(self._control(head, data[body:end]))
                at = end
                continue
            payload = body + 2 + int.from_bytes(data[body : body + 2], "big")
            topic = data[body + 2 : payload]
            packet_id = 0
            if head & 0x06:
                payload += 2
                packet_id = int.from_bytes(data[payload - 2 : payload], "big")
                if head & 0x08:
                    messages.sent_again.add(packet_id)
            if is_v5:
                skip, payload = _length(data, payload)
                payload = payload + skip if payload else end + 1
            if head & 0x04 or payload > end:
                raise WireError(f"PUBLISH {head:#x} of {length} bytes: QoS 2, or cut off")
            add_topic(known.get(topic) or self._topic(topic))
            add_payload(data[payload:end])
            add_id(packet_id)
            at = end
        self._rest = data[at:] if at else data
        return messages, control

    def _topic(self, encoded: bytes) -> str:
        """The text of a topic; one that is no text goes to the quarantine as an unknown topic."""
        try:
            topic = encoded.decode()
        except UnicodeDecodeError:
            return "\N{REPLACEMENT CHARACTER}"
        if len(encoded) <= KNOWN_LENGTH:
            if len(self._topics) >= KNOWN_TOPICS:
                self._topics.clear()
            self._topics[encoded] = topic
        return topic

    def _control(self, head: int, body: bytes) -> Control:
        kind = head >> 4
        if kind == 2 and len(body) >= 2:
            return self._accepted(body)
        if kind == 9 and len(body) > 2:
            codes = 2
            if self._is_v5:
                skip, codes = _length(body, 2)
                codes += skip
            return Granted(tuple(body[codes:]))
        if kind == 13:
            return Pong()
        if kind == 14 and self._is_v5:
            return Left(body[0] if body else 0)
        raise WireError(f"packet type {head:#x}, {len(body)} bytes: nothing that a broker sends us")

    def _accepted(self, body: bytes) -> Accepted:
        properties = dict(_properties(body[2:])) if self._is_v5 and len(body) > 2 else {}
        keepalive = properties.get(_SERVER_KEEP_ALIVE)
        return Accepted(body[1], keepalive, bool(properties.get(_SHARED_AVAILABLE, 1)))


def _check_kind(head: int) -> None:
    """Raises WireError for a packet that is not worth waiting for."""
    if head & 0xF0 not in FROM_BROKERS:
        raise WireError(f"packet type {head:#x}: nothing that a broker sends us")


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A variable byte integer (section 1.5.5) and where it ends; 0 there: it is not whole yet."""
    value = 0
    for shift in (0, 7, 14, 21):
        if at >= len(data):
            return 0, 0
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > PACKET_BYTES:
                raise WireError(f"a packet of {value:,} bytes: expected at most {PACKET_BYTES:,}")
            return value, at
    raise WireError("a length of more than four bytes")


def _properties(data: bytes) -> Iterator[tuple[int, int]]:
    """The properties with a fixed length, as numbers."""
    length, at = _length(data, 0)
    end = at + length
    while at < end:
        name, at = data[at], at + 1
        size = _BYTES_OF.get(name)
        if size is not None:
            yield name, int.from_bytes(data[at : at + size], "big")
            at += size
            continue
        # A user property (0x26) is two texts, all others are one.
        for _ in range(2 if name == 0x26 else int(name in _TEXTS)):
            at += 2 + int.from_bytes(data[at : at + 2], "big")
        if name != 0x26 and name not in _TEXTS:
            raise WireError(f"property {name:#x}: expected one of MQTT 5")
