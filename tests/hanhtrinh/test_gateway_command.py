"""The command `hanhtrinh gateway` as people run it."""

import json
import signal
import socket
import ssl

import pytest

from hanhtrinh.settings import SettingsError, load
from hanhtrinh.wiring import embedded_environment
from tests.authority import Authority
from tests.devices.streams.dialogues import IMEI, PACKET
from tests.hanhtrinh.command import hanhtrinh, running
from tests.hanhtrinh.waiting import wait_until

LOGIN = b"\x00\x0f" + IMEI.encode()


def lines(log):
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def port_of(log):
    (found,) = [line["port"] for line in lines(log) if line["event"] == "gateway.listening"]
    return found


@pytest.mark.integration
def test_the_gateway_serves_a_tracker_and_stops_in_order(broker, tmp_path):
    authority = Authority(tmp_path / "issued")
    cert, key = authority.issue("127.0.0.1")
    settings = embedded_environment("postgresql://", broker) | {
        "HANHTRINH_GATEWAY__LISTENERS": "teltonika tls://127.0.0.1:0",
        "HANHTRINH_GATEWAY__TLS_CERT": str(cert),
        "HANHTRINH_GATEWAY__TLS_KEY": str(key),
    }
    trusting = ssl.create_default_context(cafile=authority.ca)
    log = tmp_path / "gateway.log"
    with running("gateway", settings=settings, log=log) as process:
        wait_until(
            lambda: "broker.connected" in log.read_text() and "listening" in log.read_text(),
            "a gateway with ports and a broker",
        )
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificate.loaded" in log.read_text(), "the certificate")
        with (
            socket.create_connection(("127.0.0.1", port_of(log)), timeout=30) as plain,
            trusting.wrap_socket(plain, server_hostname="127.0.0.1") as tracker,
        ):
            tracker.sendall(LOGIN + PACKET)
            heard = b""
            while len(heard) < 5:
                heard += tracker.recv(5)
            assert heard == b"\x01\x00\x00\x00\x02"
    assert lines(log)[-1]["event"] == "gateway.stopped"
    assert lines(log)[-1]["unacknowledged"] == 0


def test_a_gateway_without_a_port_or_with_a_wrong_one_says_which():
    done = hanhtrinh("gateway")
    assert done.returncode == 1
    assert "gateway.listeners: expected at least one" in done.stderr
    done = hanhtrinh("gateway", "--listen", "sony tcp://0.0.0.0:1", "--listen", "json tcp://[::]:2")
    assert done.returncode == 1
    assert "sony tcp://0.0.0.0:1: no codec is called 'sony'" in done.stderr
    assert "json tcp://[::]:2: 'json' is not spoken over tcp" in done.stderr


def test_the_token_of_a_device_is_made_from_the_secret():
    assert "gateway.secret" in hanhtrinh("gateway", "--token-of", IMEI).stderr
    secret = {"HANHTRINH_GATEWAY__SECRET": "correct horse"}
    one, other = (
        hanhtrinh("gateway", "--token-of", ident, settings=secret).stdout for ident in (IMEI, "x")
    )
    assert len(one.strip()) == 32
    assert one != other


def test_listeners_are_tables_or_lines(tmp_path):
    file = tmp_path / "hanhtrinh.toml"
    file.write_text(
        '[gateway]\nlisteners = ["gt06 tcp://[::]:5023", { codec = "h02", port = 5013 }]\n'
    )
    first, second = load(file, environment={}).settings.gateway.listeners
    assert (str(first), first.host) == ("gt06 tcp://[::]:5023", "::")
    assert str(second) == "h02 tcp://127.0.0.1:5013"
    text = {"HANHTRINH_GATEWAY__LISTENERS": "gt06 udp://0.0.0.0:1, osmand http://localhost:2"}
    found = load(environment=text).settings.gateway.listeners
    assert [str(one) for one in found] == ["gt06 udp://0.0.0.0:1", "osmand http://localhost:2"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gt06", "expected such as 'gt06 tcp://0.0.0.0:5023'"),
        ("gt06 smoke://0.0.0.0:1", "'tcp', 'udp', 'http', 'tls' or 'https'"),
        ("gt06 tcp://0.0.0.0:70000", "65535"),
    ],
)
def test_a_listener_that_cannot_be_read_is_named(text, says):
    with pytest.raises(SettingsError) as refused:
        load(environment={"HANHTRINH_GATEWAY__LISTENERS": text})
    assert str(refused.value).startswith("gateway.listeners (environment HANHTRINH_GATEWAY__")
    assert says in str(refused.value)
