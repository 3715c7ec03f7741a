"""Where MQTT brokers are, and as whom to connect.

Certificates of servers are always checked, their names too; nothing switches that off.
"""

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
class TlsFiles:
    """Paths of PEM files. ca: to trust the server by; None: by what the system trusts.

    cert, key: what we show of ourselves, the key without a passphrase; None: nothing, and of the
    key, that the certificate's file has it.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """What checks the server, and shows our own certificate. Raises OSError, ValueError."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key, password=_passphrase)
        return context


def _passphrase() -> str:
    """Asked for by OpenSSL, which would ask the terminal otherwise."""
    raise ValueError("the key has a passphrase")


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Of one connection.

    client_id: None: the broker makes one. protocol: 311 or 5. tls: None: without. tls_files: what
    it was made of, for processes that have to make their own.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_id: str | None = None
    tls: ssl.SSLContext | None = None
    protocol: int = 311
    keepalive_s: int = 60
    tls_files: TlsFiles | None = None
