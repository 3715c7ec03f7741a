"""Live judging: fixes of a batch, in whatever order they came, to what the transaction must write.

The invariant (docs/architecture.md) is kept here: whatever the batches, the order, repeats and
crashes, a vehicle's violations are those of the set of its stored fixes and weighings. A vehicle
whose state is not in memory, or that sends a fix or is weighed at a time before what was judged, is
replayed from the newest point on its time line from which what is stored gives the exact state.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from psycopg import AsyncConnection

from devices.batch import DISQUALIFYING, I32, I64, Bool, FixBatch
from geofence.interval import Interval
from geofence.judge import Judge, Judged
from geofence.loads import NO_LOADS, Loads
from geofence.quality import Delays, Region, is_judged, mark_arrival
from geofence.registry import BEGINNING_US, END_US
from geofence.rules.rule import Key
from ingest.progress import Progress
from ingest.weighing import Weigher, loads_of, without
from storage import fixes as fix_table
from storage import progress as progress_table

MARK_EVERY_US = 900_000_000
"""A resume mark is kept for the first fix of every quarter of an hour: a late fix then costs at
most that much replay beyond what the rules themselves need."""

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a batch of fixes came to; shapes by vehicle are (v,), by mark (m,).

    new: fixes to insert, sorted by (vehicle, time), quality final.
    repeats: fixes whose (vehicle, time) is stored already or came earlier in the batch.
    vehicles: those with new fixes or replayed, ascending; `shown` has one row for each: the newest
        clean fix known, or the newest of all where there was no clean one (its quality says so).
    replayed: vehicles whose stored intervals that started after `settled_until`, or whose key is
        in `pending`, must become `intervals`; their resume marks after it are obsolete.
    changed: stored fixes whose quality is not what it was.
    marks: fixes from which judging can be resumed, with `mark_needs_from`.
    """

    new: FixBatch
    repeats: FixBatch
    intervals: list[Interval]
    vehicles: I32
    shown: FixBatch
    stored_until: I64
    judged_until: I64
    needs_from: I64
    replayed: I32
    settled_until: I64
    pending: frozenset[Key]
    changed: FixBatch
    marks: FixBatch
    mark_needs_from: I64


@dataclass(frozen=True, slots=True)
class _Feed:
    """What the judge is given: rows sorted by (vehicle, time), and weighings."""

    fixes: FixBatch
    loads: Loads
    settled: Bool
    is_new: Bool
    replayed: I32
    settled_until: I64


