"""TimescaleDB where none is installed: PostgreSQL in WebAssembly, from npm, run by node."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INSTALL_S = 60
START_S = 60


def installed() -> Path:
    """The folder with the packages of the lock file, installed when it is first asked for."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("TimescaleDB in WebAssembly needs node and npm")
    lock = HERE / "package-lock.json"
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "hanhtrinh-tests"
    folder = cache / f"pglite-{sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        # The socket server names another build of the same database as its peer: not wanted here.
        command = ["npm", "ci", "--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm ci took over {INSTALL_S} s")
        if done.returncode:
            pytest.skip(f"npm ci failed: {done.stderr.strip()[-200:]}")
        (folder / "complete").touch()
    shutil.copy(HERE / "server.mjs", folder)
    return folder


@contextmanager
def running() -> Iterator[str]:
    """A new server; its connection string. It takes one connection at a time, and no COPY."""
    folder = installed()
    server = subprocess.Popen(
        # The quick compiler alone: what the slow one saves in a minute of tests, it does not earn.
        ["node", "--liftoff-only", "server.mjs"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        said = server.stdout.readline()
        assert said, f"the server of {folder} ended with {server.wait(START_S)}"
        port = json.loads(said)["port"]
        yield f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        server.stdin.close()  # its sign to end
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdout.close()
