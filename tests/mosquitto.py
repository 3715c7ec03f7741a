"""A private Mosquitto for one test, on a port and in a folder of its own.

Belongs here: starting it with a given configuration, ending it, starting it again on what it kept.
"""

import getpass
import os
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from hanhtrinh.embedded.ports import LOOPBACK, free_port
from hanhtrinh.embedded.process import Launch, ServerProcess, log_end

START_S = 30.0
PLAIN = """
allow_anonymous true
persistence true
max_inflight_messages 0
max_queued_messages 0
"""


def program() -> str | None:
    return shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")


def missing() -> str | None:
    """Why there can be no Mosquitto here; None: there can."""
    return None if program() else "needs Mosquitto (Debian: mosquitto; `make servers` as root)"


class Mosquitto:
    """A running broker. config: lines for its file, without the listener and the folder."""

    def __init__(self, config: str = PLAIN) -> None:
        self.host = LOOPBACK
        self.port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix="hanhtrinh-mosquitto-"))
        self.log = self.home / "mosquitto.log"
        self._file = self.home / "mosquitto.conf"
        # Started by root it would become another user, who may not write to our folder.
        self._file.write_text(
            f"user {getpass.getuser()}\nlog_dest stderr\npersistence_location {self.home}/\n"
            f"listener {self.port} {LOOPBACK}\n{config}"
        )
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def restart(self) -> None:
        """Stop it in order, so that it writes down its sessions, and start it again."""
        self._process.stop()
        self._process = self._start()

    def _start(self) -> ServerProcess:
        self.log.touch()
        began = self.log.stat().st_size
        command = [str(program()), "-c", str(self._file)]
        process = ServerProcess(
            Launch("mosquitto", command, self.log, [("SIGTERM", 15.0)], "SIGKILL")
        )
        deadline = time.monotonic() + START_S
        while not self._listens():
            said = log_end(self.log, began)
            if not process.is_running or time.monotonic() > deadline:
                process.stop()
                raise AssertionError(f"mosquitto did not start:{said}")
            time.sleep(0.01)
        return process

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection((self.host, self.port), 1):
            return True
        return False
