"""Codec "weigh-csv": weighings as CSV, a header line and rows (docs/codecs/weigh-csv.md).

`weigh_csv(column_map)` makes the decoder for a station whose file has other headers or units; the
registered one uses our own names. Columns that the map does not name are kept in `extra`.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from math import nan
from typing import Final

import msgspec
import numpy as np

from devices.batch import I64, WeighingBatch
from devices.codec import Codec, Decoded, Decoder, register
from devices.columns import rounded
from devices.errors import DecodeError, Reject
from devices.formats.weighing.column_map import COLUMNS, MAX_AXLES, Column, ColumnMap
from devices.formats.weighing.rows import Weighing, WeighingRows, decode_weighings
from devices.json_input import whole_us


def weigh_csv(column_map: ColumnMap) -> Decoder:
    """A decoder of CSV with these columns."""

    def decode(payloads: Sequence[bytes], received: I64) -> Decoded:
        return decode_weighings(payloads, received, read)

    def read(payload: bytes, rows: WeighingRows) -> None:
        _read(payload, rows, column_map)

    return decode


@dataclass(frozen=True, slots=True)
class _Header:
    """Where our columns stand in this payload: their index, and the factor to our unit."""

    width: int
    place: Mapping[str, tuple[int, float]]
    axles: Sequence[str]
    others: Mapping[int, str]


def _read(payload: bytes, rows: WeighingRows, column_map: ColumnMap) -> None:
    try:
        text = payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError(
            Reject.BAD_ENCODING, at=error.start, detail=f"not utf-8: {error.reason}"
        ) from None
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=column_map.delimiter, strict=True)
    at = 0
    try:
        header = _header([name.strip() for name in next(lines, [])], column_map)
        for cells in lines:
            if any(cell.strip() for cell in cells):
                try:
                    rows.add(_weighing(cells, header, column_map))
                except DecodeError as error:
                    rows.refuse(error, at)
                at += 1
    except csv.Error as error:
        raise DecodeError(Reject.BAD_SYNTAX, at=at, detail=f"csv: {error}") from None


def _header(names: list[str], column_map: ColumnMap) -> _Header:
    index = {name: number for number, name in enumerate(names)}
    if len(index) < len(names):
        raise DecodeError(Reject.BAD_SYNTAX, detail="header: a name stands twice")
    place: dict[str, tuple[int, float]] = {}
    axles = []
    for ours, column in column_map.columns.items():
        if "{n}" not in ours:
            _locate(place, index, ours, column)
    for axle in range(1, MAX_AXLES + 1):
        for ours in ("axle{n}_kg", "axle{n}_spacing_m"):
            if ours in column_map.columns:
                theirs = column_map.columns[ours]
                numbered = Column(theirs.header.replace("{n}", str(axle)), theirs.factor)
                _locate(place, index, ours.replace("{n}", str(axle)), numbered)
        if f"axle{axle}_kg" in place:
            axles.append(str(axle))
    if "time" not in place:
        wanted = column_map.columns["time"].header
        raise DecodeError(Reject.MISSING_FIELD, detail=f"header: expected {wanted!r}")
    if "gross_kg" not in place and not axles:
        raise DecodeError(Reject.MISSING_FIELD, detail="header: expected gross_kg or axles")
    used = {number for number, _ in place.values()}
    others = {number: name for name, number in index.items() if number not in used and name}
    return _Header(len(names), place, axles, others)


def _locate(
    place: dict[str, tuple[int, float]], index: Mapping[str, int], ours: str, column: Column
) -> None:
    if column.header in index:
        place[ours] = index[column.header], column.factor


def _weighing(cells: list[str], header: _Header, column_map: ColumnMap) -> Weighing:
    if len(cells) != header.width:
        reason = Reject.TRUNCATED if len(cells) < header.width else Reject.TRAILING_BYTES
        raise DecodeError(reason, detail=f"expected {header.width} fields, got {len(cells)}")

    def text(ours: str) -> str:
        place = header.place.get(ours)
        return cells[place[0]].strip() if place else ""

    def number(ours: str) -> float:
        written = text(ours)
        if not written:
            return nan
        try:
            return float(written.replace(column_map.decimal, ".")) * header.place[ours][1]
        except ValueError:
            detail = f"{ours}: expected a number, got {written!r:.40}"
            raise DecodeError(Reject.BAD_VALUE, detail=detail) from None

    masses = {axle: number(f"axle{axle}_kg") for axle in header.axles}
    axles = [axle for axle, mass in masses.items() if mass == mass]  # noqa: PLR0124 not NaN
    return Weighing(
        time_us=_time_us(text("time"), column_map),
        station=text("station"),
        plate=text("plate"),
        lane=_lane(text("lane")),
        gross_kg=number("gross_kg"),
        speed_kmh=number("speed_kmh"),
        length_m=number("length_m"),
        axle_kg=[masses[axle] for axle in axles],
        spacing_m=[nan, *(number(f"axle{axle}_spacing_m") for axle in axles[1:])][: len(axles)],
        extra={name: cells[i] for i, name in header.others.items() if cells[i].strip()},
    )


def _lane(written: str) -> int:
    if not written:
        return 0
    if not written.isdecimal() or len(written) > 5:
        raise DecodeError(Reject.BAD_VALUE, detail=f"lane: expected 0..32767, got {written!r:.20}")
    return int(written)


def _time_us(written: str, column_map: ColumnMap) -> float:
    """An instant in microseconds. Raises DecodeError."""
    if not written:
        raise DecodeError(Reject.MISSING_FIELD, detail="time: expected it, got nothing")
    try:
        if column_map.time_format:
            when = datetime.strptime(written, column_map.time_format)  # noqa: DTZ007 see below
        elif "T" in written or ":" in written:
            when = msgspec.convert(written, datetime)
        else:
            return whole_us(float(written) * 1e6)
        if when.tzinfo is None:
            when = when.replace(tzinfo=timezone(timedelta(minutes=column_map.utc_offset_minutes)))
        return whole_us(when.timestamp() * 1e6)
    except (ValueError, OverflowError):
        expected = column_map.time_format or "RFC 3339 or seconds since 1970"
        detail = f"time: expected {expected}, got {written!r:.40}"
        raise DecodeError(Reject.BAD_VALUE, detail=detail) from None


def encode(weighings: WeighingBatch) -> list[bytes]:
    """A header and one row for each weighing, with our own names."""
    speeds, lengths = rounded(weighings.speed_kmh), rounded(weighings.length_m)
    out = []
    for row in range(len(weighings)):
        masses, spacings = (part.tolist() for part in weighings.axles(row))
        when = datetime.fromtimestamp(int(weighings.time[row]) / 1e6, UTC)
        values: dict[str, object] = {
            "station": weighings.station[row],
            "time": when.isoformat(),
            "plate": weighings.plate[row],
            "lane": int(weighings.lane[row]),
            "gross_kg": float(weighings.gross_kg[row]),
            "speed_kmh": _cell(speeds[row]),
            "length_m": _cell(lengths[row]),
        }
        for axle, (kg, spacing) in enumerate(zip(masses, spacings, strict=True), 1):
            values[f"axle{axle}_kg"] = kg
            values[f"axle{axle}_spacing_m"] = _cell(spacing)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(values)
        writer.writerow(values.values())
        out.append(text.getvalue().encode())
    return out


def _cell(value: float) -> str:
    return "" if np.isnan(value) else repr(value)


OWN_COLUMNS: Final = ColumnMap()
assert set(OWN_COLUMNS.columns) == set(COLUMNS)

WEIGH_CSV: Final = register(
    Codec(
        name="weigh-csv",
        decode=weigh_csv(OWN_COLUMNS),
        carries="weighings",
        encode_weighings=encode,
    )
)