class LiveJudge:
    """A judge with its vehicles' states in memory, and the means to rebuild them."""

    def __init__(self, judge: Judge, weigher: Weigher, region: Region) -> None:
        self._judge = judge
        self._weigher = weigher
        self._region = region
        self._progress = Progress()
        # Of vehicles whose state is in memory: the stored weighings since their `needs_from`.
        self._loads = NO_LOADS

    def replace_rules(self, judge: Judge, weigher: Weigher) -> None:
        """Judge by new rules from the next batch on; states are rebuilt as vehicles appear."""
        self._judge = judge
        self._weigher = weigher
        self._progress.forget_states()
        self._loads = NO_LOADS

    def forget(self, vehicles: I32) -> None:
        """Trust nothing in memory about these vehicles: their transaction was not committed."""
        self._progress.make_room(vehicles)
        self._progress.forget(vehicles)
        self._judge.forget(vehicles)
        self._loads = without(self._loads, vehicles)

    async def behind(self, conn: AsyncConnection, fixes: FixBatch) -> Bool:
        """Which fixes are not after what was judged of their vehicles, shape (n,)."""
        await self._learn(conn, np.unique(fixes.vehicle))
        behind: Bool = fixes.time <= self._progress.judged_until[fixes.vehicle]
        return behind

    async def judge(
        self, conn: AsyncConnection, fixes: FixBatch, loads: Loads = NO_LOADS
    ) -> Judgement:
        """Judge fixes of known vehicles. If the transaction then fails, call `forget`.

        loads: weighings of known vehicles that are stored since a moment ago.
        """
        delays = Delays.at(self._judge.rulebook, fixes.received)
        fixes = mark_arrival(fixes, self._region, delays)
        fixes = fixes.take(fixes.order())
        await self._learn(conn, np.union1d(fixes.vehicle, loads.vehicle).astype(np.int32))
        is_new = await self._find_new(conn, fixes)
        new, repeats = fixes.take(is_new), fixes.take(~is_new)
        judged_rows = np.flatnonzero(is_judged(new, self._region))
        shown = new.take(judged_rows)
        behind = loads.take(loads.time <= self._progress.judged_until[loads.vehicle])
        feed = await self._make_feed(conn, shown, loads, *_earliest(shown, behind))
        judged = self._judge.advance(feed.fixes, feed.settled, feed.loads)
        new.quality[judged_rows] = judged.quality[feed.is_new]
        return self._conclude(new, repeats, feed, judged)

    async def rejudge(self, conn: AsyncConnection, vehicles: I32, since_us: int) -> Judgement:
        """Judge stored fixes from an instant on again, as if the first of them had come late.

        vehicles: ascending. Those without a fix since then are left out. If the transaction then
        fails, call `forget`.
        """
        await self._learn(conn, vehicles)
        seen = vehicles[self._progress.judged_until[vehicles] >= since_us]
        nothing, since = FixBatch.empty(), np.full(len(seen), since_us, np.int64)
        feed = await self._make_feed(conn, nothing, NO_LOADS, seen, since)
        judged = self._judge.advance(feed.fixes, feed.settled, feed.loads)
        return self._conclude(nothing, nothing, feed, judged)

    async def _learn(self, conn: AsyncConnection, vehicles: I32) -> None:
        progress = self._progress
        progress.make_room(vehicles)
        unknown = progress.unknown(vehicles)
        if len(unknown):
            progress.learn(unknown, *await progress_table.resume_points(conn, unknown))

    async def _find_new(self, conn: AsyncConnection, fixes: FixBatch) -> Bool:
        """Which rows have a (vehicle, time) that neither the database nor an earlier row has."""
        is_new = np.ones(len(fixes), np.bool_)
        is_new[1:] = (np.diff(fixes.vehicle) != 0) | (np.diff(fixes.time) != 0)
        maybe = np.flatnonzero(is_new & (fixes.time <= self._progress.stored_until[fixes.vehicle]))
        if len(maybe):
            stored = await fix_table.stored(conn, fixes.vehicle[maybe], fixes.time[maybe])
            is_new[maybe[stored]] = False
        return is_new

    async def _make_feed(
        self, conn: AsyncConnection, new: FixBatch, loads: Loads, vehicles: I32, earliest: I64
    ) -> _Feed:
        """The new fixes, and before and among them the stored ones that must be replayed.

        vehicles, earliest: whom something concerns, ascending, and from when on.
        """
        progress = self._progress
        judged_until = progress.judged_until[vehicles]
        late = earliest <= judged_until
        is_seen = judged_until > BEGINNING_US
        replay = late | (~progress.resumed[vehicles] & is_seen)
        # Exact state is known at a mark: the newest before what is late, else the latest of all.
        mark = judged_until.copy()
        start = np.where(is_seen, progress.needs_from[vehicles], BEGINNING_US)
        if late.any():
            mark[late], start[late] = await progress_table.marks_before(
                conn, vehicles[late], earliest[late]
            )
        blank = replay | ~progress.resumed[vehicles]
        await self._gather_loads(conn, vehicles[blank], start[blank], loads)
        given = loads_of(self._loads, vehicles)
        self._judge.forget(vehicles[blank])
        replayed = vehicles[replay]
        if not len(replayed):
            nothing = np.zeros(len(new), np.bool_)
            return _Feed(new, given, nothing, ~nothing, replayed, np.empty(0, np.int64))
        stored = await fix_table.stretch(conn, replayed, start[replay])
        stored = stored.take(is_judged(stored, self._region))
        marks = mark[np.searchsorted(vehicles, stored.vehicle)]
        both = FixBatch.concat([stored, new])
        order = both.order()
        settled = np.concatenate([stored.time <= marks, np.zeros(len(new), np.bool_)])[order]
        is_new = (order >= len(stored)).astype(np.bool_)
        return _Feed(both.take(order), given, settled, is_new, replayed, mark[replay])

    async def _gather_loads(
        self, conn: AsyncConnection, blank: I32, start: I64, new: Loads
    ) -> None:
        """Have in memory what the judge needs of weighings.

        blank: vehicles that begin without state, at the instants `start`: theirs are read back.
        """
        stored = await self._weigher.stored(conn, blank, start)
        held = without(new.take(self._progress.resumed[new.vehicle]), blank)
        self._loads = without(self._loads, blank).joined(stored).joined(held)

    def _conclude(self, new: FixBatch, repeats: FixBatch, feed: _Feed, judged: Judged) -> Judgement:
        progress = self._progress
        fixes = feed.fixes.with_columns(quality=judged.quality)
        fed, last_fed = _last_rows(fixes.vehicle)
        before = progress.judged_until[fed].copy()
        before[np.isin(fed, feed.replayed)] = BEGINNING_US
        marked = _first_of_quarters(fixes, feed.settled, before)
        changed = ~feed.is_new & ~feed.settled & (fixes.quality != feed.fixes.quality)

        arrived, last_new = _last_rows(new.vehicle)
        progress.stored_until[arrived] = np.maximum(
            progress.stored_until[arrived], new.time[last_new]
        )
        progress.judged_until[fed] = fixes.time[last_fed]
        progress.needs_from[fed] = judged.needs_from[last_fed]
        progress.resumed[fed] = True
        needed = self._loads.time >= progress.needs_from[self._loads.vehicle]
        self._loads = self._loads.take(needed)
        silent = fixes.take(last_fed[~np.isin(fed, arrived)])
        newest = FixBatch.concat([new.take(last_new), silent])
        vehicles = np.sort(newest.vehicle)
        return Judgement(
            new=new,
            repeats=repeats,
            intervals=judged.intervals,
            vehicles=vehicles,
            shown=_newest_clean(fixes, newest),
            stored_until=progress.stored_until[vehicles],
            judged_until=progress.judged_until[vehicles],
            needs_from=progress.needs_from[vehicles],
            replayed=feed.replayed,
            settled_until=feed.settled_until,
            pending=judged.pending,
            changed=fixes.take(changed),
            marks=fixes.take(marked),
            mark_needs_from=judged.needs_from[marked],
        )


