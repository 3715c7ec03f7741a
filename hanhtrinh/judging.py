"""Judging files with no server, for `hanhtrinh judge`: the same judge as the worker's, in one go.

Files have no time of arrival, so no fix is marked late or future; of two fixes of one vehicle and
time the first in the file stays, as in the database.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from devices.batch import FixBatch, Quality
from devices.describe import rfc3339
from geofence.interval import Interval
from geofence.judge import Judge
from geofence.quality import mark_arrival
from geofence.registry import VehicleRule, Zone
from geofence.rulebook import Rulebook
from hanhtrinh.errors import CommandError
from ingest.pipeline import JudgingOptions
from ingest.replay_columns import ColumnMap
from ingest.replay_rows import BadRow, read_rows

T = TypeVar("T")

VEHICLE_COLUMNS: Final = (
    "class", "kind", "speed_limit_kmh", "gross_kg", "kerb_kg", "cargo_kg", "axles",
)  # fmt: skip
_ZONE_FIELDS: Final = frozenset(field.name for field in fields(Zone)) - {"id", "geometry"}


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """What was found: a line for each interval, in order of vehicle and time."""

    lines: list[dict[str, Any]]
    fixes: int
    vehicles: int
    bad: list[BadRow]


def judge_files(
    options: JudgingOptions, columns: ColumnMap, fixes: Path, vehicles: Path | None,
    zones: Path | None,
) -> JudgedFile:  # fmt: skip
    """Judge a file of fixes. Raises what a person can act on: the file and the place are named."""
    batch, names, bad = _read_fixes(fixes, columns)
    rules = read_vehicles(vehicles, names) if vehicles else _plain_vehicles(names)
    rulebook = Rulebook.build(
        options.profiles, read_zones(zones) if zones else [], [], rules, timezone=options.timezone
    )
    arrived = mark_arrival(batch, options.region)
    kept = arrived.take((arrived.quality & (Quality.NO_POSITION | Quality.FUTURE)) == 0)
    judged = Judge(rulebook).advance(kept, np.zeros(len(kept), np.bool_))
    found = sorted(judged.intervals, key=lambda interval: (interval.vehicle, interval.started))
    return JudgedFile([_line(i, names) for i in found], len(batch), len(names), bad)


def _read_fixes(file: Path, columns: ColumnMap) -> tuple[FixBatch, list[str], list[BadRow]]:
    """Fixes sorted by (vehicle, time) without repeats, the vehicles' names by id, bad rows."""
    parts: list[FixBatch] = []
    bad: list[BadRow] = []
    ids: dict[str, int] = {}
    for rows in read_rows(file, columns):
        vehicle = np.array([ids.setdefault(name, len(ids)) for name in rows.vehicles], np.int32)
        # Drivers' names would need a registry; the rules of this command ask for none.
        driver = np.full(len(rows.fixes), -1, np.int32)
        parts.append(rows.fixes.with_columns(vehicle=vehicle, driver=driver))
        bad += rows.bad
    batch = FixBatch.concat(parts) if parts else FixBatch.empty()
    batch = batch.with_columns(received=batch.time)
    batch = batch.take(batch.order())
    again = (np.diff(batch.vehicle) == 0) & (np.diff(batch.time) == 0)
    return batch.take(~np.concatenate([np.zeros(min(len(batch), 1), np.bool_), again])), [*ids], bad


def _plain_vehicles(names: Sequence[str]) -> list[VehicleRule]:
    return [VehicleRule(id=number, plate=name) for number, name in enumerate(names)]


def read_vehicles(file: Path, names: Sequence[str]) -> list[VehicleRule]:
    """Vehicles of a CSV file with a column `vehicle` and some of VEHICLE_COLUMNS, by id."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        headers = reader.fieldnames or []
        unknown = [name for name in headers if name not in {"vehicle", *VEHICLE_COLUMNS}]
        if "vehicle" not in headers or unknown:
            raise CommandError(
                f"{file}: expected the columns vehicle, {', '.join(VEHICLE_COLUMNS)} "
                f"or some of them, got {', '.join(headers)}"
            )
        ids = {name: number for number, name in enumerate(names)}
        rules = {rule.id: rule for rule in _plain_vehicles(names)}
        for row in reader:
            if row["vehicle"] in ids:
                number = ids[row["vehicle"]]
                rules[number] = _vehicle(number, row, f"{file}: line {reader.line_num}")
    return [*rules.values()]


def _vehicle(number: int, row: dict[str, str], place: str) -> VehicleRule:
    values: dict[str, Any] = {name: text for name, text in row.items() if text}
    values["plate"] = values.pop("vehicle")
    if "class" in values:
        values["vehicle_class"] = values.pop("class")
    return _converted({"id": number, **values}, VehicleRule, place)


def read_zones(file: Path) -> list[Zone]:
    """Zones of a GeoJSON FeatureCollection; the properties of a feature are those of a zone."""
    try:
        collection = json.loads(file.read_text("utf-8"))
        features = collection["features"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CommandError(f"{file}: expected a GeoJSON FeatureCollection: {error}") from None
    zones: list[Zone] = []
    for number, feature in enumerate(features):
        place = f"{file}: features[{number}]"
        properties = feature.get("properties") or {}
        unknown = sorted(set(properties) - _ZONE_FIELDS)
        if unknown:
            raise CommandError(f"{place}.properties: {unknown[0]!r} is no property of a zone")
        values = {"id": number, "geometry": feature.get("geometry"), **properties}
        zones.append(_converted(values, Zone, place))
    return zones


def _converted(values: dict[str, Any], kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise CommandError(f"{place}: {error}") from None


def _line(interval: Interval, names: Sequence[str]) -> dict[str, Any]:
    return {
        "kind": interval.kind,
        "vehicle": names[interval.vehicle],
        "subject": interval.subject,
        "profile": interval.profile,
        "started_at": rfc3339(interval.started),
        "ended_at": rfc3339(interval.ended),
        "duration_s": interval.duration_s,
        "distance_m": round(interval.distance_m, 1),
        "fixes": interval.fixes,
        "start": {"lon": interval.start[0], "lat": interval.start[1]},
        "end": {"lon": interval.end[0], "lat": interval.end[1]},
        "is_open": interval.is_open,
        "details": dict(interval.details),
    }
