"""Makes the stream and its consumers, and changes them without losing a message. Idempotent."""

import asyncio
from typing import Any, Final

from nats.aio.client import Client

from ingest.errors import StreamError
from ingest.jetstream.layout import MQTT_STREAM, Layout, consumer_of
from ingest.jetstream.requests import ask, look

LEAST_LEVEL: Final = 4
"""Of JetStream's API: consumers that a source confirms to came with it, in NATS 2.14."""

LOOK_AGAIN_S: Final = 0.5


async def establish(client: Client, layout: Layout) -> list[str]:
    """Let stream and consumers be as the layout says; returns what was done, in words.

    In an order in which nothing gets lost: a partition has its consumer before a message can come
    into it, and the stream its feed before it asks for messages.
    """
    await _require_level(client)
    if await look(client, f"STREAM.INFO.{MQTT_STREAM}") is None:
        raise StreamError(
            f"{MQTT_STREAM}: not there: the server makes it when the first MQTT client connects: "
            "run `hanhtrinh doctor`, which is one, and this again"
        )
    done = []
    found = await look(client, f"STREAM.INFO.{layout.stream}")
    if found is None:
        await ask(client, f"STREAM.CREATE.{layout.stream}", layout.stream_config(is_fed=False))
        done.append(f"stream {layout.stream} made")
    done += [
        f"consumer {consumer_of(shard)} made"
        for shard in range(layout.partitions)
        if await _ensure(client, layout.stream, layout.shard_config(shard))
    ]
    if await _ensure(client, MQTT_STREAM, layout.feed_config()):
        done.append(f"consumer {layout.feed} made")
    wanted = layout.stream_config(is_fed=True)
    if found is None or not _is_like(wanted, found["config"]):
        await ask(client, f"STREAM.UPDATE.{layout.stream}", wanted)
        done.append(f"stream {layout.stream} feeds {layout.partitions} partitions")
        # What is on its way while the stream changes may still come into a former partition.
        return done
    return done + await _drop_drained(client, layout)


async def partitions_of(client: Client, stream: str) -> int:
    """Into how many partitions the stream puts what comes now."""
    found = await look(client, f"STREAM.INFO.{stream}")
    if found is None:
        raise StreamError(f"stream {stream}: not there: run `hanhtrinh stream`")
    return _partitions(found)


async def pending(client: Client, stream: str) -> dict[int, int]:
    """By partition: messages that no worker has committed yet."""
    found = await look(client, f"STREAM.INFO.{stream}")
    if found is None:
        raise StreamError(f"stream {stream}: not there: run `hanhtrinh stream`")
    names = await ask(client, f"CONSUMER.NAMES.{stream}")
    waiting = {}
    for name in names.get("consumers") or ():
        shard = name.removeprefix("shard-")
        if shard.isdecimal():
            consumer = await ask(client, f"CONSUMER.INFO.{stream}.{name}")
            waiting[int(shard)] = consumer["num_pending"] + consumer["num_ack_pending"]
    return dict(sorted(waiting.items()))


async def unread(client: Client, stream: str) -> tuple[int, list[int]]:
    """How many messages wait, and of which shards nobody asks for any, as the worker's user.

    Who has just been answered asks again within a moment: shards are looked at twice.
    """
    alone = list(range(await partitions_of(client, stream)))
    waiting = 0
    for look_again in (True, False):
        looked = {
            shard: await ask(client, f"CONSUMER.INFO.{stream}.{consumer_of(shard)}")
            for shard in alone
        }
        if look_again:
            waiting = sum(i["num_pending"] + i["num_ack_pending"] for i in looked.values())
        alone = [
            shard
            for shard, info in looked.items()
            if not info["num_waiting"] and not info["num_ack_pending"]
        ]
        if look_again and alone:
            await asyncio.sleep(LOOK_AGAIN_S)
    return waiting, alone


async def _require_level(client: Client) -> None:
    level = int((await ask(client, "INFO"))["api"].get("level", 0))
    if level < LEAST_LEVEL:
        raise StreamError(f"JetStream: API level {level}, expected {LEAST_LEVEL} (NATS 2.14)")


async def _ensure(client: Client, stream: str, config: dict[str, Any]) -> bool:
    """Make a consumer if it is not there, bring it up to date if it is; whether it was made."""
    found = await look(client, f"CONSUMER.INFO.{stream}.{config['name']}")
    if found is not None and _is_like(config, found["config"]):
        return False
    request = {"stream_name": stream, "config": config}
    await ask(client, f"CONSUMER.DURABLE.CREATE.{stream}.{config['name']}", request)
    return found is None


async def _drop_drained(client: Client, layout: Layout) -> list[str]:
    """Drop the consumers of partitions that nothing comes into any more, once they are empty."""
    done = []
    for shard, waiting in (await pending(client, layout.stream)).items():
        if shard < layout.partitions:
            continue
        if waiting:
            done.append(f"shard {shard}: {waiting} messages wait: have a worker judge it")
            continue
        await ask(client, f"CONSUMER.DELETE.{layout.stream}.{consumer_of(shard)}")
        done.append(f"consumer {consumer_of(shard)} dropped: it is empty")
    return done


def _partitions(found: dict[str, Any]) -> int:
    return int(found["config"].get("metadata", {}).get("hanhtrinh.partitions", "0"))


def _is_like(wanted: Any, found: Any) -> bool:
    """Whether what is wanted stands in what was found, which has defaults beside it."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            _is_like(value, found.get(name)) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(_is_like(*pair) for pair in zip(wanted, found, strict=True))
        )
    return bool(wanted == found)
