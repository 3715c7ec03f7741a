"""Docker Compose reads deploy/compose, and every service of it is bounded."""

import re
from typing import Any

import pytest
import yaml

from hanhtrinh.embedded.postgres import SETTINGS
from tests.deploy.parts import COMPOSE, DEPLOY, PROFILES, composed, example_env, services

BROKER = {"nats": "nats", "mosquitto": "mosquitto"}


@pytest.fixture(params=PROFILES)
def running(request) -> dict[str, dict[str, Any]]:
    return services(request.param)


def test_every_service_is_bounded(running):
    for name, service in running.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged"), name
        assert not service.get("cap_add"), name
        assert int(service["mem_limit"]) <= 10 << 30, name
        assert service["restart"] == (
            "no" if name in {"migrate", "logins", "stream"} else "unless-stopped"
        )


def test_every_image_has_a_version(running):
    for service in running.values():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+[a-z0-9.-]*", service["image"])


def test_every_service_says_whether_it_works(running):
    # auth and upkeep have no port to ask; the others run once.
    without = {name for name, service in running.items() if "healthcheck" not in service}
    assert without <= {"auth", "upkeep", "migrate", "logins", "stream"}


def test_the_database_is_reached_by_the_parts_alone(running):
    assert "ports" not in running["database"]
    assert set(running["database"]["networks"]) == {"data"}
    assert yaml.safe_load(COMPOSE.read_text("utf-8"))["networks"]["data"] == {"internal": True}


def test_the_database_is_set_as_the_embedded_one_is(running):
    given = dict(part.split("=") for part in running["database"]["command"] if "=" in part)
    assert given == {
        name: SETTINGS[name]
        for name in ("max_wal_size", "checkpoint_timeout", "wal_compression", "jit")
    }


def test_ports_are_open_on_loopback_only_unless_said_otherwise(running):
    ports = [port for service in running.values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_the_gateways_ports_are_those_that_it_listens_on(running):
    gateway = running["gateway"]
    listeners = gateway["environment"]["HANHTRINH_GATEWAY__LISTENERS"]
    listened = set(re.findall(r"(tcp|udp)://0\.0\.0\.0:(\d+)", listeners))
    assert listened == {(port["protocol"], str(port["target"])) for port in gateway["ports"]}


def test_one_broker_runs_under_the_name_that_the_parts_know():
    for profile, broker in BROKER.items():
        running = services(profile)
        assert [name for name in BROKER.values() if name in running] == [broker]
        assert running[broker]["networks"]["messages"]["aliases"] == ["broker"]
        assert running["worker"]["environment"]["HANHTRINH_BROKER__HOST"] == "broker"


def test_workers_that_share_a_stream_have_a_shard_each_and_wait_for_the_stream():
    running = services("nats,shards")
    workers = {name: one for name, one in running.items() if one["command"] == ["worker"]}
    given = [one["environment"] for one in workers.values()]
    assert len(workers) == int(running["stream"]["environment"]["HANHTRINH_JETSTREAM__PARTITIONS"])
    for name, kind in (("INGEST__SHARD", str), ("INGEST__METRICS_PORT", int)):
        assert len({kind(one[f"HANHTRINH_{name}"]) for one in given}) == len(workers), name
    assert {one["HANHTRINH_JETSTREAM__PARTITIONS"] for one in given} == {str(len(workers))}
    for one in workers.values():
        assert one["depends_on"]["stream"]["condition"] == "service_completed_successfully"
        # NATS speaks its own protocol on its loopback alone.
        assert one["network_mode"] == running["stream"]["network_mode"] == "service:nats"


def test_the_brokers_run_with_the_configurations_that_lie_beside():
    for profile, file in (("nats", "nats.conf"), ("mosquitto", "mosquitto.conf")):
        volumes = services(profile)[profile]["volumes"]
        assert str(DEPLOY / file) in {volume["source"] for volume in volumes}


PASSWORDS = [name for name in example_env() if name.endswith("_PASSWORD")]


@pytest.mark.parametrize("name", PASSWORDS)
def test_nothing_starts_without_a_password(name):
    done = composed("nats", **{name: ""})
    assert done.returncode != 0
    assert name in done.stderr


def test_the_example_names_every_variable():
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text("utf-8")))
    assert asked | {"COMPOSE_PROFILES"} == set(example_env())
