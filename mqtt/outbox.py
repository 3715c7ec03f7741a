"""Outbox: publishes at QoS 1 over one link, and says what became of each message.

Whoever gave it messages hears the broker's word about each; when the link ends, those it has heard
nothing of are given to the next one.
"""

from collections import deque
from collections.abc import Callable
from itertools import chain
from typing import Any, Final, Generic, Protocol, TypeVar

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from mqtt.link import Link
from mqtt.options import BrokerOptions

PACKET_IDS: Final = 65_535
OVERHEAD_BYTES: Final = 1024
"""More than the header, topic and properties of one of our publishes."""

NO_SUBSCRIBERS: Final = 0x10
"""MQTT 5: the broker acknowledged a message that nobody has subscribed to, and forgot it."""


class Letter(Protocol):
    """A message to publish."""

    @property
    def topic(self) -> str:
        """Where to."""

    @property
    def payload(self) -> bytes:
        """What."""


L = TypeVar("L", bound=Letter)


def is_refusal(code: int) -> bool:
    """Whether a reason code says that nobody will ever receive the message."""
    return code >= 0x80 or code == NO_SUBSCRIBERS


class Outbox(Link, Generic[L]):
    """One connection to publish over.

    settled: called with (letter, reason code), the broker's word about it; 0: it has it.
    most_body_bytes: what the broker takes at most; None: it did not say.
    """

    def __init__(self, options: BrokerOptions, settled: Callable[[L, int], None]) -> None:
        super().__init__(options)
        self._settled = settled
        self._waiting: deque[L] = deque()
        self._on_way: dict[int, L] = {}
        self._most_on_way = PACKET_IDS
        self.most_body_bytes: int | None = None

    def _make_client(self) -> Client:
        client = super()._make_client()
        # The window is ours: paho would look through all that wait at every acknowledgement.
        client.max_inflight_messages_set(0)
        client.on_publish = self._on_publish
        return client

    @property
    def pending(self) -> int:
        """Messages about which the broker has not said a word."""
        return len(self._waiting) + len(self._on_way)

    @property
    def oldest(self) -> L | None:
        """The first of them; None: there is none."""
        return next(chain(self._on_way.values(), self._waiting), None)

    def publish(self, letter: L) -> None:
        """Publish as soon as the broker's window allows it."""
        if len(self._on_way) < self._most_on_way:
            self._send(letter)
        else:
            self._waiting.append(letter)

    def _send(self, letter: L) -> None:
        while True:
            info = self._client.publish(letter.topic, letter.payload, qos=1)
            # Packet ids go round: the next one may belong to a message that is still on its way.
            if info.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                break
        self._on_way[info.mid] = letter

    def _greeted(self, properties: Any) -> None:
        # MQTT 5: what the broker takes. Without it the protocol's own limits hold.
        self._most_on_way = min(PACKET_IDS, getattr(properties, "ReceiveMaximum", PACKET_IDS))
        most_packet = getattr(properties, "MaximumPacketSize", None)
        if most_packet is not None:
            self.most_body_bytes = most_packet - OVERHEAD_BYTES

    def _on_publish(
        self, _client: Client, _userdata: object, mid: int, reason: Any, _properties: object
    ) -> None:
        letter = self._on_way.pop(mid, None)
        if letter is None:
            return
        self._settled(letter, int(reason.value))
        if self._waiting and len(self._on_way) < self._most_on_way:
            self._send(self._waiting.popleft())
