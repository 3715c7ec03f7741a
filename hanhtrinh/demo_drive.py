"""The demo's fleet: driven, watched and counted against a product that is already running.

Belongs here: the order of events from the first fix to the last count. Starting and ending the
processes is in demo and demo_services.
"""

import asyncio
import shlex
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live

from hanhtrinh.demo_registry import register
from hanhtrinh.demo_services import Parts, Servers
from hanhtrinh.demo_shell import write_variables
from hanhtrinh.demo_watch import Seen, Watch, line, picture
from hanhtrinh.embedded import ServerNotStartedError
from hanhtrinh.road_import.simulated import write_simulated
from hanhtrinh.wiring import clock
from simulators.dirt import MILD, Dirt
from simulators.publisher import BrokerOptions, Publisher, connect
from simulators.simulate import SimulateOptions, Simulation, drive, send_backlog
from storage import database

BACKLOG_S: Final = 900
"""What the trackers have stored when the demo begins: long enough for every rule to be broken."""

INTERVAL_S: Final = 5
LOOK_EVERY_S: Final = 1.0
SETTLE_S: Final = 30.0
"""How long what was sent may take to be committed at the end."""

LIVE_AT_LEAST_US: Final = 5_000_000
OVERTIME_US: Final = 60_000_000
"""A demo that was late to catch up goes on past its duration, for so long at most, until it has
been live for `LIVE_AT_LEAST_US`: there would be no lag to report."""

TAIL_US: Final = 1_000_000
"""The last of the fixes that stood in line are committed within so long of their count."""

PROBE_S: Final = 60.0


@dataclass(slots=True)
class Run:
    """What the demo knows of itself while it runs. seen: what the database held last."""

    simulation: Simulation
    watch: Watch
    parts: Parts
    stop: asyncio.Event
    ends_us: int | None = None
    live_since_us: int | None = None
    seen: Seen | None = None


def build(vehicles: int, seed: int) -> Simulation:
    """The fleet, with what its trackers have stored until now."""
    return Simulation(
        SimulateOptions(
            broker=BrokerOptions(),
            vehicles=vehicles,
            interval_s=INTERVAL_S,
            codec="mix",
            seed=seed,
            backlog_s=BACKLOG_S,
            dirt=MILD,
            has_map=True,
            # Delays of the simulated network would be taken for lag of the product.
            live_dirt=Dirt(duplicates=MILD.duplicates, swapped=MILD.swapped, jumps=MILD.jumps),
        ),
        clock(),
    )


def write_map(simulation: Simulation, file: Path) -> None:
    """Write the road file that the fleet's worker is to judge by."""
    write_simulated(simulation.fleet.world, file)


async def run_fleet(
    servers: Servers,
    parts: Parts,
    simulation: Simulation,
    stop: asyncio.Event,
    begun: float,
    duration_s: float | None,
    console: Console,
) -> Run | None:
    """Register the fleet, drive it, and wait until all that it sent is committed.

    It is driven until `stop`, or until `duration_s` after `begun` (monotonic). None: stopped before
    the product was ready.
    """
    async with await database.connect(servers.dsn, name="hanhtrinh demo") as conn:
        run = Run(simulation, Watch(conn), parts, stop)
        key = await register(conn, simulation.fleet)
        async with connect(_broker(servers)) as publisher:
            with console.status("waiting for worker and API"):
                await _probe(run, publisher)
                if stop.is_set():
                    return None
                await parts.api_is_ready()
            ready_s = time.monotonic() - begun
            console.print(f"ready after {ready_s:.1f} s")
            _introduce(servers, parts, key, console)
            if duration_s is not None:
                run.ends_us = clock() + round((duration_s - ready_s) * 1e6)
            await _drive(run, publisher, console)
        await _settle(run, console)
        console.print(picture(run.seen or Seen(0.0), None, planned(run)))
        return run


def _broker(servers: Servers) -> BrokerOptions:
    nats = servers.nats
    return BrokerOptions(nats.host, nats.mqtt_port, nats.device.username, nats.device.password)


async def _probe(run: Run, publisher: Publisher) -> None:
    """Send one fix until it is in the database: from then on nothing that is sent is lost."""
    message = run.simulation.probe()
    deadline = time.monotonic() + PROBE_S
    while not run.stop.is_set() and not await run.watch.fixes():
        run.parts.check()
        if time.monotonic() > deadline:
            raise ServerNotStartedError(f"worker: no fix was committed within {PROBE_S:g} s")
        await publisher.send([message])
        await asyncio.sleep(0.1)


def _introduce(servers: Servers, parts: Parts, key: str, console: Console) -> None:
    variables = write_variables(servers, parts, key)
    for text in (
        f"API:    {parts.address}   ({parts.address}/docs)",
        f"key:    {key}",
        f"try:    curl -s -H 'Authorization: Bearer {key}' '{parts.address}/violations?limit=3'",
        f"shell:  . {shlex.quote(str(variables))}   # a second terminal then knows all this",
        "stop:   Ctrl-C",
    ):
        console.print(text, soft_wrap=True, markup=False, highlight=False)


async def _drive(run: Run, publisher: Publisher, console: Console) -> None:
    """Empty the trackers' memories, then go on in real time, showing what is found."""
    async with _shown(run, console):
        await send_backlog(run.simulation, publisher, run.stop)
        await drive(run.simulation, publisher, None, run.stop)
        await publisher.send(run.simulation.rest())


@asynccontextmanager
async def _shown(run: Run, console: Console) -> AsyncIterator[None]:
    """Watch the run for as long as the block lasts; a part that dies ends it."""
    watching = asyncio.create_task(_watch(run, console), name="demo-watch")
    try:
        yield
    finally:
        run.stop.set()
        await watching


async def _watch(run: Run, console: Console) -> None:
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not run.stop.is_set():
                run.parts.check()
                before, run.seen = run.seen, await run.watch.look(run.live_since_us)
                _notice_catching_up(run)
                if console.is_terminal:
                    live.update(picture(run.seen, before, planned(run)), refresh=True)
                else:
                    console.print(line(run.seen))
                if _is_over(run):
                    break
                await _wait(run.stop, LOOK_EVERY_S)
    finally:
        run.stop.set()


def _notice_catching_up(run: Run) -> None:
    """Lag is measured from when the trackers' memories are empty: before, fixes stand in line."""
    fleet = run.simulation.options
    under_way = 2 * fleet.vehicles / fleet.interval_s
    sent = run.simulation.progress.fixes
    if run.live_since_us is None and run.seen and sent and run.seen.fixes > sent - under_way:
        run.live_since_us = clock() + TAIL_US


def _is_over(run: Run) -> bool:
    now = clock()
    if run.ends_us is None or now < run.ends_us:
        return False
    has_lag = run.live_since_us is not None and now >= run.live_since_us + LIVE_AT_LEAST_US
    return has_lag or now >= run.ends_us + OVERTIME_US


async def _settle(run: Run, console: Console) -> None:
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


def planned(run: Run) -> Counter[str]:
    # What no vehicle does is in no table, and asked for in the API.
    return Counter(plan.kind for plan in run.simulation.planned() if plan.vehicle)
