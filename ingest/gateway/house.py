"""House: what all connections share, and the limits that hold for them together."""

import re
from collections import Counter
from collections.abc import Callable
from enum import IntFlag
from typing import TYPE_CHECKING, Final

import structlog

from ingest.gateway.admission import Admission, Seldom
from ingest.gateway.metrics import GatewayMetrics
from ingest.gateway.options import Limits
from ingest.gateway.publisher import Publisher

if TYPE_CHECKING:  # they know their house
    from ingest.gateway.connection import Connection

BUFFER_BYTES: Final = 16_384
"""Read at once from one connection: what it can add after it should have stopped."""

_IDENTITY: Final = re.compile(r"[A-Za-z0-9_:@.-]{1,64}")
"""Letters that no broker takes for a wildcard, a level or a blank in a topic."""

_WEIGHINGS: Final = "weigh-"


log = structlog.get_logger(__name__)


class Pause(IntFlag):
    """Why a connection is not read."""

    HELD = 1
    UNANSWERED = 2
    UNREAD = 4
    FLOOD = 8
    LOGIN = 16


def is_identity(text: str) -> bool:
    """Whether a topic can name it."""
    return _IDENTITY.fullmatch(text) is not None


def topic_of(codec: str, ident: str) -> str:
    """Where the worker looks for it (docs/topics.md)."""
    if codec.startswith(_WEIGHINGS):
        return f"weigh/v1/{codec.removeprefix(_WEIGHINGS)}/{ident}"
    return f"gsht/v1/{codec}/{ident}"


class House:
    """The connections, the publisher, and who waits for it.

    now: seconds of a clock that never goes back. buffer: what is read goes through it, one
    connection after the other. waiting: connections that are not read because of the broker.
    admission: who is registered; None: everybody is served.
    """

    def __init__(
        self, limits: Limits, publisher: Publisher, metrics: GatewayMetrics,
        now: Callable[[], float], admission: Admission | None = None,
    ) -> None:  # fmt: skip
        self.limits = limits
        self.publisher = publisher
        self.metrics = metrics
        self.now = now
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.connections: set[Connection] = set()
        self.waiting: set[Connection] = set()
        self.is_closing = False
        self._admission = admission
        self._seldom = Seldom(now)
        self._of_address: Counter[str] = Counter()

    def admits(self, connection: "Connection") -> bool:
        """Let a new connection in, or count why not."""
        reason = self._refusal(connection.address)
        if reason:
            self.metrics.closed[connection.codec, reason] += 1
            return False
        self.connections.add(connection)
        self._of_address[connection.address] += 1
        self.metrics.opened[connection.codec] += 1
        return True

    def leaves(self, connection: "Connection") -> None:
        """A connection has ended, or was never let in."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self.waiting.discard(connection)
        self._of_address[connection.address] -= 1
        if not self._of_address[connection.address]:
            del self._of_address[connection.address]

    def serves(self, codec: str, ident: str) -> bool:
        """Whether senders of that identity are served."""
        return self._admission is None or self._admission.admits(codec, ident)

    def turns_away(self, codec: str, ident: str, address: str) -> bool:
        """Whether a sender is nobody that is registered; counted, and now and then logged."""
        if self.serves(codec, ident):
            return False
        self.metrics.refused[codec, "unregistered"] += 1
        if self._seldom.is_due(ident):
            unsaid, self._seldom.unsaid = self._seldom.unsaid, 0
            log.warning(
                "sender.unregistered", codec=codec, ident=ident, address=address, unsaid=unsaid
            )
        return True

    def halt(self) -> None:
        """Read nobody: so much is held that not even a little more of each may come."""
        for connection in self.connections:
            if connection.waits_for_broker:
                connection.pause(Pause.HELD)

    def _refusal(self, address: str) -> str:
        if self.is_closing:
            return "stopping"
        if len(self.connections) >= self.limits.connections:
            return "too_many"
        if self._of_address[address] >= self.limits.per_address:
            return "too_many_of_address"
        return ""
