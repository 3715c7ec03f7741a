"""Rows of a CSV or Parquet file as fixes, in batches, with the rows that are none.

Belongs here: reading and converting columns. Does not belong here: publishing (replay.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from devices.batch import F64, I64, FixBatch
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
    """A row that is no fix. line: of a CSV file, from 1 with the header; row from 1 of Parquet."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of the file: n fixes in its order, whose they are, and the rows that are none.

    vehicles, drivers: names; `fixes.driver` indexes `drivers`.
    """

    fixes: FixBatch
    vehicles: list[str]
    drivers: tuple[str, ...]
    bad: list[BadRow]


def read_rows(path: Path, columns: ColumnMap) -> Iterator[Rows]:
    """The file's rows in batches, in its order. Raises ReplayError for the file or its columns."""
    if not path.is_file():
        raise ReplayError(f"file {str(path)!r}: expected a CSV or Parquet file")
    names = list(dict.fromkeys(columns.columns.values()))
    try:
        if path.name.endswith((".parquet", ".pq")):
            yield from _read_parquet(path, columns, names)
        else:
            yield from _read_csv(path, columns, names)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise ReplayError(f"file {path.name}: {error}") from error


def _read_parquet(path: Path, columns: ColumnMap, names: list[str]) -> Iterator[Rows]:
    file = pyarrow.parquet.ParquetFile(path)
    _check_columns(path, names, file.schema_arrow.names)
    row = 1
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=names):
        yield _convert(batch, np.arange(row, row + len(batch)), columns, [])
        row += len(batch)


def _read_csv(path: Path, columns: ColumnMap, names: list[str]) -> Iterator[Rows]:
    ragged: list[BadRow] = []

    def skip(row: Any) -> str:
        ragged.append(
            BadRow(row.number, f"expected {row.expected_columns} columns, got {row.actual_columns}")
        )
        return "skip"

    # One thread: only then does the reader know the numbers of ragged rows.
    reader = pyarrow.csv.open_csv(
        str(path),
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=skip, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    _check_columns(path, names, reader.schema.names)
    line, told = 2, 0
    for batch in reader:
        # Ragged rows have lines of their own; the reader may know of some that lie further on.
        lines = np.arange(line, line + len(batch) + len(ragged))
        lines = lines[~np.isin(lines, [bad.line for bad in ragged])][: len(batch)]
        line = int(lines[-1]) + 1 if len(lines) else line
        yield _convert(batch, lines, columns, ragged[told:])
        told = len(ragged)
    if ragged[told:]:
        yield Rows(FixBatch.empty(), [], (), ragged[told:])


def _check_columns(path: Path, names: Sequence[str], there: Sequence[str]) -> None:
    missing = [name for name in names if name not in there]
    if missing:
        raise ReplayError(
            f"file {path.name}: no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(map(repr, there))}"
        )


def _convert(batch: pa.RecordBatch, lines: I64, columns: ColumnMap, bad: list[BadRow]) -> Rows:
    """Fixes of the rows that are some; reasons for the others."""
    reasons: list[str | None] = [None] * len(batch)

    def column(name: str) -> pa.Array:
        return batch.column(batch.schema.get_field_index(columns.columns[name]))

    vehicles = _texts(column("vehicle"))
    for row, name in enumerate(vehicles):
        if not _is_ident(name):
            reasons[row] = f"vehicle: expected a name without / + #, got {name!r}"
    values: dict[str, Any] = {"time": _times(column("time"), columns.time_unit, reasons)}
    for name, scale in columns.scales.items():
        numbers = _numbers(column(name), name, reasons, required=name in REQUIRED)
        values[_FIX_COLUMN.get(name, name)] = numbers * scale
    if "heading" in values:
        values["heading"] = values["heading"] % 360.0
    if "satellites" in values:
        known = np.nan_to_num(values["satellites"], nan=255.0)
        values["satellites"] = np.clip(known, 0, 255)
    drivers: tuple[str, ...] = ()
    if "driver" in columns.columns:
        values["driver"], drivers = _drivers(_texts(column("driver")))
    keep = np.array([reason is None for reason in reasons], np.bool_)
    refused = [
        BadRow(int(line), reason)
        for line, reason in zip(lines.tolist(), reasons, strict=True)
        if reason is not None
    ]
    fixes = FixBatch.blank(len(batch), **values)
    kept = [name for name, is_good in zip(vehicles, keep.tolist(), strict=True) if is_good]
    return Rows(fixes.take(keep), kept, drivers, sorted(bad + refused, key=lambda b: b.line))


def _texts(column: pa.Array) -> list[str]:
    """The column as text; what is missing is empty."""
    text = column.cast(pa.string()) if column.type != pa.string() else column
    return [value or "" for value in text.to_pylist()]


def _drivers(
    names: list[str],
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int32]], tuple[str, ...]]:
    number = {name: n for n, name in enumerate(dict.fromkeys(name for name in names if name))}
    return np.array([number.get(name, -1) for name in names], np.int32), tuple(number)


def _is_ident(name: str) -> bool:
    if not name or len(name.encode()) > IDENT_BYTES:
        return False
    return not any(sign in "/+#" or sign < " " for sign in name)


def _numbers(column: pa.Array, name: str, reasons: list[str | None], *, required: bool) -> F64:
    """The column as float64; NaN where it is empty, or no number (which is a reason)."""
    try:
        trimmed = pc.utf8_trim_whitespace(column) if pa.types.is_string(column.type) else column
        if pa.types.is_string(trimmed.type):
            trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        made = trimmed.cast(pa.float64()).to_numpy(zero_copy_only=False)
        values: F64 = np.array(made, np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        values = np.array(
            [_number(text, name, row, reasons) for row, text in enumerate(_texts(column))]
        )
    if required:
        for row in np.flatnonzero(~np.isfinite(values)).tolist():
            reasons[row] = reasons[row] or f"{name}: expected a number, got {column[row].as_py()!r}"
    else:
        values[~np.isfinite(values)] = np.nan
    return values


def _number(text: str, name: str, row: int, reasons: list[str | None]) -> float:
    try:
        return float(text) if text.strip() else np.nan
    except ValueError:
        reasons[row] = reasons[row] or f"{name}: expected a number, got {text!r}"
        return np.nan


def _times(column: pa.Array, unit: str, reasons: list[str | None]) -> I64:
    """The column as microseconds since 1970-01-01 UTC."""
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None and unit not in {"utc", "auto"}:
            raise ReplayError(f"map: time: expected a unit of utc for {column.type}, got {unit!r}")
        made = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        for row in np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist():
            reasons[row] = reasons[row] or "time: missing"
        return np.array(made.fill_null(0).to_numpy(zero_copy_only=False), np.int64)
    out = np.zeros(len(column), np.int64)
    for row, value in enumerate(column.to_pylist()):
        try:
            out[row] = _microseconds(value, unit)
        except (ValueError, OverflowError):
            reasons[row] = reasons[row] or f"time: expected {_EXPECTED[unit]}, got {value!r}"
    return out


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
