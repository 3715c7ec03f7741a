"""ServerProcess: one server held by a tether, seen from its owner."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from hanhtrinh.embedded.account import Account
from hanhtrinh.embedded.errors import ServerNotStartedError

TETHER = Path(__file__).with_name("tether.py")
LOG_LINES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Launch:
    """How a server is started and stopped.

    stop: signals in turn, each with the seconds it is given; SIGKILL follows by itself.
    death_signal: what the kernel sends should the tether be killed (Linux).
    account: whom to run as; None: as this process.
    pass_fds: open descriptors that the server inherits under the same numbers.
    """

    name: str
    command: Sequence[str]
    log: Path
    stop: Sequence[tuple[str, float]]
    death_signal: str
    account: Account | None = None
    pass_fds: Sequence[int] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """The plan that the tether reads."""
        return json.dumps(
            {
                "command": list(self.command),
                "stop": list(self.stop),
                "death_signal": self.death_signal,
                "uid": self.account.uid if self.account else None,
                "gid": self.account.gid if self.account else None,
                "pass_fds": list(self.pass_fds),
                "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **self.env},
            }
        )


class ServerProcess:
    """A running server. `pid` is the server's own, not the tether's."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        with launch.log.open("ab") as log:
            self._tether = subprocess.Popen(  # noqa: S603 - our own script
                [sys.executable, "-I", "-S", str(TETHER), launch.as_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=launch.pass_fds,
                start_new_session=True,  # Ctrl-C reaches us, not the servers
            )
        assert self._tether.stdout is not None
        with self._tether.stdout as stdout:
            word, _, rest = stdout.readline().decode().strip().partition(" ")
        if word != "started":
            self.stop()
            raise ServerNotStartedError(
                f"{launch.name}: could not be run: {rest or 'its tether ended'}"
            )
        self.pid = int(rest)

    @property
    def is_running(self) -> bool:
        """The server has not ended."""
        return self._tether.poll() is None

    def stop(self) -> int:
        """Stop the server in order and return its exit code. Stopping twice is harmless."""
        assert self._tether.stdin is not None
        with suppress(BrokenPipeError):
            self._tether.stdin.close()
        return self._tether.wait()

    def kill(self) -> None:
        """End the server at once with SIGKILL, as a crash would."""
        if self.is_running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.stop()


def log_end(log: Path, since: int = 0) -> str:
    """The last lines of a log, indented, of what was written after byte `since`."""
    with log.open("rb") as stream:
        stream.seek(since)
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return "".join(f"\n    {line}" for line in lines[-LOG_LINES_SHOWN:])


def end_left_over(process: psutil.Process, steps: Sequence[tuple[int, float]]) -> None:
    """Stop a server that an owner left behind, politely first."""
    for number, seconds in steps:
        try:
            process.send_signal(number)
            process.wait(seconds)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            continue
        return
    with suppress(psutil.NoSuchProcess):
        process.kill()
        process.wait(10)
