"""The bridge between a real RabbitMQ and a real MQTT broker."""

import asyncio
from dataclasses import replace

import pytest

from devices.formats.ufms.schema import BaseMessage
from hanhtrinh.embedded.ports import free_port
from tests.ingest.bridge.feed import (
    channel_of,
    empty,
    options,
    running,
    send,
    value,
    waiting_in,
    worker,
)
from tests.ingest.publishing import until

pytestmark = pytest.mark.integration


def body(n, provider=None):
    message = BaseMessage(msgType=100, senderId=b"%d" % n)
    if provider:
        message.providerId = provider.encode()
    return message.SerializeToString()


def test_bodies_go_unchanged_to_the_topic_of_their_provider(rabbitmq, broker):
    bodies = [body(1), body(2, "atg"), b"\x00\xff no protobuf", b""]

    async def go():
        async with worker(broker) as heard, running(options(rabbitmq, broker, "atg", "bus")) as m:
            await send(rabbitmq, "atg", bodies)
            await send(rabbitmq, "bus", bodies[:1], key="track2", user_id=None)
            expected = [("gsht/v1/ufms/atg", b) for b in bodies]
            await heard.all_of([*expected, ("gsht/v1/ufms/bus", bodies[0])])
            await until(lambda: value(m, "forwarded_total", provider="atg") == 4, "PUBACKs")
        assert value(m, "forwarded_total", provider="bus") == 1
        assert value(m, "up") == value(m, "open") == 0
        return [payload for topic, payload in heard if topic.endswith("/atg")]

    assert asyncio.run(go()) == bodies


def test_of_several_brokers_it_takes_one_that_is_there(rabbitmq, broker):
    feed = options(rabbitmq, broker, "either")
    away = replace(feed.outboxes[0], port=free_port())

    async def go():
        both = replace(feed, outboxes=(away, *feed.outboxes))
        async with worker(broker) as heard, running(both) as m:
            await send(rabbitmq, "either", [body(1)])
            await heard.all_of([("gsht/v1/ufms/either", body(1))])
        assert value(m, "failures_total", broker="mqtt") == 1

    asyncio.run(go())


def test_a_stopped_bridge_has_acknowledged_what_the_broker_has(rabbitmq, broker):
    async def go():
        async with worker(broker) as heard:
            async with running(options(rabbitmq, broker, "stopped")) as first:
                await send(rabbitmq, "stopped", [b"%d" % n for n in range(500)])
                await until(lambda: value(first, "forwarded_total", provider="stopped") > 0, "one")
            sent = value(first, "forwarded_total", provider="stopped")
            left = await waiting_in(rabbitmq, "hanhtrinh.stopped")
            assert sent + left == 500
            async with running(options(rabbitmq, broker, "stopped")) as second:
                await heard.all_of(("gsht/v1/ufms/stopped", b"%d" % n) for n in range(500))
                await empty(rabbitmq, "hanhtrinh.stopped")
            assert value(second, "redelivered_total", queue="hanhtrinh.stopped") == 0
        assert len(heard) == 500

    asyncio.run(go())


def test_a_message_whose_claims_contradict_is_set_aside_whole_and_with_the_reason(rabbitmq, broker):
    wrong = body(7, "somebody")
    endless = body(7, "honest" * 100_000)  # more than a header of AMQP holds

    async def go():
        feed = options(rabbitmq, broker, "honest", aside_queue="aside.honest")
        async with worker(broker) as heard, running(feed) as m:
            await send(rabbitmq, "honest", [endless, wrong, body(8, "HONEST")])
            # "guest" is whom the test is connected as: RabbitMQ vouches for the property.
            await send(rabbitmq, "honest", [body(9)], user_id="guest")
            await heard.all_of([("gsht/v1/ufms/honest", body(8, "HONEST"))])
            where = {"queue": "hanhtrinh.honest", "reason": "identity_mismatch"}
            await until(lambda: value(m, "aside_total", **where) == 3, "the set aside")
            await empty(rabbitmq, "hanhtrinh.honest")
            assert len(heard) == 1
        async with channel_of(rabbitmq) as channel:
            queue = await channel.get_queue("aside.honest")
            return [await queue.get(no_ack=True) for _ in range(3)]

    by_length, by_body, by_user = asyncio.run(go())
    assert by_length.body == endless
    assert by_length.headers["hanhtrinh-reason"] == "identity_mismatch"
    assert by_body.body == wrong
    assert by_body.headers["hanhtrinh-reason"] == "identity_mismatch"
    assert "body 'somebody'" in str(by_body.headers["hanhtrinh-detail"])
    assert by_body.headers["hanhtrinh-exchange"] == "tracking.honest"
    assert by_user.body == body(9)
    assert by_user.headers["hanhtrinh-user"] == "guest"


