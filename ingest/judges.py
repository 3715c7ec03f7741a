"""Judges: all who judge a worker's fixes, and what each of them remembers of vehicles.

One judges by the fixes' own times, one driving time, one clocks, one timetables. What they remember
is good as long as no other worker judges the vehicle and no transaction fails: then it is forgotten
by all of them. Does not belong here: messages, and whose turn it is (pipeline.py).
"""

import secrets

import numpy as np
import structlog
from psycopg import AsyncConnection

from devices.batch import I32, Bool, FixBatch
from geofence.interval import Interval
from geofence.judge import Judge
from geofence.loads import Loads
from geofence.quality import Region
from ingest.clocks import LiveClocks
from ingest.driving import LiveDriving
from ingest.judging import Judgement, LiveJudge
from ingest.rules import Rules
from ingest.stages import Stages
from ingest.storing import store
from ingest.timetables import Timetables
from storage import progress as progress_table
from storage.violations import Changes

LATE = "late data or rebuilt state"

log = structlog.get_logger(__name__)


class Judges:
    """The judges by some rules, which may be replaced. rules: those of now."""

    def __init__(self, rules: Rules, region: Region) -> None:
        """region: where positions are plausible."""
        # Whoever finds another number with a vehicle knows that its own memory of it is old.
        self._judge_id = secrets.randbits(63)
        judge = Judge(rules.rulebook)
        self._live = LiveJudge(judge, rules.weigher, region)
        self._follow(rules, judge)

    def replace_rules(self, rules: Rules) -> None:
        """Judge by other rules from the next batch on."""
        judge = Judge(rules.rulebook)
        self._live.replace_rules(judge, rules.weigher)
        self._follow(rules, judge)

    def _follow(self, rules: Rules, judge: Judge) -> None:
        self.rules = rules
        self._timetables = Timetables(rules.rulebook)
        self._driving = LiveDriving(rules.rulebook, judge)
        self._clocks = LiveClocks(rules.rulebook)

    def forget(self, vehicles: I32) -> None:
        """Trust nothing in memory about these vehicles: their transaction was not committed."""
        self._live.forget(vehicles)
        self._driving.forget(vehicles)
        self._clocks.forget(vehicles)

    async def take(self, conn: AsyncConnection, vehicles: I32) -> None:
        """Hold vehicles (ascending), and forget those that another worker has judged meanwhile."""
        await progress_table.judge_beside(conn)
        taken = await progress_table.take(conn, vehicles, self._judge_id)
        self._live.forget(taken)
        self._driving.hand_over(taken)
        self._clocks.forget(taken)

    async def behind(self, conn: AsyncConnection, fixes: FixBatch) -> Bool:
        """Which fixes are not after what was judged of their vehicles, shape (n,)."""
        return await self._live.behind(conn, fixes)

    async def judge(
        self, conn: AsyncConnection, fixes: FixBatch, loads: Loads, stages: Stages
    ) -> tuple[Judgement, list[Interval]]:
        """Judge and write fixes of vehicles that were taken, and what that comes to beside them."""
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

    async def rejudge(
        self, conn: AsyncConnection, vehicles: I32, since_us: int, reason: str
    ) -> Changes:
        """Judge what is stored of some vehicles (ascending) from an instant on once more."""
        await progress_table.judge_alone(conn)
        # Workers have judged more of these vehicles since they were last looked at.
        self.forget(vehicles)
        judgement = await self._live.rejudge(conn, vehicles, since_us)
        changes = await store(conn, judgement, reason)
        await self._timetables.compare(conn, changes.departures)
        await self._driving.take(conn, judgement)
        since = np.full(len(vehicles), since_us, np.int64)
        await self._clocks.rejudge(conn, vehicles, since)
        return changes
