"""`--fixes`: positions of a CSV or Parquet file, held by column until they are judged.

Belongs here: reading the file into as little memory as will do, and giving the fixes out again in
order of vehicle and time. What rows are and how they are read is for `ingest.replay_rows`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from devices.batch import COLUMNS, I32, UNKNOWN, Bool, FixBatch
from devices.checks import BOUNDS
from devices.codec import EARLIEST_FIX_US
from devices.texts import known_licence
from hanhtrinh.errors import UsageError
from hanhtrinh.offline.wrong_file import WrongFileError
from ingest.errors import ReplayError
from ingest.replay_columns import ColumnMap
from ingest.replay_rows import Accepted, BadRow, Rows, column_names, read_rows

KEPT: Final = ("vehicle", "time", "lon", "lat", "speed_kmh", "heading", "driver", "inputs")
"""Columns that judging can ask for; the others of a fix would only take up memory."""

FILE_COLUMNS: Final = {
    "vehicle": "vehicle", "time": "time", "lat": "lat", "lon": "lon",
    "speed": "speed_kmh", "heading": "heading", "ignition": "ignition", "driver": "driver",
}  # fmt: skip
"""What columns are called unless a map says otherwise, and in which order they are looked for."""

LATEST_US: Final = 4_102_444_799_999_999
"""The end of the year 2099: a later time is no time but a number of something else."""

ACCEPTED: Final = Accepted(
    is_name=lambda name: bool(name.strip()),
    name="a name",
    first_us=EARLIEST_FIX_US,
    last_us=LATEST_US,
    times="an instant of the years 2000 to 2099",
)
_NEEDED: Final = ("vehicle", "time", "lat", "lon")


@dataclass(frozen=True, slots=True, eq=False)
class FixTable:
    """The fixes of a file, sorted when they are taken out.

    columns: of KEPT, in the order of the file. order: rows by vehicle and time, of equal ones the
    first only. names, drivers: what `vehicle` and `driver` index.
    """

    columns: dict[str, NDArray[Any]]
    order: NDArray[np.int64]
    names: tuple[str, ...]
    drivers: tuple[str, ...]
    bad: tuple[BadRow, ...]

    def __len__(self) -> int:
        """Fixes without repeats."""
        return len(self.order)

    @property
    def read(self) -> int:
        """Rows of the file that are fixes."""
        return len(self.columns["time"])

    @property
    def vehicles(self) -> int:
        """Vehicles that have fixes."""
        return len(np.unique(self.columns["vehicle"]))

    def span(self) -> tuple[int, int] | None:
        """The first and the last instant of all fixes; None: there are none."""
        time = self.columns["time"]
        return (int(time.min()), int(time.max())) if len(time) else None

    def batches(self, rows: int) -> Iterator[FixBatch]:
        """All fixes in order, in batches of about so many; a vehicle is cut only if it has more."""
        vehicle = self.columns["vehicle"][self.order]
        ends = np.append(np.flatnonzero(np.diff(vehicle)) + 1, len(vehicle))
        at = 0
        while at < len(vehicle):
            whole = int(np.searchsorted(ends, at + rows, side="right")) - 1
            end = int(ends[whole]) if whole >= 0 and ends[whole] > at else at + rows
            index = self.order[at : min(end, len(vehicle))]
            taken = {name: column[index] for name, column in self.columns.items()}
            yield FixBatch.blank(len(index), **taken, received=taken["time"])
            at = end


def column_map(file: Path) -> ColumnMap:
    """The map of a file whose columns have their usual names. Raises WrongFileError."""
    try:
        there = column_names(file)
    except ReplayError as error:
        raise WrongFileError(file, _without_file(error)) from None
    missing = [name for name in _NEEDED if name not in there]
    if missing:
        expected = f"expected a column {missing[0]} (or --map), got {', '.join(there)}"
        raise WrongFileError(file, expected, line=None if _is_parquet(file) else 1)
    return ColumnMap.parse(
        ",".join(f"{ours}={name}" for ours, name in FILE_COLUMNS.items() if name in there)
    )


def read_fixes(
    file: Path,
    columns: ColumnMap,
    *,
    skip_bad: bool = False,
    on_rows: Callable[[int], None] = lambda _: None,
) -> FixTable:
    """The fixes of a file. Raises WrongFileError at the first row that is none, unless skip_bad.

    on_rows: told after each piece how many rows were read.
    """
    gathered = _Gathered()
    try:
        for rows in read_rows(file, columns, ACCEPTED):
            gathered.add(rows)
            if gathered.bad and not skip_bad:
                raise _wrong_row(file, gathered.bad[0])
            on_rows(gathered.count)
    except ReplayError as error:
        raise WrongFileError(file, _without_file(error)) from None
    return gathered.table()


def _wrong_row(file: Path, bad: BadRow) -> WrongFileError:
    unit: Literal["row", "line"] = "row" if _is_parquet(file) else "line"
    reason = bad.reason.partition(": ")[2] if bad.column else bad.reason
    return WrongFileError(file, reason, line=bad.line, column=bad.column, unit=unit)


def _is_parquet(file: Path) -> bool:
    return file.suffix in {".parquet", ".pq"}


def _without_file(error: ReplayError) -> str:
    """The message without the file's name, which stands before it anyway."""
    text = str(error)
    return text.partition(": ")[2] if text.startswith("file ") else text