def test_what_is_set_aside_outlives_the_loss_of_its_queue(rabbitmq, broker):
    async def go():
        feed = options(rabbitmq, broker, "careful", aside_queue="aside.careful")
        async with worker(broker), running(feed) as m:
            async with channel_of(rabbitmq) as channel:
                await channel.queue_delete("aside.careful")
            await send(rabbitmq, "careful", [body(1, "somebody")])
            where = {"queue": "hanhtrinh.careful", "reason": "identity_mismatch"}
            await until(lambda: value(m, "aside_total", **where) == 1, "the set aside")
            assert value(m, "failures_total", broker="amqp") == 1
        return await waiting_in(rabbitmq, "aside.careful")

    assert asyncio.run(go()) == 1


def test_a_body_that_the_broker_would_not_take_is_set_aside(rabbitmq, broker):
    async def go():
        feed = options(rabbitmq, broker, "large", aside_queue="aside.large")
        async with worker(broker) as heard, running(replace(feed, body_bytes=1000)) as m:
            await send(rabbitmq, "large", [b"x" * 1001, b"y" * 1000])
            await heard.all_of([("gsht/v1/ufms/large", b"y" * 1000)])
            where = {"queue": "hanhtrinh.large", "reason": "too_large"}
            await until(lambda: value(m, "aside_total", **where) == 1, "the set aside")
        return await waiting_in(rabbitmq, "aside.large")

    assert asyncio.run(go()) == 1


def test_no_more_is_taken_than_the_window_allows(rabbitmq, broker):
    async def go():
        async with running(options(rabbitmq, broker, "narrow", window=10)):
            broker.kill()
            await send(rabbitmq, "narrow", [b"%d" % n for n in range(50)])
        broker.restart()
        async with worker(broker) as heard, running(options(rabbitmq, broker, "narrow", window=10)):
            await heard.all_of(("gsht/v1/ufms/narrow", b"%d" % n) for n in range(50))

    asyncio.run(go())


def test_an_exchange_that_comes_later_is_found(rabbitmq, broker, monkeypatch):
    monkeypatch.setattr("ingest.bridge.round.MISSING_AGAIN_S", 0.1)
    late = options(rabbitmq, broker, "late", "other")
    late = replace(late, feed=replace(late.feed, exchange_type=None))

    async def go():
        async with channel_of(rabbitmq) as channel:
            await channel.declare_exchange("tracking.other", "fanout", durable=True)
            async with worker(broker) as heard, running(late) as m:
                await until(lambda: value(m, "missing_exchanges") == 1, "one to be missing")
                await send(rabbitmq, "other", [b"others are served meanwhile"])
                await heard.all_of([("gsht/v1/ufms/other", b"others are served meanwhile")])
                await channel.declare_exchange("tracking.late", "direct", durable=True)
                await until(lambda: value(m, "missing_exchanges") == 0, "it to be found")
                await send(rabbitmq, "late", [b"1"])
                await heard.all_of([("gsht/v1/ufms/late", b"1")])

    asyncio.run(go())


def test_a_queue_that_is_deleted_is_made_again(rabbitmq, broker):
    async def go():
        async with worker(broker) as heard, running(options(rabbitmq, broker, "deleted")) as m:
            async with channel_of(rabbitmq) as channel:
                await channel.queue_delete("hanhtrinh.deleted")
            await until(lambda: value(m, "failures_total", broker="amqp") == 1, "the interruption")
            await until(lambda: value(m, "up") == 1, "the next round")
            await send(rabbitmq, "deleted", [b"1"])
            await heard.all_of([("gsht/v1/ufms/deleted", b"1")])

    asyncio.run(go())


def test_a_queue_with_other_properties_is_named(rabbitmq, broker, capfd, caplog):
    async def go():
        async with channel_of(rabbitmq) as channel:
            await channel.declare_queue("hanhtrinh.classic", durable=True)
        bridge = options(rabbitmq, broker, "classic")
        async with running(replace(bridge, feed=replace(bridge.feed, declare=False))) as m:
            assert value(m, "up") == 1  # as it is, it serves
        stop = asyncio.Event()
        from ingest.bridge.bridge import Bridge
        from ingest.bridge.metrics import BridgeMetrics

        metrics = BridgeMetrics()
        task = asyncio.create_task(Bridge(bridge, metrics).run(stop))
        await until(lambda: value(metrics, "failures_total", broker="amqp") >= 1, "a failure")
        stop.set()
        await task

    asyncio.run(go())
    said = capfd.readouterr().out + caplog.text  # as logging was set up by then
    assert "queue hanhtrinh.classic: expected a durable quorum queue" in said
