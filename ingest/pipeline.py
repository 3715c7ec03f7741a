"""The one way through: a batch of messages becomes one transaction.

`Pipeline.process` either commits everything that the batch came to, or raises and leaves nothing
behind; whoever calls it then tries again. Processing a batch twice changes nothing.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import structlog
from psycopg import AsyncConnection

from devices.batch import I32, FixBatch
from devices.errors import DevicesError
from geofence.errors import GeofenceError
from geofence.interval import Interval
from geofence.loads import NO_LOADS, Loads
from ingest.drivers import Drivers
from ingest.errors import Unusable
from ingest.intake import Intake, Refused, take_in
from ingest.judges import Judges
from ingest.late import LateRoom, messages_of
from ingest.refusals import quarantined
from ingest.rules import JudgingOptions, Rules
from ingest.source import MessageBatch
from ingest.stages import Stages
from ingest.topics import TopicRouter
from storage import fixes as fix_table
from storage import quarantine as quarantine_table
from storage import registry as registry_tables
from storage import violations as violation_table
from storage import weighings as weighing_table
from storage.quarantine_limits import Limits
from storage.violations import Changes

UNKNOWN = frozenset({Unusable.UNKNOWN_DEVICE, Unusable.UNKNOWN_PLATE, Unusable.UNKNOWN_STATION})
"""Refusals that registering somebody mends."""

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
        self._drivers = Drivers(new_drivers)
        self._judges: Judges | None = None

    async def refresh(self, conn: AsyncConnection) -> bool:
        """Take over the registry if it has changed since the last time; whether it had.

        Raises RegistryError, and keeps the rules there are, if its parts contradict each other.
        """
        version = await registry_tables.version(conn)
        if self._judges is not None and self.rules.snapshot.version == version:
            return False
        rules = Rules.of(await registry_tables.load(conn), self._options)
        # Nothing below this line fails: the rules are taken over as a whole or not at all.
        if self._judges is None:
            self._judges = Judges(rules, self._options.region)
        else:
            self._judges.replace_rules(rules)
        self._drivers.replace(rules.snapshot.drivers)
        self.loads += 1
        return True

    @property
    def judges(self) -> Judges:
        """Who judges; `refresh` must have been called before."""
        assert self._judges is not None
        return self._judges

    @property
    def rules(self) -> Rules:
        """What is judged by now; `refresh` must have been called before."""
        return self.judges.rules

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the rules leave out of the registry, and why."""
        return () if self._judges is None else self.rules.rulebook.warnings

    @property
    def is_ready(self) -> bool:
        """Whether there are rules to judge by."""
        return self._judges is not None

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
        stages = Stages()
        intake = self._take_in(batch)
        if any(part.reason in UNKNOWN for part in intake.refused) and await self._learned(conn):
            intake = self._take_in(batch)
        stages.ended("decoded")
        _tell_decoded(batch, intake)
        vehicles = np.union1d(intake.fixes.vehicle, intake.weighing_vehicle).astype(np.int32)
        # Days and drivers are made before the transaction: what is remembered of them then stays
        # true if it is rolled back.
        await fix_table.ensure_days(conn, intake.fixes.time)
        added = await self._drivers.add(conn, intake, int(batch.received.max(initial=0)))
        fixes, doubted = self._drivers.named_in(intake)
        stages.ended("prepared")
        try:
            async with conn.transaction():
                outcome, held = await self._commit(conn, batch, intake, fixes, stages)
                await finish(conn)
        except BaseException:
            self.judges.forget(vehicles)
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
                await self.judges.take(conn, vehicles)
                judgement, found = await self.judges.judge(conn, fixes, NO_LOADS, stages)
                await finish(conn)
        except BaseException:
            self.judges.forget(vehicles)
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
        ident, licences = self.rules.name_of(vehicle), self._drivers.licences
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
        try:
            async with conn.transaction():
                return await self.judges.rejudge(conn, vehicles, since_us, reason)
        except BaseException:
            self.judges.forget(vehicles)
            raise

    async def _learned(self, conn: AsyncConnection) -> bool:
        """Whether the registry has changed: who was unknown may just have been registered."""
        try:
            return await self.refresh(conn)
        except (GeofenceError, DevicesError):
            return False  # the worker's own look at the registry says what is wrong with it

    def _take_in(self, batch: MessageBatch) -> Intake:
        return take_in(batch, self._router, self.rules.codec, self.rules.directory)

    async def _commit(
        self, conn: AsyncConnection, batch: MessageBatch, intake: Intake, fixes: FixBatch,
        stages: Stages,
    ) -> tuple[Outcome, FixBatch]:  # fmt: skip
        """Write all that the batch comes to; with the outcome, the fixes that wait to be judged."""
        vehicles = np.union1d(fixes.vehicle, intake.weighing_vehicle).astype(np.int32)
        await self.judges.take(conn, vehicles)
        weighed, loads, new_weighings = await self._weigh(conn, intake)
        fixes, held = await self._hold(conn, fixes)
        judgement, found = await self.judges.judge(conn, fixes, loads, stages)
        refused = quarantined(batch, intake.refused, self._router)
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

    async def _hold(self, conn: AsyncConnection, fixes: FixBatch) -> tuple[FixBatch, FixBatch]:
        """Have late fixes wait; returns the others, and them."""
        if self._late is None or not len(fixes):
            return fixes, FixBatch.empty()
        waits = self._late.waits(fixes, await self.judges.behind(conn, fixes))
        if not waits.any():
            return fixes, FixBatch.empty()
        held = fixes.take(waits)
        await self._late.put(conn, held)
        return fixes.take(~waits), held

    async def set_aside(
        self, conn: AsyncConnection, batch: MessageBatch, reason: Unusable, detail: str
    ) -> None:
        """Quarantine messages that no batch can be committed with."""
        refused = [Refused(n, reason, detail=detail) for n in range(len(batch))]
        entries = quarantined(batch, refused, self._router)
        await quarantine_table.insert(conn, entries, self._limits)

    async def _weigh(
        self, conn: AsyncConnection, intake: Intake
    ) -> tuple[list[Interval], Loads, int]:
        """Store and judge weighings. Returns the overloads; what new weighings say; their number.

        Each verdict is a function of its weighing alone, so judging a redelivered one again
        writes what is there already.
        """
        weighings = intake.weighings
        if not len(weighings):
            return [], NO_LOADS, 0
        is_new = await weighing_table.insert(
            conn, weighings, intake.weighing_vehicle, intake.weighing_station
        )
        where = zip(intake.weighing_station.tolist(), weighings.time.tolist(), strict=True)
        stations = [self.rules.snapshot.station(*at) for at in where]
        found, weighed = self.rules.weigher.judge(weighings, intake.weighing_vehicle, stations)
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
