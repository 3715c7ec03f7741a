"""TLS, as settings ask for it, against a real Mosquitto with a throw-away authority."""

import asyncio

import pytest

from hanhtrinh import connections, wiring
from hanhtrinh.doctor import check_broker
from hanhtrinh.errors import CommandError
from hanhtrinh.settings import load
from ingest.mqtt.source import MqttSource
from mqtt.errors import LinkError
from mqtt.outbox import Letter, Outbox
from simulators.errors import PublishError
from simulators.feed import Message
from simulators.publisher import connect
from tests.authority import Authority
from tests.hanhtrinh.command import hanhtrinh
from tests.ingest.publishing import until
from tests.mosquitto import PLAIN

integration = pytest.mark.integration
# paho leaves a socket whose handshake failed to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket"),
]
VERSIONS = pytest.mark.parametrize("protocol", ["3.1.1", "5"])


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "ours")


def settings(broker=None, **values):
    given = {"broker.tls": True}
    if broker is not None:
        given |= {"broker.host": broker.host, "broker.port": broker.port}
    overrides = given | {name.replace("__", "."): value for name, value in values.items()}
    return load(environment={}, overrides=overrides).settings


async def passed(made):
    """Whether a message goes from the simulator's connection to the worker's; else why not."""
    source = MqttSource(wiring.mqtt_options(made), lambda: 0)
    await source.start()
    try:
        async with connect(wiring.simulator_broker(made)) as publisher:
            await until(lambda: source.connected, "the worker")
            await publisher.send([Message(0, "gsht/v1/json/1", b"%d" % n) for n in range(3000)])
            seen = 0
            async with asyncio.timeout(60):
                while seen < 3000:
                    batch = await source.receive()
                    seen += len(batch)
                    source.acknowledge(batch)
            return True
    except PublishError as error:
        await until(lambda: source.failures >= 1, "the worker's refusal")
        return str(error)
    finally:
        await source.stop()


@integration
@VERSIONS
def test_worker_and_simulator_speak_tls(mosquitto_with, authority, protocol):
    broker = mosquitto_with(PLAIN + authority.listener())
    made = settings(broker, broker__tls_ca=authority.ca, broker__protocol=protocol)
    assert asyncio.run(passed(made)) is True
    assert asyncio.run(check_broker(made, made.broker.servers[0])).state == "ok"


@integration
@VERSIONS
def test_the_bridge_speaks_tls(mosquitto_with, authority, protocol):
    broker = mosquitto_with(PLAIN + authority.listener(demands=True))
    cert, key = authority.issue("bridge", common_name="bridge")
    made = settings(
        broker, broker__tls_ca=authority.ca, broker__protocol=protocol, bridge__providers=("a",),
        bridge__tls_cert=cert, bridge__tls_key=key,
    )  # fmt: skip

    async def go():
        async with Outbox[Letter](wiring.bridge_options(made).outboxes[0], print) as outbox:
            return outbox.closed.done()

    assert asyncio.run(go()) is False
    without = wiring.bridge_options(
        settings(broker, broker__tls_ca=authority.ca, bridge__providers=("a",))
    )

    async def refused():
        async with Outbox[Letter](without.outboxes[0], print):
            pass

    with pytest.raises(LinkError, match=f"MQTT broker 127.0.0.1:{broker.port}: "):
        asyncio.run(refused())


@integration
def test_each_part_shows_the_certificate_that_is_its_own(mosquitto_with, authority):
    # Who publishes may not read: so it must be another user, by its certificate alone.
    rights = authority.ca.with_name("acl")
    rights.write_text("user worker\ntopic read gsht/#\nuser tracker\ntopic write gsht/#\n")
    broker = mosquitto_with(
        PLAIN.replace("allow_anonymous true", "allow_anonymous false")
        + authority.listener(demands=True)
        + f"acl_file {rights}\n"
    )
    worker, tracker = (authority.issue(name, common_name=name) for name in ("worker", "tracker"))
    made = settings(
        broker, broker__tls_ca=authority.ca, broker__tls_cert=worker[0], broker__tls_key=worker[1],
        publisher__tls_cert=tracker[0], publisher__tls_key=tracker[1],
    )  # fmt: skip
    assert asyncio.run(passed(made)) is True


@integration
@VERSIONS
def test_a_broker_that_asks_for_certificates_refuses_who_has_none(
    mosquitto_with, authority, tmp_path, capsys, caplog, protocol
):
    broker = mosquitto_with(PLAIN + authority.listener(demands=True))
    made = settings(broker, broker__tls_ca=authority.ca, broker__protocol=protocol)
    assert "does it ask for a certificate of ours?" in str(asyncio.run(passed(made)))
    said = capsys.readouterr().out + caplog.text  # as logging was set up by then
    assert "certificate required" in said
    stranger = Authority(tmp_path / "theirs").issue("worker")
    made = settings(
        broker, broker__tls_ca=authority.ca, broker__protocol=protocol,
        broker__tls_cert=stranger[0], broker__tls_key=stranger[1],
    )  # fmt: skip
    assert "broker 127.0.0.1" in str(asyncio.run(passed(made)))


