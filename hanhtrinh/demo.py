"""The demo: the whole product on this machine, with a simulated fleet that breaks rules on purpose.

Belongs here: the order of events. The processes are in demo_services, the registry in
demo_registry, what is shown in demo_watch.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.live import Live

from hanhtrinh.demo_registry import register
from hanhtrinh.demo_services import Parts, Servers
from hanhtrinh.demo_watch import Seen, Watch, line, picture
from hanhtrinh.embedded import DataFolder, ServerNotStartedError
from hanhtrinh.wiring import clock, stopped_by_signals
from simulators.dirt import MILD, Dirt
from simulators.publisher import BrokerOptions, Publisher, connect
from simulators.simulate import SimulateOptions, Simulation, drive
from storage import database

BACKLOG_S: Final = 900
"""What the trackers have stored when the demo begins: long enough for every rule to be broken."""

INTERVAL_S: Final = 5
LOOK_EVERY_S: Final = 1.0
SETTLE_S: Final = 30.0
"""How long what was sent may take to be committed at the end."""

LIVE_AT_LEAST_S: Final = 5.0
PROBE_S: Final = 60.0


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


@dataclass(slots=True)
class _Run:
    """What the demo knows of itself while it runs."""

    simulation: Simulation
    watch: Watch
    parts: Parts
    stop: asyncio.Event
    live_since_us: int | None = None
    seen: Seen | None = None


async def demo(options: DemoOptions, console: Console) -> dict[str, Any]:
    """Run the demo. Returns what it came to, once everything has been stopped.

    Raises EmbeddedError where something cannot be started. Ctrl-C and SIGTERM end it early.
    """
    begun = time.monotonic()
    stop = asyncio.Event()
    with stopped_by_signals(stop), DataFolder.open(options.data) as folder:
        console.print(f"data folder: {folder.path}", soft_wrap=True)
        run = await _run(options, folder, stop, begun, console)
        result = _result(run)
        if folder.is_temporary and not options.keep:
            folder.remove()
    return result


async def _run(
    options: DemoOptions, folder: DataFolder, stop: asyncio.Event, begun: float, console: Console
) -> _Run | None:
    """Start everything, drive the fleet, stop everything; None: stopped before it was ready."""
    with console.status("starting PostgreSQL and NATS"):
        # The fleet is built while the servers start: most of their start is waiting.
        building = asyncio.create_task(asyncio.to_thread(_simulation, options))
        servers = await Servers.start(folder)
    parts = Parts(servers)
    try:
        async with await database.connect(servers.dsn, name="hanhtrinh demo") as conn:
            with console.status("starting worker and API, registering the fleet"):
                parts.start()
                run = _Run(await building, Watch(conn), parts, stop)
                token = await register(conn, run.simulation.fleet)
            async with connect(_broker(servers)) as publisher:
                with console.status("waiting for worker and API"):
                    await _probe(run, publisher)
                    await parts.api_is_ready()
                if stop.is_set():
                    return None
                ready_s = time.monotonic() - begun
                console.print(f"ready after {ready_s:.1f} s")
                _introduce(parts, token, console)
                until_us = None
                if options.duration_s is not None:
                    left_s = max(options.duration_s - ready_s, LIVE_AT_LEAST_S)
                    until_us = clock() + round(left_s * 1e6)
                await _drive(run, publisher, until_us, console)
            await _settle(run, console)
            console.print(picture(run.seen or Seen(0.0), None, _planned(run)))
            return run
    finally:
        with console.status("stopping"):
            await asyncio.to_thread(parts.stop)
            await asyncio.to_thread(servers.stop)


def _simulation(options: DemoOptions) -> Simulation:
    return Simulation(
        SimulateOptions(
            broker=BrokerOptions(),
            vehicles=options.vehicles,
            interval_s=INTERVAL_S,
            codec="mix",
            seed=options.seed,
            backlog_s=BACKLOG_S,
            dirt=MILD,
            # Delays of the simulated network would be taken for lag of the product.
            live_dirt=Dirt(duplicates=MILD.duplicates, swapped=MILD.swapped, jumps=MILD.jumps),
        ),
        clock(),
    )


def _broker(servers: Servers) -> BrokerOptions:
    nats = servers.nats
    return BrokerOptions(nats.host, nats.mqtt_port, nats.device.username, nats.device.password)


async def _probe(run: _Run, publisher: Publisher) -> None:
    """Send one fix until it is in the database: from then on nothing that is sent is lost."""
    message = run.simulation.probe()
    deadline = time.monotonic() + PROBE_S
    while not run.stop.is_set() and not await run.watch.fixes():
        run.parts.check()
        if time.monotonic() > deadline:
            raise ServerNotStartedError(f"worker: no fix was committed within {PROBE_S:g} s")
        await publisher.send([message])
        await asyncio.sleep(0.1)


def _introduce(parts: Parts, token: str, console: Console) -> None:
    for text in (
        f"API:    {parts.address}   ({parts.address}/docs)",
        f"token:  {token}",
        f"try:    curl -s -H 'Authorization: Bearer {token}' '{parts.address}/violations?limit=3'",
        "stop:   Ctrl-C",
    ):
        console.print(text, soft_wrap=True, markup=False, highlight=False)


async def _drive(run: _Run, publisher: Publisher, until_us: int | None, console: Console) -> None:
    """Empty the trackers' memories, then go on in real time, showing what is found."""
    async with _shown(run, console):
        messages = await asyncio.to_thread(run.simulation.backlog)
        await publisher.send(messages)
        run.simulation.progress.messages += len(messages)
        await drive(run.simulation, publisher, until_us, run.stop)
        await publisher.send(run.simulation.rest())


