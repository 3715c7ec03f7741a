"""The worker: receives batches, has the pipeline commit them, acknowledges; waits out faults.

A database that is down stops acknowledging, not the process. A message that no batch can be
committed with is found by halving and set aside, so that one poison message stops nothing; one
that kills the process is found by what was in hand (in_hand.py). Late fixes that wait (late.py)
are taken up when no message does.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.errors import (
    InsufficientPrivilege,
    ProgramLimitExceeded,
    StatementTooComplex,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedTable,
    UniqueViolation,
)

from devices.batch import I32
from devices.errors import DevicesError
from geofence.errors import GeofenceError
from ingest.errors import RegistryUnusableError, ShardsLostError, ShardTakenError, Unusable
from ingest.holding import Holding, Sleep, Wanted
from ingest.in_hand import InHand, digests_of, digests_of_late
from ingest.metrics import WorkerMetrics
from ingest.pace import Pace
from ingest.pipeline import Outcome, Pipeline, is_live
from ingest.retrying import Retrying
from ingest.source import Clock, MessageBatch, Source
from ingest.stages import BatchNames
from ingest.thinning import spans
from storage import progress as progress_table
from storage import quarantine as quarantine_table

RETRY_MIN_S = 0.1
RETRY_MAX_S = 10.0

REFRESH_EVERY_S = 1.0
"""How often the registry's version is looked at: a registration or a new fence counts within it."""

HOUSEKEEPING_EVERY_S = 3600.0

LOOK_EVERY_S = 1.0
"""How often a worker without work looks whether its connection is alive, a shard is free, and the
turn of late fixes has come."""

CONFLICT_TRIES = 3

TAKE_UP_S = 0.5
"""So long does taking up late fixes keep what has come meanwhile waiting, about."""
TAKE_UP_EVERY_S = 5.0
"""Messages come first; but though they never cease, late fixes get a turn so often."""
TAKE_UP_FIXES = 1000
"""At first; then as many as TAKE_UP_S allows."""
TAKE_UP_MOST = 20_000
POSTPONE_S = 3600.0
"""Late fixes that raise an error in our own code stay where they are, and are tried again then."""
WAIT_OUT = (
    psycopg.OperationalError,
    psycopg.InternalError,
    psycopg.InterfaceError,
    InsufficientPrivilege,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedTable,
    OSError,
    RegistryUnusableError,
)
"""Errors that say something about the server, not about the messages: waiting can help. A schema
that is not what it should be, or a right that was taken away, would else have every message set
aside."""

TOO_LARGE = (ProgramLimitExceeded, StatementTooComplex)
"""Operational errors by their class, but what they say is said of something in a message."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Where the database is, and which shards of vehicles this worker judges.

    is_standby: it waits for shards that others judge, each for itself; if not, it ends when one is
        not to be had. retention: how long the quarantine keeps what it has.
    """

    dsn: str
    shards: tuple[int, ...] = (0,)
    is_standby: bool = False
    retention: quarantine_table.Retention = quarantine_table.DEFAULT_RETENTION


