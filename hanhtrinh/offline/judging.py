"""Judging the fixes of a file: the same judge as the worker's, a batch of vehicles at a time.

Files have no time of arrival, so no fix is marked late or future; of two fixes of one vehicle and
time the first in the file stays, as in the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.timetable import NOT_RUN, late_departures
from devices.texts import normal_plate
from geofence.driving_time import WARNINGS, judge_drivers
from geofence.interval import Interval
from geofence.judge import Judge
from geofence.loads import Loads, Weighed
from geofence.quality import Delays, is_judged, mark_arrival
from geofence.rulebook import Rulebook
from geofence.rules.driving import KIND as DRIVING
from geofence.rules.overload import judge_weighing
from hanhtrinh.offline.fixes import FixTable, column_map, read_fixes
from hanhtrinh.offline.lines import Key, Line, Lines, key_of
from hanhtrinh.offline.registry import Files, Options, Registry, build_rulebook, read_registry
from hanhtrinh.offline.roads import read_roads
from hanhtrinh.offline.timetables import judge_timetables
from hanhtrinh.offline.weighings import plain_station
from ingest.replay_columns import ColumnMap
from ingest.replay_rows import BadRow

BATCH_FIXES: Final = 250_000
"""Judging takes some hundred bytes for a fix of the batch."""

FACTS: Final = ("zone_visit", "route_trip")
"""Kinds that are no violations."""

Progress = Callable[[str, int, int | None], None]
"""(what is being done, how much of it is done, of how much: None not known)."""


@dataclass(frozen=True, slots=True)
class Found:
    """Lines in order of vehicle, start and kind; and what was read.

    bad: rows left out, where that was asked for. unknown_plates: of weighings that no file has a
    vehicle for: they were not judged. notes: what else could not be used.
    """

    lines: list[Line]
    fixes: int
    vehicles: int
    bad: tuple[BadRow, ...]
    unknown_plates: tuple[str, ...]
    notes: tuple[str, ...]


def judge_files(
    files: Files,
    options: Options,
    *,
    columns: ColumnMap | None = None,
    with_visits: bool = False,
    with_warnings: bool = False,
    skip_bad: bool = False,
    progress: Progress = lambda _what, _done, _of: None,
) -> Found:
    """Judge a file of fixes. Raises what a person can act on: the file and the place are named."""
    registry = read_registry(files, options)
    roads, notes = read_roads(files.roads) if files.roads else (None, [])
    table = read_fixes(
        files.fixes,
        columns or column_map(files.fixes),
        skip_bad=skip_bad,
        on_rows=lambda count: progress("reading", count, None),
    )
    names = [*table.names, *registry.weighed(table.names)]
    rulebook = build_rulebook(registry, options, names, roads)
    left_out = {
        DRIVING,
        *(() if with_visits else FACTS),
        *(() if with_warnings else WARNINGS),
    }
    overloads, loads, unknown = _judge_weighings(registry, rulebook, names)
    found = _judge_fixes(table, rulebook, options, loads, progress)
    slots = judge_timetables(rulebook, table.span(), found)
    intervals = [*found, *overloads, *late_departures(slots)]
    lines = Lines(names, table.drivers, registry.driver_names)
    shown = [i for i in intervals if i.kind not in left_out]
    shown.sort(key=lines.order)
    return Found(
        lines=[
            *(lines.line(interval) for interval in shown),
            *(lines.not_run(run) for run in slots if run.outcome == NOT_RUN),
        ],
        fixes=table.read,
        vehicles=table.vehicles,
        bad=table.bad,
        unknown_plates=unknown,
        notes=(*notes, *rulebook.warnings),
    )


def _judge_fixes(
    table: FixTable, rulebook: Rulebook, options: Options, loads: Loads, progress: Progress
) -> list[Interval]:
    judge = Judge(rulebook)
    found: dict[Key, Interval] = {}
    done = 0
    for batch in table.batches(BATCH_FIXES):
        progress("judging", done, len(table))
        arrived = mark_arrival(batch, options.region, Delays.at(rulebook, batch.received))
        kept = arrived.take(is_judged(arrived, options.region))
        # Weighings that an earlier batch of the vehicle has taken in do no harm.
        own = loads.take(np.isin(loads.vehicle, np.unique(kept.vehicle)))
        judged = judge.advance(kept, np.zeros(len(kept), np.bool_), own)
        for interval in judged.intervals:
            # A vehicle's fixes may be in several batches: what was open may have grown.
            found[key_of(interval)] = interval
        done += len(batch)
    progress("judging", done, len(table))
    driven = judge_drivers(rulebook, (i for i in found.values() if i.kind == DRIVING))
    return [*found.values(), *driven]


def _judge_weighings(
    registry: Registry, rulebook: Rulebook, names: list[str]
) -> tuple[list[Interval], Loads, tuple[str, ...]]:
    """What weighings of known vehicles come to, and the plates of the others.

    Of two weighings of one station, time, lane and plate the first stays, as in the database.
    """
    by_plate = {normal_plate(name): number for number, name in reversed([*enumerate(names)])}
    weighings = registry.weighings
    found: dict[Key, Interval] = {}
    weighed: dict[tuple[str, int, int, str], Weighed] = {}
    unknown: dict[str, None] = {}
    for row, plate in enumerate(weighings.plate):
        number = by_plate.get(plate) if plate else None
        if number is None:
            unknown[plate] = None
            continue
        code, time = weighings.station[row], int(weighings.time[row])
        key = code, time, int(weighings.lane[row]), plate
        if key in weighed:
            continue
        station = registry.stations.get(code) or plain_station(code)
        overloads = judge_weighing(
            weighings,
            row,
            rulebook.vehicle_rules[number],
            station,
            rulebook.profile_at(time),
            rulebook.load_limits_at(time),
        )
        weighed[key] = Weighed.of(weighings, row, number, station, overloads)
        for interval in overloads:
            found.setdefault(key_of(interval), interval)
    return [*found.values()], Loads.of(weighed.values()), tuple(unknown)