class _Gathered:
    """Columns of a file while it is read."""

    def __init__(self) -> None:
        self.count = 0
        self.bad: list[BadRow] = []
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in KEPT}
        self._vehicles: dict[str, int] = {}
        self._drivers: dict[str, int] = {}

    def add(self, rows: Rows) -> None:
        """Take some rows in, numbered as those before."""
        fixes = rows.fixes
        vehicle = _renumbered(rows.names, self._vehicles)[fixes.vehicle]
        licences = tuple(map(known_licence, rows.drivers))
        driver = np.append(_renumbered(licences, self._drivers), UNKNOWN)[fixes.driver]
        made = {"vehicle": vehicle, "driver": driver, "speed_kmh": _sensible(fixes)}
        for name in KEPT:
            self._parts[name].append(made.get(name, getattr(fixes, name)))
        self.count += len(fixes)
        self.bad += rows.bad

    def table(self) -> FixTable:
        """All of it; the parts are let go of column by column."""
        columns = {}
        for name in KEPT:
            dtype = COLUMNS[name][0]
            parts = self._parts.pop(name)
            columns[name] = np.concatenate([np.empty(0, dtype), *parts]).astype(dtype, copy=False)
        vehicle, time = columns["vehicle"], columns["time"]
        order = np.lexsort((time, vehicle))
        again: Bool = np.zeros(len(order), np.bool_)
        again[1:] = (np.diff(vehicle[order]) == 0) & (np.diff(time[order]) == 0)
        return FixTable(
            columns, order[~again], tuple(self._vehicles), tuple(self._drivers), tuple(self.bad)
        )


def _renumbered(names: tuple[str, ...], known: dict[str, int]) -> I32:
    """Numbers of names among those known, which grow; "" is UNKNOWN."""
    return np.array(
        [known.setdefault(name, len(known)) if name else UNKNOWN for name in names], np.int32
    )


def _sensible(fixes: FixBatch) -> NDArray[np.float32]:
    """Speeds, as any codec takes them: what makes no sense is not known."""
    low, high = BOUNDS["speed_kmh"]
    is_sensible = (fixes.speed_kmh >= low) & (fixes.speed_kmh <= high)
    return np.where(is_sensible, fixes.speed_kmh, np.float32(np.nan))


def parse_map(text: str) -> ColumnMap:
    """The map that an option gives. Raises UsageError."""
    try:
        return ColumnMap.parse(text)
    except ReplayError as error:
        raise UsageError(f"--{error}") from None
