"""Simulate: a fleet in real time against any broker, with its truth in a file.

Belongs here: putting fleet, dirt, feed and publisher together. Does not belong here: command-line
parsing and the registry (the vehicles' names follow from their numbers, vehicles.py).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from devices.batch import FixBatch
from simulators.connections.publisher import CrowdOptions, connect_crowd
from simulators.dirt import Dirt, spoil_fixes, spoil_messages
from simulators.feed import Message, buffered, single, topic_of, weighed
from simulators.fleet import Fleet, FleetOptions
from simulators.motion import Line
from simulators.plan import Plan, Sampling
from simulators.publisher import BrokerOptions, connect
from simulators.truth import Planned
from simulators.truth_file import FORMAT, TruthWriter, rfc3339
from simulators.world import World, load_world

PART_US = 900_000_000
"""How much of the past is computed in one piece at most,"""

PART_FIXES = 200_000
"""and how many fixes, about: some seconds of work and 100 MB, however large the fleet is."""

STEP_US = 1_000_000
"""How much of real time is computed in one piece."""

TRUTH_EVERY_US = 10_000_000
"""How often the truth is written. Whatever goes on is looked at from its beginning each time: every
second that was a third of the fleet's work, and more the longer a run lasted."""

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
    roads by name that a part of the fleet drives, besides those of the world. has_map: who judges
    the fleet has the map of its roads, with their signs. connections: of so
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
    has_map: bool = False
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
    return load_world(has_map=options.has_map).with_lines(options.lines)


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
            live_us=live_from_us,
        )
        self.fleet = Fleet(world_of(options), fleet)
        self.progress = Progress()
        self._plan = Plan(self.fleet)
        # When was sampled, not what: an endless simulation must not keep its fixes.
        self._sampled: list[Sampling] = []
        self._delayed: list[Message] = []
        self._prompt = {
            topic_of(self.fleet.vehicles[row]) for row in self.fleet.tampering.rows("ahead")
        }
        self._until_us = self.start_us

    def probe(self) -> Message:
        """The first message of some vehicle: to be sent before all others, as often as one likes.

        One in the last of the topic trees is taken, if the fleet has any: a worker that hears it
        hears the others.
        """
        first = self.fleet.due(self.start_us, self.start_us + 60_000_000, 60)
        messages = single(self.fleet, first)
        return max(messages, key=lambda message: message.topic)

    def backlog(self) -> Iterator[list[Message]]:
        """Everything up to `live_from_us`, packed as trackers pack what they have stored.

        In parts of a quarter of an hour at most, each in order of time.
        """
        interval_s = self.options.backlog_interval_s
        turns = max(PART_FIXES // self.options.vehicles, 1)
        part_us = min(turns * interval_s * 1_000_000, PART_US)
        while self._until_us < self.live_from_us:
            to_us = min(self._until_us + part_us, self.live_from_us)
            yield self._part(to_us, interval_s, self.options.dirt, buffered)

    def step(self, to_us: int) -> list[Message]:
        """What is to be sent from the end of the last step to `to_us`, in order of time."""
        dirt = self.options.dirt if self.options.live_dirt is None else self.options.live_dirt
        return self._part(to_us, self.options.interval_s, dirt, single)

    def rest(self) -> list[Message]:
        """What faults of the feed still hold back."""
        rest, self._delayed = self._delayed, []
        return rest

    def planned(self) -> list[Planned]:
        """The violations that the fixes sent so far suffice to show."""
        return self._plan.known(self._sampled)

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
            "live_at": rfc3339(self.live_from_us),
            "timetables": [route.code for route in self.fleet.world.routes if route.slots],
            "options": {
                "backlog_s": options.backlog_s,
                "dirt": asdict(options.dirt),
                "lines": sorted(options.lines),
                "map": options.has_map,
            },
            "fleet": [vehicle.plate for vehicle in self.fleet.vehicles],
        }

    def report(self) -> SimulateReport:
        counts = self.progress
        return SimulateReport(
            counts.fixes, counts.weighings, counts.messages, self.planned(),
            self.start_us, self.until_us,
        )  # fmt: skip

    def _part(
        self,
        to_us: int,
        interval_s: int,
        dirt: Dirt,
        pack: Callable[[Fleet, FixBatch], list[Message]],
    ) -> list[Message]:
        """What is to be sent of what happens from the end of the last part to `to_us`."""
        from_us, seed = self._until_us, self.options.seed
        fixes = self.fleet.due(from_us, to_us, interval_s)
        self.progress.fixes += len(fixes)
        of = fixes.vehicle
        can_swap, can_jump = self.fleet.can_swap[of], self.fleet.can_jump[of]
        messages = pack(
            self.fleet, spoil_fixes(fixes, dirt, seed, self.start_us, can_swap, can_jump)
        )
        messages = spoil_messages(messages, dirt, seed, self._prompt)
        messages += self._weighed(from_us, to_us) + self._delayed
        messages.sort(key=lambda message: message.due_us)
        self._delayed = [message for message in messages if message.due_us >= to_us]
        self._note(Sampling(from_us, to_us, interval_s))
        self._until_us = to_us
        return [message for message in messages if message.due_us < to_us]

    def _note(self, sampling: Sampling) -> None:
        """Sampling that goes on as before is one."""
        last = self._sampled[-1] if self._sampled else None
        if last and (last.to_us, last.interval_s) == (sampling.from_us, sampling.interval_s):
            sampling = replace(sampling, from_us=self._sampled.pop().from_us)
        self._sampled.append(sampling)

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
    at = looked_at = simulation.live_from_us
    while not stop.is_set() and (until_us is None or at < until_us):
        await _sleep_until(at - AHEAD_US)
        to_us = at + STEP_US if until_us is None else min(at + STEP_US, until_us)
        messages = simulation.step(to_us)
        if truth is not None and at >= looked_at + TRUTH_EVERY_US:
            truth.add(simulation.planned())
            looked_at = at
        await publisher.send_when_due(messages)
        simulation.progress.messages += len(messages)
        on_progress(simulation.progress)
        at = to_us


async def send_backlog(
    simulation: Simulation,
    publisher: Sender,
    stop: asyncio.Event,
    on_progress: Callable[[Progress], None] = lambda _: None,
    truth: TruthWriter | None = None,
) -> None:
    """Send what the trackers have stored, as fast as the broker takes it, until `stop` is set."""
    parts, looked_at = simulation.backlog(), simulation.start_us
    while not stop.is_set():
        messages = await asyncio.to_thread(next, parts, None)
        if messages is None:
            return
        if truth is not None and simulation.until_us >= looked_at + PART_US:
            truth.add(simulation.planned())
            looked_at = simulation.until_us
        await publisher.send(messages)
        simulation.progress.messages += len(messages)
        on_progress(simulation.progress)


async def simulate(
    options: SimulateOptions,
    on_progress: Callable[[Progress], None] = lambda _: None,
    stop: asyncio.Event | None = None,
    register: Callable[[Fleet], Awaitable[None]] | None = None,
) -> SimulateReport:
    """Run a fleet against the broker. Raises PublishError, ValueError for options that cannot be.

    stop: set it to end the run within a second, or with the part of the past that is being sent.
    register: is given the fleet before it sets out.
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
    stop = stop or asyncio.Event()
    simulation = Simulation(options, begins)
    truth = None if options.truth is None else TruthWriter(options.truth, simulation.header())
    until = None if options.duration_s is None else begins + round(options.duration_s * 1e6)
    try:
        if options.backlog_s:
            await send_backlog(simulation, publisher, stop, on_progress, truth)
        await drive(simulation, publisher, until, stop, on_progress, truth)
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
