"""Limits of axle groups and of gross mass, as the law has them from one day to another.

Belongs here: looking up the limit that binds a group of axles or a vehicle. The figures are in the
profiles; what was weighed and what follows from it belongs to the overload rule.
"""

import math
from dataclasses import dataclass
from datetime import date
from typing import Literal

AxleGroup = Literal["single", "tandem", "tridem"]
Measure = Literal["first_to_last_axle", "kingpin_to_first_axle"]


@dataclass(frozen=True, slots=True)
class Bound:
    """Up to where a row of a table reaches: under (<) or up to (<=) so many metres; None: any."""

    under_m: float | None = None
    up_to_m: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the row reaches to any length."""
        return self.under_m is None and self.up_to_m is None

    def admits(self, length_m: float) -> bool:
        """Whether a length lies below the bound; NaN lies below none but the open one."""
        if self.under_m is not None:
            return length_m < self.under_m
        if self.up_to_m is not None:
            return length_m <= self.up_to_m
        return True


@dataclass(frozen=True, slots=True)
class AxleLimit:
    """The limit of a group of axles whose (greatest inner) spacing lies within the bound."""

    group: AxleGroup
    limit_kg: float
    spacing: Bound
    source: str
    mark: str


@dataclass(frozen=True, slots=True)
class GrossLimit:
    """The gross limit of vehicles of some kinds, by number of axles and by a length."""

    kinds: tuple[str, ...]
    limit_kg: float
    axles_from: int
    axles_to: int
    measure: Measure | None
    length: Bound
    source: str
    mark: str


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """The tables in force from one day up to, not including, another. None: without a bound."""

    title: str
    effective_from: date | None
    effective_to: date | None
    axle: tuple[AxleLimit, ...]
    gross: tuple[GrossLimit, ...]

    def axle_limit(self, group: AxleGroup, spacing_m: float = math.nan) -> AxleLimit | None:
        """The row that binds a group of axles: the first whose bound admits the spacing.

        An unknown spacing (NaN) gets the last row of the group, the mildest.
        """
        rows = [row for row in self.axle if row.group == group]
        return next((row for row in rows if row.spacing.admits(spacing_m)), None)

    def gross_limit(
        self,
        kind: str,
        axles: int,
        *,
        first_to_last_axle_m: float = math.nan,
        kingpin_to_first_axle_m: float = math.nan,
    ) -> GrossLimit | None:
        """The row that binds a vehicle, or None where the tables have none for it.

        An unknown length (NaN) gets the last row that fits, the mildest.
        """
        lengths = {
            "first_to_last_axle": first_to_last_axle_m,
            "kingpin_to_first_axle": kingpin_to_first_axle_m,
        }
        for row in self.gross:
            if kind not in row.kinds or not row.axles_from <= axles <= row.axles_to:
                continue
            if row.measure is None or row.length.admits(lengths[row.measure]):
                return row
        return None
