"""`--weighings`: records of weigh stations, JSON lines or CSV; and `--stations`: where they are."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np

from devices.batch import WeighingBatch
from devices.codec import LATEST_AHEAD_US, Codec
from devices.formats.weighing.csv_lines import WEIGH_CSV
from devices.formats.weighing.json_messages import WEIGH_JSON
from geofence.errors import RegistryError
from geofence.opening import OpeningError, weekly_hours
from geofence.registry import GeoJson, StationKind, StationRule, WeeklyHours
from geofence.station_table import checked_station
from hanhtrinh.offline.fixes import LATEST_US
from hanhtrinh.offline.tables import Row, read_table
from hanhtrinh.offline.wrong_file import WrongFileError, text_of

PIECE_CHARACTERS: Final = 200_000
"""Codecs take payloads of up to 1 MiB: a long table is given to them in pieces."""

_STATION_COLUMNS: Final = (
    "lon", "lat", "kind", "tolerance", "approach", "corridor_m", "two_way", "hours",
)  # fmt: skip

NO_ARRIVAL_US: Final = LATEST_US - LATEST_AHEAD_US
"""Files have no time of arrival: every time that positions may have is early enough."""


def read_weighings(file: Path) -> WeighingBatch:
    """The weighings of a file, in its order. Raises WrongFileError at the first that is none."""
    text = text_of(file)
    if text.lstrip()[:1] in {"{", "["}:
        payloads = [
            (number, line.encode())
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
        ]
        return WeighingBatch.concat([_decoded(file, WEIGH_JSON, payloads, "JSON lines")])
    pieces = [(line, piece.encode()) for line, piece in _pieces(text)]
    return WeighingBatch.concat([_decoded(file, WEIGH_CSV, pieces, "CSV")])


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The table in pieces with the header each; and the line of each one's first row."""
    header, _, rest = text.partition("\n")
    piece: list[str] = []
    size, line, begins = 0, 2, 2
    for row in rest.split("\n"):
        piece.append(row)
        size += len(row) + 1
        line += 1
        if size >= PIECE_CHARACTERS and "".join(piece).count('"') % 2 == 0:
            yield begins, "\n".join([header, *piece])
            piece, size, begins = [], 0, line
    if begins == 2 or any(row.strip() for row in piece):
        yield begins, "\n".join([header, *piece])


def _decoded(
    file: Path, codec: Codec, payloads: Sequence[tuple[int, bytes]], form: str
) -> WeighingBatch:
    received = np.full(len(payloads), NO_ARRIVAL_US, np.int64)
    decoded = codec.decode([payload for _, payload in payloads], received)
    for refusal in decoded.refusals:
        line = payloads[refusal.payload][0] + (refusal.at if codec is WEIGH_CSV else 0)
        why = refusal.detail or str(refusal.reason).replace("_", " ")
        raise WrongFileError(file, f"expected weighings as {form}: {why}", line=line)
    return decoded.weighings


def read_stations(file: Path) -> dict[str, StationRule]:
    """Weigh stations of a CSV file, by code."""
    found: dict[str, StationRule] = {}
    for row in read_table(file, ("station",), _STATION_COLUMNS):
        code = row.name("station")
        if code in found:
            raise row.wrong("station", "expected every station once")
        found[code] = _station(row, code)
    return found


def plain_station(code: str) -> StationRule:
    """A station that no file says anything about: it weighs exactly, and nobody knows where."""
    return StationRule(id=0, code=code, lon=math.nan, lat=math.nan)


def _station(row: Row, code: str) -> StationRule:
    lon, lat = row.number("lon", -180.0, 180.0), row.number("lat", -90.0, 90.0)
    station = StationRule(
        id=0,
        code=code,
        lon=math.nan if lon is None else lon,
        lat=math.nan if lat is None else lat,
        kind=cast("StationKind", row.choice("kind", ("static", "wim"), "static")),
        tolerance=row.number("tolerance", 0.0, 0.5) or 0.0,
        approach=_approach(row),
        corridor_m=row.number("corridor_m", 1.0, 10_000.0),
        is_two_way=row.choice("two_way", ("0", "1"), "0") == "1",
        weekly_hours=_hours(row),
    )
    try:
        return checked_station(station)
    except RegistryError as error:
        raise WrongFileError(row.file, str(error), line=row.line, column="approach") from None


def _approach(row: Row) -> GeoJson | None:
    text = row.text("approach")
    if not text:
        return None
    try:
        geometry = json.loads(text)
    except ValueError:
        geometry = None
    if not isinstance(geometry, dict) or geometry.get("type") != "LineString":
        raise row.wrong("approach", "expected a GeoJSON LineString")
    return geometry


def _hours(row: Row) -> WeeklyHours | None:
    if not row.text("hours"):
        return None
    try:
        return weekly_hours(row.text("hours"))
    except OpeningError as error:
        raise WrongFileError(row.file, str(error), line=row.line, column="hours") from None
