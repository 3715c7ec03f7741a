"""What a bridge is told: both brokers, the feed's names, and how much may be under way."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mqtt.options import BrokerOptions

PROVIDER: Final = "{provider}"
"""Stands for the provider's name in the patterns below."""

ExchangeType = Literal["direct", "topic", "fanout"]


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """Where the feed is, and how it names providers.

    providers: their names, as they stand in topics.
    exchange, queue, routing_keys: patterns; with {provider} there is one for each of them, and a
        queue without it is shared by all.
    exchange_type: of exchanges that are made where they are missing; None: they are waited for.
    declare: make the queues and bind them; False: they are there.
    aliases: other names of providers, as users or in bodies.
    check_body: whether the name inside a body is a claim too.
    """

    url: str = field(repr=False)
    providers: tuple[str, ...]
    tls: ssl.SSLContext | None = None
    exchange: str = "tracking." + PROVIDER
    exchange_type: ExchangeType | None = None
    queue: str = "hanhtrinh." + PROVIDER
    routing_keys: tuple[str, ...] = ("#",)
    declare: bool = True
    aliases: Mapping[str, str] = field(default_factory=dict)
    check_body: bool = True
    aside_queue: str = "hanhtrinh.aside"


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """Both ends of the bridge.

    outboxes: brokers that know nothing of each other; what is published goes to one of them, and
        to the next when that is away.
    topic: pattern of the topics that bodies go to.
    window_messages: taken from RabbitMQ and not yet acknowledged there, at most.
    window_bytes: of their bodies, after which RabbitMQ is read no further: no more than one message
        of each queue goes beyond it.
    body_bytes: a larger body is set aside: the MQTT broker would end the connection.
    """

    feed: FeedOptions
    outboxes: tuple[BrokerOptions, ...]
    topic: str = "gsht/v1/ufms/" + PROVIDER
    window_messages: int = 8192
    window_bytes: int = 64 << 20
    body_bytes: int = 8 << 20
