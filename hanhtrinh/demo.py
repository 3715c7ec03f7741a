"""The demo: the whole product on this machine, with a simulated fleet that breaks rules on purpose.

Belongs here: what is started, and that everything is ended. The processes are in demo_services, the
fleet's journey in demo_drive, its registry in demo_registry, what is shown in demo_watch.
"""

import asyncio
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from hanhtrinh.demo_services import Parts, Servers
from hanhtrinh.embedded import DataFolder
from hanhtrinh.serving import stopped_by_signals

if TYPE_CHECKING:
    from hanhtrinh.demo_drive import Run


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command's arguments say.

    duration_s: from the start of the command; None: until Ctrl-C. data: folder to keep everything
    in; None: a new one, removed at the end unless `keep`.
    """

    duration_s: float | None = None
    vehicles: int = 500
    data: Path | None = None
    seed: int = 1
    keep: bool = False


async def demo(options: DemoOptions, console: Console) -> dict[str, Any]:
    """Run the demo. Returns what it came to, once everything has been stopped.

    Raises EmbeddedError where something cannot be started. Ctrl-C and SIGTERM end it early.
    """
    begun = time.monotonic()
    stop = asyncio.Event()
    with stopped_by_signals(stop), DataFolder.open(options.data) as folder:
        console.print(f"data folder: {folder.path}", soft_wrap=True)
        run = await _run(options, folder, stop, begun, console)
        if folder.is_temporary and not options.keep:
            folder.remove()
    return _result(run)


async def _run(
    options: DemoOptions, folder: DataFolder, stop: asyncio.Event, begun: float, console: Console
) -> "Run | None":
    """Start everything, drive the fleet, stop everything; None: stopped before it was ready."""
    with console.status("starting PostgreSQL and NATS"):
        starting = asyncio.create_task(Servers.start(folder))
        # Importing the fleet takes as long as the servers take to start, so both go on at once.
        fleet = await asyncio.to_thread(import_module, "hanhtrinh.demo_drive")
        simulation = await asyncio.to_thread(fleet.build, options.vehicles, options.seed)
        roads = folder.path / "roads.npz"
        await asyncio.to_thread(fleet.write_map, simulation, roads)
        servers = await starting
    parts = Parts(servers, roads)
    try:
        parts.start()
        run: Run | None = await fleet.run_fleet(
            servers, parts, simulation, stop, begun, options.duration_s, console
        )
        return run
    finally:
        with console.status("stopping"):
            await asyncio.to_thread(parts.stop)
            await asyncio.to_thread(servers.stop)


def _result(run: "Run | None") -> dict[str, Any]:
    """The summary that the command prints as its last line."""
    from hanhtrinh.demo_drive import planned  # noqa: PLC0415 - imported by now
    from hanhtrinh.demo_watch import Seen  # noqa: PLC0415

    seen = (run.seen if run else None) or Seen(0.0)
    return {
        "fixes": seen.fixes,
        "weighings": seen.weighings,
        "violations": dict(sorted(seen.violations.items())),
        "planned": dict(sorted(planned(run).items())) if run else {},
        "lag_ms_p50": seen.lag_ms_p50,
        "lag_ms_p99": seen.lag_ms_p99,
    }
