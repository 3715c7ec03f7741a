"""Settings of the services that others come in by: bridge, logins, API, gateway."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from hanhtrinh.settings.declaring import (
    Kinds,
    Names,
    Port,
    Providers,
    Section,
    divided,
    setting,
)

_LISTENER: Final = re.compile(
    r"(?P<codec>[\w-]+)\s+(?P<transport>\w+)://\[?(?P<host>[^\]\s]+?)\]?:(?P<port>\d+)"
)


class Bridge(Section):
    """From the queues of the Vietnamese feed in RabbitMQ to the MQTT broker."""

    amqp_url: SecretStr = setting(
        "amqp://localhost:5672/",
        "RabbitMQ: amqp://user:password@host:port/vhost, or amqps:// for TLS",
    )
    amqp_tls_ca: Path | None = setting(
        None, "file with the certificates to trust there (PEM); none: those of the system"
    )
    amqp_tls_cert: Path | None = setting(None, "file with the bridge's certificate there (PEM)")
    amqp_tls_key: Path | None = setting(
        None, "file with its private key (PEM); none: in the same file"
    )
    providers: Providers = setting((), "names of the providers, as they stand in topics")
    exchange: str = setting(
        "tracking.{provider}", "the exchange that a provider publishes to", min_length=1
    )
    exchange_type: Literal["direct", "topic", "fanout"] | None = setting(
        None, "type of the exchanges to make where they are missing; none: wait for them"
    )
    routing_keys: Names = setting(
        ("#", *(f"track{n}" for n in range(1, 17)), "dangkiem"),
        "routing keys that the queues are bound with; # is all of a topic exchange",
    )
    queue: str = setting(
        "hanhtrinh.{provider}",
        "the queue of a provider; without {provider}: one queue of all",
        min_length=1,
    )
    declare: bool = setting(True, "make the queues and bind them; false: they are there")
    aliases: dict[str, str] = setting(
        {}, "other names of providers, as users of RabbitMQ or inside messages: name = provider"
    )
    check_body: bool = setting(
        True, "set a message aside if the provider named inside it is another"
    )
    aside_queue: str = setting(
        "hanhtrinh.aside", "queue for messages that cannot be passed on", min_length=1
    )
    window_messages: int = setting(
        8192,
        "messages taken from RabbitMQ and not yet acknowledged there, of all queues together",
        unit="messages",
        ge=1,
        le=60_000,
    )
    window_mib: int = setting(
        64, "and their bodies together; RabbitMQ is then read no further", unit="MiB", ge=1,
        le=65_536,
    )  # fmt: skip
    body_mib: int = setting(
        8, "a larger message is set aside: the MQTT broker would not take it", unit="MiB", ge=1,
        le=255,
    )  # fmt: skip
    client_id: str = setting(
        "hanhtrinh-bridge-0",
        "name of the bridge at the MQTT broker; every bridge needs its own",
        min_length=1,
        max_length=64,
    )
    username: str | None = setting(
        None, "user that the bridge connects to the MQTT broker as; none: broker.username"
    )
    password: SecretStr | None = setting(None, "password of that user")
    tls_cert: Path | None = setting(
        None, "file with the bridge's certificate at the MQTT broker; none: broker.tls_cert"
    )
    tls_key: Path | None = setting(None, "file with its private key (PEM); none: in the same file")
    metrics_port: Port | None = setting(
        None, "port on which the bridge serves Prometheus metrics; none: it serves none"
    )

    @model_validator(mode="after")
    def _has_url(self) -> Self:
        if not self.amqp_url.get_secret_value().startswith(("amqp://", "amqps://")):
            raise ValueError("amqp_url: expected amqp://... or amqps://...")
        return self


class Auth(Section):
    """`hanhtrinh auth`, which answers a NATS broker who may come in."""

    url: str = setting(
        "nats://localhost:4222", "where the broker speaks NATS; tls:// encrypts", min_length=1
    )
    username: str = setting("auth", "user of NATS' system account that answers", min_length=1)
    password: SecretStr | None = setting(None, "password of that user")
    issuer_seed: SecretStr | None = setting(
        None, "seed of the account key that signs answers; `hanhtrinh auth --new-key` makes one"
    )
    account: str = setting("$G", "NATS' account that devices belong to", min_length=1)
    session_hours: float = setting(
        24.0, "a device logs in again after this time at the latest", unit="h", gt=0, le=720
    )
    metrics_port: Port | None = setting(
        None, "port on which it serves Prometheus metrics; none: it serves none"
    )


class Api(Section):
    """The HTTP API."""

    host: str = setting("127.0.0.1", "address to listen on", min_length=1)
    port: int = setting(8080, "port to listen on; 0: any free one", ge=0, le=65_535)
    statement_timeout_s: float = setting(
        15.0, "a query that runs longer is cancelled, and the caller told", unit="s", gt=0
    )
    body_kib: int = setting(
        4096, "a larger request body is refused", unit="KiB", ge=1, le=1_048_576
    )
    window_days: int = setting(
        31, "longest stretch of time of one journey request", unit="days", ge=1, le=366
    )
    dsn: SecretStr | None = setting(
        None,
        "connection string of the API's own user of the database, who owns nothing; `hanhtrinh "
        "migrate` makes the user; none: database.dsn",
    )
    tls_cert: Path | None = setting(
        None, "file with the API's certificate and those above it (PEM); none: no TLS here"
    )
    tls_key: Path | None = setting(None, "file with its private key (PEM); none: in the same file")
    is_behind_tls: bool = setting(
        False, "a proxy in front speaks TLS: browsers are told to come over TLS only"
    )
    trusted_proxies: Names = setting(
        ("127.0.0.1",), "addresses of proxies whose X-Forwarded-For is believed"
    )
    requests_per_s: float = setting(
        50.0, "requests of one key or session; five times as many at once", unit="requests/s", gt=0
    )
    address_requests_per_s: float = setting(
        200.0, "requests of one address; five times as many at once", unit="requests/s", gt=0
    )
    requests_at_once: int = setting(
        6, "requests of one key or session that are under way", unit="requests", ge=1
    )
    logins_per_minute: float = setting(
        20.0, "logins that are tried from one address", unit="logins/min", gt=0
    )
    session_hours: float = setting(12.0, "a session ends after this time", unit="h", gt=0, le=720)
    session_idle_minutes: float = setting(
        30.0, "and when nothing was asked for so long", unit="min", ge=2, le=1440
    )
    password_days: int = setting(
        0, "a password has to be changed after this time; 0: never", unit="days", ge=0, le=3650
    )
    secret: SecretStr | None = setting(
        None,
        "seals second factors, and the way to the identity provider; every API process needs the "
        "same; none: neither can be used",
        min_length=32,
    )
    driver_kept_days: int = setting(
        1096, "a driver whom a violation names is not erased before it is so old", unit="days",
        ge=0, le=36_500,
    )  # fmt: skip
    four_eyes: Kinds = setting(
        (),
        "kinds of violations that one person proposes to decide and another decides; overload_*: "
        "all that begin so; *: all",
    )
    attachments: int = setting(
        10, "files that a violation's review may have", unit="files", ge=0, le=100
    )
    attachment_kib: int = setting(
        2048, "a larger file is refused; so is what api.body_kib refuses", unit="KiB", ge=1,
        le=65_536,
    )  # fmt: skip
    attachments_mib_per_day: int = setting(
        512, "files that one operator may add in a day, together", unit="MiB", ge=1
    )
    oidc_issuer: str | None = setting(
        None, "OpenID Connect: the identity provider where people may come in, too"
    )
    oidc_client_id: str = setting("hanhtrinh", "what this API is called there", min_length=1)
    oidc_client_secret: SecretStr | None = setting(None, "and its secret there")
    oidc_username_claim: str = setting(
        "preferred_username", "which of its claims is our username", min_length=1
    )
    public_url: str = setting(
        "https://localhost:8080", "where browsers find this API, without a path", min_length=1
    )

    @model_validator(mode="after")
    def _can_sign_in(self) -> Self:
        if self.oidc_issuer is not None and (
            self.secret is None or self.oidc_client_secret is None
        ):
            raise ValueError("oidc_issuer: expected secret and oidc_client_secret with it")
        return self


class Listener(Section):
    """One port of the gateway: a table of the list, or `gt06 tcp://0.0.0.0:5023` for short."""

    codec: str = Field(min_length=1)
    transport: Literal["tcp", "udp", "http", "tls", "https"] = "tcp"
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(ge=0, le=65_535)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = _LISTENER.fullmatch(value.strip())
        if found is None:
            raise ValueError(f"expected such as 'gt06 tcp://0.0.0.0:5023', got {value!r}")
        return found.groupdict()

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.codec} {self.transport}://{host}:{self.port}"


class Gateway(Section):
    """The gateway for trackers that speak no MQTT."""

    listeners: Annotated[tuple[Listener, ...], BeforeValidator(divided)] = setting(
        (),
        "ports: codec, transport (tcp, udp, http, tls or https), host (127.0.0.1 unless said) and "
        "port of each",
    )
    tls_cert: Path | None = setting(
        None, "file with the certificate (PEM) of the ports that speak tls and https; read again "
        "when it changes, and at SIGHUP",
    )  # fmt: skip
    tls_key: Path | None = setting(
        None, "file with its private key (PEM, without a passphrase); none: in the same file"
    )
    tls_client_ca: Path | None = setting(
        None, "file with who issues trackers' certificates (PEM), which must then name their "
        "identity; none: they need none",
    )  # fmt: skip
    secret: SecretStr | None = setting(
        None, "what senders over HTTP must show; none: HTTP is for this machine only",
        min_length=6,
    )  # fmt: skip
    http_secrets: bool = setting(
        False, "HTTP senders show the secret of their device in the registry (hanhtrinh devices "
        "rotate), and gateway.secret opens nothing",
    )  # fmt: skip
    registered_only: bool = setting(
        False, "devices that are not in the registry, or were revoked, are turned away"
    )
    connections: int = setting(
        25_000, "connections that are open at once", unit="connections", ge=1, le=1_000_000
    )
    connections_per_address: int = setting(
        1_000, "and from one address; mobile networks put many trackers behind one",
        unit="connections", ge=1, le=1_000_000,
    )  # fmt: skip
    login_s: float = setting(
        60.0, "time that a tracker has to name itself, and an HTTP client between requests",
        unit="s", gt=0,
    )  # fmt: skip
    idle_s: float = setting(
        1_800.0, "a tracker that is silent for longer is disconnected", unit="s", gt=0
    )
    frames_per_s: float = setting(
        50.0, "frames of one connection; who sends more is slowed, and after a minute disconnected",
        unit="frames/s", gt=0,
    )  # fmt: skip
    burst_frames: int = setting(
        1_000, "frames that it may send at once, as trackers do after a gap", unit="frames", ge=1
    )
    window_messages: int = setting(
        16_384, "messages that the broker may owe acknowledgements for, before reading pauses",
        unit="messages", ge=1,
    )  # fmt: skip
    window_mib: int = setting(64, "and their payloads together", unit="MiB", ge=1, le=65_536)
    broker_connections: int = setting(
        2, "connections to the broker; each device keeps to one", unit="connections", ge=1, le=64
    )
    body_kib: int = setting(
        256, "a larger body of an HTTP request is refused", unit="KiB", ge=1, le=1_024
    )
    stop_s: float = setting(
        10.0, "how long a stop waits for the broker's acknowledgements", unit="s", ge=0
    )
    metrics_port: Port | None = setting(
        None, "port on which the gateway serves Prometheus metrics; none: it serves none"
    )