@asynccontextmanager
async def _shown(run: _Run, console: Console) -> AsyncIterator[None]:
    """Watch the run for as long as the block lasts; a part that dies ends it."""
    watching = asyncio.create_task(_watch(run, console), name="demo-watch")
    try:
        yield
    finally:
        run.stop.set()
        await watching


async def _watch(run: _Run, console: Console) -> None:
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not run.stop.is_set():
                run.parts.check()
                before, run.seen = run.seen, await run.watch.look(run.live_since_us)
                _notice_catching_up(run)
                if console.is_terminal:
                    live.update(picture(run.seen, before, _planned(run)), refresh=True)
                else:
                    console.print(line(run.seen))
                await _wait(run.stop, LOOK_EVERY_S)
    finally:
        run.stop.set()


def _notice_catching_up(run: _Run) -> None:
    """Lag is measured from when the trackers' memories are empty: before, fixes stand in line."""
    fleet = run.simulation.options
    under_way = 2 * fleet.vehicles / fleet.interval_s
    sent = run.simulation.progress.fixes
    if run.live_since_us is None and run.seen and sent and run.seen.fixes > sent - under_way:
        run.live_since_us = clock()


async def _settle(run: _Run, console: Console) -> None:
    """Wait until all that was sent is committed, and look a last time."""
    progress = run.simulation.progress
    deadline = time.monotonic() + SETTLE_S
    with console.status("waiting for the last fixes"):
        while True:
            run.parts.check()
            run.seen = await run.watch.look(run.live_since_us)
            if run.seen.fixes >= progress.fixes and run.seen.weighings >= progress.weighings:
                return
            if time.monotonic() > deadline:
                console.print(
                    f"[red]{progress.fixes - run.seen.fixes:,} fixes and "
                    f"{progress.weighings - run.seen.weighings:,} weighings were not committed "
                    f"within {SETTLE_S:g} s"
                )
                return
            await asyncio.sleep(0.1)


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def _planned(run: _Run) -> Counter[str]:
    return Counter(plan.kind for plan in run.simulation.planned())


def _result(run: _Run | None) -> dict[str, Any]:
    """The summary that the command prints as its last line."""
    seen = (run.seen if run else None) or Seen(0.0)
    return {
        "fixes": seen.fixes,
        "weighings": seen.weighings,
        "violations": dict(sorted(seen.violations.items())),
        "planned": dict(sorted(_planned(run).items())) if run else {},
        "lag_ms_p50": seen.lag_ms_p50,
        "lag_ms_p99": seen.lag_ms_p99,
    }
