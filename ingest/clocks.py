"""Live clocks: what the `future` fixes of a batch say of the devices that sent them.

They never reach the judge, whose order is that of the fixes' own times. What is kept in memory is
the last run of each vehicle; a vehicle without one there is read back from its stored fixes.
"""

from typing import Final

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64, FixBatch
from geofence.hours import local_us
from geofence.interval import Interval
from geofence.rulebook import Rulebook
from geofence.rules.clock_wrong import KIND, ClockRun, clock_runs, intervals_of, is_wrong
from storage import fixes as fix_table
from storage import violations as violation_table

_DAY_US: Final = 86_400_000_000

REASON: Final = "fixes from a clock ahead came in another order"


class LiveClocks:
    """Judges the clocks of the vehicles of a batch."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._last: dict[int, ClockRun] = {}

    def forget(self, vehicles: I32) -> None:
        """Trust nothing in memory about these vehicles: their transaction was not committed."""
        for vehicle in vehicles.tolist():
            self._last.pop(vehicle, None)

    async def take(self, conn: AsyncConnection, new: FixBatch) -> list[Interval]:
        """Store what new fixes, which are stored already, say of clocks; returns what they say.

        If the transaction then fails, call `forget`.
        """
        wrong = is_wrong(new)
        if not len(wrong):
            return []
        vehicles, first = np.unique(wrong.vehicle, return_index=True)
        earliest = wrong.received[first]
        known = np.array(
            [self._goes_on(*one) for one in zip(vehicles.tolist(), earliest.tolist(), strict=True)],
            np.bool_,
        )
        found = await self.rejudge(conn, vehicles[~known], earliest[~known])
        new_ones = wrong.take(np.isin(wrong.vehicle, vehicles[known]))
        before = [self._last[vehicle] for vehicle in vehicles[known].tolist()]
        since = {run.vehicle: run.started for run in before}
        return found + await self._store(conn, clock_runs(self._rulebook, new_ones, before), since)

    async def rejudge(self, conn: AsyncConnection, vehicles: I32, since_us: I64) -> list[Interval]:
        """Judge clocks by the stored fixes that came from the day of since_us[i] on.

        vehicles: shape (k,), ascending. Runs end at midnight, so nothing earlier matters, but for
        the last run of an earlier day, which is over if another one came.
        """
        if not len(vehicles):
            return []
        begun = await violation_table.open_since(conn, KIND, vehicles)
        since = np.array(
            [
                min(begun.get(v, at), at)
                for v, at in zip(vehicles.tolist(), since_us.tolist(), strict=True)
            ],
            np.int64,
        )
        since = since - local_us(since, self._rulebook.timezone) % _DAY_US
        wrong = is_wrong(await fix_table.future_since(conn, vehicles, since))
        starts = dict(zip(vehicles.tolist(), since.tolist(), strict=True))
        return await self._store(conn, clock_runs(self._rulebook, wrong), starts)

    def _goes_on(self, vehicle: int, earliest: int) -> bool:
        """Whether the vehicle's last run is known, and what is new came after it."""
        run = self._last.get(vehicle)
        return run is not None and run.ended < earliest

    async def _store(
        self, conn: AsyncConnection, runs: list[ClockRun], since: dict[int, int]
    ) -> list[Interval]:
        """Let what these vehicles' clocks showed since an instant be these runs."""
        if not since:
            return []
        self._last.update({run.vehicle: run for run in runs})
        found = intervals_of(self._rulebook, runs)
        await violation_table.reconcile_clocks(conn, KIND, since, found, REASON)
        return found
