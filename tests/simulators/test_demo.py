"""The demo as people run it: a process of its own, ended by time, by Ctrl-C, or by a crash."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import httpx
import psutil
import pytest

from simulators.truth import QUICK_KINDS

SOON = set(QUICK_KINDS) - {"crossing"}
"""Whether the gate is passed within a quarter of an hour depends on when a demo begins."""

pytestmark = [pytest.mark.integration, pytest.mark.timeout(280)]

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0


class Demo:
    """A running demo, with its output line by line."""

    def __init__(self, temp: Path, *args: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hanhtrinh", "demo", "--vehicles", "60", *args],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temp)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._queue: Queue[str | None] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self._queue.put(line.rstrip())
        self._queue.put(None)

    def until(self, pattern: str) -> str:
        """Wait for a line with the pattern; what its group matched."""
        deadline = time.monotonic() + PATIENCE_S
        while (line := self._next(deadline)) is not None:
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError("\n".join(["the demo ended:", *self.lines]))

    def result(self) -> tuple[int, dict[str, Any]]:
        """Exit code and the object of the last line."""
        deadline = time.monotonic() + PATIENCE_S
        while self._next(deadline) is not None:
            pass
        code = self.process.wait(PATIENCE_S)
        assert code == 0, "\n".join(self.lines)
        return code, json.loads(self.lines[-1])

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def _next(self, deadline: float) -> str | None:
        try:
            line = self._queue.get(timeout=max(deadline - time.monotonic(), 0.0))
        except Empty:
            raise AssertionError("\n".join(["nothing more for long:", *self.lines])) from None
        if line is not None:
            self.lines.append(line)
        return line


@contextmanager
def running(temp: Path, *args: str) -> Iterator[Demo]:
    demo = Demo(temp, *args)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.kill()
        demo.process.wait()


def all_gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    return not alive


def test_demos_at_once_keep_apart_and_what_a_crash_left_behind_is_used_again_until_ctrl_c(tmp_path):
    args = ("--data-folder", str(tmp_path / "kept"), "--seed", "2")
    with running(tmp_path, "--duration", "1") as demo, running(tmp_path, *args) as crashed:
        folder = Path(demo.until(r"data folder: (.*)"))
        assert folder.parent == tmp_path
        demo.until(r"(ready) after")
        started = demo.processes()
        crashed.until(r"\b([1-9]\d*) violations")
        with running(tmp_path, *args) as second:
            assert "process" in second.until(r"hanhtrinh: (.*)")
            assert second.process.wait(PATIENCE_S) == 1
        left = crashed.processes()
        crashed.process.kill()
        assert all_gone(left)
        _, found = demo.result()
    assert found.keys() == {
        "fixes", "weighings", "violations", "planned", "lag_ms_p50", "lag_ms_p99",
    }  # fmt: skip
    assert found["planned"].keys() >= SOON
    assert found["violations"] == found["planned"]
    assert found["fixes"] > 60 * 90 * 0.9
    assert found["weighings"] > 0
    assert all_gone(started)
    assert not folder.exists()

    with running(tmp_path, *args) as again:
        address = again.until(r"API: +(http://\S+)")
        token = again.until(r"key: +(\S+)")
        again.until(r"\b([1-9]\d*) violations")
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{address}/violations?limit=3", headers=headers, trust_env=False)
        assert answer.status_code == 200
        assert httpx.get(f"{address}/violations", trust_env=False).status_code == 401
        started = again.processes()
        assert len(started) >= 4
        again.process.send_signal(signal.SIGINT)
        _, found = again.result()
        assert all_gone(started)
    assert found["violations"] == found["planned"]
    assert (tmp_path / "kept").is_dir()
