"""DataFolder: where the embedded servers keep everything, owned by one process at a time.

<data folder>/
    lock          held (flock) by the process that runs the servers
    secrets/      one random password per file, 0600
    postgres/     the database cluster           postgres.log
    nats/         JetStream's store, nats.conf   nats.log
"""

import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Self

from hanhtrinh.embedded.errors import FolderInUseError, FolderNotUsableError


class DataFolder:
    """A data folder that this process owns until it is closed.

    The lock is the kernel's: it is gone the moment its owner is, so nothing is left to clean up
    after a crash.
    """

    def __init__(self, path: Path, lock: int, *, is_temporary: bool) -> None:
        self.path = path
        self.is_temporary = is_temporary
        self._lock = lock

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """Make the folder if need be and own it; without a path, a new one in the temp folder.

        A folder without a path given stays behind as well: it holds what was measured. Call
        `remove` to be rid of it.
        """
        is_temporary = path is None
        folder = Path(tempfile.mkdtemp(prefix="hanhtrinh-")) if path is None else path.expanduser()
        folder = folder.absolute()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise FolderNotUsableError(
                f"data_folder: expected a folder that {_whoami()} can write, got {folder}: "
                f"{error.strerror}"
            ) from error
        _hold(lock, folder)
        return cls(folder, lock, is_temporary=is_temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. Nothing in it is removed."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remove(self) -> None:
        """Delete the folder and all that is in it, then let go of it."""
        shutil.rmtree(self.path)
        self.close()

    def subfolder(self, name: str) -> Path:
        """A folder inside, made if need be, that only this user can enter."""
        inside = self.path / name
        inside.mkdir(mode=0o700, exist_ok=True)
        return inside

    def secret(self, name: str) -> str:
        """The random password of that name: made at first use, the same ever after."""
        file = self.subfolder("secrets") / name
        try:
            return file.read_text("ascii")
        except FileNotFoundError:
            password = secrets.token_urlsafe(24)
        write_private(file, password)
        return password


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    Path(temporary).replace(file)


def _hold(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise FolderInUseError(
            f"data_folder: {folder} is in use by process {owner}; stop that one first or choose "
            "another folder"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _whoami() -> str:
    return f"user {os.geteuid()}"
