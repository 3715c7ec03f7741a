"""Line: one TCP or TLS connection to the broker, in bytes, with MQTT's keep-alive.

Belongs here: the socket. Does not belong here: packets (wire.py), and when to connect again
(source.py).
"""

import contextlib
import select
import socket
import ssl
import time
from typing import Final, Self

from devices.mqtt_packets import PINGREQ

CONNECT_S: Final = 10.0
"""How long connecting, the handshake of TLS included, may take."""

VERDICT_S: Final = 0.25
"""How long is waited for what the broker thinks of our certificate. TLS 1.3 says it after the
handshake, and whoever writes before reading may be reset without having heard it."""

READ_BYTES: Final = 1 << 18
"""Read at once: about a thousand messages."""


class Line:
    """A connection that never blocks once it is made. `OSError` is its end, whatever the cause."""

    def __init__(self, sock: socket.socket, keepalive_s: float) -> None:
        self._sock = sock
        self._keepalive_s = keepalive_s
        self._outgoing = bytearray()
        self._sent_at = time.monotonic()
        self._pinged_at: float | None = None

    @classmethod
    def open(cls, host: str, port: int, tls: ssl.SSLContext | None, keepalive_s: float) -> Self:
        """Connect. Raises OSError; ssl.SSLError if the broker cannot be trusted."""
        sock = socket.create_connection((host, port), CONNECT_S)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                sock = tls.wrap_socket(sock, server_hostname=host)
            sock.setblocking(False)
            if tls is not None:
                _hear_verdict(sock)
        except BaseException:
            sock.close()
            raise
        return cls(sock, keepalive_s)

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def has_more(self) -> bool:
        """Whether something is there that does not make the socket readable: TLS decrypted it."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    @property
    def wants_write(self) -> bool:
        """Whether something is not written yet."""
        return bool(self._outgoing)

    def keep_alive_at(self, keepalive_s: float) -> None:
        """Take over the broker's own time; 0: silence is no matter."""
        self._keepalive_s = keepalive_s

    def read(self) -> bytes:
        """What has come; nothing if that is too little to decrypt."""
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        if not data:
            raise ConnectionResetError("the broker closed the connection")
        return data

    def write(self, data: bytes) -> None:
        """Have it sent by `flush`."""
        self._outgoing += data

    def flush(self) -> None:
        """Send as much as goes at once."""
        while self._outgoing:
            try:
                sent = self._sock.send(self._outgoing)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            del self._outgoing[:sent]
            self._sent_at = time.monotonic()

    def leave(self, last: bytes, patience_s: float) -> None:
        """Send everything and this at the end, and wait until the broker closes; or for a while.

        To close with something unread would reset the connection, and with it what the broker has
        not read yet.
        """
        deadline = time.monotonic() + patience_s
        self.write(last)
        with contextlib.suppress(OSError):
            while (remaining := deadline - time.monotonic()) > 0:
                self.flush()
                select.select([self], [self] if self._outgoing else [], [], remaining)
                self.read()

    def keep_alive(self, *, hears: bool) -> None:
        """Ask whether the broker is there when nothing was sent for long. Raises TimeoutError.

        hears: whether anybody reads; while nobody does, a broker that answers seems silent, too.
        """
        if not self._keepalive_s:
            return
        now = time.monotonic()
        if not hears:
            self._pinged_at = None
        if self._pinged_at is not None and now - self._pinged_at > self._keepalive_s:
            raise TimeoutError(f"the broker did not answer a ping for {self._keepalive_s:g} s")
        if self._pinged_at is None and now - self._sent_at > self._keepalive_s / 2:
            self._pinged_at = now
            self.write(PINGREQ)

    def answered(self) -> None:
        """The broker has answered a ping."""
        self._pinged_at = None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()


def _hear_verdict(sock: socket.socket) -> None:
    """Raises ssl.SSLError if the broker does not take our certificate, or the lack of one."""
    if select.select([sock], [], [], VERDICT_S)[0]:
        with contextlib.suppress(ssl.SSLWantReadError):
            sock.recv(1)  # a broker says nothing of MQTT before the login
