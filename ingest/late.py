"""LateRoom: fixes that come late by the hundred thousand wait here, and are judged together.

A fix behind what was judged has its vehicle judged again from there on. A provider that was cut off
and replays hours, newest file first, would have every vehicle judged again for nearly every fix,
and live fixes would wait for it. So beyond a number of vehicles in a batch such fixes wait in the
database, and a vehicle's are judged at once when no more of them come, or when they have waited
long enough. They are stored in the transaction that judges them: what is stored is judged, always.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from psycopg import AsyncConnection

from devices.batch import F64, I32, I64, Bool, FixBatch
from devices.formats import json_fix
from ingest.source import MessageBatch
from storage import late as late_table


@dataclass(frozen=True, slots=True)
class LatePolicy:
    """Which fixes wait, and for how long.

    over_s: a fix behind what was judged waits if it is older than this; disorder of seconds is
        judged as it comes.
    vehicles_at_once: so many vehicles of a batch are judged again at once, in some 0.35 ms each;
        of more, the late fixes wait. Of a vehicle that has some waiting, all do.
    quiet_s: a vehicle's turn comes when none has come for so long, so that files of one replay
        are judged together; patience_s: or when the first has waited for so long.
    most_fixes: are taken up together at most: memory, and the time that live fixes wait meanwhile.
    """

    over_s: float = 120.0
    vehicles_at_once: int = 64
    quiet_s: float = 5.0
    patience_s: float = 60.0
    most_fixes: int = 20_000


DEFAULT_POLICY = LatePolicy()

MESSAGE_BYTES = 256 << 10
"""Of late fixes that are made messages again: well below what codecs and brokers take."""


def messages_of(fixes: FixBatch, ident: str, licences: Mapping[int, str]) -> MessageBatch:
    """Late fixes as the messages of a tracker, as which they can be sent again.

    licences: of drivers by their registry ids; one without is left out.
    """
    ids, driver = np.unique(fixes.driver, return_inverse=True)
    names = [licences.get(number, "") for number in ids.tolist()]
    is_named = np.array([bool(name) for name in names], np.bool_)[driver]
    told = fixes.with_columns(driver=np.where(is_named, driver, -1).astype(np.int32))
    parts: list[list[bytes]] = [[]]
    size = 0
    for one in json_fix.encode(told, [""] * len(told), names):
        if size + len(one) > MESSAGE_BYTES and parts[-1]:
            parts.append([])
            size = 0
        parts[-1].append(one)
        size += len(one)
    payloads = [b"[%b]" % b",".join(part) for part in parts]
    received = np.full(len(payloads), fixes.received.max(initial=0), np.int64)
    return MessageBatch([f"gsht/v1/json/{ident}"] * len(payloads), payloads, received)


class LateRoom:
    """What waits in a worker's shards. The table is the truth; the counts are what is known of it.

    Fixes wait with the first of the shards, wherever they came from: whoever takes that one over
    takes them over, and a vehicle can be judged by any worker.
    """

    def __init__(
        self,
        policy: LatePolicy = DEFAULT_POLICY,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """now: seconds of a clock that never goes back."""
        self._shards: list[int] = [0]
        self.policy = policy
        self._now = now
        self._count: I64 = np.zeros(0, np.int64)
        self._first: F64 = np.zeros(0)
        self._last: F64 = np.zeros(0)

    def __len__(self) -> int:
        return int(self._count.sum())

    async def open(self, conn: AsyncConnection, shards: frozenset[int]) -> None:
        """Learn what waits; to be called with every new connection and whenever shards change.

        All of it has waited enough.
        """
        self._shards = sorted(shards)
        vehicles, counts = await late_table.waiting(conn, self._shards)
        self._count[:] = 0
        self._make_room(vehicles)
        self._count[vehicles] = counts
        self._first[vehicles] = self._last[vehicles] = -np.inf

    def waits(self, fixes: FixBatch, behind: Bool) -> Bool:
        """Which fixes have to wait, shape (n,); behind: those whose vehicle has to be judged again.

        fixes: as they arrived, of known vehicles.
        """
        self._make_room(fixes.vehicle)
        late = behind & (fixes.received - fixes.time > self.policy.over_s * 1e6)
        if len(np.unique(fixes.vehicle[late])) > self.policy.vehicles_at_once:
            return late
        return np.asarray(late & (self._count[fixes.vehicle] > 0), np.bool_)

    async def put(self, conn: AsyncConnection, fixes: FixBatch) -> None:
        """Have fixes wait, in the caller's transaction; `put_down` follows its commit."""
        await late_table.put(conn, self._shards[0], fixes)

    def put_down(self, fixes: FixBatch) -> None:
        """Count fixes that wait since a moment ago."""
        vehicles, counts = np.unique(fixes.vehicle, return_counts=True)
        now = self._now()
        new = vehicles[self._count[vehicles] == 0]
        self._first[new] = now
        self._last[vehicles] = now
        self._count[vehicles] += counts

    def due(self, most_fixes: int) -> I32:
        """Vehicles whose turn it is, ascending; those that have waited longest.

        So many as have no more fixes waiting than that, or one.
        """
        waiting = np.flatnonzero(self._count)
        now, policy = self._now(), self.policy
        is_due = (now - self._last[waiting] >= policy.quiet_s) | (
            now - self._first[waiting] >= policy.patience_s
        )
        waiting = waiting[is_due]
        waiting = waiting[np.argsort(self._first[waiting], kind="stable")]
        fit = np.cumsum(self._count[waiting]) <= min(most_fixes, policy.most_fixes)
        fit[:1] = True
        return np.sort(waiting[fit]).astype(np.int32)

    async def take(self, conn: AsyncConnection, vehicles: I32) -> FixBatch:
        """Take their fixes away, in the caller's transaction; `taken` follows its commit."""
        return await late_table.take(conn, self._shards, vehicles, self.policy.most_fixes)

    def waiting_of(self, vehicles: I32) -> int:
        """How many fixes of these vehicles wait."""
        return int(self._count[vehicles].sum())

    def taken(self, vehicles: I32, fixes: int) -> None:
        """Count no more what was taken away; vehicles of which more may wait stay due."""
        if fixes < self.policy.most_fixes or fixes == self.waiting_of(vehicles):
            self._count[vehicles] = 0

    def postpone(self, vehicles: I32, seconds: float) -> None:
        """Have vehicles' turn come no sooner than that: something is wrong with their fixes."""
        self._first[vehicles] = self._last[vehicles] = self._now() + seconds

    def _make_room(self, vehicles: I32) -> None:
        missing = int(vehicles.max(initial=-1)) + 1 - len(self._count)
        if missing > 0:
            missing = max(missing, len(self._count))  # doubling keeps the cost of growing linear
            self._count = np.concatenate([self._count, np.zeros(missing, np.int64)])
            self._first = np.concatenate([self._first, np.zeros(missing)])
            self._last = np.concatenate([self._last, np.zeros(missing)])