class Worker:
    """Runs one source through one pipeline into one database."""

    def __init__(
        self,
        options: WorkerOptions,
        source: Source,
        pipeline: Pipeline,
        metrics: WorkerMetrics,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        *,
        hold: Callable[[frozenset[int]], None] = lambda _: None,
    ) -> None:
        """hold: told which shards this worker has, whenever that changes."""
        self._options = options
        self._source = source
        self._pipeline = pipeline
        self._metrics = metrics
        self._clock = clock
        self._sleep = sleep
        self._loads = 0
        self._refreshed_at = -np.inf
        self._kept_house_at = -np.inf
        self._in_hand = InHand()
        self._took_up_at = -np.inf
        self._pace = Pace(TAKE_UP_S, TAKE_UP_FIXES, TAKE_UP_MOST)
        self._names = BatchNames()
        self._looked_at = -np.inf
        self._hold = hold
        self._holding = Holding(
            Wanted(options.dsn, options.shards, options.is_standby, self._learn, self._tell), sleep
        )
        self._show_held(frozenset())
        metrics.late.set_function(lambda: pipeline.waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises ShardTakenError if another worker has a shard."""
        stopped = asyncio.create_task(stop.wait(), name="worker-stop")
        receiving: asyncio.Task[MessageBatch] | None = None
        try:
            if await _unless_stopped(self._holding.connected(), stop) is not None:
                await self._source.start()
            while not stop.is_set():
                receiving = receiving or asyncio.create_task(
                    self._source.receive(), name="worker-receive"
                )
                await self._wait(receiving, stopped, stop)
                if receiving.done():
                    batch, receiving = receiving.result(), None
                    await self._work(batch, stop)
                    await self._take_up_in_turn(stop)
                await self._look_at_shards(stop)
                await self._keep_house(stop)
        finally:
            stopped.cancel()
            if receiving is not None:
                receiving.cancel()
            await self._source.stop()
            await self._let_go()

    async def _wait(
        self, receiving: asyncio.Task[MessageBatch], stopped: asyncio.Task[bool],
        stop: asyncio.Event,
    ) -> None:  # fmt: skip
        """Wait for a batch, the end or a while; or take up late fixes whose turn has come."""
        await asyncio.sleep(0)  # a batch may be there already
        if receiving.done() or await self._take_up(stop):
            return
        await asyncio.wait(
            {receiving, stopped}, timeout=LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
        )

    async def _take_up_in_turn(self, stop: asyncio.Event) -> None:
        """Though messages never cease, take up late fixes now and then; of suspects some parts."""
        began = time.monotonic()
        if began - self._took_up_at <= TAKE_UP_EVERY_S:
            return
        while await self._take_up(stop) and self._in_hand.suspects:
            if time.monotonic() - began > TAKE_UP_S:
                return

    async def _take_up(self, stop: asyncio.Event) -> bool:
        """Commit some of the late fixes whose turn has come; whether there were any."""
        began = self._took_up_at = time.monotonic()
        vehicles, fixes = self._pipeline.due(self._pace.amount)
        if not len(vehicles):
            return False
        vehicles, is_guilty = self._in_hand.next_of(vehicles)
        if is_guilty:
            return await self._set_aside_late(vehicles, stop)
        digests = digests_of_late(vehicles)

        async def take_up(conn: AsyncConnection) -> Outcome:
            await self._in_hand.hold(conn, digests)
            return await self._pipeline.take_up(
                conn, vehicles, lambda conn: self._in_hand.release(conn, digests)
            )

        outcome = await self._persist_late(take_up, vehicles, fixes, stop)
        if outcome is None:
            return False
        seconds = time.monotonic() - began
        self._pace.took(len(outcome.fixes) + outcome.repeats, seconds)
        self._committed(outcome, seconds)
        return True

    async def _set_aside_late(self, vehicles: I32, stop: asyncio.Event) -> bool:
        """Quarantine what waits of a vehicle that has killed workers; whether that was done."""
        digests, vehicle = digests_of_late(vehicles), int(vehicles[0])

        async def set_aside(conn: AsyncConnection) -> int:
            return await self._pipeline.set_aside_late(
                conn, vehicle, "late fixes: killed two workers",
                lambda conn: self._in_hand.release(conn, digests),
            )  # fmt: skip

        fixes = await self._persist_late(set_aside, vehicles, 1, stop)
        if fixes is None:
            return False
        self._in_hand.absolve(digests)
        self._metrics.quarantined.labels(Unusable.KILLED_WORKER).inc()
        log.warning("late.set_aside", vehicle=vehicle, fixes=fixes)
        return True

    async def _persist_late(
        self, operation: Callable[[AsyncConnection], Awaitable[T]], vehicles: I32, fixes: int,
        stop: asyncio.Event,
    ) -> T | None:  # fmt: skip
        """Do one transaction with the late fixes of some vehicles; None if it was not done.

        What raises an error of ours is tried in smaller pieces, and postponed when it stands alone.
        """
        try:
            with self._names.next():
                return await self._persist(operation, len(vehicles), stop)
        except ShardTakenError:
            raise
        except ShardsLostError:
            return None
        except Exception as error:
            self._failed(error, len(vehicles), 1)
            self._pace.failed(fixes)
            if len(vehicles) == 1:
                self._pipeline.postpone(vehicles, POSTPONE_S)
                log.exception("late.postponed", vehicle=int(vehicles[0]))
            return None

    async def _work(self, batch: MessageBatch, stop: asyncio.Event) -> None:
        """Commit and acknowledge a batch; whatever is logged meanwhile carries its name."""
        with self._names.next():
            self._received(batch)
            try:
                parts = self._in_hand.divided(batch)
                is_committed = all([await self._deal_with(*part, stop) for part in parts])
            except ShardsLostError as error:
                log.warning("batch.left", messages=len(batch), detail=str(error))
                return
            if is_committed:
                self._source.acknowledge(batch)
                if self._in_hand.guilty:
                    self._in_hand.absolve(digests_of(batch))
                self._metrics.acknowledged.inc(len(batch))
                log.debug("batch.acknowledged", messages=len(batch))

    async def _deal_with(self, batch: MessageBatch, is_guilty: bool, stop: asyncio.Event) -> bool:
        """Have the batch committed; or set aside, if it is known to have killed workers."""
        if is_guilty:
            return await self._set_aside(batch, Unusable.KILLED_WORKER, "killed two workers", stop)
        return await self._commit(batch, stop)

    async def _commit(self, batch: MessageBatch, stop: asyncio.Event) -> bool:
        """Have the batch committed, however long that takes; False if stopped before it was."""
        started = time.monotonic()
        digests = digests_of(batch)

        async def process(conn: AsyncConnection) -> Outcome:
            await self._in_hand.hold(conn, digests)
            return await self._pipeline.process(
                conn, batch, lambda conn: self._in_hand.release(conn, digests)
            )

        try:
            outcome = await self._persist(process, len(batch), stop)
        except (ShardTakenError, ShardsLostError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other messages go on
            self._failed(error, len(batch), 1)
            return await self._halve(batch, error, stop)
        if outcome is None:
            return False
        self._committed(outcome, time.monotonic() - started)
        return True

    async def _persist(
        self, operation: Callable[[AsyncConnection], Awaitable[T]], messages: int,
        stop: asyncio.Event,
    ) -> T | None:  # fmt: skip
        """Do one transaction; None if stopped.

        Waits out a database that is down, read-only or full; raises what the messages cause.
        """
        retrying, conflicts = Retrying(RETRY_MIN_S, RETRY_MAX_S), 0
        while not stop.is_set():
            try:
                conn = await _unless_stopped(self._holding.connected(), stop)
                if conn is None:
                    break
                await self._refresh(conn)
                done = await operation(conn)
            except TOO_LARGE:
                raise
            except WAIT_OUT as error:
                delay_s = retrying.failed()
                self._metrics.database_up.set(0)
                self._failed(error, messages, retrying.failures)
                await self._let_go()
                await _unless_stopped(self._sleep(delay_s), stop)
            except UniqueViolation as error:
                # Somebody else stored a fix of ours. What memory held of the vehicle has been
                # forgotten, so the next try sees it.
                conflicts += 1
                if conflicts == CONFLICT_TRIES:
                    raise
                self._failed(error, messages, conflicts)
            else:
                self._metrics.database_up.set(1)
                return done
        return None

    async def _halve(self, batch: MessageBatch, error: Exception, stop: asyncio.Event) -> bool:
        """Commit the halves of a batch that cannot be committed; set a single message aside."""
        if len(batch) > 1:
            middle = len(batch) // 2
            parts = batch.slice(0, middle), batch.slice(middle, len(batch))
            return all([await self._commit(part, stop) for part in parts])

        detail = f"{type(error).__name__}: {error}"
        return await self._set_aside(batch, Unusable.INTERNAL_ERROR, detail, stop)

    async def _set_aside(
        self, batch: MessageBatch, reason: Unusable, detail: str, stop: asyncio.Event
    ) -> bool:
        """Quarantine a message; False if stopped before it was."""

        async def set_aside(conn: AsyncConnection) -> bool:
            async with conn.transaction():
                await self._pipeline.set_aside(conn, batch, reason, detail)
                await self._in_hand.release(conn, digests_of(batch))
            log.warning("batch.set_aside", topic=batch.topics[0], detail=detail)
            return True

        if await self._persist(set_aside, 1, stop) is None:
            return False
        self._metrics.quarantined.labels(reason).inc()
        return True

    async def _keep_house(self, stop: asyncio.Event) -> None:
        """Once an hour: delete what is needed no more."""
        now = time.monotonic()
        if now - self._kept_house_at < HOUSEKEEPING_EVERY_S:
            return
        self._kept_house_at = now
        await self._thin_marks(stop)
        await self._clean_quarantine(stop)

    async def _clean_quarantine(self, stop: asyncio.Event) -> None:
        async def clean(conn: AsyncConnection) -> quarantine_table.Cleaned:
            return await quarantine_table.clean(conn, self._options.retention, self._clock())

        cleaned = await self._persist(clean, 0, stop)
        if cleaned is not None and any(cleaned):
            log.info("quarantine.cleaned", **cleaned._asdict())

    async def _thin_marks(self, stop: asyncio.Event) -> None:
        async def thin(conn: AsyncConnection) -> int:
            return sum(
                [await progress_table.thin_marks(conn, *span) for span in spans(self._clock())]
            )

        await self._persist(thin, 0, stop)

    async def _look_at_shards(self, stop: asyncio.Event) -> None:
        """See that the connection, and so the locks, are there; take shards that are free now."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()

        async def look(conn: AsyncConnection) -> bool:
            await self._holding.look(conn)
            return True

        with contextlib.suppress(ShardsLostError):
            await self._persist(look, 0, stop)

    async def _learn(self, conn: AsyncConnection, held: frozenset[int]) -> None:
        """Learn what goes with shards that are newly held, or with a new connection."""
        self._refreshed_at = -np.inf
        self._metrics.database_up.set(1)
        await self._in_hand.take_over(conn, held)
        await self._pipeline.open(conn, held)

    def _tell(self, held: frozenset[int]) -> None:
        self._show_held(held)
        self._hold(held)

    def _show_held(self, held: frozenset[int]) -> None:
        for shard in self._options.shards:
            self._metrics.shard_held.labels(str(shard)).set(shard in held)

    async def _let_go(self) -> None:
        await self._holding.close()
        self._show_held(frozenset())

    async def _refresh(self, conn: AsyncConnection) -> None:
        now = time.monotonic()
        if now - self._refreshed_at < REFRESH_EVERY_S:
            return
        self._refreshed_at = now
        try:
            await self._pipeline.refresh(conn)
        except (GeofenceError, DevicesError) as error:
            # One bad row of the registry must not cost a single message: go on by the rules there
            # are, or wait for the row to be mended if there are none yet.
            self._metrics.registry_refusals.inc()
            log.exception("registry.unusable", detail=str(error))
            if not self._pipeline.is_ready:
                raise RegistryUnusableError(str(error)) from error
            return
        # A message of somebody unknown has the registry looked at as well.
        loads, self._loads = self._pipeline.loads - self._loads, self._pipeline.loads
        if loads:
            self._metrics.registry_loads.inc(loads)
            log.info("registry.loaded")
            for warning in self._pipeline.warnings:
                log.warning("registry.doubtful", detail=warning)

    def _received(self, batch: MessageBatch) -> None:
        waited_s = max(0.0, (self._clock() - int(batch.received.min())) / 1e6)
        self._metrics.received.inc(len(batch))
        self._metrics.batch_messages.observe(len(batch))
        self._metrics.stage_s.labels("waited").observe(waited_s)
        log.debug("batch.received", messages=len(batch), waited_ms=round(waited_s * 1e3, 1))

    def _failed(self, error: Exception, messages: int, tries: int) -> None:
        self._metrics.failures.labels(type(error).__name__).inc()
        log.warning(
            "batch.failed", error=type(error).__name__, detail=str(error).strip(),
            messages=messages, tries=tries,
        )  # fmt: skip

    def _committed(self, outcome: Outcome, seconds: float) -> None:
        """Count the batch, and write its one line."""
        metrics, fixes = self._metrics, outcome.fixes
        lag_us = (self._clock() - fixes.time)[is_live(fixes)]
        metrics.lag.observe(lag_us)
        metrics.messages.inc(outcome.messages)
        metrics.fixes.labels("stored").inc(len(fixes))
        metrics.fixes.labels("repeated").inc(outcome.repeats)
        metrics.weighings.inc(outcome.weighings)
        metrics.replayed.inc(outcome.replayed)
        metrics.drivers_added.inc(outcome.drivers_added)
        metrics.drivers_doubted.inc(outcome.drivers_doubted)
        metrics.batch_s.observe(seconds)
        metrics.observe(outcome.stages)
        metrics.last_commit.set(self._clock() / 1e6)
        refused = Counter(str(part.reason) for part in outcome.refused)
        for reason, count in refused.items():
            metrics.quarantined.labels(reason).inc(count)
        for kind, count in Counter(i.kind for i in outcome.intervals).items():
            metrics.intervals.labels(kind).inc(count)
        log.info(
            "batch.committed", messages=outcome.messages, fixes=len(fixes),
            repeats=outcome.repeats, weighings=outcome.weighings, replayed=outcome.replayed,
            held=outcome.held, refused=dict(refused), ms=round(seconds * 1e3, 1),
            lag_s=round(float(np.median(lag_us)) / 1e6, 3) if len(lag_us) else None,
        )  # fmt: skip


async def _unless_stopped(work: Awaitable[T], stop: asyncio.Event) -> T | None:
    """What the work comes to; None if stopped while it went on, which ends it."""
    doing = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        doing.cancel()
        stopped.cancel()
        await asyncio.gather(doing, stopped, return_exceptions=True)
