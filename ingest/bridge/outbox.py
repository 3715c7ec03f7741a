"""Outbox: publishes at QoS 1 over one MQTT connection, and says what became of each message.

paho-mqtt on the event loop, without a thread. An outbox is used for one connection: when that ends
it is thrown away with everything it held, and whoever gave it messages gives them to the next.
"""

import asyncio
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from paho.mqtt.client import Client, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from ingest.bridge.errors import OutboxError
from ingest.bridge.lane import Lane
from ingest.bridge.options import OutboxOptions

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

PACKET_IDS: Final = 65_535
OVERHEAD_BYTES: Final = 1024
"""More than the header, topic and properties of one of our publishes."""

NO_SUBSCRIBERS: Final = 0x10
"""MQTT 5: the broker acknowledged a message that nobody has subscribed to, and forgot it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to publish, and the delivery that it came with."""

    topic: str
    payload: bytes
    provider: str
    lane: Lane
    tag: int


Settled = Callable[[Letter, int], None]
"""(letter, reason code): the broker's word about it; 0: it has it."""


class Outbox:
    """One connection to the MQTT broker. Use it from one event loop."""

    def __init__(self, options: OutboxOptions, settled: Settled) -> None:
        self._options = options
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._waiting: deque[Letter] = deque()
        self._on_way: dict[int, Letter] = {}
        self._most_on_way = PACKET_IDS
        self.most_body_bytes: int | None = None
        self._accepted: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[str] = self._loop.create_future()
        self._client = self._make_client()
        self._misc: asyncio.Task[None] | None = None

    def _make_client(self) -> Client:
        options = self._options
        is_v5 = options.protocol == 5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            clean_session=None if is_v5 else True,
            protocol=MQTTv5 if is_v5 else MQTTv311,
        )
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if options.tls is not None:
            client.tls_set_context(options.tls)
        # The window is ours: paho would look through all that wait at every acknowledgement.
        client.max_inflight_messages_set(0)
        client.enable_logger(LIBRARY)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_socket_open = self._on_socket_open
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        return client

    async def __aenter__(self) -> Self:
        """Connect. Raises OutboxError."""
        options = self._options
        place = f"MQTT broker {options.host}:{options.port}"
        try:
            # Looking up the name, connecting and TLS block: not on the event loop.
            await asyncio.to_thread(
                self._client.connect, options.host, options.port, options.keepalive_s
            )
            self._misc = asyncio.create_task(self._look_after(), name="outbox-misc")
            async with asyncio.timeout(CONNECT_S):
                await self._accepted
        except TimeoutError as error:
            await self._close()
            raise OutboxError(f"{place}: no answer within {CONNECT_S:g} s") from error
        except (OSError, OutboxError) as error:
            await self._close()
            raise OutboxError(f"{place}: {error}") from error
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    @property
    def pending(self) -> int:
        """Messages about which the broker has not said a word."""
        return len(self._waiting) + len(self._on_way)

    def publish(self, letter: Letter) -> None:
        """Publish as soon as the broker's window allows it."""
        if len(self._on_way) < self._most_on_way:
            self._send(letter)
        else:
            self._waiting.append(letter)

    def _send(self, letter: Letter) -> None:
        while True:
            info = self._client.publish(letter.topic, letter.payload, qos=1)
            # Packet ids go round: the next one may belong to a message that is still on its way.
            if info.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                break
        self._on_way[info.mid] = letter

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
            self._accepted.set_exception(OutboxError(reason))
            self._accepted.exception()  # nobody may be waiting for it

    # paho's callbacks -----------------------------------------------------------------------

    def _on_connect(
        self, _client: Client, _userdata: object, _flags: object, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            self._end(f"connection refused: {reason}")
            return
        # MQTT 5: what the broker takes. Without it the protocol's own limits hold.
        self._most_on_way = min(PACKET_IDS, getattr(properties, "ReceiveMaximum", PACKET_IDS))
        most_packet = getattr(properties, "MaximumPacketSize", None)
        if most_packet is not None:
            self.most_body_bytes = most_packet - OVERHEAD_BYTES
        if not self._accepted.done():
            self._accepted.set_result(None)

    def _on_disconnect(
        self, _client: Client, _userdata: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        self._loop.call_soon_threadsafe(self._end, f"connection ended: {reason}")

    def _on_publish(
        self, _client: Client, _userdata: object, mid: int, reason: Any, _properties: object
    ) -> None:
        letter = self._on_way.pop(mid, None)
        if letter is None:
            return
        self._settled(letter, int(reason.value))
        if self._waiting and len(self._on_way) < self._most_on_way:
            self._send(self._waiting.popleft())

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
