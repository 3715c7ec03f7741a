"""What weighings come to under one registry: verdicts, and loads on the vehicles' time lines."""

from collections.abc import Sequence

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64, WeighingBatch
from geofence.interval import Interval
from geofence.loads import NO_LOADS, Loads, Weighed
from geofence.registry import StationRule
from geofence.rulebook import Rulebook
from geofence.rules.overload import judge_weighing
from storage import weighings as weighing_table


class Weigher:
    """Judges weighings one by one. A verdict is a function of its weighing and the rules alone."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook

    def judge(
        self, weighings: WeighingBatch, vehicle: I32, station: Sequence[StationRule]
    ) -> tuple[list[Interval], list[Weighed]]:
        """The overloads of all weighings, and one `Weighed` for each.

        vehicle: shape (n,), of the rulebook. station: of each weighing.
        """
        found: list[Interval] = []
        weighed: list[Weighed] = []
        for row, (number, at) in enumerate(zip(vehicle.tolist(), station, strict=True)):
            when = int(weighings.time[row])
            overloads = judge_weighing(
                weighings,
                row,
                self._rulebook.vehicle_rules[number],
                at,
                self._rulebook.profile_at(when),
                self._rulebook.load_limits_at(when),
            )
            found += overloads
            weighed.append(Weighed.of(weighings, row, number, at, overloads))
        return found, weighed

    async def stored(self, conn: AsyncConnection, vehicles: I32, since: I64) -> Loads:
        """What the stored weighings of vehicles[i] with time >= since[i] say; shapes (k,)."""
        rows = await weighing_table.since(conn, vehicles, since)
        if not len(rows.vehicle):
            return NO_LOADS
        _, weighed = self.judge(rows.weighings, rows.vehicle, rows.station)
        return Loads.of(weighed)


def loads_of(loads: Loads, vehicles: I32) -> Loads:
    """Those of some vehicles."""
    return loads.take(np.isin(loads.vehicle, vehicles)) if len(loads) else loads


def without(loads: Loads, vehicles: I32) -> Loads:
    """Those of all other vehicles."""
    return loads.take(~np.isin(loads.vehicle, vehicles)) if len(loads) else loads
