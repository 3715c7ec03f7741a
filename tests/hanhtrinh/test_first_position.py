"""The commands that a first position takes, and what they say where something is missing."""

import json
from datetime import UTC, datetime

import paho.mqtt.publish
import pytest

from hanhtrinh.wiring import embedded_environment
from tests.hanhtrinh.command import hanhtrinh, running
from tests.hanhtrinh.waiting import wait_until

# Workers whose kernels are not in the cache compile them first: a minute on a busy machine.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def publish(broker, topic, message):
    paho.mqtt.publish.single(
        topic,
        json.dumps(message),
        qos=1,
        hostname=broker.host,
        port=broker.mqtt_port,
        auth={"username": broker.device.username, "password": broker.device.password},
    )


def test_the_doctor_finds_nothing_wrong_with_running_services(database, broker):
    done = hanhtrinh("doctor", "--json", settings=embedded_environment(database, broker))
    assert done.returncode == 0, done.stdout
    assert {check["check"]: check["state"] for check in done.data["checks"]} == dict.fromkeys(
        ("broker", "database", "schema", "extension", "clock", "disk"), "ok"
    )


def test_the_doctor_says_that_a_database_is_not_migrated(empty_database, broker):
    done = hanhtrinh("doctor", settings=embedded_environment(empty_database, broker))
    assert done.returncode == 1
    assert "run `hanhtrinh migrate`" in done.stdout


def test_services_refuse_a_database_that_is_not_migrated(empty_database, broker):
    for service in ("worker", "api"):
        done = hanhtrinh(service, settings=embedded_environment(empty_database, broker))
        assert done.returncode == 1
        assert "run `hanhtrinh migrate`" in done.stderr


def test_migrating_twice_says_that_there_is_nothing_to_do(empty_database):
    settings = {"HANHTRINH_DATABASE__DSN": empty_database}
    assert "it was at none" in hanhtrinh("migrate", settings=settings).stderr
    assert "already" in hanhtrinh("migrate", settings=settings).stderr


def test_a_device_is_registered_once(database):
    settings = {"HANHTRINH_DATABASE__DSN": database}
    arguments = ("vehicles", "add", "--plate", "29C12345", "--operator", "one")
    nobody = hanhtrinh(*arguments, "--device", "1", settings=settings)
    assert (nobody.returncode, "--operator-name" in nobody.stderr) == (1, True)
    first = hanhtrinh(
        *arguments, "--device", "1", "--operator-name", "One", "--class", "lorry",
        settings=settings,
    )  # fmt: skip
    assert "noted: --class: nothing goes by 'lorry', but by " in first.stderr
    again = hanhtrinh(*arguments, "--device", "1", settings=settings)
    assert (first.returncode, again.returncode) == (0, 1)
    assert "hanhtrinh: " in again.stderr
    assert "Traceback" not in again.stderr


def test_what_is_stored_can_be_judged_again(database):
    settings = {"HANHTRINH_DATABASE__DSN": database}
    done = hanhtrinh("rejudge", "--since", "2026-11-01", settings=settings)
    assert done.returncode == 0, done.stderr
    assert done.data == {
        "vehicles": 0, "inserted": {}, "updated": {}, "revised": {}, "withdrawn": {},
    }  # fmt: skip
    unknown = hanhtrinh(
        "rejudge", "--since", "2026-11-01", "--plate", "29C-999.99", settings=settings
    )
    assert unknown.returncode == 1
    assert "plate: expected registered ones, got 29C99999" in unknown.stderr


def test_what_is_quarantined_can_be_listed_and_released(database, broker, tmp_path):
    settings = embedded_environment(database, broker)
    log = tmp_path / "worker.log"
    fix = {"time": datetime.now(UTC).isoformat(), "lat": 21.02, "lon": 105.85}

    def waiting():
        return hanhtrinh("quarantine", "list", "--json", settings=settings).lines

    with running("worker", settings=settings, log=log):
        wait_until(lambda: "broker.subscribed" in log.read_text(), "the worker listens")
        publish(broker, "gsht/v1/json/7", fix)
        wait_until(lambda: bool(waiting()), "it is in the quarantine")
        (entry,) = waiting()
        assert (entry["topic"], entry["reason"]) == ("gsht/v1/json/7", "unknown_device")
        hanhtrinh(
            "vehicles", "add", "--plate", "29C12345", "--device", "7",
            "--operator", "one", "--operator-name", "One", settings=settings,
        )  # fmt: skip

        def is_known():
            # The worker looks at the registry when it has something to do.
            publish(broker, "gsht/v1/json/7", fix)
            return log.read_text().count("registry.loaded") > 1

        wait_until(is_known, "the worker knows the device")
        released = hanhtrinh("quarantine", "release", "--all", settings=settings)
        assert released.data == {"released": 1, "cut": 0}
    assert waiting() == []
