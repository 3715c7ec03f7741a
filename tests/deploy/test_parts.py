"""What the examples start exists, and is told nothing but settings, whose values can be used."""

import re
from collections.abc import Iterator
from itertools import chain

import pytest
import typer.main

from hanhtrinh.cli import app
from hanhtrinh.settings import load, rows
from hanhtrinh.settings.loading import NOT_SETTINGS
from tests.deploy.parts import (
    COMPOSE,
    DEPLOY,
    MANIFESTS,
    UNITS,
    Part,
    compose_parts,
    example_env,
    kept,
    kubernetes_parts,
    ours,
    systemd_parts,
)

LONG_RUNNING = {"worker", "api", "gateway", "bridge", "auth"}
KINDS = {"compose": compose_parts, "kubernetes": kubernetes_parts, "systemd": systemd_parts}
FILES = [COMPOSE, *MANIFESTS, *UNITS, *sorted((DEPLOY / "container").iterdir())]


@pytest.fixture(scope="module", params=KINDS)
def parts(request) -> list[Part]:
    return list(KINDS[request.param]())


def test_every_part_is_there():
    for read, missing in (
        (compose_parts, set()), (kubernetes_parts, {"bridge"}), (systemd_parts, set()),
    ):  # fmt: skip
        verbs = {part.command[0] for part in read()}
        assert verbs >= (LONG_RUNNING | {"migrate"}) - missing


def test_every_verb_exists_with_the_options_that_it_is_given(parts):
    for part in parts:
        command, words = typer.main.get_command(app), list(part.command)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        assert command is not typer.main.get_command(app), part.where
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, part.where


def test_every_variable_is_a_setting_and_its_value_can_be_used(parts):
    for part in parts:
        # An error is raised for a name that is no setting, and for a value that is none.
        origins = load(environment=ours(part.given)).origins
        assert set(origins.values()) != {"default"}, part.where


def test_every_variable_that_any_file_names_is_a_setting():
    known = {row.variable for row in rows()} | NOT_SETTINGS
    for path in FILES:
        named = set(re.findall(r"HANHTRINH_[A-Z_]*[A-Z]\b(?!\.)", path.read_text("utf-8")))
        assert named - known == set(), path.name


def secrets_of(part: Part) -> Iterator[str]:
    secret = {row.variable for row in rows() if row.is_secret}
    for name, text in part.written.items():
        if name in secret:
            # Compose: nothing but what comes from .env; a password within an address, too.
            yield re.sub(r"\$\{[A-Z_]+:[-?]\}", "", text)


def test_no_secret_stands_in_a_file():
    users = ("hanhtrinh", "hanhtrinh_web")
    no_secret = {"", *(f"postgresql://{user}:@database/hanhtrinh" for user in users)}
    for part in chain(compose_parts(), kubernetes_parts(), systemd_parts()):
        assert set(secrets_of(part)) <= no_secret, part.where
    for values in kept("Secret").values():
        assert set(values.values()) == {""}
    secret = re.compile("PASSWORD|SEED|ISSUER|URL")
    assert [name for name, text in example_env().items() if secret.search(name) and text] == []
    tracked = "".join(path.read_text("utf-8") for path in FILES)
    assert "PRIVATE KEY" not in tracked


SECRETS = {
    "migrate": {"DATABASE__DSN", "API__DSN"}, "worker": {"DATABASE__DSN", "BROKER__PASSWORD"},
    "api": {"API__DSN", "API__SECRET"}, "upkeep": {"DATABASE__DSN"},
    "gateway": {"PUBLISHER__PASSWORD"},
    "auth": {"DATABASE__DSN", "AUTH__PASSWORD", "AUTH__ISSUER_SEED"},
    "bridge": {"BRIDGE__PASSWORD", "BRIDGE__AMQP_URL"}, "devices": {"DATABASE__DSN"},
    "stream": {"JETSTREAM__PASSWORD"},
}  # fmt: skip
"""What each part needs, and is given."""


def test_each_part_is_given_its_own_secrets_and_no_others():
    worker = {frozenset(SECRETS["worker"]), frozenset({"DATABASE__DSN", "JETSTREAM__PASSWORD"})}
    secret = {row.variable.removeprefix("HANHTRINH_") for row in rows() if row.is_secret}
    for part in chain(compose_parts(), kubernetes_parts()):
        named = {name.removeprefix("HANHTRINH_") for name in part.given} & secret
        if part.command[0] == "worker":  # one of two ways for its messages, or (Kubernetes) either
            assert named in worker or named == set.union(*map(set, worker)), part.where
        else:
            assert named == SECRETS[part.command[0]], part.where


def test_the_page_names_the_secrets_of_each_part():
    _, _, section = (DEPLOY / "README.md").read_text("utf-8").partition("## Secrets of each part")
    rows = [line.split("|")[1:3] for line in section.split("\n## ")[0].splitlines() if "`" in line]
    named = {
        part: set(re.findall(r"`HANHTRINH_([A-Z_]+)`", variables.partition("(")[0]))
        for parts, variables in (row for row in rows if len(row) == 2)
        for part in re.findall(r"`(\w+)`", parts)
    }
    assert named == SECRETS


def test_a_part_has_its_metrics_at_the_same_port_wherever_it_runs(parts):
    """So that one configuration of Prometheus serves all of them."""
    example = load(DEPLOY / "hanhtrinh.toml", environment={}).settings
    ports = {row.variable: row.value_in(example) for row in rows() if "metrics_port" in row.name}
    for part in parts:
        for name in ports.keys() & part.written.keys():
            if part.where != "compose.yaml (nats,shards): worker-1":  # the second of a machine
                assert int(part.written[name]) == ports[name], part.where
