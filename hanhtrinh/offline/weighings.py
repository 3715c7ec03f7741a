"""`--weighings`: records of weigh stations, JSON lines or CSV; and `--stations`: where they are."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np

from devices.batch import WeighingBatch
from devices.codec import LATEST_AHEAD_US, Codec
from devices.weigh_csv import WEIGH_CSV
from devices.weigh_json import WEIGH_JSON
from geofence.registry import StationKind, StationRule
from hanhtrinh.offline.fixes import LATEST_US
from hanhtrinh.offline.tables import read_table
from hanhtrinh.offline.wrong_file import WrongFileError, text_of

PIECE_CHARACTERS: Final = 200_000
"""Codecs take payloads of up to 1 MiB: a long table is given to them in pieces."""

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
    optional = ("lon", "lat", "kind", "tolerance")
    for row in read_table(file, ("station",), optional):
        code = row.name("station")
        if code in found:
            raise row.wrong("station", "expected every station once")
        found[code] = _station(
            code,
            row.number("lon", -180.0, 180.0),
            row.number("lat", -90.0, 90.0),
            row.choice("kind", ("static", "wim"), "static"),
            row.number("tolerance", 0.0, 0.5) or 0.0,
        )
    return found


def plain_station(code: str) -> StationRule:
    """A station that no file says anything about: it weighs exactly, and nobody knows where."""
    return _station(code, None, None, "static", 0.0)


def _station(
    code: str, lon: float | None, lat: float | None, kind: str, tolerance: float
) -> StationRule:
    return StationRule(
        id=0,
        code=code,
        lon=math.nan if lon is None else lon,
        lat=math.nan if lat is None else lat,
        kind=cast("StationKind", kind),
        tolerance=tolerance,
    )
