"""Where MQTT brokers are, and as whom to connect."""

import re
import ssl
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_WRITTEN: Final = re.compile(r"(?:\[([^\s\[\]]+)\]|([^\s\[\]:]+))(?::(\d{1,5}))?")


class Server(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, port: int) -> "Server":
        """Of `a`, `a:1884`, `[::1]:1884`, or `::1`; port: where none is named.

        Raises ValueError, which says what was expected.
        """
        text = text.strip()
        if text.count(":") > 1 and "[" not in text:  # IPv6, whose last group is no port
            text = f"[{text}]"
        found = _WRITTEN.fullmatch(text)
        if found is None or not 1 <= int(found[3] or port) <= 65_535:
            raise ValueError(f"{text!r}: expected a name or address, such as a or a:1884")
        return cls(found[1] or found[2], int(found[3] or port))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


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
