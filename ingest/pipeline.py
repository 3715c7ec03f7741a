"""The one way through: a batch of messages becomes one transaction.

`Pipeline.process` either commits everything that the batch came to, or raises and leaves nothing
behind; whoever calls it then tries again. Processing a batch twice changes nothing.
"""

import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import structlog
from psycopg import AsyncConnection

from devices.batch import I32, Bool, FixBatch, Quality
from devices.catalogue import CODECS
from devices.codec import Codec
from devices.errors import DevicesError
from devices.formats.weighing.column_map import ColumnMap
from devices.formats.weighing.csv_lines import weigh_csv
from geofence.errors import GeofenceError
from geofence.interval import Interval
from geofence.judge import Judge
from geofence.loads import NO_LOADS, Loads
from geofence.profile import Profile
from geofence.quality import Region
from geofence.roads.matcher import RoadIndex
from geofence.rulebook import Rulebook
from ingest.clocks import LiveClocks
from ingest.directory import Directory, TimedNames, directory_of
from ingest.driving import LiveDriving
from ingest.errors import Unusable
from ingest.intake import Intake, Refused, take_in
from ingest.judging import Judgement, LiveJudge
from ingest.late import LateRoom, messages_of
from ingest.newcomers import Newcomers, with_doubted
from ingest.source import MessageBatch
from ingest.stages import Stages
from ingest.storing import store
from ingest.timetables import Timetables
from ingest.topics import Address, TopicRouter
from ingest.weighing import Weigher
from storage import fixes as fix_table
from storage import progress as progress_table
from storage import quarantine as quarantine_table
from storage import registry as registry_tables
from storage import violations as violation_table
from storage import weighings as weighing_table
from storage.quarantine_limits import Limits
from storage.registry import RegistrySnapshot
from storage.violations import Changes

UNKNOWN = frozenset({Unusable.UNKNOWN_DEVICE, Unusable.UNKNOWN_PLATE, Unusable.UNKNOWN_STATION})
"""Refusals that registering somebody mends."""

LATE = "late data or rebuilt state"

DETAIL_LIMIT = 500
"""Characters of a refusal's detail that are kept: enough for a dozen bad fixes of one message."""

NAME_LIMIT = 256
"""Characters of a sender's or somebody else's name that are kept: PostgreSQL indexes no long ones,
and where nobody watches over topics one may be 64 KB."""

log = structlog.get_logger(__name__)

Finish = Callable[[AsyncConnection], Awaitable[None]]
"""What is done last in a transaction."""


async def _nothing(_: AsyncConnection) -> None:
    """Finish no more than there is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch, for the log line and the metrics.

    fixes, weighings: those that are new. repeats: fixes that were there. held: late ones that wait.
    drivers_added: whom the registry did not know. drivers_doubted: fixes whose driver it still does
    not, because the vehicle has named too many that day.
    """

    messages: int
    fixes: FixBatch
    repeats: int
    weighings: int
    intervals: list[Interval]
    refused: list[Refused]
    replayed: int
    stages: Stages
    held: int = 0
    drivers_added: int = 0
    drivers_doubted: int = 0


@dataclass(frozen=True, slots=True)
class JudgingOptions:
    """What fixes are judged by.

    timezone: of days and hours. region: where positions are plausible. roads: whose limits count.
    """

    profiles: tuple[Profile, ...]
    timezone: str
    region: Region
    roads: RoadIndex | None = None


