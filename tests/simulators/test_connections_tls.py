"""A connection with TLS for every tracker, against a real Mosquitto with a throw-away authority."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ingest.mqtt.source import MqttOptions, MqttSource
from mqtt.options import Server, TlsFiles
from simulators.connections.publisher import CrowdOptions, connect_crowd
from simulators.errors import PublishError
from simulators.feed import Message
from simulators.publisher import BrokerOptions
from tests.authority import Authority
from tests.ingest.publishing import until
from tests.mosquitto import PLAIN

pytestmark = pytest.mark.integration

NAMES = [f"8690{n:011d}" for n in range(40)]
LAST_YEAR = datetime.now(UTC) - timedelta(days=365)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("theirs"))


def paths(ca, pair=(None, None)):
    return TlsFiles(str(ca), *(str(file) if file else None for file in pair))


def crowd_of(broker, files, names=NAMES):
    return connect_crowd(
        CrowdOptions(BrokerOptions(broker.host, broker.port, tls_files=files), names)
    )


def refusal(broker, files):
    async def run():
        async with crowd_of(broker, files, NAMES[:3]):
            pass

    with pytest.raises(PublishError) as refused:
        asyncio.run(run())
    return str(refused.value)


def test_every_tracker_sends_over_tls_and_shows_the_certificate_that_is_asked_for(
    mosquitto_with, authority
):
    broker = mosquitto_with(PLAIN + authority.listener(demands=True))
    files = paths(authority.ca, authority.issue("tracker", common_name="tracker"))
    sent = {b"%d" % n for n in range(800)}

    async def run():
        options = MqttOptions((Server(broker.host, broker.port),), "worker", tls=files.context())
        source = MqttSource(options, lambda: 0)
        await source.start()
        await until(lambda: source.connected, "the subscription")
        async with crowd_of(broker, files) as crowd:
            held = crowd.connected
            await crowd.send(Message(0, "gsht/v1/json/1", body, int(body)) for body in sent)
            heard: set[bytes] = set()
            async with asyncio.timeout(60):
                while not sent <= heard:
                    batch = await source.receive()
                    heard |= set(batch.payloads)
                    source.acknowledge(batch)
        await source.stop()
        return held, crowd.acknowledged, heard

    assert asyncio.run(run()) == (len(NAMES), len(sent), sent)


def test_connections_with_tls_are_made_again_when_a_broker_comes_back(mosquitto_with, authority):
    broker = mosquitto_with(PLAIN + authority.listener())

    async def run():
        async with crowd_of(broker, paths(authority.ca), NAMES[:10]) as crowd:
            broker.restart()
            await crowd.send(Message(0, "gsht/v1/json/1", b"%d" % n, n) for n in range(50))
            return crowd.lost, crowd.acknowledged

    lost, acknowledged = asyncio.run(run())
    assert lost >= 10
    assert acknowledged == 50


def test_a_broker_that_is_not_to_be_trusted_is_left_at_once_and_the_reason_said(
    mosquitto_with, authority, stranger
):
    ours = mosquitto_with(PLAIN + authority.listener())
    assert "certificate verify failed: " in refusal(ours, paths(stranger.ca))
    other = mosquitto_with(PLAIN + authority.listener("broker.example"))
    assert "not valid for '127.0.0.1'" in refusal(other, paths(authority.ca))
    expired = mosquitto_with(PLAIN + authority.listener(not_after=LAST_YEAR))
    assert "certificate has expired" in refusal(expired, paths(authority.ca))


def test_a_certificate_that_the_broker_does_not_take_is_said_so(
    mosquitto_with, authority, stranger
):
    broker = mosquitto_with(PLAIN + authority.listener(demands=True))
    assert "asks for one: certificate required" in refusal(broker, paths(authority.ca))
    theirs = paths(authority.ca, stranger.issue("tracker"))
    assert "does not take our certificate" in refusal(broker, theirs)
    old = paths(authority.ca, authority.issue("tracker", not_after=LAST_YEAR))
    assert "certificate expired" in refusal(broker, old)


def test_certificates_that_have_gone_meanwhile_are_named_by_the_processes(
    mosquitto_with, authority, tmp_path
):
    broker = mosquitto_with(PLAIN + authority.listener())
    assert "certificates: " in refusal(broker, paths(tmp_path / "none.pem"))
