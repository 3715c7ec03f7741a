"""The command `hanhtrinh` as a process of its own, forked from one that has loaded everything.

A verb spends a second or two of a processor on imports, a worker as much again on its kernels; a
fork has them within milliseconds. The process, its environment, files, signals and exit code are
its own, as from a shell. Tests about the start itself run `python -m hanhtrinh`.

    FORKING   the context of multiprocessing to fork other processes of tests with
    Program   a running `hanhtrinh`, in the manner of subprocess.Popen
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from io import BufferedReader, BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parents[1]
FORKING: Final = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.loaded"])


def _run(
    arguments: tuple[str, ...], env: dict[str, str], folder: str, files: tuple[str, str, str]
) -> None:
    """Become the command. files: what it reads, where it writes, and where it complains."""
    given, out, errors = files
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, file, flags in ((0, given, os.O_RDONLY), (1, out, append), (2, errors, append)):
        opened = os.open(file, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = TextIOWrapper(BufferedReader(FileIO(0, closefd=False)), "utf-8")
    sys.stdout = TextIOWrapper(BufferedWriter(FileIO(1, "w", closefd=False)), "utf-8")
    complaints = BufferedWriter(FileIO(2, "w", closefd=False))
    sys.stderr = TextIOWrapper(complaints, "utf-8", "backslashreplace", line_buffering=True)
    sys.argv = ["hanhtrinh", *arguments]

    from hanhtrinh.cli import main

    main()


class Program:
    """A running `hanhtrinh ARGUMENTS`.

    env: its whole environment. out, errors: files that what it writes is added to; without
    `errors` both are one. given: a file that it reads as its standard input.
    """

    def __init__(
        self, *arguments: str, env: Mapping[str, str], out: Path, errors: Path | None = None,
        given: Path = Path(os.devnull), cwd: Path = ROOT,
    ) -> None:  # fmt: skip
        self.args = ["hanhtrinh", *arguments]
        files = str(given), str(out), str(errors or out)
        self._process = FORKING.Process(target=_run, args=(arguments, dict(env), str(cwd), files))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        """Its exit code, negative: the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