def _earliest(fixes: FixBatch, loads: Loads) -> tuple[I32, I64]:
    """The vehicles of fixes and weighings, ascending, and the time of the first of either."""
    vehicle = np.concatenate([fixes.vehicle, loads.vehicle])
    time = np.concatenate([fixes.time, loads.time])
    vehicles, row = np.unique(vehicle, return_inverse=True)
    earliest = np.full(len(vehicles), END_US, np.int64)
    np.minimum.at(earliest, row, time)
    return vehicles, earliest


def _last_rows(sorted_vehicle: I32) -> tuple[I32, Rows]:
    """Each vehicle of a sorted column, and the row of its last fix."""
    ends = np.ones(len(sorted_vehicle), np.bool_)
    ends[:-1] = np.diff(sorted_vehicle) != 0
    rows = np.flatnonzero(ends)
    return sorted_vehicle[rows], rows


def _first_of_quarters(fixes: FixBatch, settled: Bool, before: I64) -> Rows:
    """Unsettled rows that are their vehicle's first in a quarter of an hour.

    before: per vehicle of `fixes`, the time of the fix judged before its first row.
    """
    if not len(fixes):
        return np.empty(0, np.intp)
    quarter = fixes.time // MARK_EVERY_US
    starts = np.ones(len(fixes), np.bool_)
    starts[1:] = np.diff(fixes.vehicle) != 0
    previous = np.roll(quarter, 1)
    previous[starts] = before // MARK_EVERY_US
    return np.flatnonzero(~settled & (quarter != previous))


def _newest_clean(judged: FixBatch, newest: FixBatch) -> FixBatch:
    """For each vehicle its newest clean fix that was judged; its newest one where none is clean."""
    clean = judged.take(judged.quality & np.uint16(DISQUALIFYING) == 0)
    vehicles, rows = _last_rows(clean.vehicle)
    without_clean = ~np.isin(newest.vehicle, vehicles)
    shown = FixBatch.concat([clean.take(rows), newest.take(without_clean)])
    return shown.take(np.argsort(shown.vehicle))
