"""Connecting to RabbitMQ: once, with a deadline, and with nothing left over if it fails."""

import asyncio
import ssl
from typing import Any, Final

from aio_pika import Connection
from aio_pika.abc import AbstractConnection
from aio_pika.connection import make_url
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from ingest.bridge.errors import FeedError
from ingest.bridge.window import GatedTransport, Window

CONNECT_S: Final = 15.0
HEARTBEAT_S: Final = 20
"""RabbitMQ is given up after three of these without a sign of life."""

FAULTS: Final = (AMQPError, ChannelInvalidStateError, OSError)
"""What the client raises when RabbitMQ refuses something or goes away."""


async def connect(
    url: str, tls: ssl.SSLContext | None = None, window: Window | None = None
) -> AbstractConnection:
    """A connection, which is read while the window has room. Raises FeedError."""
    more: Any = {} if "heartbeat=" in url else {"heartbeat": str(HEARTBEAT_S)}
    connection = Connection(make_url(url, **more), ssl_context=tls)
    if window is not None:
        over_tls = connection.url.scheme == "amqps"
        connection.kwargs["transport_factory"] = GatedTransport(window, over_tls=over_tls)
    try:
        async with asyncio.timeout(CONNECT_S):
            await connection.connect()
    except BaseException as error:
        await connection.close()  # else its finalizer tries to, at whatever time
        if isinstance(error, TimeoutError):
            raise FeedError(f"RabbitMQ: no answer within {CONNECT_S:g} s") from error
        if isinstance(error, FAULTS):
            raise FeedError(f"RabbitMQ: {str(error) or type(error).__name__}") from error
        raise
    return connection
