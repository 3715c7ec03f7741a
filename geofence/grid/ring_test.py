"""On which side of a polygon's edges a point lies, decided by the few edges near the point.

Belongs here: the exact test. A ray from the point to the west is counted against the edges that
may touch the point's cell. The others are left out in whole runs: where a run of kept edges ends
at a vertex west of the cell, a line straight down from there stands in for all that was left out.
No line that stands in for edges enters the cell, so within it parity changes at true edges only,
and a constant for the cell (`base` of its record) makes parity mean inside. All comparisons are
of coordinates as they are; only the orientation of point and edge is computed.
"""

from typing import Final

from devices.batch import F64, I32
from devices.compile import kernel
from geofence.grid.record import ENDS_LEFT, STARTS_LEFT

ON: Final = 2
"""The point is on an edge or vertex."""
UNSURE: Final = 3
"""Floating point cannot tell."""

ORIENTATION_ERROR: Final = 3.3306690738754716e-16
"""(3 + 16 u) u with u = 2^-53: Shewchuk's bound A of the orientation determinant's error, relative
to the sum of the magnitudes of its two products."""
UNDERFLOW: Final = 1e-280
"""Products below this may have lost digits to underflow; nothing is concluded from them."""


@kernel
def touches(ax: float, ay: float, bx: float, by: float, px: float, py: float) -> int:
    """What can be said of a point whose orientation to an edge is in doubt: ON or UNSURE."""
    if (px == ax and py == ay) or (px == bx and py == by):
        return ON
    # The edge is known to reach over the point's latitude.
    return ON if ax == bx == px else UNSURE


@kernel
def side_of_runs(vertices: F64, words: I32, at: int, runs: int, px: float, py: float) -> int:
    """Parity of the crossings of a ray to the west with `runs` runs at words[at:], ON or UNSURE.

    The edge from a to b is crossed where one end is above py and the other is not, and the point
    lies to the east of it.
    """
    parity = 0
    for run in range(runs):
        first = words[at + 2 * run]
        coded = words[at + 2 * run + 1]
        ax, ay = vertices[first, 0], vertices[first, 1]
        above = ay > py
        if above and coded & STARTS_LEFT:
            parity ^= 1
        for vertex in range(first + 1, first + 1 + (coded >> 2)):
            bx, by = vertices[vertex, 0], vertices[vertex, 1]
            rises = by > py
            if rises != above:
                left = (ax - px) * (by - py)
                right = (ay - py) * (bx - px)
                turn = left - right
                if not abs(turn) > ORIENTATION_ERROR * (abs(left) + abs(right)) + UNDERFLOW:
                    return touches(ax, ay, bx, by, px, py)
                if (turn < 0.0) == rises:
                    parity ^= 1
            elif by == py and (bx == px or (ay == py and (ax < px) != (bx < px))):
                return ON
            ax, ay, above = bx, by, rises
        if above and coded & ENDS_LEFT:
            parity ^= 1
    return parity
