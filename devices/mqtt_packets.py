"""MQTT 3.1.1 packets that the gateway and the load generator write (OASIS standard, sections 2, 3).

Belongs here: bytes of CONNECT, PUBLISH and DISCONNECT, and reading what answers them. Does not
belong here: sockets.
"""

from collections.abc import Iterator, Sequence
from typing import Final

DISCONNECT: Final = b"\xe0\x00"
PUBACK: Final = b"\x40\x02"
CONNACK_ACCEPTED: Final = b"\x20\x02\x00\x00"
PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = b"\xd0\x00"

_PUBLISH_QOS1: Final = b"\x32"
_PACKET_IDS: Final = 65_535
_PUBACK_BYTES: Final = 4
_ANSWER_BYTES: Final = {0x20: 4, 0x40: 4, 0xD0: 2}


def remaining_length(length: int) -> bytes:
    """Section 2.2.3: seven bits a byte, low ones first."""
    out = bytearray()
    while True:
        length, low = divmod(length, 128)
        out.append(low | 0x80 if length else low)
        if not length:
            return bytes(out)


def connect_packet(
    client_id: str, username: str | None, password: str | None, keep_alive_s: int = 0
) -> bytes:
    """Section 3.1: a clean session without a will. keep_alive_s: 0: silence is no matter."""
    flags = 0x02 | (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    payload = text_field(client_id)
    for secret in (username, password):
        if secret is not None:
            payload += text_field(secret)
    body = text_field("MQTT") + bytes((4, flags)) + keep_alive_s.to_bytes(2, "big") + payload
    return b"\x10" + remaining_length(len(body)) + body


def publish_packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    """Section 3.3: one PUBLISH at QoS 1. packet_id: 1 to 65,535."""
    head = text_field(topic)
    length = remaining_length(len(head) + 2 + len(payload))
    return b"".join((_PUBLISH_QOS1, length, head, packet_id.to_bytes(2, "big"), payload))


def publish_packets(topics: Sequence[str], payloads: Sequence[bytes]) -> list[bytes]:
    """Section 3.3: one QoS 1 PUBLISH per message.

    Packet ids run from 1 and wrap around, so no more than 65,535 of one connection may be
    unacknowledged.
    """
    heads = {topic: text_field(topic) for topic in set(topics)}
    packets = []
    for number, (topic, payload) in enumerate(zip(topics, payloads, strict=True)):
        head = heads[topic]
        packet_id = (number % _PACKET_IDS + 1).to_bytes(2, "big")
        length = remaining_length(len(head) + 2 + len(payload))
        packets.append(b"".join((_PUBLISH_QOS1, length, head, packet_id, payload)))
    return packets


class AnswerReader:
    """Reads what a broker sends to a client that only publishes. Raises ValueError for the rest."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The packets that are complete: CONNACK, PUBACK (4 bytes each), PINGRESP (2)."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        at, size = 0, len(data)
        while at < size:
            length = _ANSWER_BYTES.get(data[at])
            if length is None:
                raise ValueError(f"packet type {data[at]:#x}: expected CONNACK, PUBACK or PINGRESP")
            if at + length > size:
                self._rest = data[at:]
                return
            yield data[at : at + length]
            at += length


class AckCounter:
    """Counts PUBACKs in a byte stream. Raises ValueError for anything else but PINGRESP."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> int:
        """How many PUBACKs are complete with these bytes."""
        data = self._rest + data
        whole = len(data) - len(data) % _PUBACK_BYTES
        count = whole // _PUBACK_BYTES
        # Nearly always the stream holds PUBACKs alone: then every fourth byte tells.
        if data[0:whole:4].count(0x40) == count and data[1:whole:4].count(0x02) == count:
            self._rest = data[whole:]
            return count
        return self._feed_slowly(data)

    def _feed_slowly(self, data: bytes) -> int:
        count = at = 0
        while len(data) - at >= 2:
            head = data[at : at + 2]
            if head == PINGRESP:
                at += 2
            elif head == PUBACK:
                if len(data) - at < _PUBACK_BYTES:
                    break
                at += _PUBACK_BYTES
                count += 1
            else:
                raise ValueError(f"packet type {head.hex()}: expected PUBACK")
        self._rest = data[at:]
        return count


def text_field(text: str) -> bytes:
    """Section 1.5.3: UTF-8 with its length before it."""
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
