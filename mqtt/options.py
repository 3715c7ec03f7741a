"""Where the MQTT broker is, and as whom to connect."""

import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Of one connection.

    client_id: None: the broker makes one. protocol: 311 or 5. tls: None: without.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_id: str | None = None
    tls: ssl.SSLContext | None = None
    protocol: int = 311
    keepalive_s: int = 60