@integration
def test_a_broker_of_another_authority_is_refused_and_the_reason_said(
    mosquitto_with, authority, tmp_path, capsys, caplog
):
    broker = mosquitto_with(PLAIN + authority.listener())
    made = settings(broker, broker__tls_ca=Authority(tmp_path / "theirs").ca)
    assert "certificate verify failed" in str(asyncio.run(passed(made)))
    said = capsys.readouterr().out + caplog.text  # as logging was set up by then
    assert "broker.untrusted" in said
    assert "certificate verify failed" in said
    finding = asyncio.run(check_broker(made, made.broker.servers[0]))
    assert finding.state == "wrong"
    assert "certificate verify failed" in finding.found
    assert "broker.tls_ca" in finding.advice


@integration
def test_a_broker_of_another_name_is_refused_and_the_reason_said(mosquitto_with, authority):
    broker = mosquitto_with(PLAIN + authority.listener("broker.example"))
    made = settings(broker, broker__tls_ca=authority.ca)
    assert "certificate is not valid for '127.0.0.1'" in str(asyncio.run(passed(made)))


@integration
def test_commands_say_in_one_line_that_a_broker_is_not_to_be_trusted(
    mosquitto_with, authority, tmp_path
):
    broker = mosquitto_with(PLAIN + authority.listener("broker.example"))
    file = tmp_path / "positions.csv"
    file.write_text("id,t,lat,lon\n1,2026-01-01T00:00:00Z,21,105\n")
    environment = {
        "HANHTRINH_BROKER__HOST": broker.host,
        "HANHTRINH_BROKER__PORT": str(broker.port),
        "HANHTRINH_BROKER__TLS": "true",
        "HANHTRINH_BROKER__TLS_CA": str(authority.ca),
    }
    for words in (
        ["simulate", "--duration", "1"],
        ["simulate", "--duration", "1", "--vehicles", "2", "--connections", "2"],
        ["replay", str(file), "--map", "vehicle=id,time=t,lat=lat,lon=lon"],
    ):
        done = hanhtrinh(*words, settings=environment)
        assert done.returncode == 1
        assert "certificate is not valid for '127.0.0.1'" in done.stderr
        assert "Traceback" not in done.stderr


def refusal(**values):
    with pytest.raises(CommandError) as refused:
        connections.worker_access(settings(**values))
    return str(refused.value)


def test_files_that_cannot_be_used_are_named(authority, tmp_path):
    cert, key = authority.issue("worker")
    other = authority.issue("other")[1]
    text = tmp_path / "text"
    text.write_text("no certificate")
    trusted = {"broker__tls_ca": authority.ca}
    assert "broker.tls_ca: " in refusal(broker__tls_ca=tmp_path / "none.pem")
    assert "expected certificates in PEM" in refusal(broker__tls_ca=text)
    assert "broker.tls_cert: " in refusal(**trusted, broker__tls_cert=tmp_path / "none.pem")
    assert "in PEM" in refusal(**trusted, broker__tls_cert=text, broker__tls_key=key)
    assert "its private key" in refusal(**trusted, broker__tls_cert=cert, broker__tls_key=other)
    assert "broker.tls_cert: expected" in refusal(**trusted, broker__tls_key=key)


def test_certificates_without_tls_are_a_mistake_not_a_plain_connection(authority):
    cert, key = authority.issue("worker")
    said = refusal(broker__tls=False, broker__tls_cert=cert, broker__tls_key=key)
    assert "broker.tls: expected true" in said
    made = settings(
        bridge__amqp_url="amqp://h/", bridge__amqp_tls_ca=authority.ca, bridge__providers=("a",)
    )
    with pytest.raises(CommandError, match="expected amqps://"):
        wiring.bridge_options(made)


def test_names_and_certificates_are_checked_and_nothing_switches_that_off(authority):
    made = connections.worker_access(settings(broker__tls_ca=authority.ca))
    assert made.tls is not None
    assert made.tls.check_hostname
    assert made.tls.verify_mode.name == "CERT_REQUIRED"
    amqp = settings(bridge__amqp_url="amqps://h/", bridge__amqp_tls_ca=authority.ca)
    context = connections.amqp_tls(amqp)
    assert context is not None
    assert context.check_hostname


def test_a_shared_subscription_asks_for_mqtt_5():
    with pytest.raises(CommandError, match=r"ingest\.share_group: expected"):
        wiring.mqtt_options(settings(broker__tls=False, ingest__share_group="judges"))
    made = settings(broker__tls=False, ingest__share_group="judges", broker__protocol="5")
    assert wiring.mqtt_options(made).share_group == "judges"
