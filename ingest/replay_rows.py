"""Rows of a CSV or Parquet file as fixes, in batches, with the rows that are none.

Belongs here: reading and converting columns. Does not belong here: publishing (replay.py).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from devices.batch import F64, I32, I64, U32, FixBatch, Input, inputs_word
from ingest.errors import ReplayError
from ingest.replay_columns import REQUIRED, ColumnMap

BATCH_ROWS: Final = 16_384
BLOCK_BYTES: Final = 1 << 20
"""CSV is read in pieces of this size: what bounds the memory of a replay."""

IDENT_BYTES: Final = 64
"""Longest name of a vehicle: the identity of a topic may not be longer."""

_FIX_COLUMN: Final = {"speed": "speed_kmh"}
_FAR_FUTURE_S: Final = 1e11
"""Numbers from here on are no seconds: as seconds they would lie after the year 5000."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no fix.

    line: of a CSV file, from 1 with the header; row from 1 of Parquet. column: the file's name of
    the column that is wrong, "" where it is the whole row.
    """

    line: int
    reason: str
    column: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of the file: n fixes in its order, whose they are, and the rows that are none.

    names, drivers: `fixes.vehicle` indexes `names`, `fixes.driver` indexes `drivers`.
    """

    fixes: FixBatch
    names: tuple[str, ...]
    drivers: tuple[str, ...]
    bad: list[BadRow]

    @property
    def vehicles(self) -> list[str]:
        """Whose each fix is."""
        return [self.names[number] for number in self.fixes.vehicle.tolist()]


def is_ident(name: str) -> bool:
    """Whether a vehicle of that name can have a topic of its own."""
    if not name or len(name.encode()) > IDENT_BYTES:
        return False
    return not any(sign in "/+#" or sign < " " for sign in name)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Which rows are fixes: the names that vehicles may have, and when fixes may be (inclusive)."""

    is_name: Callable[[str], bool] = is_ident
    name: str = "a name without / + #"
    first_us: int = int(np.iinfo(np.int64).min)
    last_us: int = int(np.iinfo(np.int64).max)
    times: str = ""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some rows as they are in the file, and what is found wrong with them: row to (name, why)."""

    rows: pa.RecordBatch
    columns: ColumnMap
    accepted: Accepted
    wrong: dict[int, tuple[str, str]] = field(default_factory=dict)

    def column(self, name: str) -> pa.Array:
        """The file's column that holds what we call `name`."""
        return self.rows.column(self.rows.schema.get_field_index(self.columns.columns[name]))

    def refuse(self, row: int, name: str, reason: str) -> None:
        """Say why a row is no fix; the first reason stays."""
        self.wrong.setdefault(row, (name, f"{name}: {reason}"))


def column_names(path: Path) -> list[str]:
    """The names of the file's columns. Raises ReplayError."""
    with _named_errors(path):
        if _is_parquet(path):
            names: list[str] = pyarrow.parquet.ParquetFile(path).schema_arrow.names
            return names
        with _open_csv(path) as reader:
            return list(reader.schema.names)


def read_rows(path: Path, columns: ColumnMap, accepted: Accepted = Accepted()) -> Iterator[Rows]:
    """The file's rows in batches, in its order. Raises ReplayError for the file or its columns."""
    with _named_errors(path):
        read = _read_parquet if _is_parquet(path) else _read_csv
        yield from read(path, columns, accepted)


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    if not path.is_file():
        raise ReplayError(f"file {str(path)!r}: expected a CSV or Parquet file")
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise ReplayError(f"file {path.name}: {error}") from error


def _is_parquet(path: Path) -> bool:
    return path.name.endswith((".parquet", ".pq"))


