"""TLS on the ports of trackers: the certificate in force, and one connection's bytes in and out.

Belongs here: contexts, reloading their files, handshakes without a socket. Does not belong here:
what the bytes mean, and whose connection it is.

No transport of the event loop's is used: those report a connection only after its handshake, so
that whoever never shakes hands would be counted nowhere and limited by nothing.
"""

import contextlib
import ssl
from pathlib import Path
from typing import Any, Final

import structlog

from ingest.errors import GatewayError
from ingest.gateway.options import TlsFiles

READ_BYTES: Final = 16_384
"""The most that one TLS record holds."""

_State = tuple[tuple[int, int, int], ...]

log = structlog.get_logger(__name__)


class Certificates:
    """The gateway's certificate as it lies on the disk.

    context: what new connections are made with; those that are open keep theirs. is_current:
    whether it is what the files say now.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Raise GatewayError for files that are not there or do not fit together."""
        self._files = files
        self._state = self._look()
        self.is_current = True
        self.context = self._load()

    def reload(self, *, even_if_unchanged: bool = False) -> None:
        """Take new files, if there are any; what is wrong with them is logged, and nothing else."""
        state = self._look()
        if state == self._state and not even_if_unchanged:
            return
        self._state = state
        try:
            self.context = self._load()
        except GatewayError as error:
            self.is_current = False
            log.error("certificate.unusable", detail=str(error), hint="the one before stays")  # noqa: TRY400 - it says all
        else:
            self.is_current = True
            log.info("certificate.loaded", file=str(self._files.cert))

    def _look(self) -> _State:
        """What tells that a file is another one: times, size and number. Missing: zeros."""
        found = []
        for path in self._files.paths():
            try:
                stat = path.stat()
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(found)

    def _load(self) -> ssl.SSLContext:
        files = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        try:
            context.load_cert_chain(files.cert, files.key, password=_passphrase)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise GatewayError(
                f"gateway.tls_cert: {files.cert}: expected a certificate and its private key in "
                f"PEM, without a passphrase: {_reason(error)}"
            ) from error
        if files.client_ca is not None:
            try:
                context.load_verify_locations(files.client_ca)
            except OSError as error:
                raise GatewayError(
                    f"gateway.tls_client_ca: {files.client_ca}: expected certificates in PEM: "
                    f"{_reason(error)}"
                ) from error
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Encrypted:
    """The server's side of one TLS connection, without its socket.

    names: whom the client's certificate is for, once hands are shaken; None: none was asked for.
    has_ended: the client has said that it sends no more.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._asks = context.verify_mode is ssl.CERT_REQUIRED
        self.is_agreed = False
        self.has_ended = False
        self.names: frozenset[str] | None = None

    def take(self, data: bytes) -> bytes:
        """What the client says in clear. Raises ssl.SSLError for what is no TLS or untrusted."""
        self._in.write(data)
        if not self.is_agreed:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                return b""
            self.is_agreed = True
            if self._asks:
                self.names = _names(self._tls)
        pieces = []
        try:
            while piece := self._tls.read(READ_BYTES):
                pieces.append(piece)
            self.has_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        return b"".join(pieces)

    def give(self, data: bytes) -> bytes:
        """What to send for this to be heard."""
        self._tls.write(data)
        return self.owed()

    def owed(self) -> bytes:
        """What TLS itself has to send: handshakes and alerts."""
        return self._out.read()

    def farewell(self) -> bytes:
        """What says that no more will be sent, so that a cut is known from an end."""
        if self.is_agreed:
            with contextlib.suppress(ssl.SSLError):  # its own farewell is not waited for
                self._tls.unwrap()
        return self.owed()


def _names(tls: ssl.SSLObject) -> frozenset[str]:
    """The common name and the host names of the client's certificate."""
    shown: dict[str, Any] = dict(tls.getpeercert() or {})
    names = {value for kind, value in shown.get("subjectAltName", ()) if kind == "DNS"}
    for part in shown.get("subject", ()):
        names |= {value for kind, value in part if kind == "commonName"}
    return frozenset(names)


def _passphrase() -> str:
    """Asked for by OpenSSL, which would ask the terminal otherwise."""
    raise ValueError("the key has a passphrase")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def tls_files(cert: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles | None:
    """The files of the settings; None: there is no TLS. Raises GatewayError for a lone one."""
    if cert is None:
        if key is not None or client_ca is not None:
            raise GatewayError(
                "gateway.tls_cert: expected one with gateway.tls_key or tls_client_ca"
            )
        return None
    return TlsFiles(cert, key, client_ca)
