"""Newcomers: how many drivers a vehicle may bring into the registry in a day.

A licence that nobody has registered is taken from the feed at its word, and feeds make them up: a
device that names another with every fix would fill the registry, and with it every worker's memory.
Pure, but for what it remembers of the day.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

import msgspec
import numpy as np

from devices.batch import I32, FixBatch

DAY_US: Final = 86_400_000_000

DOUBTED: Final = "driver_doubted"
"""What a licence beyond the bound stands under, beside the fix that named it."""


class Newcomers:
    """Counts by vehicle and by the day of arrival (UTC)."""

    def __init__(self, most: int) -> None:
        """most: new drivers of one vehicle and day."""
        self._most = most
        self._day = -1
        self._brought: Counter[int] = Counter()

    def admit(
        self, fixes: FixBatch, licences: Sequence[str], unknown: Collection[str], now_us: int
    ) -> list[str]:
        """Those of the unknown licences that are taken at their word, in the order of the fixes.

        fixes: `driver` indexes `licences`, -1 none. now_us: when they arrived.
        """
        if now_us // DAY_US != self._day:
            self._day = now_us // DAY_US
            self._brought.clear()
        pairs = np.column_stack((fixes.driver, fixes.vehicle))[fixes.driver >= 0]
        _, first = np.unique(pairs, axis=0, return_index=True)
        admitted: dict[str, None] = {}
        for driver, vehicle in pairs[np.sort(first)].tolist():
            licence = licences[driver]
            if licence in unknown and licence not in admitted and self._has_room(vehicle):
                self._brought[vehicle] += 1
                admitted[licence] = None
        return list(admitted)

    def _has_room(self, vehicle: int) -> bool:
        return self._brought[vehicle] < self._most


def with_doubted(fixes: FixBatch, driver: I32, licences: Sequence[str]) -> tuple[FixBatch, int]:
    """The fixes with registry ids as drivers; how many named one that was not taken.

    fixes: `driver` indexes `licences`. driver: shape (n,), -1 where nobody was named or not taken:
    then what was named is kept beside the fix.
    """
    doubted = np.flatnonzero((fixes.driver >= 0) & (driver < 0)).tolist()
    if not doubted:
        return fixes.with_columns(driver=driver), 0
    extra = dict(fixes.extra)
    for row in doubted:
        carried = msgspec.json.decode(extra.get(row, b"{}"))
        named = {DOUBTED: licences[fixes.driver[row]]}
        extra[row] = msgspec.json.encode(carried | named)
    return fixes.with_columns(driver=driver, extra=extra), len(doubted)
