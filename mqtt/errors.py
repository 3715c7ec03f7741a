"""Errors of the MQTT clients.

MqttError
├── LinkError     the broker does not take us, or the connection to it ended
└── RefusedError  the broker answered a message with a reason not to take it (MQTT 5)
"""


class MqttError(Exception):
    """Base of every error that this package raises."""


class LinkError(MqttError):
    """The broker does not take us, says nothing, or the connection to it ended; it says why."""


class RefusedError(MqttError):
    """The broker did not take a message. `code`: MQTT 5's reason, section 2.4 of the standard."""

    def __init__(self, topic: str, code: int, meaning: str) -> None:
        super().__init__(f"topic {topic}: refused with reason code 0x{code:02x} ({meaning})")
        self.topic = topic
        self.code = code
