"""The command line: its exit codes, its messages, and the verbs that need no server."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
import typer.main
from typer.testing import CliRunner

from hanhtrinh.cli import app

VERBS = (
    "demo", "worker", "api", "migrate", "simulate", "replay", "decode", "judge", "rejudge",
    "doctor", "warm", "quarantine", "vehicles", "devices", "users", "keys",
    "providers", "audit", "auth", "score",
    "top", "bridge", "gateway", "upkeep", "backup", "restore",
    "stream", "registry", "zones", "roads",
)  # fmt: skip
NOWHERE = {
    "HANHTRINH_BROKER__HOST": "127.0.0.1",
    "HANHTRINH_BROKER__PORT": "1",
    "HANHTRINH_DATABASE__DSN": "postgresql://u:s3cret@127.0.0.1:1/db",
}


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Run the command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, stdin=None, env=None):
        return CliRunner().invoke(app, arguments, input=stdin, env=env)

    return call


def test_help_names_every_verb(cli):
    said = cli("--help")
    assert said.exit_code == 0
    for verb in VERBS:
        assert verb in said.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(cli, verb):
    assert cli(verb, "--help").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("decode",),
        ("rejudge",),
        ("rejudge", "--since", "yesterday"),
        ("rejudge", "--since", "2026-11-01T00:00:00"),
        ("decode", "--codec", "json", "--hex", "--text"),
        ("decode", "--codec", "no-such-codec"),
        ("judge", "--fixes", "f.csv", "--profile", "no-such-profile"),
        ("judge", "--fixes", "f.csv", "--timezone", "Mars"),
        ("replay", "f.csv", "--map", "vehicle"),
        ("replay", "file.csv"),
        ("replay", "file.csv", "--map", "x", "--speedup", "fast"),
        ("replay", "file.csv", "--map", "x", "--speedup", "0"),
        ("replay", "file.csv", "--map", "x", "--speedup", "inf"),
        ("api", "--port", "http"),
        ("api", "--port", "99999"),
        ("gateway", "--listen", "gt06 5023"),
        ("quarantine", "release"),
        ("quarantine", "release", "--all", "--id", "1"),
        ("keys", "create", "--name", "a", "--role", "king"),
        ("keys", "create", "--name", "a", "--role", "operator"),
        ("keys", "create", "--name", "a", "--scope", "everything"),
        ("users", "create", "an", "--role", "reader", "--provider", "p"),
        ("users", "create", "an", "--role", "operator", "--province", "p"),
        ("users", "create", "An Binh", "--role", "reader"),
        ("audit", "verify", "--anchor", "x"),
        ("audit", "export", "--format", "pdf"),
        ("audit", "remove", "--until", "x"),
        ("vehicles", "add", "--plate", "-", "--device", "1", "--operator", "o"),
    ],
)
def test_wrong_use_exits_with_2(cli, arguments):
    assert cli(*arguments, env=NOWHERE).exit_code == 2


def commands(command, *words):
    """Every command that does something, with the words that lead to it."""
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *words, name)
    if not hasattr(command, "commands"):
        yield words, command


COMMANDS = dict(commands(typer.main.get_command(app)))
NUMBERS = [
    (words, parameter.opts[-1])
    for words, command in COMMANDS.items()
    for parameter in command.params
    if get_type_hints(command.callback).get(parameter.name) in {float, float | None}
]


def test_there_are_options_that_take_numbers():
    assert len(NUMBERS) >= 15
    assert (("quarantine", "groups"), "--hours") in NUMBERS


@pytest.mark.parametrize(("words", "option"), NUMBERS)
def test_what_is_no_number_is_refused_by_the_name_of_its_option(cli, words, option):
    for number in ("nan", "inf", "-inf", "some"):
        said = cli(*words, f"{option}={number}", env=NOWHERE)
        assert said.exit_code == 2
        assert option in said.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("worker",),
        ("api",),
        ("migrate",),
        ("upkeep",),
        ("simulate", "--duration", "1"),
        ("replay", "nowhere.csv", "--map", "vehicle=v,time=t,lat=a,lon=o"),
        ("decode", "--codec", "json", "nowhere.json"),
        ("judge", "--fixes", "nowhere.csv"),
        ("doctor",),
        ("quarantine", "list"),
        ("quarantine", "clean"),
        ("restore", "nowhere.dump"),
        ("keys", "create", "--name", "a"),
        ("--config", "nowhere.toml", "doctor"),
    ],
)
def test_what_cannot_be_done_exits_with_1_and_one_message_without_a_traceback(cli, arguments):
    said = cli(*arguments, stdin="", env=NOWHERE)
    assert said.exit_code == 1, said.output
    assert "Traceback" not in said.output
    assert "s3cret" not in said.output
    if arguments != ("doctor",):
        assert said.stderr.startswith("hanhtrinh: ") or "hanhtrinh: " in said.stderr


@pytest.mark.parametrize(
    ("arguments", "setting", "dsn"),
    [
        (("users", "list"), "database.dsn", "mysql://u:s3cret@host/db"),
        (("users", "list"), "database.dsn", "postgresql://u:s3cret@host:port/db"),
        (("users", "list"), "database.dsn", NOWHERE["HANHTRINH_DATABASE__DSN"]),
        (("migrate",), "database.dsn", NOWHERE["HANHTRINH_DATABASE__DSN"]),
        (("api",), "api.dsn", "s3cret"),
        (("api",), "api.dsn", NOWHERE["HANHTRINH_DATABASE__DSN"]),
        (("doctor",), "database.dsn", "mysql://u:s3cret@host/db"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_by_its_setting(cli, arguments, setting, dsn):
    variable = f"HANHTRINH_{setting.replace('.', '__').upper()}"
    said = cli(*arguments, env=NOWHERE | {variable: dsn})
    assert said.exit_code == 1
    assert f"{setting}: " in said.output
    assert "s3cret" not in said.output


def test_files_that_are_not_there_are_named_in_plain_words(cli):
    for arguments in (
        ("registry", "import", "vehicles"), ("decode", "--codec", "json"), ("score",),
    ):  # fmt: skip
        said = cli(*arguments, "nowhere[/b].csv", env=NOWHERE)
        assert said.exit_code == 1
        assert said.stderr == "hanhtrinh: nowhere[/b].csv: no such file or directory\n"


@pytest.mark.parametrize(
    ("manifest", "what"),
    [
        (None, "expected the list that `hanhtrinh backup` writes beside the archive"),
        ("[]", "expected the list of a backup, got something else"),
        ("\0", "expected the list of a backup, got something else"),
        ('{"rows": {"fixes": "many"}, "timescaledb": false}', "got something else"),
        ('{"rows": {"fixes": 1}, "timescaledb": false}', "expected the archive of a backup"),
    ],
)
def test_what_is_no_backup_is_refused_before_the_database_is_touched(cli, manifest, what):
    if manifest is not None:
        Path("nightly.dump.json").write_text(manifest)
    said = cli("restore", "nightly.dump", env=NOWHERE)
    assert said.exit_code == 1
    assert "hanhtrinh: nightly.dump" in said.stderr
    assert what in said.stderr


def test_a_port_for_metrics_that_somebody_has_is_named(cli):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = cli(
            "bridge",
            env={"HANHTRINH_BRIDGE__PROVIDERS": "a", "HANHTRINH_BRIDGE__METRICS_PORT": port},
        )
    assert said.exit_code == 1
    assert f"metrics_port: cannot listen on 127.0.0.1 port {port}: " in said.stderr


def test_a_collector_that_does_not_listen_is_named(cli):
    said = cli("audit", "export", "--syslog", "127.0.0.1:1", env=NOWHERE)
    assert said.exit_code == 1
    assert "--syslog: 127.0.0.1:1: " in said.stderr


def test_an_unknown_setting_stops_the_start(cli):
    said = cli("doctor", env={"HANHTRINH_API__PROT": "1"})
    assert said.exit_code == 1
    assert "did you mean HANHTRINH_API__PORT?" in said.stderr


def test_the_doctor_says_what_is_wrong_and_what_to_do(cli):
    said = cli("doctor", "--json", env=NOWHERE)
    found = {check["check"]: check for check in json.loads(said.stdout)["checks"]}
    assert said.exit_code == 1
    assert found["broker"]["state"] == found["database"]["state"] == "wrong"
    assert found["broker"]["advice"]
    assert found["database"]["advice"]
    assert found["schema"]["state"] == found["clock"]["state"] == "skipped"
    assert found["disk"]["state"] in {"ok", "wrong"}


def test_settings_are_shown_with_where_they_come_from_and_secrets_masked(cli):
    Path("hanhtrinh.toml").write_text("[api]\nport = 9000\n")
    env = {"HANHTRINH_BROKER__PASSWORD": "s3cret", **NOWHERE}
    said = cli("doctor", "--show-settings", env=env)
    assert said.exit_code == 0
    assert "s3cret" not in said.output
    lines = {line.split()[0]: line.split(maxsplit=2) for line in said.stdout.splitlines()}
    assert lines["api.port"][1:] == ["9000", "file hanhtrinh.toml"]
    assert lines["broker.password"][1:] == ["***", "environment HANHTRINH_BROKER__PASSWORD"]
    assert lines["log.level"][1:] == ["info", "default"]
    shown = json.loads(cli("doctor", "--show-settings", "--json", env=env).stdout)
    assert shown["api.port"] == {"value": "9000", "from": "file hanhtrinh.toml"}


FIX = '{"time": "2026-05-01T00:00:00Z", "lat": 21, "lon": 105.5}'


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ((), FIX),
        (("--text",), f"{FIX}\r\n"),
        (("--hex",), FIX.encode().hex()),
        (
            ("--base64",),
            "eyJ0aW1lIjogIjIwMjYtMDUtMDFUMDA6MDA6MDBaIiwgImxhdCI6IDIxLCAibG9uIjogMTA1LjV9",
        ),
    ],
)
def test_decode_prints_what_a_payload_holds(cli, form, content):
    said = cli("decode", "--codec", "json", *form, stdin=content)
    assert said.exit_code == 0, said.output
    (line,) = map(json.loads, said.stdout.splitlines())
    assert (line["fixes"][0]["lon"], line["fixes"][0]["lat"]) == (105.5, 21.0)


def test_decode_goes_on_after_a_bad_payload_and_exits_with_1(cli):
    said = cli("decode", "--codec", "json", "--text", stdin=f"{FIX}\nnonsense\n{FIX}\n")
    errors = [json.loads(line)["error"] for line in said.stdout.splitlines()]
    assert [error is None for error in errors] == [True, False, True]
    assert said.exit_code == 1


def test_decode_names_the_line_that_is_not_hexadecimal_and_goes_on(cli):
    fix = b'{"time":1760000000,"lat":10.7,"lon":106.6}'.hex()
    said = cli("decode", "--codec", "json", "--hex", stdin=f"xy\n{fix}\n")
    bad, good = (json.loads(line) for line in said.stdout.splitlines())
    assert bad["error"]["reason"] == "bad_encoding"
    assert bad["error"]["detail"].startswith("line 1: expected hex")
    assert not bad["fixes"]
    assert good["error"] is None
    assert len(good["fixes"]) == 1


def test_as_many_lines_as_go_in_come_out_of_decode(cli):
    said = cli("decode", "--codec", "json", "--text", stdin=f"{FIX}\n\n{FIX}\n \n{FIX}" * 300)
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    assert [line["payload"] for line in lines] == list(range(1, 4 * 300 + 2))
    assert lines[1]["error"]["reason"] == "empty"
    assert lines[0]["fixes"]
    assert lines[2]["fixes"]
    assert said.exit_code == 1


def test_a_line_of_decode_that_is_too_long_is_refused_and_the_next_is_read(cli):
    said = cli("decode", "--codec", "json", "--text", stdin=f"{' ' * 5_000_000}\n{FIX}\n")
    long, good = (json.loads(line) for line in said.stdout.splitlines())
    assert long["error"]["reason"] == "too_large"
    assert good["fixes"]


PUI = '{"id": "86%013d", "ts": "2026-05-01T00:00:00Z", "location": {"lat": 21, "lon": 105.5}}'


def test_decode_names_the_identity_of_the_topic_and_refuses_another(cli):
    own, other, none = PUI % 1, PUI % 2, PUI.replace("id", "x", 1) % 3
    ident = "860000000000001"
    said = cli(
        "decode", "--codec", "pui", "--text", "--ident", ident, stdin=f"{own}\n{other}\n{none}\n"
    )
    same, contradicts, without = (json.loads(line) for line in said.stdout.splitlines())
    assert (same["ident"], same["error"], len(same["fixes"])) == (ident, None, 1)
    assert (without["ident"], without["error"], len(without["fixes"])) == (ident, None, 1)
    assert contradicts["ident"] == "860000000000002"
    assert contradicts["error"]["reason"] == "identity_mismatch"
    assert not contradicts["fixes"]
    assert said.exit_code == 1


def test_decode_refuses_a_weighing_of_another_station(cli):
    weighing = '{"time":"2026-05-01T00:00:00Z","gross_kg":1000,"station":"A"}'
    said = cli("decode", "--codec", "weigh-json", "--text", "--ident", "B", stdin=weighing)
    (line,) = map(json.loads, said.stdout.splitlines())
    assert line["error"]["reason"] == "identity_mismatch"
    assert not line["weighings"]


def test_decode_answers_before_its_pipe_is_closed():
    arguments = [sys.executable, "-m", "hanhtrinh", "decode", "--codec", "json", "--text"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(3):
            process.stdin.write(FIX.encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["fixes"]
        process.stdin.close()
        assert process.wait(30) == 0


def test_the_command_runs_as_a_process_of_its_own(tmp_path):
    def said(*arguments):
        command = [sys.executable, "-m", "hanhtrinh", *arguments]
        return subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout

    assert said("--version").startswith(b"hanhtrinh ")
    shown = json.loads(said("doctor", "--show-settings", "--json"))
    assert shown["api.port"]["value"] == "8080"
