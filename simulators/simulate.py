"""Simulate: a fleet in real time against any broker, with its truth in a file.

Belongs here: putting fleet, dirt, feed and publisher together. Does not belong here: command-line
parsing and the registry (the vehicles' names follow from their numbers, vehicles.py).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from devices.batch import I32, I64, FixBatch
from simulators.connections.publisher import CrowdOptions, connect_crowd
from simulators.dirt import Dirt, spoil_fixes, spoil_messages
from simulators.feed import Message, buffered, single, weighed
from simulators.fleet import Fleet, FleetOptions
from simulators.motion import Line
from simulators.publisher import BrokerOptions, connect
from simulators.truth import Planned
from simulators.truth_file import FORMAT, TruthWriter, rfc3339
from simulators.world import World, load_world

STEP_US = 1_000_000
"""How much of real time is computed in one piece."""

AHEAD_US = 250_000
"""And how long before it begins, so that its first messages are not late."""


MAKING_US = 100
"""Making a vehicle takes less than so long: a large fleet sets out when all of it is there."""


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """vehicles, interval_s, codec ("mix" or one codec), seed: of the fleet.

    duration_s: None: until cancelled. backlog_s: so much of the past is sent first, as trackers do
    that come back into coverage, at `backlog_interval_s`. dirt: faults of the feed; live_dirt: of
    what is sent in real time, where it differs. truth: file for the planned violations. lines:
    roads by name that a part of the fleet drives, besides those of the world. connections: of so
    many trackers, each as its own client; None: one for all. listeners: host and port, where the
    broker has several; the connections are dealt out.
    """

    broker: BrokerOptions
    vehicles: int = 100
    interval_s: int = 10
    codec: str = "json"
    seed: int = 1
    duration_s: float | None = None
    backlog_s: int = 0
    backlog_interval_s: int = 10
    dirt: Dirt = field(default_factory=Dirt)
    live_dirt: Dirt | None = None
    truth: Path | None = None
    lines: Mapping[str, Line] = field(default_factory=dict)
    connections: int | None = None
    listeners: Sequence[tuple[str, int]] = ()


class Sender(Protocol):
    """What messages are given to: one connection (publisher.py), or many (connections/)."""

    async def send(self, messages: Iterable[Message]) -> None:
        """Publish at once; returns when all are acknowledged."""

    async def send_when_due(self, messages: Iterable[Message]) -> None:
        """Publish each message at its time."""


@dataclass(slots=True)
class Progress:
    """Counts so far, for whoever shows them."""

    fixes: int = 0
    weighings: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class SimulateReport:
    """What was sent from when to when, and what of the plan it suffices to show."""

    fixes: int
    weighings: int
    messages: int
    planned: list[Planned]
    start_us: int
    until_us: int


def now_us() -> int:
    return time.time_ns() // 1000


def world_of(options: SimulateOptions) -> World:
    """The world that the fleet drives in. Raises LineError for lines that cannot be driven."""
    return load_world().with_lines(options.lines)


class Simulation:
    """A fleet and everything that it has sent so far."""

    def __init__(self, options: SimulateOptions, live_from_us: int) -> None:
        """live_from_us: when real time begins; the backlog ends there."""
        self.options = options
        self.live_from_us = live_from_us
        self.start_us = live_from_us - options.backlog_s * 1_000_000
        fleet = FleetOptions(
            options.vehicles,
            options.seed,
            options.codec,
            self.start_us,
            spread_s=options.backlog_s + 60.0 if options.backlog_s else 900.0,
        )
        self.fleet = Fleet(world_of(options), fleet)
        self.progress = Progress()
        # Who and when of those with a plan: an endless simulation must not keep every fix.
        self._sent: list[tuple[I32, I64]] = []
        self._delayed: list[Message] = []
        self._until_us = self.start_us

    def probe(self) -> Message:
        """The first message of some vehicle: to be sent before all others, as often as one likes.

        One in the last of the topic trees is taken, if the fleet has any: a worker that hears it
        hears the others.
        """
        first = self.fleet.due(self.start_us, self.start_us + 60_000_000, 60)
        messages = single(self.fleet, first)
        return max(messages, key=lambda message: message.topic)

    def backlog(self) -> list[Message]:
        """Everything up to `live_from_us`, packed as trackers pack what they have stored."""
        fixes = self.fleet.due(self.start_us, self.live_from_us, self.options.backlog_interval_s)
        dirt = self.options.dirt
        messages = buffered(self.fleet, self._taken(fixes, dirt))
        messages = spoil_messages(messages, dirt, self.options.seed)
        scales = self._weighed(self.start_us, self.live_from_us)
        self._until_us = self.live_from_us
        return sorted(messages + scales, key=lambda message: message.due_us)

    def step(self, to_us: int) -> list[Message]:
        """What is to be sent from the end of the last step to `to_us`, in order of time."""
        fixes = self.fleet.due(self._until_us, to_us, self.options.interval_s)
        dirt = self.options.dirt if self.options.live_dirt is None else self.options.live_dirt
        messages = single(self.fleet, self._taken(fixes, dirt))
        messages = spoil_messages(messages, dirt, self.options.seed)
        messages += self._weighed(self._until_us, to_us) + self._delayed
        messages.sort(key=lambda message: message.due_us)
        self._delayed = [message for message in messages if message.due_us >= to_us]
        self._until_us = to_us
        return [message for message in messages if message.due_us < to_us]

    def rest(self) -> list[Message]:
        """What faults of the feed still hold back."""
        rest, self._delayed = self._delayed, []
        return rest

    def planned(self) -> list[Planned]:
        """The violations that the fixes sent so far suffice to show."""
        vehicle = np.concatenate([np.empty(0, np.int32), *(part[0] for part in self._sent)])
        times = np.concatenate([np.empty(0, np.int64), *(part[1] for part in self._sent)])
        order = np.lexsort((times, vehicle))
        vehicle, times = vehicle[order], times[order]
        bounds = np.searchsorted(vehicle, np.arange(self.fleet.offenders + 1))
        of_vehicle: list[I64] = [
            times[bounds[row] : bounds[row + 1]] for row in range(self.fleet.offenders)
        ]
        return self.fleet.planned(self._until_us, of_vehicle)

    @property
    def until_us(self) -> int:
        """What happened before then was taken, and no more."""
        return self._until_us

    def header(self) -> dict[str, Any]:
        """The first line of the truth file: what makes the simulation, and who takes part."""
        options = self.options
        backlog_s = options.backlog_interval_s if options.backlog_s else 0
        return {
            "truth": FORMAT,
            "seed": options.seed,
            "vehicles": options.vehicles,
            "codec": options.codec,
            "interval_s": max(options.interval_s, backlog_s),
            "started_at": rfc3339(self.start_us),
            "ended_at": None,
            "options": {
                "backlog_s": options.backlog_s,
                "dirt": asdict(options.dirt),
                "lines": sorted(options.lines),
            },
            "fleet": [vehicle.plate for vehicle in self.fleet.vehicles],
        }

    def report(self) -> SimulateReport:
        counts = self.progress
        return SimulateReport(
            counts.fixes, counts.weighings, counts.messages, self.planned(),
            self.start_us, self.until_us,
        )  # fmt: skip

    def _taken(self, fixes: FixBatch, dirt: Dirt) -> FixBatch:
        has_plan = fixes.vehicle < self.fleet.offenders
        self._sent.append((fixes.vehicle[has_plan], fixes.time[has_plan]))
        self.progress.fixes += len(fixes)
        can_swap = self.fleet.can_swap[fixes.vehicle]
        return spoil_fixes(fixes, dirt, self.options.seed, self.start_us, can_swap)

    def _weighed(self, from_us: int, to_us: int) -> list[Message]:
        weighings = self.fleet.weighbridges.between(from_us, to_us)
        self.progress.weighings += len(weighings)
        return weighed(weighings)


async def drive(
    simulation: Simulation,
    publisher: Sender,
    until_us: int | None,
    stop: asyncio.Event,
    on_progress: Callable[[Progress], None] = lambda _: None,
    truth: TruthWriter | None = None,
) -> None:
    """Send the fleet's messages as real time passes, until then or until `stop` is set."""
    at = simulation.live_from_us
    while not stop.is_set() and (until_us is None or at < until_us):
        await _sleep_until(at - AHEAD_US)
        to_us = at + STEP_US if until_us is None else min(at + STEP_US, until_us)
        messages = simulation.step(to_us)
        if truth is not None:
            truth.add(simulation.planned())
        await publisher.send_when_due(messages)
        simulation.progress.messages += len(messages)
        on_progress(simulation.progress)
        at = to_us


