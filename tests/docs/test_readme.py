"""The README's commands for a first position, run as they stand there, beside a running demo.

Where `mosquitto_pub` or `curl` is missing, a small program of ours takes its place.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import README, ROOT, blocks, text_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(280)]

PATIENCE_S = 120.0
LOADED = re.compile(r"^\. \S+/demo\.env$", re.MULTILINE)


@contextmanager
def running_demo(folder: Path, log: Path) -> Iterator[None]:
    """A demo that has told where its servers are; stopped with Ctrl-C."""
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            [sys.executable, "-m", "hanhtrinh", "demo", "--vehicles", "60",
             "--data-folder", str(folder)],
            cwd=ROOT, stdout=stream, stderr=subprocess.STDOUT,
        ) as demo,
    ):  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE_S
            while f". {folder}/demo.env" not in log.read_text():
                assert demo.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield
            demo.send_signal(signal.SIGINT)
            assert demo.wait(PATIENCE_S) == 0, log.read_text()
        finally:
            demo.kill()


def stand_ins(folder: Path) -> str:
    """A folder with a program for each that this machine does not have."""
    folder.mkdir()
    for name in ("mosquitto_pub", "curl"):
        if shutil.which(name) is None:
            program = folder / name
            script = Path(__file__).with_name(f"{name}.py")
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
            program.chmod(0o755)
    return str(folder)


def test_a_first_position_is_sent_and_read_back_with_the_commands_of_the_readme(tmp_path):
    load_and_register, publish, read = blocks(README, "sh")
    assert "mosquitto_pub" in publish
    assert "curl" in read
    folder = tmp_path / "demo"
    load = f". {folder}/demo.env"
    register, loads = LOADED.subn(load, load_and_register)
    assert loads == 1
    path = os.pathsep.join([os.environ["PATH"], stand_ins(tmp_path / "bin")])

    def run(commands: str) -> str:
        """As a second terminal does that has loaded the demo's variables."""
        done = subprocess.run(
            ["sh", "-e", "-c", f"{load}\n{commands}"],
            env={**os.environ, "PATH": path}, cwd=tmp_path, text=True,
            capture_output=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    with running_demo(folder, tmp_path / "demo.log"):
        assert json.loads(run(register))["plate"] == "29C12345"
        deadline = time.monotonic() + PATIENCE_S
        seen: list[dict[str, float | str]] = []
        while not seen:  # a registration counts within a second, a position within another
            assert time.monotonic() < deadline
            run(publish)
            seen = json.loads(run(read))["items"]
    (position,) = seen
    assert (position["lon"], position["lat"]) == (105.8542, 21.0285)
    assert position["speed_kmh"] == 40


def test_the_demo_prints_what_the_readme_shows():
    """Its names, in its order; numbers differ from machine to machine."""
    shown = text_of(README).partition("## What the demo shows")[2].partition("## ")[0]
    names = re.findall(r"^    ([a-z_, ]+?)(?::| {2,})", shown, flags=re.MULTILINE)
    source = "".join(
        path.read_text("utf-8") for path in sorted((ROOT / "hanhtrinh").glob("demo_*.py"))
    )
    for name in ("key", "shell", "stop", "fixes", "weighings", "violations"):
        assert name in names
        assert f'"{name}' in source
