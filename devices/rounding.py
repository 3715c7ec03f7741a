"""How finely a fix is kept, and how its place is shown.

Belongs here: the steps that what a fix says is rounded to when it arrives, before anything is
concluded from it. They cost nothing that a receiver knows, and leave to whoever compresses only
what differs from fix to fix (docs/decisions/0033).
"""

from typing import Final, NamedTuple, TypeVar

import numpy as np

from devices.batch import F32, F64, I64

Floats = TypeVar("Floats", F32, F64)

MS_US: Final = 1000


class Grid(NamedTuple):
    """Numbers a power of two apart: their last bits are zero, a decimal's hardly ever are.

    per_unit: steps in a unit. most: what lies farther from zero is left as it is. decimals: a
    decimal of so many places comes back by rounding to as many, for a step is less than its last.
    """

    per_unit: float
    most: float
    decimals: int


DEGREES: Final = Grid(float(1 << 24), 360.0, 7)
"""Longitude and latitude: 6.6 mm, so that a place moves by 3.3 mm at most."""

DILUTION: Final = Grid(float(1 << 7), 1e3, 2)
"""HDOP: receivers write tenths or hundredths."""

METRES: Final = Grid(float(1 << 4), 1e11, 1)
"""Altitude and odometer: formats write metres or tenths of one, and mean no more where they do."""


def on_grid(values: Floats, grid: Grid = DEGREES) -> Floats:
    """The nearest number of a grid for each, any shape; what is too large and NaN: as it is."""
    is_near = np.abs(values) <= grid.most  # false for NaN
    near = np.rint(np.where(is_near, values, 0) * grid.per_unit) / grid.per_unit
    return np.where(is_near, near + 0, values).astype(values.dtype)  # + 0: there is one zero


def shown_degrees(degrees: float) -> float:
    """A place as it is shown, to a centimetre: the decimal that was sent. Its twin is in SQL."""
    return round(degrees, DEGREES.decimals) + 0.0


def whole_delay(time: I64, received: I64) -> I64:
    """The instants of arrival, whole milliseconds after the fix's own or before it; shape (n,).

    Never later than they were.
    """
    return received - (received - time) % MS_US
