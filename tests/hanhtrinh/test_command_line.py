"""The command line: its exit codes, its messages, and the verbs that need no server."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hanhtrinh.cli import app
from tests.hanhtrinh.command import hanhtrinh

VERBS = (
    "demo", "worker", "api", "migrate", "simulate", "replay", "decode", "judge", "doctor", "warm",
    "quarantine", "vehicles", "tokens",
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
        ("decode", "--codec", "json", "--hex", "--text"),
        ("replay", "file.csv"),
        ("replay", "file.csv", "--map", "x", "--speedup", "fast"),
        ("api", "--port", "http"),
        ("quarantine", "release"),
        ("quarantine", "release", "--all", "--id", "1"),
        ("tokens", "create", "--name", "a", "--role", "king"),
        ("tokens", "create", "--name", "a", "--role", "operator"),
        ("vehicles", "add", "--plate", "-", "--device", "1", "--operator", "o"),
    ],
)
def test_wrong_use_exits_with_2(cli, arguments):
    assert cli(*arguments, env=NOWHERE).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("worker",),
        ("api",),
        ("migrate",),
        ("simulate", "--duration", "1"),
        ("replay", "nowhere.csv", "--map", "vehicle=v,time=t,lat=a,lon=o"),
        ("decode", "--codec", "no-such-codec"),
        ("decode", "--codec", "json", "nowhere.json"),
        ("judge", "--fixes", "nowhere.csv"),
        ("doctor",),
        ("quarantine", "list"),
        ("tokens", "create", "--name", "a"),
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
        (("--text",), f"{FIX}\n\n"),
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


def test_decode_names_the_line_that_is_not_hexadecimal(cli):
    said = cli("decode", "--codec", "teltonika", "--hex", stdin="00\nxy\n")
    assert said.exit_code == 1
    assert "line 2: expected hex" in said.stderr


ZONE = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[105, 20], [107, 20], [107, 22], [105, 22], [105, 20]]],
            },
            "properties": {"code": "slow", "kind": "speed", "speed_limits": {"*": 60, "bus": 50}},
        }
    ],
}


def drive(folder, speed_kmh=70, minutes=2):
    """A CSV of one vehicle that keeps a speed, a fix every ten seconds."""
    metres_per_degree = 111_194.9
    lines = ["vehicle,time,lon,lat,speed_kmh"]
    for number in range(minutes * 6):
        lat = 21 + number * 10 * speed_kmh / 3.6 / metres_per_degree
        when = f"2026-05-01T00:{number // 6:02}:{number % 6 * 10:02}Z"
        lines.append(f"29B1,{when},105.5,{lat:.6f},{speed_kmh}")
    file = folder / "fixes.csv"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


def test_judge_finds_speeding_by_a_zone_and_says_whose_limit_it_was(cli, tmp_path):
    (tmp_path / "zones.geojson").write_text(json.dumps(ZONE))
    said = cli("judge", "--fixes", drive(tmp_path), "--zones", "zones.geojson")
    assert said.exit_code == 0, said.output
    (found,) = (json.loads(line) for line in said.stdout.splitlines())
    assert (found["kind"], found["vehicle"], found["profile"]) == ("speeding", "29B1", "qcvn31")
    assert found["started_at"] == "2026-05-01T00:00:00.000Z"
    assert found["duration_s"] == 110


def test_judge_goes_by_the_class_and_the_limit_of_a_vehicle(cli, tmp_path):
    fixes = drive(tmp_path, speed_kmh=55)
    (tmp_path / "zones.geojson").write_text(json.dumps(ZONE))
    (tmp_path / "vehicles.csv").write_text("vehicle,class\n29B1,bus\nother,bus\n")
    judge = ("judge", "--fixes", fixes, "--zones", "zones.geojson")
    assert cli(*judge).stdout == ""
    assert '"speeding"' in cli(*judge, "--vehicles", "vehicles.csv").stdout


def test_judge_goes_by_the_profile_it_is_given(cli, tmp_path):
    (tmp_path / "zones.geojson").write_text(json.dumps(ZONE))
    fixes = drive(tmp_path, speed_kmh=63)  # within the tolerance of tt09, over the limit of qcvn31
    judge = ("judge", "--fixes", fixes, "--zones", "zones.geojson", "--profile")
    assert cli(*judge, "tt09").stdout == ""
    assert '"speeding"' in cli(*judge, "qcvn31").stdout


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("--zones", "[]", "expected a GeoJSON FeatureCollection"),
        ("--zones", '{"features": [{"geometry": {}, "properties": {"knd": 1}}]}', "'knd'"),
        ("--zones", '{"features": [{"geometry": {}, "properties": {"code": "a"}}]}', "kind"),
        ("--vehicles", "plate\nx\n", "expected the columns vehicle"),
        ("--vehicles", "vehicle,gross_kg\n29B1,heavy\n", "line 2"),
        ("--profile", "", "expected one of qcvn31, tt09 or a TOML file"),
    ],
)
def test_judge_names_what_is_wrong_with_a_file(cli, tmp_path, name, content, says):
    file = tmp_path / "given"
    if content:
        file.write_text(content)
    said = cli("judge", "--fixes", drive(tmp_path), name, str(file))
    assert said.exit_code == 1, said.output
    assert says in said.stderr.replace("\n", " ")


def test_the_command_runs_as_a_process_of_its_own(tmp_path):
    assert hanhtrinh("--version", cwd=tmp_path).stdout.startswith("hanhtrinh ")
    shown = hanhtrinh("doctor", "--show-settings", "--json", cwd=tmp_path)
    assert shown.data["api.port"]["value"] == "8080"
