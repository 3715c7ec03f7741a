"""What the simulation and the processes that hold its connections say to each other.

Frames of msgpack with their length (four bytes, big-endian) before them; a frame of nothing ends
the messages.
"""

from typing import Final

import msgspec

from mqtt.options import TlsFiles

LENGTH_BYTES: Final = 4


class Order(msgspec.Struct, frozen=True):
    """The first frame: whom to connect as, and where.

    names: client ids, one for each connection. addresses: to connect from, in turn; empty: any.
    targets: listeners, in turn. tls: None: without. window: unacknowledged publishes of a
    connection. patience_s: longest silence of the broker before a connection is given up and made
    anew.
    """

    names: list[str]
    targets: list["Target"]
    addresses: tuple[str, ...]
    username: str | None
    password: str | None
    window: int
    patience_s: float
    tls: TlsFiles | None = None


Target = tuple[str, int, str]
"""(address, port, host): the host is what a certificate must be for."""

Item = tuple[int, int, str, bytes]
"""(connection, due_us, topic, payload): a message; `due_us` as in feed.Message."""


class State(msgspec.Struct):
    """What the processes report: counts since the start.

    connected: connections that hold now. sent: publishes, repeated ones each time. lost:
    connections that ended unasked. refused: why the broker takes nobody (its CONNACK), or nobody
    trusts the broker (its certificate); or empty.
    behind_us: by how much the latest of the last messages was sent late.
    """

    connected: int = 0
    sent: int = 0
    acknowledged: int = 0
    lost: int = 0
    refused: str = ""
    failure: str = ""
    behind_us: int = 0


def framed(body: bytes) -> bytes:
    """A frame."""
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
