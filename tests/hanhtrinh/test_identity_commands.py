"""`hanhtrinh devices` and `hanhtrinh auth`, as processes of their own."""

import tempfile
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hanhtrinh.embedded import DataFolder, EmbeddedNats
from hanhtrinh.wiring import embedded_environment
from tests.hanhtrinh.command import hanhtrinh, running
from tests.hanhtrinh.waiting import wait_until

pytestmark = pytest.mark.integration
IMEI = "352093081429150"


@pytest.fixture
def settings(database):
    """Those of a database in which one device is registered."""
    settings = {"HANHTRINH_DATABASE__DSN": database}
    done = hanhtrinh(
        "vehicles", "add", "--plate", "29C12345", "--device", IMEI,
        "--operator", "one", "--operator-name", "One", settings=settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return settings


@pytest.fixture
def asking_broker():
    """A NATS server that asks who may come in."""
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-test-")))
    try:
        with EmbeddedNats(folder, callout=True) as broker:
            yield broker
    finally:
        folder.remove()


def test_a_secret_is_shown_once_and_its_life_whenever_asked(settings):
    made = hanhtrinh("devices", "rotate", IMEI, settings=settings)
    assert made.returncode == 0, made.stderr
    assert made.data["username"] == made.data["client_id"] == IMEI
    secret = made.data["password"]
    assert len(secret) == 32
    hanhtrinh("devices", "rotate", IMEI, "--keep-old-hours", "2", settings=settings)
    shown = hanhtrinh("devices", "credentials", "--json", settings=settings)
    [login] = shown.lines
    assert [bool(one["valid_until"]) for one in login["secrets"]] == [True, False]
    assert secret not in shown.stdout
    assert IMEI in hanhtrinh("devices", "credentials", settings=settings).stdout
    ended = [hanhtrinh("devices", "revoke", IMEI, settings=settings) for _ in range(2)]
    assert [done.data["revoked"] for done in ended] == [2, 0]
    assert "none" in hanhtrinh("devices", "credentials", settings=settings).stdout
    [login] = hanhtrinh("devices", "credentials", IMEI, "--json", settings=settings).lines
    assert all(one["revoked_at"] for one in login["secrets"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("rotate", "nobody"), 1, "device 'nobody': expected a registered one"),
        (("rotate", "a#"), 1, "expected letters, digits"),
        (("rotate", "worker", "--kind", "provider"), 1, "reserved"),
        (("rotate", IMEI, "--kind", "car"), 2, "--kind: expected device"),
        (("rotate", IMEI, "VTA", "--client-id", "x"), 2, "expected one login"),
        (("rotate", IMEI, "--password-stdin"), 1, "at least 8 letters"),
        (("export", "--for", "kafka", "-o", "x"), 2, "--for: expected mosquitto or emqx"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(settings, arguments, code, said):
    done = hanhtrinh("devices", *arguments, settings=settings, stdin="short\n")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_files_for_a_broker_begin_with_the_lines_for_our_own_parts(settings, tmp_path):
    hanhtrinh("devices", "rotate", IMEI, settings=settings)
    (tmp_path / "own").write_text("worker:$7$101$x$y\n")
    out = tmp_path / "out"
    done = hanhtrinh(
        "devices", "export", "--for", "mosquitto", "-o", str(out),
        "--passwords", str(tmp_path / "own"), "--acl", "deploy/mosquitto.acl", settings=settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.data["logins"] == 1
    assert (out / "passwords").read_text().startswith("worker:$7$101$x$y\n352093081429150:$7$1$")
    assert "user worker" in (out / "acl").read_text()


def test_auth_answers_a_broker_until_it_is_stopped(settings, asking_broker, tmp_path):
    settings = settings | embedded_environment(settings["HANHTRINH_DATABASE__DSN"], asking_broker)
    secret = hanhtrinh("devices", "rotate", IMEI, settings=settings).data["password"]
    log = tmp_path / "auth.log"
    answers: list[bool] = []
    lost: list[float] = []

    def connect(password: str) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, IMEI, reconnect_on_failure=False)
        client.username_pw_set(IMEI, password)
        client.on_connect = lambda _c, _u, _f, reason, _p: answers.append(not reason.is_failure)
        client.on_disconnect = lambda *_: lost.append(time.monotonic())
        count = len(answers) + 1  # before anything can answer
        client.connect(asking_broker.host, asking_broker.mqtt_port)
        client.loop_start()
        wait_until(lambda: len(answers) == count, "an answer")
        return client

    with running("auth", settings=settings, log=log):
        wait_until(lambda: "auth.listening" in log.read_text(), "the service listens")
        clients = [connect(secret + "x"), connect(secret)]
        assert answers == [False, True]
        lost.clear()
        hanhtrinh("devices", "revoke", IMEI, settings=settings)
        wait_until(lambda: bool(lost), "the connection is closed")
        clients.append(connect(secret))
        assert answers == [False, True, False]
        for client in clients:
            client.loop_stop()
    assert secret not in log.read_text()


def test_auth_says_which_settings_are_missing_and_makes_keys(settings):
    done = hanhtrinh("auth", settings=settings)
    assert done.returncode == 1
    assert "expected auth.issuer_seed and auth.password to be set" in done.stderr
    wrong = {"HANHTRINH_AUTH__ISSUER_SEED": "SUA", "HANHTRINH_AUTH__PASSWORD": "x"}
    done = hanhtrinh("auth", settings=settings | wrong)
    assert done.returncode == 1
    assert "auth.issuer_seed: expected an account's seed" in done.stderr
    keys = hanhtrinh("auth", "--new-key").data
    assert keys["issuer_seed"].startswith("SA")
    assert keys["issuer"].startswith("A")


def test_groups_are_counted_and_old_entries_deleted_by_command(settings):
    for arguments in (("groups",), ("groups", "--hours", "1"), ("list", "--sender", "x")):
        assert hanhtrinh("quarantine", *arguments, settings=settings).returncode == 0
    cleaned = hanhtrinh("quarantine", "clean", settings=settings)
    assert cleaned.data == {"released": 0, "waiting": 0, "counts": 0}
