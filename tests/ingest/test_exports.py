"""Logins as files: what a real Mosquitto makes of them, and the form of EMQX's."""

import csv
import shutil
import signal
import subprocess
import time
from base64 import b64encode
from hashlib import pbkdf2_hmac
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from hanhtrinh.embedded.ports import LOOPBACK, free_port
from ingest.identity.exports import Parts, export
from ingest.topics import DEFAULT_PATTERNS
from storage import credentials, registry
from tests.hanhtrinh.waiting import wait_until
from tests.storage.connected import connected

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
pytestmark = pytest.mark.integration
IMEI, OTHER = "352093081429150", "352093081429999"
CONFIG = """
per_listener_settings false
user root
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
listener {port} {host}
use_username_as_clientid true
listener {own_port} {host}
"""


class Mosquitto:
    """A running Mosquitto that lets in whom its files name."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.own_port = folder, free_port(), free_port()
        config = folder / "mosquitto.conf"
        config.write_text(
            CONFIG.format(folder=folder, host=LOOPBACK, port=self.port, own_port=self.own_port)
        )
        assert MOSQUITTO is not None
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def client(self, username, password, *, client_id="any", own=False):
        """A client and whether it was let in; None if the broker does not listen yet."""
        made = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, reconnect_on_failure=False)
        if username is not None:
            made.username_pw_set(username, password)
        answers = []
        made.on_connect = lambda _c, _u, _f, reason, _p: answers.append(not reason.is_failure)
        made.on_message = lambda _c, received, message: received.append(message.topic)
        made.user_data_set([])
        made.connect(LOOPBACK, self.own_port if own else self.port)
        made.loop_start()
        wait_until(lambda: bool(answers), "an answer")
        return made, answers[0]

    def lets_in(self, username, password, **options) -> bool:
        made, answer = self.client(username, password, **options)
        made.disconnect()
        made.loop_stop()
        return bool(answer)

    def is_up(self) -> bool:
        try:
            return not self.lets_in("nobody", "x")
        except ConnectionRefusedError:
            return False


def parts():
    """The worker's lines; its password is "worker", in the form of mosquitto_passwd."""
    salt = b"0123456789ab"
    digest = pbkdf2_hmac("sha512", b"worker", salt, 101)
    return Parts(
        [f"worker:$7$101${b64encode(salt).decode()}${b64encode(digest).decode()}"],
        ["user worker", "topic read #", "topic write gsht/v1/live/#", "topic write cmd/v1/#"],
    )


@pytest.fixture
def exported(database, tmp_path):
    """Writes the database's logins into the folder, anew each time it is called."""

    def write(broker="mosquitto"):
        logins = connected(database, credentials.to_export)
        return export(broker, logins, tmp_path, DEFAULT_PATTERNS, parts())

    return write


@pytest.fixture
def rotate(database):
    """Gives a device a new secret."""

    def work(ident, **options):
        async def go(conn):
            await conn.execute(
                "INSERT INTO devices (ident) VALUES (%s) ON CONFLICT DO NOTHING", [ident]
            )
            return (await credentials.rotate(conn, ident, **options)).secret

        return connected(database, go)

    return work


