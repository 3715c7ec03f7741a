"""Running the command `hanhtrinh` as people do: as a process of its own."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.forked import ROOT, Program

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
    with TemporaryDirectory(prefix="hanhtrinh-test-") as made:
        given, out, errors = (Path(made) / name for name in ("given", "out", "errors"))
        given.write_text(stdin, "utf-8")
        env = _environment(settings or {})
        done = Program(*arguments, env=env, out=out, errors=errors, given=given, cwd=cwd)
        try:
            code = done.wait(PATIENCE_S)
        finally:
            done.kill()
        return Ran(done.args, code, out.read_text("utf-8"), errors.read_text("utf-8"))


@contextmanager
def running(*arguments: str, settings: Mapping[str, str], log: Path) -> Iterator[Program]:
    """A service in the background; asked to stop at the end, and expected to exit with 0."""
    env = _environment({"HANHTRINH_LOG__FORMAT": "json", **settings})
    log.touch()
    with Program(*arguments, env=env, out=log) as process:
        try:
            yield process
            process.terminate()
            assert process.wait(PATIENCE_S) == 0, log.read_text()
        finally:
            process.kill()
