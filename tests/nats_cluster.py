"""Three NATS servers on loopback that replicate everything, in a folder and on ports of their own.

Belongs here: starting them, and killing one. No access list: that of
one server is tested with the embedded one.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Self

from hanhtrinh.embedded.nats import program
from hanhtrinh.embedded.ports import LOOPBACK, free_port
from hanhtrinh.embedded.process import Launch, ServerProcess

SERVERS = 3


class NatsCluster:
    """Running servers by their numbers, 0 to 2."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="hanhtrinh-cluster-"))
        self.ports = [(free_port(), free_port(), free_port()) for _ in range(SERVERS)]
        """Of each server: NATS, MQTT, and of the cluster."""
        self._running: dict[int, ServerProcess] = {}
        for server in range(SERVERS):
            self.start(server)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def url(self) -> str:
        return ",".join(f"nats://{LOOPBACK}:{port}" for port, _, _ in self.ports)

    def mqtt_ports(self) -> list[int]:
        """Of the servers that run."""
        return [self.ports[server][1] for server in sorted(self._running)]

    def number_of(self, name: str) -> int:
        return int(name.removeprefix("n"))

    def start(self, server: int) -> None:
        port, mqtt, cluster = self.ports[server]
        home = self.home / f"n{server}"
        home.mkdir(exist_ok=True)
        config = {
            "server_name": f"n{server}",
            "listen": f"{LOOPBACK}:{port}",
            "jetstream": {"store_dir": str(home)},
            "mqtt": {"listen": f"{LOOPBACK}:{mqtt}", "stream_replicas": SERVERS},
            "cluster": {
                "name": "test",
                "listen": f"{LOOPBACK}:{cluster}",
                "routes": [f"nats://{LOOPBACK}:{other}" for _, _, other in self.ports],
            },
        }
        file, log = home / "nats.conf", home / "log"
        file.write_text(json.dumps(config))
        log.touch()
        command = [program(), "--config", str(file)]
        # None is ready before it sees another: nobody waits here.
        launch = Launch(f"n{server}", command, log, [("SIGTERM", 15.0)], "SIGKILL")
        self._running[server] = ServerProcess(launch)

    def kill(self, server: int) -> None:
        """End one as a crash would."""
        self._running.pop(server).kill()
