"""Fixes one by one, for the encoders of formats that are written record by record.

Belongs here: the rows of a FixBatch as Python values. Formats of named values (JSON, queries) take
`devices.messages.spoken` instead, where what is unknown is None.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from devices.batch import FixBatch, Quality

_NO_POSITION: Final = int(Quality.NO_POSITION)


class Fix(NamedTuple):
    """One row of a FixBatch, in the units of its columns; what is unknown is as there.

    driver: index into the drivers that the encoder was given, -1 for nobody. inputs, quality:
    words of bits.
    """

    time_us: int
    lon: float
    lat: float
    speed_kmh: float
    heading: float
    altitude: float
    hdop: float
    satellites: int
    odometer: float
    driver: int
    inputs: int
    quality: int

    @property
    def is_lost(self) -> bool:
        """Whether the receiver had no position of its own."""
        return self.quality & _NO_POSITION != 0


def each_fix(fixes: FixBatch) -> Iterator[Fix]:
    """The fixes of a batch, in order."""
    columns = (
        fixes.time, fixes.lon, fixes.lat, fixes.speed_kmh, fixes.heading, fixes.altitude,
        fixes.hdop, fixes.satellites, fixes.odometer, fixes.driver, fixes.inputs, fixes.quality,
    )  # fmt: skip
    return map(Fix._make, zip(*(column.tolist() for column in columns), strict=True))


def with_zeros(fixes: FixBatch, *names: str) -> FixBatch:
    """The same fixes with 0 for what is unknown in these columns: formats without a word for it."""
    return fixes.with_columns(**{name: np.nan_to_num(getattr(fixes, name)) for name in names})
