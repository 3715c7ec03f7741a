"""A simulated fleet, live, through broker, worker and database, and the score of what was found.

    python -m benchmarks.truth --vehicles 1000 --interval 10 --backlog 250m --duration 600 --json

Every process runs on this machine: NATS, PostgreSQL, one worker with the simulated map, and
`hanhtrinh simulate --truth`, which registers its fleet and drives it. Once the worker has committed
all of it, the truth is scored as `hanhtrinh score` does. The load of the machine is written down
beside the figures, as other programs may run there, too.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg

from benchmarks.parts.processor import Cost
from benchmarks.parts.servers import new_folder
from benchmarks.parts.worker import WorkerProcess
from benchmarks.report import machine, show
from hanhtrinh.embedded import EmbeddedNats, EmbeddedPostgres
from hanhtrinh.simulation import score_against
from hanhtrinh.wiring import embedded_environment
from simulators.scoring import as_json
from simulators.truth_file import read_truth, rfc3339
from storage.database import connect
from storage.migrations import upgrade

LOOK_EVERY_S: Final = 5.0
PATIENCE_S: Final = 900.0
"""A worker that is behind by a past of days has so long to take it up."""

ROOT: Final = Path(__file__).parents[1]


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Start everything, drive, score, stop."""
    with ExitStack() as stack:
        folder = stack.enter_context(new_folder())
        postgres = stack.enter_context(EmbeddedPostgres(folder))
        upgrade(postgres.dsn)
        nats = stack.enter_context(EmbeddedNats(folder))
        environment = _environment(postgres.dsn, nats)
        roads = folder.path / "roads.npz"
        _call(environment, "roads", "simulated", "-o", str(roads))
        worker = WorkerProcess(
            folder.path, postgres.dsn, nats, settings={"HANHTRINH_JUDGE__ROADS": str(roads)}
        )
        stack.callback(worker.stop)
        await worker.subscribed()
        truth = folder.path / "truth.jsonl"
        began, loads = Cost.of(worker.pid), []
        driving = asyncio.create_task(
            asyncio.to_thread(_call, environment, *_words(arguments, truth))
        )
        while not (await asyncio.wait({driving}, timeout=LOOK_EVERY_S))[0]:
            loads.append(os.getloadavg()[0])
            worker.look()
        sent = json.loads(driving.result())
        await _stored(postgres.dsn, sent, worker)
        cost = Cost.of(worker.pid)
        async with await connect(postgres.dsn, name="benchmark") as conn:
            scored = await score_against(conn, read_truth(truth), None)
    result = scored.score
    return {
        "perfect": result.is_perfect,
        "slack_s": scored.slack_s,
        "kinds": as_json(result),
        "missed": [_text(each) for each in result.missed],
        "false": [_text(each) for each in result.false],
        **sent,
        "worker_cpu_s": round(cost.cpu_s - began.cpu_s, 1),
        "load_median": round(float(np.median(loads)), 1),
        "load_most": round(max(loads), 1),
        "machine": machine(),
    }


def _words(arguments: argparse.Namespace, truth: Path) -> list[str]:
    words = [
        *("simulate", "--vehicles", str(arguments.vehicles), "--codec", "mix", "--register"),
        *("--interval", str(arguments.interval), "--duration", str(arguments.duration)),
        *("--seed", str(arguments.seed), "--truth", str(truth), "--map"),
    ]
    if arguments.backlog:
        words += ["--backlog", arguments.backlog]
    return [*words, "--dirty"] if arguments.dirty else words


def _environment(dsn: str, nats: EmbeddedNats) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HANHTRINH_")}
    return {
        **inherited,
        **embedded_environment(dsn, nats),
        "PYTHONPATH": str(ROOT),
        "HANHTRINH_BROKER__USERNAME": nats.device.username,
        "HANHTRINH_BROKER__PASSWORD": nats.device.password,
    }


def _call(environment: dict[str, str], *words: str) -> str:
    """What a command writes to standard output. Raises RuntimeError with what it says instead."""
    done = subprocess.run(
        [sys.executable, "-m", "hanhtrinh", *words],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stderr}")
    return done.stdout


async def _stored(dsn: str, sent: dict[str, int], worker: WorkerProcess) -> None:
    """Wait until all that was sent is in the database."""
    deadline = time.monotonic() + PATIENCE_S
    expected = (sent["fixes"], sent["weighings"])
    while (there := _counted(dsn)) != expected:
        worker.look()
        if time.monotonic() > deadline:
            raise RuntimeError(f"expected {expected} fixes and weighings, got {there}")
        await asyncio.sleep(LOOK_EVERY_S)


def _counted(dsn: str) -> tuple[int, int]:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            "SELECT (SELECT count(*) FROM fixes), (SELECT count(*) FROM weighings)"
        ).fetchone()
    return row or (0, 0)


def _text(violation: Any) -> str:
    words = (
        violation.kind, violation.vehicle, violation.subject,
        rfc3339(violation.started), rfc3339(violation.ended),
    )  # fmt: skip
    return " ".join(filter(None, words))


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description="What a live fleet plans and the worker finds.")
    parser.add_argument("--vehicles", type=int, default=1000)
    parser.add_argument("--interval", type=int, default=10, help="seconds between two fixes")
    parser.add_argument("--duration", type=float, default=600, help="seconds of real time")
    parser.add_argument("--backlog", default="", help="so much of the past first, like 250m")
    parser.add_argument("--dirty", action="store_true", help="with the faults of real feeds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments))
    show(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