def _open_csv(
    path: Path, names: Sequence[str] = (), on_ragged: Callable[[Any], str] = lambda _: "skip"
) -> pyarrow.csv.CSVStreamingReader:
    # One thread: only then does the reader know the numbers of ragged rows.
    return pyarrow.csv.open_csv(
        str(path),
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(
            invalid_row_handler=on_ragged, ignore_empty_lines=False
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )


def _read_parquet(path: Path, columns: ColumnMap, accepted: Accepted) -> Iterator[Rows]:
    file = pyarrow.parquet.ParquetFile(path)
    names = list(dict.fromkeys(columns.columns.values()))
    _check_columns(path, names, file.schema_arrow.names)
    row = 1
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
        lines = np.arange(row, row + len(batch))
        yield _convert(_Batch(batch, columns, accepted), lines, [])
        row += len(batch)


def _read_csv(path: Path, columns: ColumnMap, accepted: Accepted) -> Iterator[Rows]:
    names = list(dict.fromkeys(columns.columns.values()))
    ragged: list[BadRow] = []

    def skip(row: Any) -> str:
        ragged.append(
            BadRow(row.number, f"expected {row.expected_columns} columns, got {row.actual_columns}")
        )
        return "skip"

    reader = _open_csv(path, names, skip)
    _check_columns(path, names, reader.schema.names)
    line, told = 2, 0
    for batch in reader:
        # Ragged rows have lines of their own; the reader may know of some that lie further on.
        lines = np.arange(line, line + len(batch) + len(ragged))
        lines = lines[~np.isin(lines, [bad.line for bad in ragged])][: len(batch)]
        line = int(lines[-1]) + 1 if len(lines) else line
        yield _convert(_Batch(batch, columns, accepted), lines, ragged[told:])
        told = len(ragged)
    if ragged[told:]:
        yield Rows(FixBatch.empty(), (), (), ragged[told:])


def _check_columns(path: Path, names: Sequence[str], there: Sequence[str]) -> None:
    missing = [name for name in names if name not in there]
    if missing:
        raise ReplayError(
            f"file {path.name}: no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(map(repr, there))}"
        )


def _convert(batch: _Batch, lines: I64, ragged: list[BadRow]) -> Rows:
    """Fixes of the rows that are some; reasons for the others."""
    columns = batch.columns
    vehicle, names = _vehicles(batch)
    values: dict[str, Any] = {"vehicle": vehicle, "time": _accepted_times(batch)}
    for name, scale in columns.scales.items():
        values[_FIX_COLUMN.get(name, name)] = _numbers(batch, name) * scale
    if "heading" in values:
        values["heading"] = values["heading"] % 360.0
    if "satellites" in values:
        known = np.nan_to_num(values["satellites"], nan=255.0)
        values["satellites"] = np.clip(known, 0, 255)
    if "ignition" in columns.columns:
        values["inputs"] = _ignition(batch)
    drivers: tuple[str, ...] = ()
    if "driver" in columns.columns:
        values["driver"], drivers = _drivers(batch)
    fixes = FixBatch.blank(len(batch.rows), **values)
    bad = list(ragged)
    if batch.wrong:
        keep = np.ones(len(fixes), np.bool_)
        keep[list(batch.wrong)] = False
        fixes = fixes.take(keep)
        bad += [
            BadRow(int(lines[row]), reason, columns.columns[name])
            for row, (name, reason) in batch.wrong.items()
        ]
    return Rows(fixes, names, drivers, sorted(bad, key=lambda b: b.line))


def _text(column: pa.Array) -> pa.Array:
    """The column as text; what is missing is empty."""
    return pc.fill_null(column if column.type == pa.string() else column.cast(pa.string()), "")


def _numbered(column: pa.Array) -> tuple[I32, tuple[str, ...]]:
    """Each row's text as an index into the different ones, in the order of their appearance."""
    encoded = _text(column).dictionary_encode()
    codes: I32 = np.array(encoded.indices.to_numpy(zero_copy_only=False), np.int32)
    return codes, tuple(encoded.dictionary.to_pylist())


def _vehicles(batch: _Batch) -> tuple[I32, tuple[str, ...]]:
    codes, names = _numbered(batch.column("vehicle"))
    wrong = [number for number, name in enumerate(names) if not batch.accepted.is_name(name)]
    if wrong:
        for row in np.flatnonzero(np.isin(codes, wrong)).tolist():
            got = names[codes[row]]
            batch.refuse(row, "vehicle", f"expected {batch.accepted.name}, got {got!r}")
    return codes, names


def _drivers(batch: _Batch) -> tuple[I32, tuple[str, ...]]:
    """Drivers' numbers, -1 where the file names none; and their names."""
    codes, names = _numbered(batch.column("driver"))
    there = [name for name in names if name]
    number = {name: n for n, name in enumerate(there)}
    table = np.array([number.get(name, -1) for name in names], np.int32)
    return table[codes], tuple(there)


_ON: Final = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}


def _ignition(batch: _Batch) -> U32:
    """The word of inputs of each row: the ignition is on, off, or (empty) not known."""
    codes, texts = _numbered(batch.column("ignition"))
    words = []
    for number, text in enumerate(texts):
        state = _ON.get(text.strip().lower())
        words.append(0 if state is None else inputs_word({Input.IGNITION: state}))
        if state is None and text.strip():
            for row in np.flatnonzero(codes == number).tolist():
                batch.refuse(row, "ignition", f"expected 1, 0 or nothing, got {text!r}")
    return np.array(words, np.uint32)[codes]


