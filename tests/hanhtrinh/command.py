"""Running the command `hanhtrinh` as people do: as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


class Ran(subprocess.CompletedProcess[str]):
    """What a command said; `data` is the JSON of its standard output, `lines` one for each line."""

    @property
    def data(self) -> Any:
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.stdout.splitlines()]


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **settings}


def hanhtrinh(
    *arguments: str, settings: Mapping[str, str] | None = None, stdin: str = "", cwd: Path = ROOT
) -> Ran:
    done = subprocess.run(
        [sys.executable, "-m", "hanhtrinh", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        cwd=cwd,
        env=_environment(settings or {}),
    )
    return Ran(done.args, done.returncode, done.stdout, done.stderr)


@contextmanager
def running(
    *arguments: str, settings: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A service in the background; asked to stop at the end, and expected to exit with 0."""
    with (
        log.open("wb") as stream,
        subprocess.Popen(
            [sys.executable, "-m", "hanhtrinh", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=ROOT,
            env=_environment({"HANHTRINH_LOG__FORMAT": "json", **settings}),
        ) as process,
    ):
        try:
            yield process
            process.terminate()
            assert process.wait(PATIENCE_S) == 0, log.read_text()
        finally:
            process.kill()
