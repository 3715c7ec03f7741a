"""How finely a fix is kept, and how its place is shown.

Belongs here: the steps that a fix's place and delay are rounded to when it arrives, before anything
is concluded from it. They cost nothing that a receiver knows, and leave to whoever compresses only
what differs from fix to fix (docs/decisions/0033).
"""

from typing import Final

import numpy as np

from devices.batch import F64, I64

GRID_PER_DEGREE: Final = float(1 << 24)
"""Places lie on a grid of 2^-24 degrees, 6.6 mm: what is rounded to it moves by 3.3 mm at most. The
last bits of a double on it are zero, which those of a decimal hardly ever are."""

DECIMALS: Final = 7
"""A decimal of so many places comes back from the grid as it was: 10^-7 is over a step of it."""

MS_US: Final = 1000


def on_grid(degrees: F64) -> F64:
    """The nearest point of the grid for each, any shape; beyond 360 degrees and NaN: as it is."""
    is_angle = np.abs(degrees) <= 360.0  # false for NaN
    near = np.rint(np.where(is_angle, degrees, 0.0) * GRID_PER_DEGREE) / GRID_PER_DEGREE
    return np.where(is_angle, near + 0.0, degrees)  # + 0.0: there is one zero


def shown_degrees(degrees: float) -> float:
    """A place as it is shown, to a centimetre: the decimal that was sent. Its twin is in SQL."""
    return round(degrees, DECIMALS) + 0.0


def whole_delay(time: I64, received: I64) -> I64:
    """The instants of arrival, whole milliseconds after the fix's own or before it; shape (n,).

    Never later than they were.
    """
    return received - (received - time) % MS_US
