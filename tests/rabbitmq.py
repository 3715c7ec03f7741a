"""A private RabbitMQ of Debian's package, for one test: own folder, own ports, own epmd.

Belongs here: starting it, ending it as a crash would, starting it again on what it kept. Both of
its processes hang on tethers, so that neither outlives the test run, however that ends.
"""

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

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The program itself: the wrapper on the path insists on the package's own account."""

START_S = 120.0


def missing() -> str | None:
    """Why there can be no RabbitMQ here; None: there can."""
    if not SERVER.exists() or shutil.which("epmd") is None:
        return "needs RabbitMQ (Debian: rabbitmq-server; `make servers` as root)"
    return None


class RabbitMq:
    """A running server. guest/guest may do everything, over loopback."""

    def __init__(self) -> None:
        self.host = LOOPBACK
        self.port = free_port()
        self._home = Path(tempfile.mkdtemp(prefix="hanhtrinh-rabbitmq-"))
        self._node = f"hanhtrinh{os.getpid()}x{self.port}@localhost"
        self._epmd_port = free_port()
        self._dist_port = free_port()
        self._log = self._home / "rabbitmq.log"
        self._epmd = self._run(
            "epmd", [str(shutil.which("epmd")), "-address", LOOPBACK, "-port", str(self._epmd_port)]
        )
        try:
            self._server = self._start()
        except BaseException:
            self._epmd.kill()
            raise

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{self.host}:{self.port}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # In order would take many seconds, and nobody needs what they kept.
        self._server.kill()
        self._epmd.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    def kill(self) -> None:
        """End it as a crash would."""
        self._server.kill()

    def restart(self) -> None:
        """Start it again, after `kill`, on what it kept."""
        self._server = self._start()

    def _start(self) -> ServerProcess:
        self._log.touch()
        began = self._log.stat().st_size
        server = self._run("rabbitmq", [str(SERVER)])
        deadline = time.monotonic() + START_S
        try:
            while not self._answers():
                said = log_end(self._log, began)
                assert server.is_running, f"rabbitmq ended while starting:{said}"
                assert time.monotonic() < deadline, f"rabbitmq does not answer:{said}"
                time.sleep(0.05)
        except BaseException:
            server.kill()
            raise
        return server

    def _run(self, name: str, command: list[str]) -> ServerProcess:
        log = self._log if name == "rabbitmq" else self._home / f"{name}.log"
        launch = Launch(
            name, command, log, stop=[("SIGTERM", 15.0)], death_signal="SIGKILL", env=self._env()
        )
        return ServerProcess(launch)

    def _env(self) -> dict[str, str]:
        home = str(self._home)
        plugins = self._home / "enabled_plugins"
        plugins.write_text("[].\n")
        config = self._home / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.default = {self.host}:{self.port}\n"
            "log.console = true\nlog.console.level = info\nlog.file = false\n"
            # A full disk of the machine that runs the tests is not what they are about.
            "disk_free_limit.absolute = 1MB\n"
        )
        return {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "RUNNING_UNDER_SYSTEMD": "true",  # one process, without a shell above it
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_MNESIA_BASE": home,
            "RABBITMQ_LOG_BASE": home,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self._epmd_port),
        }

    def _answers(self) -> bool:
        """Whether it speaks AMQP: it answers a greeting of another version with its own."""
        with suppress(OSError), socket.create_connection((self.host, self.port), 2) as probe:
            probe.settimeout(2)
            probe.sendall(b"AMQP\x00\x00\x00\x00")
            return probe.recv(8).startswith(b"AMQP")
        return False
