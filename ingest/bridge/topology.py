"""Queues and bindings of the feed in RabbitMQ: what is there, and what we make.

Belongs here: declarations, each on a channel of its own, because RabbitMQ answers a refused one by
closing the channel. Does not belong here: deliveries (lane.py).

Our queues are quorum queues: those keep every message on disk before they confirm it, while a
classic queue forgets with RabbitMQ's restart what was not sent as persistent, and the feed's
senders do not send it so.
"""

from typing import Final

from aio_pika.abc import AbstractConnection, FieldValue
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from ingest.bridge.errors import FeedError
from ingest.bridge.options import PROVIDER, FeedOptions

QUORUM: Final[dict[str, FieldValue]] = {
    "x-queue-type": "quorum",
    # A message comes again whenever a connection ends. RabbitMQ 4 would drop it at the 20th time.
    "x-delivery-limit": 2_147_483_647,
}


def queues(options: FeedOptions) -> list[str]:
    """The queues to consume, each once."""
    return list(dict.fromkeys(named(options.queue, name) for name in options.providers))


def named(pattern: str, provider: str) -> str:
    """A name of one provider."""
    return pattern.replace(PROVIDER, provider)


async def make_queues(connection: AbstractConnection, options: FeedOptions) -> None:
    """Make the queue for what is set aside, and those of the feed if that is ours to do."""
    wanted = [options.aside_queue, *(queues(options) if options.declare else [])]
    for name in wanted:
        try:
            async with connection.channel() as channel:
                await channel.declare_queue(name, durable=True, arguments={**QUORUM})
        except ChannelPreconditionFailed as error:
            raise FeedError(
                f"queue {name}: expected a durable quorum queue, or none: {error}; to use the "
                "queues as they are, make them all yourself and set bridge.declare = false"
            ) from error


async def bind_queues(
    connection: AbstractConnection, options: FeedOptions, providers: list[str]
) -> list[str]:
    """Bind the queues of these providers; those of them whose exchange is not there."""
    return [name for name in providers if not await _bind(connection, options, name)]


async def _bind(connection: AbstractConnection, options: FeedOptions, provider: str) -> bool:
    exchange = named(options.exchange, provider)
    if not await _has_exchange(connection, exchange):
        if options.exchange_type is None:
            return False
        async with connection.channel() as channel:
            await channel.declare_exchange(exchange, options.exchange_type, durable=True)
    async with connection.channel() as channel:
        queue = await channel.get_queue(named(options.queue, provider), ensure=False)
        for key in options.routing_keys:
            await queue.bind(exchange, named(key, provider))
    return True


async def _has_exchange(connection: AbstractConnection, name: str) -> bool:
    try:
        async with connection.channel() as channel:
            await channel.get_exchange(name, ensure=True)
    except ChannelNotFoundEntity:
        return False
    return True
