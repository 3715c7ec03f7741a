"""What the gateway is told: where it listens, who its broker is, and how much it puts up with."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from devices.codec import CODECS
from devices.streams.catalogue import DATAGRAMS, STREAMS
from ingest.errors import GatewayError
from mqtt.options import Server

Transport = Literal["tcp", "udp", "http", "tls", "https"]
"""How a port is spoken to; tls and https are tcp and http within TLS."""

PHONES: Final = "osmand"
"""The one format that is HTTP itself."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One port. port: 0: any free one."""

    codec: str
    transport: Transport
    host: str
    port: int

    @property
    def is_http(self) -> bool:
        """Whether requests come, and no frames."""
        return self.transport in {"http", "https"}

    @property
    def is_encrypted(self) -> bool:
        """Whether it is spoken to within TLS."""
        return self.transport in {"tls", "https"}

    @property
    def name(self) -> str:
        """As one would write it: `gt06 tcp://0.0.0.0:5023`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.codec} {self.transport}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class BrokerLink:
    """How the broker is reached. links: connections to it; each device keeps to one of them.

    servers: of several that know nothing of each other; links are dealt out among them, and one
        whose broker is away goes to the next.
    silence_s: without a word from the broker for so long, the connection is made anew.
    """

    servers: tuple[Server, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    client_id: str = "hanhtrinh-gateway"
    links: int = 2
    window: int = 4096
    silence_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gateway puts up with.

    connections, per_address: open at once, in all and from one address.
    login_s, idle_s: until a tracker must have named itself; longest silence.
    frames_per_s, burst_frames: of one connection; beyond, reading pauses, and after flood_s of it
        the connection is closed.
    window_messages, window_bytes: received and not yet acknowledged by the broker; from there on
        whoever sends more is not read any further, and from twice as many bytes nobody is.
    answer_s: how long an HTTP request waits for the broker. slow_s: how long a tracker may leave
        its answers unread. stop_s: how long a stop waits for the broker.
    garbage_bytes, wrong_frames: in a row, without a good frame among them. body_bytes: of an HTTP
        request.
    """

    connections: int = 25_000
    per_address: int = 1_000
    login_s: float = 60.0
    idle_s: float = 1_800.0
    frames_per_s: float = 50.0
    burst_frames: int = 1_000
    flood_s: float = 60.0
    window_messages: int = 16_384
    window_bytes: int = 64 << 20
    answer_s: float = 10.0
    slow_s: float = 60.0
    stop_s: float = 10.0
    garbage_bytes: int = 64 << 10
    wrong_frames: int = 16
    body_bytes: int = 256 << 10


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificate and key in PEM. key: None: it is in the same file.

    client_ca: who issues trackers' certificates, which are asked for then; None: nobody's are.
    """

    cert: Path
    key: Path | None = None
    client_ca: Path | None = None

    def paths(self) -> list[Path]:
        """All of them."""
        return [path for path in (self.cert, self.key, self.client_ca) if path is not None]


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """What the registry in the database is asked.

    registered_only: others are turned away. http_secrets: HTTP senders show their device's secret.
    """

    dsn: str = field(repr=False)
    registered_only: bool
    http_secrets: bool


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """All of it.

    secret: what HTTP senders must show; None: HTTP is for this machine only, or the registry has
    their secrets. tls: of the listeners within TLS. registry: None: it is not looked at.
    """

    listeners: tuple[Listener, ...]
    broker: BrokerLink
    limits: Limits = Limits()
    secret: str | None = field(default=None, repr=False)
    tls: TlsFiles | None = None
    registry: RegistryOptions | None = None


def check(options: GatewayOptions) -> None:
    """Raise GatewayError for listeners that cannot be opened, naming all that is wrong."""
    if not options.listeners:
        raise GatewayError("gateway.listeners: expected at least one, got none")
    wrong = [
        f"gateway.listeners: {listener.name}: {what}"
        for listener in options.listeners
        if (what := _wrong(listener, options))
    ]
    if wrong:
        raise GatewayError("\n".join(wrong))


def _wrong(listener: Listener, options: GatewayOptions) -> str:
    if listener.codec not in CODECS:
        return f"no codec is called {listener.codec!r}: expected one of {', '.join(sorted(CODECS))}"
    if listener.is_encrypted and options.tls is None:
        return f"{listener.transport} needs gateway.tls_cert; expected one, got none"
    if listener.is_http:
        has_secrets = options.registry is not None and options.registry.http_secrets
        if options.secret is None and not has_secrets and not is_loopback(listener.host):
            return (
                "HTTP beyond this machine needs gateway.secret or gateway.http_secrets; expected "
                "one, or host 127.0.0.1"
            )
        return ""
    known = DATAGRAMS if listener.transport == "udp" else STREAMS
    if listener.codec not in known:
        names = ", ".join(sorted(known.keys() & CODECS.keys()))
        return (
            f"{listener.codec!r} is not spoken over {listener.transport}: expected one of {names}"
        )
    return ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
