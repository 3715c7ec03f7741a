"""Writing lines down: JSON lines, CSV, Parquet or GeoJSON; all of them, or no file.

Belongs here: the forms, and that a file appears only when it is whole.
"""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet

from hanhtrinh.errors import CommandError, UsageError
from hanhtrinh.offline.lines import COMMON, Line

OWN: Final = (
    "max_speed_kmh", "mean_speed_kmh", "limit_kmh", "limit_source", "max_excess_kmh", "band",
    "zone", "route", "direction", "max_offset_m", "left_at_m", "returned_at_m", "driving_s",
    "unseen_s", "station", "measured_kg", "limit_kg", "excess_percent", "group", "road",
    "weighed_at",
)  # fmt: skip
"""Fields of single rules that every table has a column for, whatever was found."""

_INSTANTS: Final = ("started_at", "ended_at")
_TEXTS: Final = (
    "kind", "rule_profile", "vehicle", "driver", "driver_name", "limit_source", "band", "zone",
    "route", "direction", "station", "group", "road", "weighed_at",
)  # fmt: skip


def write_jsonl(lines: Sequence[Line], out: BinaryIO) -> None:
    """One JSON object a line."""
    out.writelines(_json(line) + b"\n" for line in lines)


def write_geojson(lines: Sequence[Line], out: BinaryIO) -> None:
    """A feature a line: from start to end, or a point; no geometry where nobody knows."""
    out.write(b'{"type": "FeatureCollection", "features": [')
    for number, line in enumerate(lines):
        feature = {"type": "Feature", "geometry": _geometry(line), "properties": line}
        out.write((b",\n" if number else b"\n") + _json(feature))
    out.write(b"\n]}\n")


def write_csv(lines: Sequence[Line], out: BinaryIO) -> None:
    """RFC 4180 with a header; places as two columns each."""
    text = io.TextIOWrapper(out, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    names = _columns(lines)
    writer.writerow(names)
    for line in map(_flat, lines):
        writer.writerow([_cell(line.get(name)) for name in names])
    text.detach()


def write_parquet(lines: Sequence[Line], out: BinaryIO) -> None:
    """The columns of the CSV, typed."""
    flat = [_flat(line) for line in lines]
    columns = {name: _column(name, [line.get(name) for line in flat]) for name in _columns(lines)}
    pyarrow.parquet.write_table(pa.table(columns), out, compression="zstd")


FORMATS: Final[dict[str, Callable[[Sequence[Line], BinaryIO], None]]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
    "geojson": write_geojson,
}
_SUFFIXES: Final = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".geojson": "geojson"}


class Output:
    """Where lines go and in which form; made before the work so that mistakes show at once."""

    def __init__(self, form: str | None, file: Path | None) -> None:
        """form: None goes by the file's suffix. file: None is standard output."""
        self._form = form or (_SUFFIXES.get(file.suffix, "jsonl") if file else "jsonl")
        self._file = file
        if self._form not in FORMATS:
            raise UsageError(f"--format: expected one of {', '.join(FORMATS)}, got {form!r}")
        if self._form == "parquet" and file is None:
            raise UsageError("--format parquet: expected a file to write to: -o FILE")
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            raise CommandError(f"-o {file}: expected a file in a folder that exists")

    def write(self, lines: Sequence[Line]) -> None:
        """Write all lines."""
        with _stream(self._file) as out:
            FORMATS[self._form](lines, out)


@contextmanager
def _stream(file: Path | None) -> Iterator[BinaryIO]:
    """Bytes of a file that takes its name only when all are written."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = file.resolve()
    if target.exists() and not target.is_file():  # a device or a pipe: nothing to put in its place
        with target.open("wb") as out:
            yield out
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as out:
            yield out
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _geometry(line: Line) -> dict[str, Any] | None:
    start, end = line["start"], line["end"]
    if start is None:
        return None
    if start == end or end is None:
        return {"type": "Point", "coordinates": start}
    return {"type": "LineString", "coordinates": [start, end]}


def _flat(line: Line) -> Line:
    """The line with its places as numbers of their own."""
    flat: Line = {}
    for name, value in line.items():
        if name in {"start", "end"}:
            flat[f"{name}_lon"], flat[f"{name}_lat"] = value or (None, None)
        else:
            flat[name] = value
    return flat


def _columns(lines: Sequence[Line]) -> list[str]:
    """Names of a table's columns: those that every table has, then others as they appear."""
    blank = dict.fromkeys(COMMON)
    found = dict.fromkeys([*_flat(blank), *OWN])
    for line in lines:
        found |= dict.fromkeys(_flat(line))
    return list(found)


def _cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def _column(name: str, values: list[Any]) -> pa.Array:
    """A column of a type that does not depend on which lines there are, where its name is known."""
    if name in _INSTANTS:
        return pa.array(values, pa.string()).cast(pa.timestamp("ms", "UTC"))
    if name == "fixes":
        return pa.array(values, pa.int64())
    if name in _TEXTS:
        return pa.array(values, pa.string())
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, bool) for value in there):
        return pa.array(values, pa.bool_())
    if any(isinstance(value, str) for value in there):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())
