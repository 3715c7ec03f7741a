"""Real brokers run with the example configurations, and keep what these promise our own parts.

What devices may do is shown where their logins are made (tests/ingest/identity).

Paths, ports and the place to listen are the test's own; every other line is as it stands there.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import pyhocon
import pytest

from hanhtrinh import connections, wiring
from hanhtrinh.embedded.ports import LOOPBACK, free_port
from hanhtrinh.embedded.process import Launch, ServerProcess, log_end
from hanhtrinh.settings import load
from ingest.errors import StreamError
from ingest.identity.tokens import Issuer, issuer_seed
from ingest.jetstream.connection import JetStreamOptions, connect
from ingest.jetstream.layout import Layout
from ingest.jetstream.requests import ask
from ingest.jetstream.source import JetStreamSource
from ingest.jetstream.stream import establish
from ingest.mqtt.source import MqttSource
from mqtt.errors import MqttError
from mqtt.publisher import Publisher
from tests.authority import Authority
from tests.deploy.test_configurations import DEPLOY, PROGRAMS
from tests.ingest.publishing import until
from tests.mosquitto import missing, program

USERS = ("worker", "bridge", "publisher")
NATS_USERS = ("auth", "shards", "stream")
"""Who speaks NATS' own protocol."""
UNDER_WAY = 6000
"""More than a batch of 4,096, and far more than brokers allow by default."""


@dataclass
class Broker:
    port: int
    authority: Authority
    protocols: tuple[str, ...]
    start: Callable[[], ServerProcess]
    process: ServerProcess
    nats_url: str = ""

    def settings(self, user, protocol):
        return load(
            environment={},
            overrides={
                "broker.host": LOOPBACK, "broker.port": self.port, "broker.tls": True,
                "broker.tls_ca": self.authority.ca, "broker.protocol": protocol,
                "broker.username": user, "broker.password": f"secret-{user}",
                "ingest.batch_age_ms": 50,
            },
        ).settings  # fmt: skip

    def restart(self):
        self.process.stop()
        self.process = self.start()


def rewritten(name, replaced):
    text = (DEPLOY / name).read_text("utf-8")
    for before, after in replaced.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


@contextmanager
def started(folder, port, command, protocols, env=None):
    log = folder / "log"
    log.touch()

    def start():
        process = ServerProcess(
            Launch(command[0], command, log, [("SIGTERM", 15.0)], "SIGKILL", env=env or {})
        )
        deadline = time.monotonic() + 30
        while not listens(port):
            if not process.is_running or time.monotonic() > deadline:
                process.stop()
                raise AssertionError(f"{command[0]} did not start:{log_end(log)}")
            time.sleep(0.02)
        return process

    broker = Broker(port, Authority(folder / "certs"), protocols, start, None)  # type: ignore[arg-type]
    for made, wanted in zip(broker.authority.issue(LOOPBACK), ("pem", "key"), strict=True):
        made.rename(folder / "certs" / f"broker.{wanted}")
    broker.process = start()
    try:
        yield broker
    finally:
        broker.process.stop()


def listens(port):
    import socket

    with suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
        return True
    return False


@contextmanager
def nats(folder):
    port, nats_port = free_port(), free_port()
    config = folder / "nats.conf"
    config.write_text(
        rewritten(
            "nats.conf",
            {"127.0.0.1:4222": f"127.0.0.1:{nats_port}", "0.0.0.0:8883": f"{LOOPBACK}:{port}",
             "/var/lib/nats": f"{folder}/store", "/etc/nats/": f"{folder}/"},
        )
    )  # fmt: skip
    env = {f"{user.upper()}_PASSWORD": f"secret-{user}" for user in (*USERS, *NATS_USERS)}
    env["ISSUER"] = Issuer(issuer_seed(bytes(32))).public
    command = [str(PROGRAMS / "nats-server"), "-c", str(config)]
    with started(folder, port, command, ("3.1.1",), env) as broker:
        broker.nats_url = f"nats://{LOOPBACK}:{nats_port}"
        yield broker


@contextmanager
def mosquitto(folder):
    if missing():
        pytest.skip(str(missing()))
    port = free_port()
    (folder / "hanhtrinh").mkdir()
    passwords = folder / "hanhtrinh" / "passwords"
    passwords.write_text("".join(f"{user}:secret-{user}\n" for user in USERS))
    subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, capture_output=True)
    (folder / "hanhtrinh" / "acl").write_text((DEPLOY / "mosquitto.acl").read_text("utf-8"))
    config = folder / "mosquitto.conf"
    text = rewritten(
        "mosquitto.conf",
        {"listener 8884": f"listener {port} {LOOPBACK}",
         "listener 8883": f"listener {free_port()} {LOOPBACK}",
         "listener 1883": f"listener {free_port()} {LOOPBACK}",
         "/etc/mosquitto/": f"{folder}/", "/var/lib/mosquitto/": f"{folder}/"},
    )  # fmt: skip
    config.write_text(("user root\n" if os.geteuid() == 0 else "") + text)
    command = [str(program()), "-c", str(config)]
    with started(folder, port, command, ("3.1.1", "5")) as broker:
        yield broker


@pytest.fixture(params=[nats, mosquitto], ids=lambda start: start.__name__)
def broker(request, tmp_path) -> Iterator[Broker]:
    with request.param(tmp_path) as running:
        yield running


