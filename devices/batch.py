"""FixBatch and WeighingBatch: structures of NumPy arrays, one row per fix or weighing.

Every array of a batch has the same length n (n may be 0). Units are those of the column tables
below and are never converted after this point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntFlag
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
U32 = NDArray[np.uint32]
U16 = NDArray[np.uint16]
U8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]

UNKNOWN: Final = -1
"""The id of a vehicle or driver that is not known."""


class Quality(IntFlag):
    """What cleaning found about a fix: bits of `FixBatch.quality` (docs/rules.md, section 9)."""

    NO_POSITION = 1 << 0
    SWAPPED = 1 << 1
    FUTURE = 1 << 2
    JUMP = 1 << 3
    REPEAT = 1 << 4
    FROZEN = 1 << 5
    SPEED_IMPLAUSIBLE = 1 << 6
    LATE = 1 << 7


DISQUALIFYING: Final = Quality.NO_POSITION | Quality.FUTURE | Quality.JUMP | Quality.REPEAT
"""A fix with any of these bits is stored but seen by no rule."""


class Input(IntFlag):
    """Digital inputs of a vehicle: the low half-word of `FixBatch.inputs`.

    An input is known only if its bit shifted left by `INPUT_KNOWN_SHIFT` is set too; most trackers
    report a few, and an unknown door is not a closed one.
    """

    IGNITION = 1 << 0
    DOOR = 1 << 1
    AIRCON = 1 << 2
    SOS = 1 << 3
    POWER_CUT = 1 << 4
    DOOR_UP = 1 << 5
    DOOR_DOWN = 1 << 6
    WORKING = 1 << 7
    CHARGING = 1 << 8
    MOVEMENT = 1 << 9
    DIN_1 = 1 << 10
    DIN_2 = 1 << 11
    DIN_3 = 1 << 12
    DIN_4 = 1 << 13


INPUT_KNOWN_SHIFT: Final = 16


def inputs_word(states: Mapping[Input, bool]) -> int:
    """Pack the known inputs into one word: value bits low, known bits high."""
    word = 0
    for bit, on in states.items():
        word |= int(bit) << INPUT_KNOWN_SHIFT
        if on:
            word |= int(bit)
    return word


def inputs_states(word: int) -> dict[Input, bool]:
    """Unpack a word of `inputs_word`: the inputs that are known, and whether each is on."""
    return {bit: bool(word & bit) for bit in Input if word >> INPUT_KNOWN_SHIFT & bit}


@dataclass(frozen=True, slots=True)
class FixBatch:
    """Fixes as columns, shape (n,) each.

    | column | dtype | unit, and what "none" is |
    |---|---|---|
    | vehicle | int32 | registry id, -1 unknown |
    | time | int64 | microseconds since 1970-01-01 UTC, when the position was taken |
    | received | int64 | microseconds since 1970-01-01 UTC, when the server got it |
    | lon, lat | float64 | degrees WGS 84 |
    | speed_kmh | float32 | km/h, NaN unknown |
    | heading | float32 | degrees from north, clockwise, [0, 360), NaN unknown |
    | altitude | float32 | metres, NaN unknown |
    | hdop | float32 | -, NaN unknown |
    | satellites | uint8 | count, 255 unknown |
    | odometer | float64 | metres, NaN unknown |
    | driver | int32 | registry id, -1 unknown (while decoding: index into `Decoded.drivers`) |
    | inputs | uint32 | `Input` bits, low half value, high half known |
    | quality | uint16 | `Quality` bits |

    `extra` maps a row to one JSON object (UTF-8 bytes) with whatever else the format carried; rows
    without any are absent.
    """

    vehicle: I32
    time: I64
    received: I64
    lon: F64
    lat: F64
    speed_kmh: F32
    heading: F32
    altitude: F32
    hdop: F32
    satellites: U8
    odometer: F64
    driver: I32
    inputs: U32
    quality: U16
    extra: Mapping[int, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def empty(cls) -> Self:
        """A batch of no fixes."""
        return cls.blank(0)

    @classmethod
    def blank(cls, n: int, **columns: Any) -> Self:
        """N fixes of which only the given columns are known; the rest hold their "none".

        Given columns are converted to the column's dtype; time, lon and lat default to 0.
        """
        made = {
            name: np.full(n, none, dtype)
            if name not in columns
            else np.ascontiguousarray(columns.pop(name), dtype)
            for name, (dtype, none) in COLUMNS.items()
        }
        extra = columns.pop("extra", {})
        if columns:
            raise TypeError(f"FixBatch has no columns {sorted(columns)}")
        for name, column in made.items():
            if column.shape != (n,):
                raise ValueError(f"{name}: expected shape ({n},), got {column.shape}")
        return cls(**made, extra=extra)

    @classmethod
    def concat(cls, batches: Sequence["FixBatch"]) -> "FixBatch":
        """All rows of all batches, in order."""
        if not batches:
            return cls.empty()
        if len(batches) == 1:
            return batches[0]
        columns = {name: np.concatenate([getattr(b, name) for b in batches]) for name in COLUMNS}
        extra: dict[int, bytes] = {}
        start = 0
        for batch in batches:
            extra.update({start + row: value for row, value in batch.extra.items()})
            start += len(batch)
        return cls(**columns, extra=extra)

    def take(self, rows: NDArray[np.intp] | Bool) -> "FixBatch":
        """The given rows (indices in any order, or a mask of shape (n,)), as a new batch."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        extra: dict[int, bytes] = {}
        if self.extra:
            extra = {
                new: self.extra[old] for new, old in enumerate(index.tolist()) if old in self.extra
            }
        return FixBatch(**{name: getattr(self, name)[index] for name in COLUMNS}, extra=extra)

    def with_columns(self, **columns: Any) -> "FixBatch":
        """The same fixes with some columns replaced."""
        return replace(self, **columns)

    def order(self) -> NDArray[np.intp]:
        """Indices that sort by (vehicle, time); rows equal in both keep their order of arrival."""
        return np.lexsort((self.time, self.vehicle))


