"""Errors of the bridge.

IngestError
└── BridgeError
    ├── FeedError    RabbitMQ does not take us, or the connection to it ended
    └── OutboxError  the MQTT broker does not take us, or the connection to it ended
"""

from ingest.errors import IngestError


class BridgeError(IngestError):
    """Base of the errors that end one pair of connections; `broker` says whose fault it was."""

    broker = ""


class FeedError(BridgeError):
    """RabbitMQ does not take us, or the connection to it ended; the message says which and why."""

    broker = "amqp"


class OutboxError(BridgeError):
    """The MQTT broker does not take us, or the connection to it ended; the message says why."""

    broker = "mqtt"
