"""The worker: receives batches, has the pipeline commit them, acknowledges.

A database that is down stops acknowledging, not the process (transactions.py). A message that no
batch can be committed with is found by halving and set aside, so that one poison message stops
nothing; one that kills the process is found by what was in hand (in_hand.py). Late fixes that wait
(late.py) are taken up when no message does.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import structlog
from psycopg import AsyncConnection

from devices.batch import I32
from ingest.account import Account
from ingest.errors import ShardsLostError, ShardTakenError, Unusable
from ingest.holding import Sleep, Wanted
from ingest.in_hand import InHand, digests_of, digests_of_late
from ingest.metrics import WorkerMetrics
from ingest.pace import Pace
from ingest.pipeline import Outcome, Pipeline
from ingest.source import Clock, MessageBatch, Source
from ingest.stages import BatchNames
from ingest.thinning import spans
from ingest.transactions import Transactions
from storage import progress as progress_table
from storage import quarantine as quarantine_table

HOUSEKEEPING_EVERY_S = 3600.0

LOOK_EVERY_S = 1.0
"""How often a worker without work looks whether its connection is alive, a shard is free, and the
turn of late fixes has come."""

TAKE_UP_S = 0.5
"""So long does taking up late fixes keep what has come meanwhile waiting, about."""
TAKE_UP_EVERY_S = 5.0
"""Messages come first; but though they never cease, late fixes get a turn so often."""
TAKE_UP_FIXES = 1000
"""At first; then as many as TAKE_UP_S allows."""
TAKE_UP_MOST = 20_000
POSTPONE_S = 3600.0
"""Late fixes that raise an error in our own code stay where they are, and are tried again then."""

ALONE_IN_HAND = "in hand when a worker died, and alone in hand when another did"

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
        self._clock = clock
        self._account = Account(metrics, clock, options.shards)
        self._hold = hold
        self._transactions = Transactions(
            Wanted(options.dsn, options.shards, options.is_standby, self._learn, self._tell),
            pipeline, self._account, sleep,
        )  # fmt: skip
        self._in_hand = InHand()
        self._names = BatchNames()
        self._pace = Pace(TAKE_UP_S, TAKE_UP_FIXES, TAKE_UP_MOST)
        self._took_up_at = self._looked_at = self._kept_house_at = -np.inf
        metrics.late.set_function(lambda: pipeline.waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises ShardTakenError if another worker has a shard."""
        stopped = asyncio.create_task(stop.wait(), name="worker-stop")
        receiving: asyncio.Task[MessageBatch] | None = None
        try:
            if await self._transactions.connected(stop) is not None:
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
            await self._transactions.let_go()

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
        self._account.committed(outcome, seconds)
        return True

    async def _set_aside_late(self, vehicles: I32, stop: asyncio.Event) -> bool:
        """Quarantine what waits of a vehicle that has killed workers; whether that was done."""
        digests, vehicle = digests_of_late(vehicles), int(vehicles[0])

        async def set_aside(conn: AsyncConnection) -> int:
            return await self._pipeline.set_aside_late(
                conn, vehicle, f"late fixes: {ALONE_IN_HAND}",
                lambda conn: self._in_hand.release(conn, digests),
            )  # fmt: skip

        fixes = await self._persist_late(set_aside, vehicles, 1, stop)
        if fixes is None:
            return False
        self._in_hand.absolve(digests)
        self._account.late_set_aside(vehicle, fixes, Unusable.KILLED_WORKER)
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
                return await self._transactions.do(operation, len(vehicles), stop)
        except ShardTakenError:
            raise
        except ShardsLostError:
            return None
        except Exception as error:
            self._account.failed(error, len(vehicles), 1)
            self._pace.failed(fixes)
            if len(vehicles) == 1:
                self._pipeline.postpone(vehicles, POSTPONE_S)
                log.exception("late.postponed", vehicle=int(vehicles[0]))
            return None

    async def _work(self, batch: MessageBatch, stop: asyncio.Event) -> None:
        """Commit and acknowledge a batch; whatever is logged meanwhile carries its name."""
        with self._names.next():
            self._account.received(batch)
            try:
                parts = self._in_hand.divided(batch)
                is_committed = all([await self._deal_with(*part, stop) for part in parts])
            except ShardsLostError as error:
                self._account.left(batch, error)
                return
            if is_committed:
                self._source.acknowledge(batch)
                if self._in_hand.guilty:
                    self._in_hand.absolve(digests_of(batch))
                self._account.acknowledged(batch)

    async def _deal_with(self, batch: MessageBatch, is_guilty: bool, stop: asyncio.Event) -> bool:
        """Have the batch committed; or set aside, if it is known to have killed workers."""
        if is_guilty:
            return await self._set_aside(batch, Unusable.KILLED_WORKER, ALONE_IN_HAND, stop)
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
            outcome = await self._transactions.do(process, len(batch), stop)
        except (ShardTakenError, ShardsLostError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other messages go on
            self._account.failed(error, len(batch), 1)
            return await self._halve(batch, error, stop)
        if outcome is None:
            return False
        self._account.committed(outcome, time.monotonic() - started)
        return True

    async def _halve(self, batch: MessageBatch, error: Exception, stop: asyncio.Event) -> bool:
        """Commit the halves of a batch that cannot be committed; set a single message aside."""
        if len(batch) > 1:
            middle = len(batch) // 2
            parts = batch.take(range(middle)), batch.take(range(middle, len(batch)))
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
            return True

        if await self._transactions.do(set_aside, 1, stop) is None:
            return False
        self._account.set_aside(batch, reason, detail)
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

        cleaned = await self._transactions.do(clean, 0, stop)
        if cleaned is not None and any(cleaned):
            log.info("quarantine.cleaned", **cleaned._asdict())

    async def _thin_marks(self, stop: asyncio.Event) -> None:
        async def thin(conn: AsyncConnection) -> int:
            return sum(
                [await progress_table.thin_marks(conn, *span) for span in spans(self._clock())]
            )

        await self._transactions.do(thin, 0, stop)

    async def _look_at_shards(self, stop: asyncio.Event) -> None:
        """Now and then, so that a connection that is gone is missed though there is no work."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        await self._transactions.look(stop)

    async def _learn(self, conn: AsyncConnection, held: frozenset[int]) -> None:
        """Learn what goes with shards that are newly held, or with a new connection."""
        await self._in_hand.take_over(conn, held)
        await self._pipeline.open(conn, held)

    def _tell(self, held: frozenset[int]) -> None:
        self._account.holds(held)
        self._hold(held)
