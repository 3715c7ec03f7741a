"""How kernels are compiled, and where the compiled code is kept.

Belongs here: the `kernel` decorator and its cache folders. Compiled kernels are cached between
processes in a folder named by the content of every source file of their package: numba notices a
change of a kernel's own file only, and would go on using a kernel that calls a changed one.
"""

import hashlib
import os
import platform
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

import numba
import numba.core.config
import platformdirs

P = ParamSpec("P")
R = TypeVar("R")

UNUSED_AFTER_S: Final = 30 * 86_400
"""Folders of other versions that no process has used for this long are removed."""

_config: Any = numba.core.config
_njit: Any = numba.njit  # numba's type stubs leave out _nrt
_deciding = threading.Lock()


def content_hash(folder: Path) -> str:
    """Hash of every Python file under `folder` (path and bytes) and of the compiler's versions."""
    digest = hashlib.sha256(
        " ".join(
            (metadata.version("numba"), metadata.version("llvmlite"), platform.python_version())
        ).encode()
    )
    for path in sorted(folder.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"\0{path.relative_to(folder).as_posix()}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()[:20]


def _candidates() -> Iterator[Path]:
    # NUMBA_CACHE_DIR is numba's own setting, read by numba itself.
    if _config.CACHE_DIR:
        yield Path(_config.CACHE_DIR) / "hanhtrinh"
    yield platformdirs.user_cache_path("hanhtrinh") / "kernels"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    yield Path(tempfile.gettempdir()) / f"hanhtrinh-kernels-{user}"


def _is_ours(folder: Path) -> bool:
    """Make the folder; True if nobody else owns it or may write into it, and we can.

    A cache holds code that will be run, so a folder that somebody else prepared is not used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        if not hasattr(os, "getuid"):
            return True
        state = folder.stat()
        return state.st_uid == os.getuid() and not state.st_mode & 0o022
    except OSError:
        return False


def _remove_unused(folder: Path, keep: Path) -> None:
    oldest = time.time() - UNUSED_AFTER_S
    for other in folder.iterdir():
        try:
            if other != keep and other.is_dir() and other.stat().st_mtime < oldest:
                shutil.rmtree(other, ignore_errors=True)
        except OSError:  # another process was faster
            continue


@lru_cache
def cache_folder(sources: Path) -> Path:
    """The folder for the kernels of exactly these sources: the first candidate we can write to.

    sources: the folder of a top-level package.
    """
    name = content_hash(sources)
    for folder in _candidates():
        own = folder / name
        if _is_ours(folder) and _is_ours(own):
            os.utime(own)
            _remove_unused(folder, own)
            return own
    return Path(tempfile.mkdtemp(prefix="hanhtrinh-kernels-"))


def sources_of(module: str) -> Path:
    """The folder of the top-level package of a module; of a script, the folder it lies in."""
    top = sys.modules[module.partition(".")[0]]
    if hasattr(top, "__path__"):
        return Path(next(iter(top.__path__)))
    return Path(str(top.__file__)).resolve().parent


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function to machine code at its first call, without the interpreter's lock.

    Kernels see numbers, tuples and arrays only, and call nothing but NumPy and other kernels. They
    make and return no arrays, views for themselves apart: who calls them gives them room. So no
    references need counting, which takes atomic instructions for every array that a loop touches
    and is several times the cost of many a loop.
    """
    return _compiled(function)


def inlined_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """As `kernel`; its code becomes part of every kernel that calls it.

    For what is called for each fix with several arrays: to hand one over is to copy seven words.
    """
    return _compiled(function, forceinline=True)


def allocating_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """As `kernel`, for functions that make arrays, and for those that call one that returns some.

    It is slower: its references are counted.
    """
    return _compiled(function, _nrt=True)


def _compiled(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    options = {"cache": True, "nogil": True, "_nrt": False} | options
    with _deciding:
        before = _config.CACHE_DIR
        # numba looks at it while it decorates, and only then
        _config.CACHE_DIR = str(cache_folder(sources_of(function.__module__)))
        try:
            return cast("Callable[P, R]", _njit(**options)(function))
        finally:
            _config.CACHE_DIR = before
