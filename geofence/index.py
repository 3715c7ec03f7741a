"""ZoneIndex: which zones contain which points.

Belongs here: membership by geometry alone. When and for whom a zone applies is `locate`'s; how
cells are made and read is `grid`'s.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from devices.batch import F64, I32, I64
from geofence.geometry import Shape
from geofence.grid.build import Fineness
from geofence.grid.find import AHEAD, find_zones
from geofence.grid.keep import kept_grid
from geofence.grid.layout import lay_out

Number = TypeVar("Number", np.int32, np.int64)


def _longer(array: NDArray[Number]) -> NDArray[Number]:
    """The array with room for twice as much; what is in it stays."""
    made = np.empty((2 * len(array) + 4096, *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made


class ZoneIndex:
    """An immutable index over zones' shapes; the i-th shape is row i.

    Polygons contain exactly the points that `shapely.intersects` says, boundaries included.
    Circles contain what lies within their radius on the sphere, corridors what lies within reach
    of a segment in the local plane at the point.
    """

    def __init__(self, shapes: Sequence[Shape], fineness: Fineness | None = None) -> None:
        self._layout = lay_out(shapes)
        self._grid = kept_grid(self._layout, fineness or Fineness())
        for array in (*self._layout.outlines, *self._grid):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take, shapely's own geometries not counted."""
        of = self._layout.outlines
        return sum(a.nbytes for a in (*of, *self._grid) if isinstance(a, np.ndarray))

    def contains(self, lon: F64, lat: F64) -> tuple[I64, I32]:
        """The rows of the zones that contain each point.

        lon, lat: shape (n,), degrees, finite; n may be 0. Returns (start, row): point i lies in the
        zones row[start[i]:start[i + 1]], ascending; start has shape (n + 1,).
        """
        # One layout for all callers: the kernel would be compiled for each of them else.
        lon, lat = (np.require(degrees, np.float64, ("C", "W")) for degrees in (lon, lat))
        start = np.zeros(len(lon) + 1, np.int64)
        rows = np.empty(len(lon) + 16, np.int32)
        doubts = np.empty((16, 2), np.int64)
        progress, ahead = np.zeros(3, np.int64), np.zeros((2, AHEAD), np.int64)
        while True:
            find_zones(
                self._layout.outlines, self._grid, lon, lat, start, rows, doubts, progress, ahead
            )  # fmt: skip
            if progress[0] == len(lon):
                break
            rows, doubts = _longer(rows), _longer(doubts)
        return self._decided(lon, lat, start, rows[: progress[1]], doubts[: progress[2]])

    def _decided(self, lon: F64, lat: F64, start: I64, row: I32, doubts: I64) -> tuple[I64, I32]:
        """What shapely says of the doubtful rows."""
        if len(doubts) == 0:
            return start, row
        at, point = doubts.T
        inside = shapely.intersects(
            self._layout.geometries[row[at]], shapely.points(lon[point], lat[point])
        )
        gone = np.bincount(point[~inside] + 1, minlength=len(start))
        return start - np.cumsum(gone), np.delete(row, at[~inside])