COLUMNS: Final[dict[str, tuple[type[np.generic], float]]] = {
    "vehicle": (np.int32, UNKNOWN),
    "time": (np.int64, 0),
    "received": (np.int64, 0),
    "lon": (np.float64, 0.0),
    "lat": (np.float64, 0.0),
    "speed_kmh": (np.float32, np.nan),
    "heading": (np.float32, np.nan),
    "altitude": (np.float32, np.nan),
    "hdop": (np.float32, np.nan),
    "satellites": (np.uint8, 255),
    "odometer": (np.float64, np.nan),
    "driver": (np.int32, UNKNOWN),
    "inputs": (np.uint32, 0),
    "quality": (np.uint16, 0),
}
"""FixBatch's columns in order: dtype and the value that stands for "none"."""

assert list(COLUMNS) == [f.name for f in fields(FixBatch)][:-1]


@dataclass(frozen=True, slots=True)
class WeighingBatch:
    """Weighings as columns, shape (n,) each, and their axles as columns of their own.

    Axles of weighing i are rows `axle_start[i]:axle_start[i + 1]` of the axle columns, in order
    from the front.

    | column | type | unit, and what "none" is |
    |---|---|---|
    | station | tuple[str] | the station's code as sent, "" where the topic names it |
    | plate | tuple[str] | letters and digits only, "" unreadable |
    | time, received | int64 | microseconds since 1970-01-01 UTC |
    | lane | int16 | 0 unknown |
    | gross_kg | float64 | kilograms |
    | speed_kmh, length_m | float32 | NaN unknown |
    | axle_start | int64, shape (n + 1,) | offsets into the axle columns |
    | axle_kg | float64, shape (m,) | kilograms; no axles: gross only |
    | axle_spacing_m | float64, shape (m,) | metres to the axle before it; NaN for the first |

    `extra` as in FixBatch.
    """

    station: tuple[str, ...]
    plate: tuple[str, ...]
    time: I64
    received: I64
    lane: NDArray[np.int16]
    gross_kg: F64
    speed_kmh: F32
    length_m: F32
    axle_start: I64
    axle_kg: F64
    axle_spacing_m: F64
    extra: Mapping[int, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def empty(cls) -> Self:
        """A batch of no weighings."""
        none64, none32 = np.empty(0, np.float64), np.empty(0, np.float32)
        when = np.empty(0, np.int64)
        return cls(
            (), (), when, when, np.empty(0, np.int16), none64, none32, none32,
            np.zeros(1, np.int64), none64, none64,
        )  # fmt: skip

    @classmethod
    def concat(cls, batches: Sequence["WeighingBatch"]) -> "WeighingBatch":
        """All rows of all batches, in order."""
        if not batches:
            return cls.empty()
        starts = [np.zeros(1, np.int64)]
        extra: dict[int, bytes] = {}
        axles = rows = 0
        for batch in batches:
            starts.append(batch.axle_start[1:] + axles)
            extra.update({rows + row: value for row, value in batch.extra.items()})
            axles += int(batch.axle_start[-1])
            rows += len(batch)
        arrays = ("time", "received", "lane", "gross_kg", "speed_kmh", "length_m")
        return cls(
            station=tuple(s for b in batches for s in b.station),
            plate=tuple(p for b in batches for p in b.plate),
            axle_start=np.concatenate(starts),
            axle_kg=np.concatenate([b.axle_kg for b in batches]),
            axle_spacing_m=np.concatenate([b.axle_spacing_m for b in batches]),
            extra=extra,
            **{name: np.concatenate([getattr(b, name) for b in batches]) for name in arrays},
        )

    def take(self, rows: NDArray[np.intp]) -> "WeighingBatch":
        """The given rows, in the given order, as a new batch."""
        index = rows.tolist()
        counts = np.diff(self.axle_start)[rows]
        spans = [np.arange(self.axle_start[row], self.axle_start[row + 1]) for row in index]
        axle = np.concatenate([np.empty(0, np.int64), *spans])
        arrays = ("time", "received", "lane", "gross_kg", "speed_kmh", "length_m")
        return WeighingBatch(
            station=tuple(self.station[row] for row in index),
            plate=tuple(self.plate[row] for row in index),
            axle_start=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
            axle_kg=self.axle_kg[axle],
            axle_spacing_m=self.axle_spacing_m[axle],
            extra={new: self.extra[old] for new, old in enumerate(index) if old in self.extra},
            **{name: getattr(self, name)[rows] for name in arrays},
        )

    def axles(self, row: int) -> tuple[F64, F64]:
        """Masses (kg) and spacings (m, NaN first) of one weighing's axles, each shape (k,)."""
        span = slice(int(self.axle_start[row]), int(self.axle_start[row + 1]))
        return self.axle_kg[span], self.axle_spacing_m[span]