class Pipeline:
    """Decodes, judges and stores batches for one worker. Holds the picture of the registry.

    loads: how often the registry was taken over.
    """

    def __init__(
        self,
        options: JudgingOptions,
        router: TopicRouter,
        limits: Limits = quarantine_table.DEFAULT_LIMITS,
        late: LateRoom | None = None,
        new_drivers: int = 32,
    ) -> None:
        """limits: what the quarantine keeps of a flood. late: where late fixes wait, if they do.

        new_drivers: of one vehicle and day, whom nobody has registered, at most.
        """
        self.loads = 0
        self._late = late
        self._options = options
        self._router = router
        self._limits = limits
        self._live: LiveJudge | None = None
        self._driving: LiveDriving | None = None
        self._clocks: LiveClocks | None = None
        self._rulebook: Rulebook | None = None
        self._weigher: Weigher | None = None
        self._timetables: Timetables | None = None
        self._snapshot: RegistrySnapshot | None = None
        self._directory = Directory(TimedNames.of(()), TimedNames.of(()), {})
        self._drivers: dict[str, int] = {}
        self._newcomers = Newcomers(new_drivers)
        # Whoever finds another number with a vehicle knows that its own memory of it is old.
        self._judge_id = secrets.randbits(63)
        self._station_codecs: dict[str, Codec] = {}

    async def refresh(self, conn: AsyncConnection) -> bool:
        """Take over the registry if it has changed since the last time; whether it had.

        Raises RegistryError, and keeps the rules there are, if its parts contradict each other.
        """
        version = await registry_tables.version(conn)
        if self._snapshot is not None and self._snapshot.version == version:
            return False
        snapshot = await registry_tables.load(conn)
        rulebook = Rulebook.build(
            self._options.profiles,
            snapshot.zones,
            snapshot.routes,
            snapshot.vehicles,
            timezone=self._options.timezone,
            roads=self._options.roads,
            stations=snapshot.stations,
        )
        station_codecs = {
            code: replace(CODECS["weigh-csv"], decode=weigh_csv(ColumnMap.from_json(columns)))
            for code, columns in snapshot.column_maps.items()
        }
        # Nothing below this line fails: the rules are taken over as a whole or not at all.
        self._rulebook = rulebook
        judge, weigher = Judge(rulebook), Weigher(rulebook)
        self._timetables = Timetables(rulebook)
        if self._live is None:
            self._live = LiveJudge(judge, weigher, self._options.region)
        else:
            self._live.replace_rules(judge, weigher)
        self._weigher = weigher
        self._driving = LiveDriving(rulebook, judge)
        self._clocks = LiveClocks(rulebook)
        self._directory = directory_of(snapshot)
        self._station_codecs = station_codecs
        self._snapshot = snapshot
        # In place of what was known: who was erased meanwhile is nobody by that licence.
        self._drivers = dict(snapshot.drivers)
        self.loads += 1
        return True

    def vehicles_of(self, plates: Collection[str]) -> dict[str, int]:
        """The vehicles that carry some plates (capital letters and digits), as the registry is."""
        assert self._snapshot is not None
        return {v.plate: v.id for v in self._snapshot.vehicles if v.plate in plates}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the rules leave out of the registry, and why."""
        return () if self._rulebook is None else self._rulebook.warnings

    @property
    def is_ready(self) -> bool:
        """Whether there are rules to judge by."""
        return self._live is not None

    @property
    def waiting(self) -> int:
        """Late fixes that wait to be taken up."""
        return 0 if self._late is None else len(self._late)

    async def open(self, conn: AsyncConnection, shards: frozenset[int]) -> None:
        """Learn what waits; to be called with every new connection and whenever shards change."""
        if self._late is not None:
            await self._late.open(conn, shards)

    async def process(
        self, conn: AsyncConnection, batch: MessageBatch, finish: Finish = _nothing
    ) -> Outcome:
        """Commit what the batch comes to; `refresh` must have been called before.

        Raises whatever the database raises, having changed nothing.
        """
        assert self._live is not None
        assert self._driving is not None
        assert self._clocks is not None
        stages = Stages()
        intake = take_in(batch, self._router, self._codec, self._directory)
        if any(part.reason in UNKNOWN for part in intake.refused) and await self._learned(conn):
            intake = take_in(batch, self._router, self._codec, self._directory)
        stages.ended("decoded")
        _tell_decoded(batch, intake)
        vehicles = np.union1d(intake.fixes.vehicle, intake.weighing_vehicle).astype(np.int32)
        # Days and drivers are made before the transaction: what is remembered of them then stays
        # true if it is rolled back.
        await fix_table.ensure_days(conn, intake.fixes.time)
        added = await self._add_drivers(conn, intake, int(batch.received.max(initial=0)))
        fixes, doubted = self._with_drivers(intake)
        stages.ended("prepared")
        try:
            async with conn.transaction():
                outcome, held = await self._commit(conn, batch, intake, fixes, stages)
                await finish(conn)
        except BaseException:
            self._forget(vehicles)
            raise
        if self._late is not None:
            self._late.put_down(held)
        stages.ended("committed")
        return replace(outcome, drivers_added=added, drivers_doubted=doubted)

    def due(self, most_fixes: int) -> tuple[I32, int]:
        """Vehicles whose late fixes have waited long enough, ascending; how many fixes they have.

        No more than so many fixes, but one vehicle at least, if there is any.
        """
        if self._late is None:
            return np.empty(0, np.int32), 0
        vehicles = self._late.due(most_fixes)
        return vehicles, self._late.waiting_of(vehicles)

    def postpone(self, vehicles: I32, seconds: float) -> None:
        """Have vehicles' late fixes wait on: they could not be taken up."""
        assert self._late is not None
        self._late.postpone(vehicles, seconds)

    async def take_up(
        self, conn: AsyncConnection, vehicles: I32, finish: Finish = _nothing
    ) -> Outcome:
        """Store and judge what waits of some vehicles (ascending).

        Raises whatever the database raises, having changed nothing.
        """
        assert self._late is not None
        stages = Stages()
        try:
            async with conn.transaction():
                fixes = await self._late.take(conn, vehicles)
                await fix_table.ensure_days(conn, fixes.time)
                stages.ended("prepared")
                await self._take(conn, vehicles)
                judgement, found = await self._judge(conn, fixes, NO_LOADS, stages)
                await finish(conn)
        except BaseException:
            self._forget(vehicles)
            raise
        self._late.taken(vehicles, len(fixes))
        stages.ended("committed")
        return Outcome(
            messages=0, fixes=judgement.new, repeats=len(judgement.repeats), weighings=0,
            intervals=found, refused=[], replayed=len(judgement.replayed), stages=stages,
        )  # fmt: skip

    async def set_aside_late(
        self, conn: AsyncConnection, vehicle: int, detail: str, finish: Finish
    ) -> int:
        """Quarantine what waits of a vehicle, as messages of its tracker; how many fixes it was."""
        assert self._late is not None
        assert self._snapshot is not None
        names = [*self._snapshot.devices, *self._snapshot.plates]
        ident = next((name for name, of, *_ in names if of == vehicle), str(vehicle))
        licences = {number: name for name, number in self._drivers.items()}
        only, taken = np.array([vehicle], np.int32), 0
        async with conn.transaction():
            while len(fixes := await self._late.take(conn, only)):
                taken += len(fixes)
                messages = messages_of(fixes, ident, licences)
                await self.set_aside(conn, messages, Unusable.KILLED_WORKER, detail)
            await finish(conn)
        self._late.taken(only, self._late.waiting_of(only))
        return taken

    async def rejudge(
        self, conn: AsyncConnection, vehicles: I32, since_us: int, reason: str
    ) -> Changes:
        """Commit what the stored fixes of some vehicles (ascending) come to from an instant on.

        By the rules that `refresh` has taken over, which may be others than those that the fixes
        were judged by. Raises whatever the database raises, having changed nothing.
        """
        assert self._live is not None
        assert self._timetables is not None
        assert self._driving is not None
        assert self._clocks is not None
        try:
            async with conn.transaction():
                await progress_table.judge_alone(conn)
                # Workers have judged more of these vehicles since they were last looked at.
                self._forget(vehicles)
                judgement = await self._live.rejudge(conn, vehicles, since_us)
                changes = await store(conn, judgement, reason)
                await self._timetables.compare(conn, changes.departures)
                await self._driving.take(conn, judgement)
                since = np.full(len(vehicles), since_us, np.int64)
                await self._clocks.rejudge(conn, vehicles, since)
        except BaseException:
            self._forget(vehicles)
            raise
        return changes

    async def _learned(self, conn: AsyncConnection) -> bool:
        """Whether the registry has changed: who was unknown may just have been registered."""
        try:
            return await self.refresh(conn)
        except (GeofenceError, DevicesError):
            return False  # the worker's own look at the registry says what is wrong with it

    def _forget(self, vehicles: I32) -> None:
        """Trust nothing in memory about these vehicles."""
        for part in (self._live, self._driving, self._clocks):
            assert part is not None
            part.forget(vehicles)

    async def _commit(
        self, conn: AsyncConnection, batch: MessageBatch, intake: Intake, fixes: FixBatch,
        stages: Stages,
    ) -> tuple[Outcome, FixBatch]:  # fmt: skip
        """Write all that the batch comes to; with the outcome, the fixes that wait to be judged."""
        vehicles = np.union1d(fixes.vehicle, intake.weighing_vehicle).astype(np.int32)
        await self._take(conn, vehicles)
        weighed, loads, new_weighings = await self._weigh(conn, intake)
        fixes, held = await self._hold(conn, fixes)
        judgement, found = await self._judge(conn, fixes, loads, stages)
        refused = self._quarantined(batch, intake.refused)
        await quarantine_table.insert(conn, refused, self._limits)
        stages.ended("stored")
        return Outcome(
            messages=len(batch),
            fixes=judgement.new,
            repeats=len(judgement.repeats),
            weighings=new_weighings,
            intervals=found + weighed,
            refused=intake.refused,
            replayed=len(judgement.replayed),
            stages=stages,
            held=len(held),
        ), held

    async def _take(self, conn: AsyncConnection, vehicles: I32) -> None:
        """Hold vehicles (ascending), and forget those that another worker has judged meanwhile."""
        assert self._live is not None
        assert self._driving is not None
        assert self._clocks is not None
        await progress_table.judge_beside(conn)
        taken = await progress_table.take(conn, vehicles, self._judge_id)
        self._live.forget(taken)
        self._driving.hand_over(taken)
        self._clocks.forget(taken)

    async def _hold(self, conn: AsyncConnection, fixes: FixBatch) -> tuple[FixBatch, FixBatch]:
        """Have late fixes wait; returns the others, and them."""
        if self._late is None or not len(fixes):
            return fixes, FixBatch.empty()
        assert self._live is not None
        waits = self._late.waits(fixes, await self._live.behind(conn, fixes))
        if not waits.any():
            return fixes, FixBatch.empty()
        held = fixes.take(waits)
        await self._late.put(conn, held)
        return fixes.take(~waits), held

    async def _judge(
        self, conn: AsyncConnection, fixes: FixBatch, loads: Loads, stages: Stages
    ) -> tuple[Judgement, list[Interval]]:
        """Judge and write fixes, and what their vehicles' drivers and clocks come to."""
        assert self._live is not None
        assert self._timetables is not None
        assert self._driving is not None
        assert self._clocks is not None
        judgement = await self._live.judge(conn, fixes, loads)
        stages.ended("judged")
        log.debug(
            "batch.judged", fixes=len(judgement.new), repeats=len(judgement.repeats),
            replayed=len(judgement.replayed), intervals=len(judgement.intervals),
        )  # fmt: skip
        changes = await store(conn, judgement, LATE)
        await self._timetables.compare(conn, changes.departures)
        driven = await self._driving.take(conn, judgement)
        clocks = await self._clocks.take(conn, judgement.new)
        stages.ended("stored")
        return judgement, judgement.intervals + driven + clocks

    async def set_aside(
        self, conn: AsyncConnection, batch: MessageBatch, reason: Unusable, detail: str
    ) -> None:
        """Quarantine messages that no batch can be committed with."""
        refused = [Refused(n, reason, detail=detail) for n in range(len(batch))]
        await quarantine_table.insert(conn, self._quarantined(batch, refused), self._limits)

    def _quarantined(
        self, batch: MessageBatch, refused: list[Refused]
    ) -> list[quarantine_table.Quarantined]:
        """One entry per message: its first reason, and what was wrong with all of its parts."""
        by_message: dict[int, list[Refused]] = {}
        for part in refused:
            by_message.setdefault(part.message, []).append(part)
        return [
            quarantine_table.Quarantined(
                topic=batch.topics[message],
                payload=batch.payloads[message],
                received=int(batch.received[message]),
                reason=parts[0].reason,
                at=parts[0].at,
                detail="; ".join(dict.fromkeys(p.detail for p in parts if p.detail))[:DETAIL_LIMIT],
                ident=parts[0].ident[:NAME_LIMIT],
                sender=self._sender(batch.topics[message])[:NAME_LIMIT],
            )
            for message, parts in by_message.items()
        ]

    def _sender(self, topic: str) -> str:
        """Whom a topic names; the topic itself where it names nobody."""
        address = self._router.address(topic)
        return address.ident if isinstance(address, Address) else topic

    def _codec(self, name: str, ident: str) -> Codec | None:
        """The codec of a name; stations that send CSV may have columns of their own."""
        if name == "weigh-csv" and ident in self._station_codecs:
            return self._station_codecs[ident]
        return CODECS.get(name)

    async def _add_drivers(self, conn: AsyncConnection, intake: Intake, now_us: int) -> int:
        """Add drivers whom the registry does not know, as many as are believed; how many.

        The feed is where licences are first seen.
        """
        missing = [name for name in intake.licences if name not in self._drivers]
        if not missing:
            return 0
        self._drivers.update(await registry_tables.drivers_of(conn, missing))
        unknown = {name for name in missing if name not in self._drivers}
        new = self._newcomers.admit(intake.fixes, intake.licences, unknown, now_us)
        self._drivers.update(await registry_tables.ensure_drivers(conn, new))
        return len(new)

    def _with_drivers(self, intake: Intake) -> tuple[FixBatch, int]:
        """The fixes with their drivers' registry ids; how many are of a driver who is doubted."""
        if not intake.licences:
            return intake.fixes, 0
        ids = np.array([self._drivers.get(name, -1) for name in intake.licences], np.int32)
        named = intake.fixes.driver >= 0
        driver = np.where(named, ids[np.where(named, intake.fixes.driver, 0)], -1)
        fixes, doubted = with_doubted(intake.fixes, driver.astype(np.int32), intake.licences)
        if doubted:
            vehicles = np.unique(fixes.vehicle[named & (driver < 0)])
            log.warning("drivers.doubted", fixes=doubted, vehicles=vehicles[:10].tolist())
        return fixes, doubted

    async def _weigh(
        self, conn: AsyncConnection, intake: Intake
    ) -> tuple[list[Interval], Loads, int]:
        """Store and judge weighings. Returns the overloads; what new weighings say; their number.

        Each verdict is a function of its weighing alone, so judging a redelivered one again
        writes what is there already.
        """
        assert self._snapshot is not None
        assert self._weigher is not None
        weighings = intake.weighings
        if not len(weighings):
            return [], NO_LOADS, 0
        is_new = await weighing_table.insert(
            conn, weighings, intake.weighing_vehicle, intake.weighing_station
        )
        stations = list(
            map(self._snapshot.station, intake.weighing_station.tolist(), weighings.time.tolist())
        )
        found, weighed = self._weigher.judge(weighings, intake.weighing_vehicle, stations)
        await violation_table.write(conn, found)
        return found, Loads.of(compress(weighed, is_new.tolist())), int(is_new.sum())


def _tell_decoded(batch: MessageBatch, intake: Intake) -> None:
    """The lines of a batch that was read; of what was refused, one example and never its bytes."""
    log.debug("batch.decoded", fixes=len(intake.fixes), weighings=len(intake.weighings))
    if intake.refused:
        first = intake.refused[0]
        log.debug(
            "batch.refused", reasons=dict(Counter(str(part.reason) for part in intake.refused)),
            topic=batch.topics[first.message], reason=str(first.reason), detail=first.detail,
        )  # fmt: skip


def is_live(fixes: FixBatch) -> Bool:
    """Fixes that came when they were taken: the ones whose lag says something about us."""
    live: Bool = fixes.quality & np.uint16(Quality.LATE | Quality.FUTURE) == 0
    return live
