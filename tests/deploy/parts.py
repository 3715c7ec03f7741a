"""What compose, Kubernetes and systemd start: which verb, with which variables."""

import json
import os
import shlex
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
PROGRAMS = Path(sysconfig.get_path("scripts"))
COMPOSE = DEPLOY / "compose" / "compose.yaml"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("[!k]*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
WORKLOADS = {"Deployment", "StatefulSet", "Job"}
SHARDS = DEPLOY / "compose" / "shards.yaml"
PROFILES = ("nats", "mosquitto", "nats,bridge", "mosquitto,bridge", "nats,shards")
"""The last with the file of that name beside, which is no profile: a profile could not replace the
worker."""

EXAMPLE = "secret-of-the-test, long enough for any"
"""Stands for every password in what is read here."""


@dataclass
class Part:
    """One process of ours. `written`: its variables as in the file; `given`: as it gets them."""

    where: str
    command: list[str]
    written: dict[str, str]
    given: dict[str, str]


def tool(name: str) -> str:
    """A program from PyPI; not every platform has a wheel of it."""
    path = PROGRAMS / name
    if not path.is_file():
        pytest.skip(f"{name} is not installed here")
    return str(path)


def ours(variables: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in variables.items() if name.startswith("HANHTRINH_")}


def example_env() -> dict[str, str]:
    """deploy/compose/example.env: its variables, most of them empty."""
    text = (DEPLOY / "compose" / "example.env").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def composed(profiles: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Docker Compose's own reading of the file, with every empty variable filled in."""
    filled = {name: text or EXAMPLE for name, text in example_env().items()}
    filled |= {"BRIDGE_PROVIDERS": "one,two", "AMQP_URL": "amqp://u:p@rabbitmq:5672/"}
    filled |= {"COMPOSE_PROFILES": profiles, **variables}
    files = [COMPOSE, SHARDS] if "shards" in profiles else [COMPOSE]
    return subprocess.run(
        [tool("docker-compose"), *(f"--file={file}" for file in files), "--env-file", os.devnull,
         "config", "--format", "json"],
        env={"PATH": os.defpath, "HOME": os.devnull} | filled,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def services(profiles: str) -> dict[str, dict[str, Any]]:
    done = composed(profiles)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return found


class Written(yaml.SafeLoader):
    """A file of Compose's as it stands; what one file takes back of another is none."""


for tag in ("!reset", "!override"):
    Written.add_constructor(tag, lambda *_: None)


def environments(file: Path) -> dict[str, dict[str, str | None]]:
    """By service, the variables that stand in a file of Compose's."""
    read = yaml.load(file.read_text("utf-8"), Written)["services"]
    return {name: service.get("environment", {}) for name, service in read.items()}


def compose_parts() -> Iterator[Part]:
    base, shards = environments(COMPOSE), environments(SHARDS)
    for profiles in PROFILES:
        more = shards if "shards" in profiles else {}
        for name, service in services(profiles).items():
            if service["image"].startswith("hanhtrinh:"):
                merged = base.get(name, {}) | more.get(name, {})
                environment = {key: text for key, text in merged.items() if text is not None}
                given = {key: str(text) for key, text in service["environment"].items()}
                where = f"compose.yaml ({profiles}): {name}"
                yield Part(where, service["command"], environment, given)


def documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            yield path, document


def pods() -> dict[str, dict[str, Any]]:
    """Pods' specifications, by the name of what makes them."""
    return {
        document["metadata"]["name"]: document["spec"]["template"]["spec"]
        for _, document in documents()
        if document["kind"] in WORKLOADS
    }


def kept(kind: str) -> dict[str, dict[str, str]]:
    """What the config maps (or example secrets) hold."""
    key = "data" if kind == "ConfigMap" else "stringData"
    return {d["metadata"]["name"]: d[key] for _, d in documents() if d["kind"] == kind}


def kubernetes_parts() -> Iterator[Part]:
    maps, secrets = kept("ConfigMap"), kept("Secret")
    for name, pod in pods().items():
        (container,) = pod["containers"]
        written: dict[str, str] = {}
        for source in container["envFrom"]:
            written |= maps[source["configMapRef"]["name"]]
        given = dict(written)
        for one in container["env"]:
            if "value" in one:
                written[one["name"]] = given[one["name"]] = one["value"]
                continue
            if "fieldRef" in one["valueFrom"]:  # the pod's number
                written[one["name"]] = given[one["name"]] = "0"
                continue
            reference = one["valueFrom"]["secretKeyRef"]
            written[one["name"]] = secrets[reference["name"]][reference["key"]]
            given[one["name"]] = EXAMPLE
        yield Part(f"kubernetes: {name}", container["args"], written, given)


def unit_lines(path: Path, key: str) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [line.removeprefix(f"{key}=") for line in lines if line.startswith(f"{key}=")]


def systemd_parts() -> Iterator[Part]:
    for path in UNITS:
        words = [word for line in unit_lines(path, "Environment") for word in line.split()]
        written = dict(word.split("=", 1) for word in words)
        given = {name: text.replace("%i", "3") for name, text in written.items()}
        given["HANHTRINH_CONFIG"] = str(DEPLOY / "hanhtrinh.toml")
        (line,) = unit_lines(path, "ExecStart")
        yield Part(path.name, shlex.split(line)[1:], written, given)