def _numbers(batch: _Batch, name: str) -> F64:
    """The column as float64; NaN where it is empty, or no number (which is a reason)."""
    column = batch.column(name)
    try:
        values = _as_floats(column)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = np.full(len(column), np.nan)
        for row, text in enumerate(_text(column).to_pylist()):
            try:
                values[row] = float(text) if text.strip() else np.nan
            except ValueError:
                batch.refuse(row, name, f"expected a number, got {text!r}")
    if name in REQUIRED:
        for row in np.flatnonzero(~np.isfinite(values)).tolist():
            batch.refuse(row, name, f"expected a number, got {column[row].as_py()!r}")
    else:
        values[~np.isfinite(values)] = np.nan
    return values


def _as_floats(column: pa.Array) -> F64:
    """All rows as numbers, NaN where there is none. Raises what Arrow raises for other text."""
    if pa.types.is_string(column.type):
        column = pc.utf8_trim_whitespace(column)
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    return np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _accepted_times(batch: _Batch) -> I64:
    """The column as microseconds since 1970-01-01 UTC."""
    times, accepted = _times(batch), batch.accepted
    for row in np.flatnonzero((times < accepted.first_us) | (times > accepted.last_us)).tolist():
        batch.refuse(row, "time", f"expected {accepted.times}, got {batch.column('time')[row]}")
    return times


def _times(batch: _Batch) -> I64:
    """The column as microseconds since 1970-01-01 UTC."""
    column, unit = batch.column("time"), batch.columns.time_unit
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None and unit not in {"utc", "auto"}:
            raise ReplayError(f"map: time: expected a unit of utc for {column.type}, got {unit!r}")
        made = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        for row in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist():
            batch.refuse(row, "time", "missing")
        return np.array(made.fill_null(0).to_numpy(zero_copy_only=False), np.int64)
    try:
        return _all_times(column, unit)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        pass  # some row is odd, or none: row by row
    out = np.zeros(len(column), np.int64)
    for row, value in enumerate(column.to_pylist()):
        try:
            out[row] = _microseconds(value, unit)
        except (ValueError, OverflowError):
            batch.refuse(row, "time", f"expected {_EXPECTED[unit]}, got {value!r}")
    return out


def _all_times(column: pa.Array, unit: str) -> I64:
    """All rows at once. Raises where that is not possible; then some rows may be right."""
    if unit != "rfc3339":
        try:
            numbers = _as_floats(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            numbers = None  # text: dates
        if numbers is not None:
            if unit == "utc" or not np.isfinite(numbers).all():
                raise ValueError("not all are instants")
            scale = np.full(len(numbers), 1e6 / _PER_SECOND.get(unit, 1.0))
            if unit == "auto":
                scale[np.abs(numbers) >= _FAR_FUTURE_S] = 1e3
                scale[np.abs(numbers) >= _FAR_FUTURE_S * 1e3] = 1.0
            if (np.abs(numbers) >= 2.0**63 / scale).any():
                raise ValueError("not all are instants")
            whole: I64 = np.round(numbers * scale).astype(np.int64)
            return whole
    if unit in _PER_SECOND:
        raise ValueError("no numbers")
    # Arrow wants an offset where the type has a timezone, and none where it has none.
    instants = column.cast(pa.timestamp("us", None if unit == "utc" else "UTC"))
    if instants.null_count:
        raise ValueError("some are missing")
    return np.array(instants.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)


_EXPECTED: Final = {
    "auto": "RFC 3339 with an offset, or seconds, ms or us since 1970",
    "rfc3339": "RFC 3339 with an offset",
    "utc": "a date and time",
    "s": "seconds since 1970",
    "ms": "milliseconds since 1970",
    "us": "microseconds since 1970",
}
_PER_SECOND: Final = {"s": 1.0, "ms": 1e3, "us": 1e6}


def _microseconds(value: str | float | None, unit: str) -> int:
    """One instant. Raises ValueError or OverflowError for what is none."""
    if value is None:
        raise ValueError("missing")
    if unit in _PER_SECOND or (unit == "auto" and _is_number(value)):
        number = float(value)
        if unit == "auto":
            unit = next(
                (u for u in _PER_SECOND if abs(number) < _FAR_FUTURE_S * _PER_SECOND[u]), "us"
            )
        return round(number / _PER_SECOND[unit] * 1e6)
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        if unit != "utc":
            raise ValueError("no offset")
        moment = moment.replace(tzinfo=UTC)
    # Whole microseconds: a float of seconds would lose the last digit.
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _is_number(value: str | float) -> bool:
    if isinstance(value, (int, float)):
        return True
    return value.strip().replace(".", "", 1).replace("-", "", 1).isdigit()
