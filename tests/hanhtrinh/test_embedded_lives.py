"""Embedded servers and the process that owns them: they never outlive it, and always recover."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from hanhtrinh.embedded import DataFolder, EmbeddedPostgres, FolderInUseError
from tests.hanhtrinh.waiting import is_gone, wait_until

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]


@dataclass
class Owner:
    process: subprocess.Popen[str]
    said: dict[str, Any]

    @property
    def servers(self) -> tuple[int, int]:
        return self.said["postgres"], self.said["nats"]


def launch(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.hanhtrinh.owner", str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ready(process: subprocess.Popen[str]) -> Owner:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the owner ended with {process.wait()}"
    return Owner(process, json.loads(line))


@contextmanager
def owner(folder: Path) -> Iterator[Owner]:
    with launch(folder) as process:
        try:
            yield ready(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One folder for all tests of what comes after a first start, in whatever state one leaves it.

    Making a cluster costs a second of a processor.
    """
    made: Path = tmp_path_factory.mktemp("embedded")
    return made


def assert_gone(servers: tuple[int, ...]) -> None:
    for pid in servers:
        wait_until(partial(is_gone, pid), f"process {pid} has ended")


def test_two_owners_at_the_same_time_do_not_clash(tmp_path):
    with launch(tmp_path / "a") as first, launch(tmp_path / "b") as second:
        try:
            one, other = ready(first), ready(second)
            assert not set(one.said["ports"]) & set(other.said["ports"])
        finally:
            for process in (first, second):
                assert process.stdin is not None
                process.stdin.close()
        assert first.wait() == second.wait() == 0
    assert_gone(one.servers + other.servers)


def test_servers_are_gone_after_their_owner_is_killed(folder):
    with owner(folder) as running:
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        assert_gone(running.servers)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux' own")
def test_servers_are_gone_after_their_tethers_are_killed(folder):
    with owner(folder) as running:
        tethers = [psutil.Process(pid).parent() for pid in running.servers]
        for tether in tethers:
            assert tether is not None
            assert "tether.py" in " ".join(tether.cmdline())
            tether.kill()
        assert_gone(running.servers)


def test_a_folder_that_a_crash_left_behind_is_used_again(folder):
    with owner(folder) as running:
        running.process.kill()
    with owner(folder) as again:
        assert again.said["visits"] == running.said["visits"] + 1


def test_a_folder_is_used_again_after_everything_in_it_was_killed(folder):
    with owner(folder) as running:
        for pid in running.servers:
            os.kill(pid, signal.SIGKILL)
        running.process.kill()
    assert (folder / "postgres" / "postmaster.pid").exists()
    with owner(folder) as again:
        assert again.said["visits"] == running.said["visits"] + 1


def test_a_process_id_that_is_in_use_again_does_not_hinder_the_start(folder):
    with owner(folder) as running:
        for pid in running.servers:
            os.kill(pid, signal.SIGKILL)
        running.process.kill()
    stale = folder / "postgres" / "postmaster.pid"
    lines = stale.read_text().splitlines()
    stale.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with owner(folder) as again:
        assert again.said["visits"] == running.said["visits"] + 1


def test_a_server_that_an_owner_left_behind_is_stopped_first(folder):
    opened = DataFolder.open(folder)
    with EmbeddedPostgres(opened) as left_behind:
        opened.close()  # as if its owner had gone, and the server had not noticed yet
        with owner(folder) as running:
            assert is_gone(left_behind.pid)
            assert running.said["visits"] >= 1


def test_a_folder_in_use_names_the_process_that_uses_it(folder):
    with owner(folder) as running, pytest.raises(FolderInUseError) as refused:
        DataFolder.open(folder)
    assert f"process {running.process.pid};" in str(refused.value)


def test_a_half_made_cluster_is_made_again(tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "base").mkdir()
    (tmp_path / "postgres.new").mkdir()
    with owner(tmp_path) as running:
        assert running.said["visits"] == 1
