"""Link: one connection to the MQTT broker, paho-mqtt on the event loop without a thread.

A link is used for one connection: when that ends it is thrown away with everything it held.
"""

import asyncio
import logging
import socket
import threading
from typing import Any, Final, Self

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from mqtt.errors import LinkError
from mqtt.options import BrokerOptions

CONNECT_S: Final = 15.0
CLOSE_S: Final = 2.0
MISC_EVERY_S: Final = 1.0
"""How often keep-alives are looked at."""

WRITE_EVERY_S: Final = 0.002
"""What is published within this time is written together."""

CORK: Final[int | None] = getattr(socket, "TCP_CORK", None)
"""Linux: hold back what is written until the end of a burst. paho writes packet by packet."""

LIBRARY: Final = logging.getLogger("paho.mqtt")
"""Says why a connection ended, such as that the broker asks for a certificate. Of everything else
it would say a line per packet."""
LIBRARY.setLevel(logging.ERROR)


class Link:
    """One connection to the MQTT broker. Use it from one event loop.

    closed: why it ended, once it has.
    """

    def __init__(self, options: BrokerOptions) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[str] = self._loop.create_future()
        self._client = self._make_client()
        self._misc: asyncio.Task[None] | None = None

    def _make_client(self) -> Client:
        options = self._options
        is_v5 = options.protocol == 5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id or "",
            clean_session=None if is_v5 else True,
            protocol=MQTTv5 if is_v5 else MQTTv311,
        )
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if options.tls is not None:
            client.tls_set_context(options.tls)
        client.enable_logger(LIBRARY)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        return client

    async def __aenter__(self) -> Self:
        """Connect. Raises LinkError."""
        options, place = self._options, self.place
        try:
            # Looking up the name, connecting and TLS block: not on the event loop.
            await asyncio.to_thread(
                self._client.connect, options.host, options.port, options.keepalive_s
            )
            self._misc = asyncio.create_task(self._look_after(), name="mqtt-misc")
            async with asyncio.timeout(CONNECT_S):
                await self._accepted
        except TimeoutError as error:
            await self._close()
            raise LinkError(f"{place}: no answer within {CONNECT_S:g} s") from error
        except (OSError, LinkError) as error:
            await self._close()
            hint = (
                " (over TLS; does it ask for a certificate of ours?)"
                if options.tls is not None and isinstance(error, LinkError)
                else ""
            )
            raise LinkError(f"{place}: {error}{hint}") from error
        except BaseException:
            await self._close()
            raise
        return self

    @property
    def place(self) -> str:
        """Whose connection it is, for messages."""
        return f"MQTT broker {self._options.host}:{self._options.port}"

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        """Say goodbye, and close the socket whatever comes of it."""
        if self._misc is not None:
            self._misc.cancel()
        if self._client.socket() is not None:
            self._client.disconnect()
            await asyncio.wait({self.closed}, timeout=CLOSE_S)
        sock = self._client.socket()
        if sock is not None:
            self._on_socket_close(self._client, None, sock)
            sock.close()
        self._end("closed")

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(MISC_EVERY_S)
            self._client.loop_misc()

    def _end(self, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)
        if not self._accepted.done():
            self._accepted.set_exception(LinkError(reason))
            self._accepted.exception()  # nobody may be waiting for it

    # paho's callbacks -----------------------------------------------------------------------

    def _on_connect(
        self, _client: Client, _userdata: object, _flags: object, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._end(f"connection refused: {reason}")
            return
        self._greeted(properties)
        if not self._accepted.done():
            self._accepted.set_result(None)

    def _greeted(self, properties: Any) -> None:
        """The broker took us, and said with which limits (MQTT 5; None before)."""

    def _on_disconnect(
        self, _client: Client, _userdata: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        self._loop.call_soon_threadsafe(self._end, f"connection ended: {reason}")

    # The first two may come from the thread that connects.

    def _on_socket_open(self, _client: Client, _userdata: object, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.call_soon_threadsafe(self._loop.add_reader, sock.fileno(), self._readable)

    def _on_register_write(self, _client: Client, _userdata: object, _sock: object) -> None:
        if threading.get_ident() == self._thread:
            self._loop.call_later(WRITE_EVERY_S, self._write)
        else:
            self._loop.call_soon_threadsafe(self._write)

    def _on_socket_close(self, _client: Client, _userdata: object, sock: Any) -> None:
        number = sock.fileno()
        if number < 0:
            return
        if threading.get_ident() == self._thread:
            self._forget(number)  # before the number can be another socket's
        else:
            self._loop.call_soon_threadsafe(self._forget, number)

    def _forget(self, number: int) -> None:
        self._loop.remove_reader(number)
        self._loop.remove_writer(number)

    def _readable(self) -> None:
        self._client.loop_read()
        # What TLS has decrypted already does not make the socket readable.
        while (sock := self._client.socket()) is not None and getattr(sock, "pending", int)():
            self._client.loop_read()

    def _write(self) -> None:
        """Write what there is, in few packets of TCP; the rest when the socket takes it."""
        sock: Any = self._client.socket()
        if sock is None:
            return
        number = sock.fileno()
        if CORK is not None:
            sock.setsockopt(socket.IPPROTO_TCP, CORK, 1)
        self._client.loop_write()
        sock = self._client.socket()
        if sock is None:
            return
        if CORK is not None:
            sock.setsockopt(socket.IPPROTO_TCP, CORK, 0)
        if self._client.want_write():
            self._loop.add_writer(number, self._write)
        else:
            self._loop.remove_writer(number)
