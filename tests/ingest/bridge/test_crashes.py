"""Nothing is lost: not by a bridge that is killed, nor by the restart of either broker."""

import asyncio
import os
import signal
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import aio_pika
import pytest

from ingest.bridge.errors import FeedError
from ingest.bridge.rabbitmq import FAULTS, connect
from simulators.link import Link
from tests.forked import Program
from tests.ingest.bridge.feed import empty, options, running, send, value, worker
from tests.ingest.publishing import until

pytestmark = pytest.mark.integration

PROVIDERS = ("atg", "ctchaulong", "ctngoisaosg")
EACH = 1000
AT_ONCE = 100


def test_nothing_is_acknowledged_before_the_broker_has_acknowledged_it(rabbitmq, broker):
    count = 300

    async def go():
        async with worker(broker) as heard:
            bridge = options(rabbitmq, broker, "patient")
            bridge = replace(bridge, outboxes=(replace(bridge.outboxes[0], port=link.port),))
            async with running(bridge) as metrics:
                link.stall(answers_only=True)
                sent = [("gsht/v1/ufms/patient", b"%d" % n) for n in range(count)]
                await send(rabbitmq, "patient", [body for _, body in sent])
                await heard.all_of(sent)
                assert value(metrics, "open") == count
                assert value(metrics, "forwarded_total", provider="patient") == 0
                link.cut()
                link.flow()
                forwarded = {"provider": "patient"}
                await until(
                    lambda: value(metrics, "forwarded_total", **forwarded) == count, "PUBACKs"
                )
                # Every one was still RabbitMQ's to give.
                again = {"queue": "hanhtrinh.patient"}
                assert value(metrics, "redelivered_total", **again) == count
            await until(lambda: len(heard) == 2 * count, "each of them again")
            await empty(rabbitmq, "hanhtrinh.patient")

    with Link(broker.host, broker.mqtt_port) as link:
        asyncio.run(go())


class Process:
    """`hanhtrinh bridge`, as people run it."""

    def __init__(self, environment):
        self._environment = environment
        self.start()

    def start(self):
        env = os.environ | self._environment
        self._process = Program("bridge", env=env, out=Path(os.devnull))

    def kill(self):
        self._process.kill()
        self._process.wait()

    def terminate(self):
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)


@contextmanager
def bridge_process(rabbitmq, broker):
    process = Process(
        {
            "HANHTRINH_BRIDGE__AMQP_URL": rabbitmq.url,
            "HANHTRINH_BRIDGE__PROVIDERS": ",".join(PROVIDERS),
            "HANHTRINH_BRIDGE__EXCHANGE_TYPE": "direct",
            "HANHTRINH_BRIDGE__WINDOW_MESSAGES": "400",
            "HANHTRINH_BROKER__HOST": broker.host,
            "HANHTRINH_BROKER__PORT": str(broker.mqtt_port),
            "HANHTRINH_BROKER__USERNAME": broker.device.username,
            "HANHTRINH_BROKER__PASSWORD": broker.device.password,
        }
    )
    try:
        yield process
    finally:
        process.kill()


async def stream(rabbitmq, provider, bodies):
    """Publish as providers do, and again whatever RabbitMQ has not confirmed."""
    while bodies:
        try:
            async with await connect(rabbitmq.url) as connection:
                channel = await connection.channel(on_return_raises=True)
                exchange = await channel.declare_exchange(
                    f"tracking.{provider}", "direct", durable=True
                )
                while bodies:
                    async with asyncio.timeout(10):
                        for n, body in enumerate(bodies[:AT_ONCE]):
                            await exchange.publish(
                                aio_pika.Message(body), f"track{1 + n % 3}", mandatory=True
                            )
                    bodies = bodies[AT_ONCE:]
        except (FeedError, *FAULTS):
            await asyncio.sleep(0.1)  # it is being restarted, or the bridge has yet to bind


@pytest.mark.timeout(280)
def test_every_message_arrives_though_everything_is_killed_in_turn(rabbitmq, broker):
    expected = {
        (f"gsht/v1/ufms/{name}", f"{name} {n}".encode()) for name in PROVIDERS for n in range(EACH)
    }

    async def go(process):
        async with worker(broker) as heard, asyncio.timeout(240):
            streams = [
                asyncio.create_task(
                    stream(rabbitmq, name, [f"{name} {n}".encode() for n in range(EACH)])
                )
                for name in PROVIDERS
            ]

            async def passed(count):
                await until(lambda: len(set(heard)) >= count, f"{count} messages")

            await passed(300)
            process.kill()
            process.start()
            await passed(900)
            await asyncio.to_thread(rabbitmq.kill)
            await asyncio.to_thread(rabbitmq.restart)
            await passed(1500)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.restart)
            await passed(2100)
            process.kill()
            process.start()
            await asyncio.gather(*streams)
            await passed(len(expected))
            for name in PROVIDERS:
                await empty(rabbitmq, f"hanhtrinh.{name}")
            assert await asyncio.to_thread(process.terminate) == 0
            return heard

    with bridge_process(rabbitmq, broker) as process:
        heard = asyncio.run(go(process))
    assert set(heard) == expected
