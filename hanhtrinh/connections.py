"""As whom each part connects to the MQTT broker and to RabbitMQ: logins, and TLS.

Belongs here: users, passwords and certificates of the settings. Certificates of servers are always
checked, their names too; nothing switches that off.
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from hanhtrinh.errors import CommandError
from hanhtrinh.settings import Settings
from mqtt.options import BrokerOptions, Server, TlsFiles


@dataclass(frozen=True, slots=True)
class Access:
    """A user of the MQTT broker. protocol: 311 or 5; tls: None: a connection without it.

    tls_files: what `tls` was made of.
    """

    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None
    protocol: int
    tls_files: TlsFiles | None = None


def worker_access(settings: Settings) -> Access:
    """The worker's."""
    broker = settings.broker
    return _access(
        settings, (broker.username, broker.password), "broker", (broker.tls_cert, broker.tls_key)
    )


def publisher_access(settings: Settings) -> Access:
    """What publishes measurements; the worker's user and certificate if it has none."""
    publisher, broker = settings.publisher, settings.broker
    login = (publisher.username, publisher.password)
    if publisher.tls_cert is None and publisher.tls_key is None:
        section, own = "broker", (broker.tls_cert, broker.tls_key)
    else:
        section, own = "publisher", (publisher.tls_cert, publisher.tls_key)
    if publisher.username is None:
        login = (broker.username, broker.password)
    return _access(settings, login, section, own)


def bridge_access(settings: Settings) -> Access:
    """The bridge's; the worker's user and certificate if it has none."""
    bridge, broker = settings.bridge, settings.broker
    login = (bridge.username, bridge.password)
    if bridge.tls_cert is None and bridge.tls_key is None:
        section, own = "broker", (broker.tls_cert, broker.tls_key)
    else:
        section, own = "bridge", (bridge.tls_cert, bridge.tls_key)
    if bridge.username is None:
        login = (broker.username, broker.password)
    return _access(settings, login, section, own)


def amqp_tls(settings: Settings) -> ssl.SSLContext | None:
    """How RabbitMQ's certificate is checked, and ours; None: its address asks for no TLS."""
    bridge = settings.bridge
    files = (bridge.amqp_tls_ca, bridge.amqp_tls_cert, bridge.amqp_tls_key)
    if not bridge.amqp_url.get_secret_value().startswith("amqps://"):
        if any(files):
            raise CommandError("bridge.amqp_url: expected amqps:// with bridge.amqp_tls_*")
        return None
    return _context("bridge.amqp_tls", _files(*files))


def nats_tls(settings: Settings) -> ssl.SSLContext | None:
    """How the certificate of NATS is checked, and ours; None: its address asks for no TLS."""
    stream = settings.jetstream
    files = (stream.tls_ca, stream.tls_cert, stream.tls_key)
    if not stream.url.startswith("tls://"):
        if any(files):
            raise CommandError("jetstream.url: expected tls:// with jetstream.tls_*")
        return None
    return _context("jetstream.tls", _files(*files))


def _access(
    settings: Settings,
    login: tuple[str | None, SecretStr | None],
    section: str,
    own: tuple[Path | None, Path | None],
) -> Access:
    username, password = login
    broker = settings.broker
    tls = files = None
    if broker.tls:
        files = _files(broker.tls_ca, *own)
        tls = _context(f"{section}.tls", files, ca_name="broker.tls_ca")
    elif any(own) or broker.tls_ca:
        raise CommandError(f"broker.tls: expected true with {section}.tls_*, got false")
    return Access(
        username,
        password.get_secret_value() if password else None,
        tls,
        5 if broker.protocol == "5" else 311,
        files,
    )


def _files(ca: Path | None, cert: Path | None, key: Path | None) -> TlsFiles:
    """The same files, wherever a process works."""
    return TlsFiles(*(str(file.absolute()) if file else None for file in (ca, cert, key)))


def _context(name: str, files: TlsFiles, *, ca_name: str | None = None) -> ssl.SSLContext:
    """A context that checks the server's certificate and name, and shows our own if we have one.

    name: what the settings of the files begin with; ca_name: that of the authority's, if another.
    """
    ca, cert, key = files.ca, files.cert, files.key
    ca_name = ca_name or f"{name}_ca"
    try:
        context = TlsFiles(ca).context()
    except ssl.SSLError as error:
        raise CommandError(f"{ca_name}: {ca}: expected certificates in PEM: {error}") from error
    except OSError as error:
        raise CommandError(f"{ca_name}: {ca}: {error.strerror}") from error
    if cert is None:
        if key is not None:
            raise CommandError(f"{name}_cert: expected the certificate of {name}_key, none")
        return context
    try:
        return files.context()
    except (ssl.SSLError, ValueError) as error:
        raise CommandError(
            f"{name}_cert: {cert}: expected a certificate and its private key in PEM, without "
            f"a passphrase: {error}"
        ) from error
    except OSError as error:
        raise CommandError(f"{name}_cert: {cert}, {key or cert}: {error.strerror}") from error


def broker_options(
    settings: Settings,
    access: Access,
    *,
    client_id: str | None = None,
    server: Server | None = None,
) -> BrokerOptions:
    """How whoever publishes reaches a broker; server: None: the first of `broker.host`."""
    host, port = server or settings.broker.servers[0]
    return BrokerOptions(
        host,
        port,
        access.username,
        access.password,
        client_id,
        access.tls,
        access.protocol,
        settings.broker.keepalive_s,
        access.tls_files,
    )