async def simulate(
    options: SimulateOptions,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stop: asyncio.Event | None = None,
    register: Callable[[Fleet], Awaitable[None]] | None = None,
) -> SimulateReport:
    """Run a fleet against the broker. Raises PublishError, ValueError for options that cannot be.

    stop: set it to end the run within a second. register: is given the fleet before it sets out.
    The truth is written as the run goes on, and made whole however it ends.
    """
    fleet = Fleet(world_of(options), FleetOptions(options.vehicles, options.seed, options.codec))
    if register is not None:
        await register(fleet)  # its names do not depend on the start
    async with _connected(options, fleet) as publisher:
        lead_us = 0 if options.connections is None else 2 * STEP_US + options.vehicles * MAKING_US
        return await travel(options, publisher, now_us() + lead_us, on_progress, stop)


async def travel(
    options: SimulateOptions,
    publisher: Sender,
    live_from_us: int,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stop: asyncio.Event | None = None,
) -> SimulateReport:
    """Send a fleet's past up to an instant, and from then on what it does, as `simulate` does."""
    # A whole second: then every format can say exactly when a fix was taken, and the truth's header
    # says all that makes the simulation.
    begins = live_from_us // 1_000_000 * 1_000_000
    simulation = Simulation(options, begins)
    truth = None if options.truth is None else TruthWriter(options.truth, simulation.header())
    until = None if options.duration_s is None else begins + round(options.duration_s * 1e6)
    try:
        if options.backlog_s:
            messages = simulation.backlog()
            await publisher.send(messages)
            simulation.progress.messages += len(messages)
        await drive(simulation, publisher, until, stop or asyncio.Event(), on_progress, truth)
        rest = simulation.rest()
        await publisher.send(rest)
        simulation.progress.messages += len(rest)
    finally:
        if truth is not None:
            truth.finish(simulation.planned(), simulation.until_us)
    return simulation.report()


def _connected(options: SimulateOptions, fleet: Fleet) -> AbstractAsyncContextManager[Sender]:
    if options.connections is None:
        return connect(options.broker)
    names = [vehicle.ident for vehicle in fleet.vehicles[: options.connections]]
    return connect_crowd(CrowdOptions(options.broker, names, options.listeners))


async def _sleep_until(time_us: int) -> None:
    await asyncio.sleep(max((time_us - now_us()) / 1e6, 0.0))
