"""Violations per distance in a calendar month, docs/rules.md section 8.

Belongs here: the rate and what follows from it. What was counted, and how far a vehicle drove, are
for whoever asks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from geofence.profile import Profile

UNDER: Final = "under_"
"""Bands of this name are kept and counted in no statistics."""


@dataclass(frozen=True, slots=True)
class Rate:
    """counted: violations. rate: per `per_km`, or the count itself where fewer km were driven.

    is_due: the badge is due for withdrawal.
    """

    counted: int
    km: float
    rate: float
    is_due: bool


def count_speeding(bands: Iterable[str]) -> int:
    """How many of some speeding violations, given by their bands, count in statistics."""
    return sum(1 for band in bands if not band.startswith(UNDER))


def rate_of(counted: int, km: float, profile: Profile) -> Rate:
    """The rate of a month. Raises ValueError for less than none, and for km that are no number.

    profile: in force on the month's first day. The rate is compared as it is, not rounded.
    """
    if counted < 0:
        raise ValueError(f"counted: expected 0 or more, got {counted}")
    if not 0.0 <= km < float("inf"):
        raise ValueError(f"km: expected 0 or more, got {km}")
    per_km = profile.number("rates.per_km")
    rate = counted * per_km / km if km >= per_km else float(counted)
    return Rate(counted, km, rate, rate >= profile.number("rates.withdrawal_from"))
