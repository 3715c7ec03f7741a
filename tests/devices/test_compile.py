"""The kernel cache: keyed by content, in a folder that is ours, with a way out."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from devices import compile as compiling
from devices.batch import F64
from devices.compile import kernel

SOURCE = """
from pathlib import Path

from devices.compile import cache_folder, kernel

@kernel
def twice(x):
    return 2 * x

if __name__ == "__main__":
    assert twice(21.0) == 42.0
    print(sum(twice.stats.cache_hits.values()), cache_folder(Path(__file__).resolve().parent))
"""


def run_kernel(script: Path, **environment: str) -> tuple[int, Path]:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hits, folder = done.stdout.split(maxsplit=1)
    return int(hits), Path(folder.strip())


def test_a_second_process_finds_the_compiled_kernel(tmp_path):
    script = tmp_path / "kernel_user.py"
    script.write_text(SOURCE)
    cache = str(tmp_path / "cache")
    assert run_kernel(script, NUMBA_CACHE_DIR=cache)[0] == 0
    hits, folder = run_kernel(script, NUMBA_CACHE_DIR=cache)
    assert hits == 1
    assert folder.is_relative_to(cache)


def test_a_home_that_cannot_be_written_does_no_harm(tmp_path):
    script = tmp_path / "kernel_user.py"
    script.write_text(SOURCE)
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    _, folder = run_kernel(
        script,
        NUMBA_CACHE_DIR="",
        HOME=str(blocked / "home"),
        XDG_CACHE_HOME=str(blocked / "cache"),
        TMPDIR=str(tmp_path),
    )
    assert folder.is_relative_to(tmp_path)


def test_the_hash_follows_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    before = compiling.content_hash(tmp_path)
    assert compiling.content_hash(tmp_path) == before
    (tmp_path / "a.py").write_text("x = 2")
    changed = compiling.content_hash(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    renamed = compiling.content_hash(tmp_path)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "c.py").write_text("")
    assert len({before, changed, renamed, compiling.content_hash(tmp_path)}) == 4


def test_a_folder_that_others_may_write_into_is_not_used(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert not compiling._is_ours(folder)
    folder.chmod(0o700)
    assert compiling._is_ours(folder)
    made = tmp_path / "new" / "deep"
    assert compiling._is_ours(made)
    assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0


def test_folders_of_versions_long_unused_are_removed(tmp_path):
    old, recent, keep = (tmp_path / name for name in ("old", "recent", "keep"))
    for folder in (old, recent, keep):
        folder.mkdir()
        (folder / "kernel.nbi").write_bytes(b"")
    for folder in (old, keep):
        os.utime(folder, (1, 1))
    compiling._remove_unused(tmp_path, keep)
    assert not old.exists()
    assert recent.exists()
    assert keep.exists()


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs POSIX owners")
def test_a_folder_of_another_owner_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert not compiling._is_ours(tmp_path / "theirs")


class Pair(NamedTuple):
    numbers: F64
    factor: float


@kernel
def _scale(pair: Pair) -> float:
    total = 0.0
    for k in range(len(pair.numbers)):
        pair.numbers[k] *= pair.factor
        total += pair.numbers[k]
    return total


def test_an_array_in_a_kernel_is_the_same_array_and_stays_alive():
    numbers = np.arange(4.0)
    before = sys.getrefcount(numbers)
    for _ in range(100):
        assert _scale(Pair(numbers, 1.0)) == 6.0
    assert _scale(Pair(numbers, 2.0)) == 12.0
    assert numbers.tolist() == [0.0, 2.0, 4.0, 6.0]
    assert sys.getrefcount(numbers) == before