@pytest.fixture
def mosquitto(exported, tmp_path):
    """Starts Mosquitto on what is exported now; skipped where it is not installed."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    started = []

    def start():
        exported()
        started.append(Mosquitto(tmp_path))
        wait_until(started[-1].is_up, "Mosquitto listens")
        return started[-1]

    yield start
    for broker in started:
        broker.process.terminate()
        broker.process.wait(20)


def test_mosquitto_lets_in_who_proves_a_name_and_nobody_else(mosquitto, rotate):
    secret, others = rotate(IMEI), rotate(OTHER)
    rotate(phone := "an/phone")
    broker = mosquitto()
    assert broker.lets_in(IMEI, secret)
    assert broker.lets_in("worker", "worker", own=True)
    for username, password in (
        (None, None), (IMEI, None), (IMEI, ""), (IMEI, secret + "x"), (IMEI, others),
        (OTHER, secret), ("nobody", secret), (phone, secret), (f"{IMEI}:$7$", secret),
    ):  # fmt: skip
        assert not broker.lets_in(username, password), username


def test_mosquitto_takes_passwords_that_people_chose(mosquitto, rotate):
    rotate(IMEI, password="correct horse")
    broker = mosquitto()
    assert broker.lets_in(IMEI, "correct horse")
    assert not broker.lets_in(IMEI, "correct cow")


def test_at_mosquitto_a_device_publishes_and_hears_what_is_its_own(mosquitto, rotate):
    secret, phones = rotate(IMEI), rotate("an/phone")
    broker = mosquitto()
    worker, _ = broker.client("worker", "worker", client_id="w", own=True)
    heard = worker.user_data_get()
    worker.subscribe("#", qos=1)
    own = [f"gsht/v1/json/{IMEI}", f"{IMEI}/data", "owntracks/an/phone"]
    device, _ = broker.client(IMEI, secret)
    device.subscribe([("cmd/v1/#", 1), ("gsht/#", 1), (f"cmd/v1/{IMEI}", 1)])
    phone, _ = broker.client("an/phone", phones)
    for client, topics in (
        (device, [f"gsht/v1/json/{OTHER}", f"gsht/v1/live/{IMEI}", f"weigh/v1/json/{IMEI}",
                  f"{OTHER}/data", f"cmd/v1/{OTHER}", *own[:2]]),
        (phone, ["an/phone/data", "owntracks/an/other", "gsht/v1/json/an", own[2]]),
    ):  # fmt: skip
        for topic in topics:
            client.publish(topic, b"x", qos=1).wait_for_publish(20)
    wait_until(lambda: own[2] in heard, "the last arrived")
    assert heard == own
    for ident in (OTHER, IMEI):
        worker.publish(f"cmd/v1/{ident}", b"x", qos=1).wait_for_publish(20)
    wait_until(lambda: bool(device.user_data_get()), "the command")
    assert device.user_data_get() == [f"cmd/v1/{IMEI}"]
    for client in (worker, device, phone):
        client.disconnect()
        client.loop_stop()


def test_at_mosquitto_nobody_takes_the_session_of_another(mosquitto, rotate):
    """`use_username_as_clientid` of the devices' listener, as deploy/mosquitto.conf has it."""
    secret = rotate(IMEI)
    broker = mosquitto()
    worker, _ = broker.client("worker", "worker", client_id="hanhtrinh-worker-0", own=True)
    assert broker.lets_in(IMEI, secret, client_id="hanhtrinh-worker-0")
    worker.publish("cmd/v1/x", b"x", qos=1).wait_for_publish(20)
    assert worker.is_connected()
    worker.disconnect()
    worker.loop_stop()


def test_mosquitto_hears_of_a_revocation_when_the_files_are_read_again(
    mosquitto, exported, rotate, database
):
    secret, others = rotate(IMEI), rotate(OTHER)
    broker = mosquitto()
    device, _ = broker.client(IMEI, secret)
    lost = []
    device.on_disconnect = lambda *_: lost.append(time.monotonic())
    connected(database, lambda conn: credentials.revoke(conn, IMEI))
    exported()
    broker.reload()
    wait_until(lambda: not broker.lets_in(IMEI, secret), "the secret is refused")
    assert broker.lets_in(OTHER, others)
    wait_until(lambda: bool(lost), "the connection is closed")
    device.loop_stop()


def test_files_are_replaced_whole_and_read_by_few(exported, rotate, tmp_path):
    rotate(IMEI)
    done = exported()
    assert [file.name for file in done.files] == ["passwords", "acl"]
    assert {file.stat().st_mode & 0o777 for file in done.files} == {0o640}
    (tmp_path / "passwords").chmod(0o600)
    exported()
    assert (tmp_path / "passwords").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acl", "passwords"]


def test_emqx_gets_digests_it_can_check_and_rules_for_every_name(exported, rotate, tmp_path):
    secret = rotate(IMEI)
    rotate("slow", password="correct horse")
    done = exported("emqx")
    assert (done.logins, done.left_out) == (1, ("slow",))
    with (tmp_path / "users.csv").open() as stream:
        [row] = csv.DictReader(stream)
    assert row["user_id"] == IMEI
    # As EMQX computes it: the salt as text, one iteration, 64 bytes, hexadecimal.
    digest = pbkdf2_hmac("sha512", secret.encode(), row["salt"].encode(), 1)
    assert row["password_hash"] == digest.hex()
    rules = (tmp_path / "acl.conf").read_text().splitlines()
    assert f'{{allow, {{user, "{IMEI}"}}, subscribe, ["cmd/v1/{IMEI}"]}}.' in rules
    assert f'{{deny, {{user, "{IMEI}"}}, publish, ["gsht/v1/live/#"]}}.' in rules
    assert rules[-1] == "{deny, all}."


def test_of_two_secrets_in_force_files_hold_the_newest(exported, rotate, tmp_path, database):
    rotate(IMEI)
    rotate(IMEI, keep_old_until=time.time_ns() // 1000 + 3_600_000_000)
    exported("emqx")
    assert len((tmp_path / "users.csv").read_text().splitlines()) == 2


def test_nothing_is_written_for_devices_that_have_no_login(database, exported, tmp_path):
    connected(database, lambda conn: registry.add_device(conn, IMEI))
    assert exported().logins == 0
    assert IMEI not in (tmp_path / "acl").read_text()