async def publish(broker, user, messages, protocol="3.1.1"):
    made = broker.settings(user, protocol)
    options = connections.broker_options(made, connections.worker_access(made))
    with suppress(MqttError):  # a refusal, where the broker says so
        async with Publisher(options, patience_s=3) as client:
            await client.send(messages)


class Worker:
    """A worker's session that keeps what it is given, and acknowledges when it is told to."""

    def __init__(self, broker, protocol):
        self.source = MqttSource(
            wiring.mqtt_options(broker.settings("worker", protocol)), lambda: 0
        )
        self.messages: list[tuple[str, bytes]] = []
        self.batches = []

    async def __aenter__(self):
        await self.source.start()
        self._task = asyncio.create_task(self._listen())
        await until(lambda: self.source.connected, "the worker")
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        await self.source.stop()

    async def _listen(self):
        while True:
            batch = await self.source.receive()
            self.batches.append(batch)
            self.messages += zip(batch.topics, batch.payloads, strict=True)

    def acknowledge(self):
        for batch in self.batches:
            self.source.acknowledge(batch)


@pytest.mark.integration
def test_everybody_may_do_what_is_his_and_nothing_else(broker):
    allowed = {
        "bridge": ["gsht/v1/ufms/atg"],
        "publisher": ["gsht/v1/json/1", "weigh/v1/json/s", "owntracks/u/d", "gsht/doctor/x"],
    }
    forbidden = {
        "bridge": ["gsht/v1/json/1", "weigh/v1/json/s", "gsht/v1/live/0"],
    }

    async def go(protocol):
        async with Worker(broker, protocol) as worker:
            for user, topics in forbidden.items():
                for topic in topics:  # a connection each: a broker may end it for this
                    await publish(broker, user, [(topic, b"forbidden")], protocol)
            for user, topics in allowed.items():
                await publish(broker, user, [(topic, user.encode()) for topic in topics], protocol)
            # Who reads gsht/doctor/+ is the doctor, in the worker's name: no subscription of it.
            expected = {(t, u.encode()) for u, topics in allowed.items() for t in topics}
            expected.remove(("gsht/doctor/x", b"publisher"))
            await until(lambda: expected <= set(worker.messages), "what is allowed")
            worker.acknowledge()
            await until(lambda: worker.source.due == 0, "the acknowledgements")
            return set(worker.messages) - expected

    for protocol in broker.protocols:
        assert asyncio.run(go(protocol)) == set()


@pytest.mark.integration
def test_the_window_is_wide_and_what_it_holds_survives_a_restart(broker):
    sent = [(f"gsht/v1/json/{n % 50}", b"%d" % n) for n in range(UNDER_WAY)]
    large = ("gsht/v1/json/large", b"x" * (3 << 20))

    async def go(protocol):
        async with Worker(broker, protocol) as worker:
            made = broker.settings("publisher", protocol)
            access = connections.worker_access(made)
            async with Publisher(connections.broker_options(made, access)) as client:
                await client.send(sent)
            await until(lambda: len(worker.messages) >= UNDER_WAY, "all, none acknowledged")
        await publish(broker, "publisher", [large], protocol)  # while nobody is there
        await asyncio.to_thread(broker.restart)
        async with Worker(broker, protocol) as worker:
            await until(lambda: {*sent, large} <= set(worker.messages), "all of them again")
            worker.acknowledge()
            await until(lambda: worker.source.due == 0, "the acknowledgements")

    asyncio.run(go(broker.protocols[-1]))


def test_the_configuration_of_emqx_can_be_read_and_sets_the_same_limits():
    read = pyhocon.ConfigFactory.parse_file(str(DEPLOY / "emqx.conf"))
    assert read["mqtt.max_inflight"] == 65_535
    assert read["mqtt.max_mqueue_len"] == "infinity"
    assert read["mqtt.shared_subscription_strategy"] == "hash_topic"
    assert read["durable_sessions.enable"] is True
    assert read["authorization.no_match"] == "deny"


def test_both_access_lists_grant_the_same_topics():
    def topics(name):
        text = (DEPLOY / name).read_text("utf-8")
        lines = [line for line in text.splitlines() if not line.startswith(("#", "%%"))]
        words = " ".join(lines).replace('"', " ").replace(",", " ").replace("]", " ").split()
        return sorted(word for word in words if "/" in word)

    assert topics("emqx.acl") == topics("mosquitto.acl")


def test_the_users_of_the_stream_may_make_it_and_read_it_and_nothing_else(tmp_path):
    async def go(broker):
        def options(user):
            return JetStreamOptions(broker.nats_url, username=user, password=f"secret-{user}")

        await publish(broker, "publisher", [])  # the first MQTT client: the server makes its store
        maker = await connect(options("stream"), "test", attempts=3)
        done = await establish(maker, Layout(partitions=2))
        await publish(broker, "publisher", [("gsht/v1/json/imei-1", b"1")])
        await maker.close()
        source = JetStreamSource(replace(options("shards"), shards=(0, 1), total=2))
        source.hold(frozenset((0, 1)))
        await source.start()
        batch = await source.receive()
        source.acknowledge(batch)
        await source.stop()
        reader = await connect(options("shards"), "test", attempts=3)
        with pytest.raises(StreamError):
            await ask(reader, "STREAM.DELETE.HANHTRINH", patience_s=0.5)
        await reader.close()
        return done, batch.topics

    with nats(tmp_path) as broker:
        done, topics = asyncio.run(go(broker))
    assert done
    assert topics == ["gsht/v1/json/imei-1"]
