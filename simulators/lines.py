"""Roads that users bring: lines as they are drawn, made fit to be driven for ever.

Belongs here: the shape of such a road. Does not belong here: reading files, and who drives there.
"""

from typing import Final

from devices.batch import F64
from simulators.errors import LineError
from simulators.motion import Line

LEAST_M: Final = 500.0
"""Shorter, and nobody gets to a speed worth simulating."""

MOST_M: Final = 1_000_000.0
"""Every ten metres of a drive are kept in memory."""

FARTHEST_LAT: Final = 80.0
"""Beyond it a degree of longitude is too short for the receiver's noise to make sense."""


def road_of(path: F64) -> Line:
    """The road along a path of (lon, lat) degrees, shape (k, 2): round it, else there and back.

    Raises LineError for what cannot be driven.
    """
    points = path.tolist()
    if abs(path[:, 1]).max() > FARTHEST_LAT:
        raise LineError(f"expected latitudes within {FARTHEST_LAT:g} degrees")
    length_m = float(Line.of(points).length_m)
    if not LEAST_M <= length_m <= MOST_M:
        raise LineError(
            f"expected a line of {LEAST_M:g} m to {MOST_M / 1000:g} km, got {length_m:.0f} m"
        )
    is_closed = points[0] == points[-1]
    return Line.of(points if is_closed else [*points, *points[-2::-1]])
