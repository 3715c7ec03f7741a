"""systemd reads the units, and finds little that they leave open."""

import json
import shutil
import subprocess

import pytest

from tests.deploy.parts import UNITS, unit_lines

MOST_EXPOSED = 1.6
"""Of ten, by `systemd-analyze security`: systemd 252 says 1.4, for the network and the JIT."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here"
)


@pytest.fixture
def installed(tmp_path):
    """The units in a folder, with a program that is there, and a worker of shard 0."""
    for path in UNITS:
        text = path.read_text("utf-8")
        assert "=/opt/hanhtrinh/bin/hanhtrinh " in text
        name = path.name.replace("@.", "@0.")
        (tmp_path / name).write_text(text.replace("/opt/hanhtrinh/bin/hanhtrinh", "/bin/true"))
    return sorted(tmp_path.iterdir())


def analyze(*words):
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False
    )


@needs_systemd
def test_systemd_understands_every_line(installed):
    done = analyze("verify", "--man=no", *installed)
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_a_line_that_it_does_not_understand_would_be_found(installed):
    installed[0].write_text(installed[0].read_text() + "LimitNOFILES=1\n")
    assert "LimitNOFILES" in analyze("verify", "--man=no", *installed).stderr


@needs_systemd
def test_little_is_left_open(installed):
    for path in installed:
        done = analyze("security", "--offline=true", "--no-pager", path)
        line = done.stdout.strip().splitlines()[-1]
        assert float(line.split(":")[-1].split()[0]) <= MOST_EXPOSED, line
        found = analyze("security", "--offline=true", "--json=short", path).stdout
        by_name = {row["name"]: row["set"] for row in json.loads(found)}
        assert by_name["NoNewPrivileges="], path.name
        assert by_name["ProtectSystem="], path.name


def test_secrets_come_from_a_file_of_the_units_own():
    for path in UNITS:
        part = path.name.removeprefix("hanhtrinh-").removesuffix(".service").rstrip("@")
        assert unit_lines(path, "EnvironmentFile")[0] == f"/etc/hanhtrinh/{part}.env"


def test_the_gateway_may_open_as_many_files_as_it_has_connections():
    from hanhtrinh.gateway import SPARE_FILES
    from hanhtrinh.settings import Settings

    (gateway,) = (path for path in UNITS if "gateway" in path.name)
    (limit,) = unit_lines(gateway, "LimitNOFILE")
    assert int(limit) >= Settings().gateway.connections + SPARE_FILES
