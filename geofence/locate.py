"""Where fixes lie: zones, and the limit in force.

Belongs here: what can be said of a fix on its own, for all fixes at once. What follows from one
fix after another is for the rules, and so is what only few fixes are asked for, as how far from a
route they lie.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np

from devices.batch import F32, F64, I32, I64, U8, Bool, FixBatch
from devices.compile import inlined_kernel, kernel
from geofence.hours import minute_at, minute_of_week, steady_offset_us
from geofence.roads.limits import Limits, edge_limit_kmh
from geofence.roads.matcher import Matched
from geofence.rulebook import Rows, Rulebook
from geofence.zone_table import NOBODY, ZoneCode

_SPEED: Final = int(ZoneCode.SPEED)


class LimitSource(IntEnum):
    """Where the limit in force at a fix came from."""

    VEHICLE = 0
    ZONE = 1
    ROAD = 2
    PROFILE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Where n fixes lie.

    zone_start: shape (n + 1,). Fix i lies in the zones zone_row[zone_start[i]:zone_start[i + 1]].
    zone_row: shape (zone_start[-1],), rows of `Rulebook.zones`, ascending within a fix: every zone
        that contains it at any time, but those of operators other than the vehicle's.
    zone_applies: the same shape: the zone binds this vehicle at the fix's time (validity, weekly
        hours, vehicle class, gross mass).
    limit_kmh: shape (n,), the limit in force. limit_source: `LimitSource`. limit_zone: row of the
        zone that gave it, -1 none.
    matched: the road of each fix; None: the rulebook has no roads.
    """

    zone_start: I64
    zone_row: I32
    zone_applies: Bool
    limit_kmh: F32
    limit_source: U8
    limit_zone: I32
    matched: Matched | None


def locate(rulebook: Rulebook, fixes: FixBatch, matched: Matched | None = None) -> Located:
    """Locate every fix. Positions must be finite: fixes with no_position or future have no place.

    matched: the roads of the fixes; None: they are on none.
    Raises UnknownVehicleError for vehicles that the rulebook does not know. Each fix is located on
    its own: order and neighbours make no difference.
    """
    rulebook.check_vehicles(fixes.vehicle)
    zone_start, zone_row, zone_applies, limit_kmh, limit_source, limit_zone = _zones(
        rulebook, fixes
    )
    if matched is not None:
        _lower_to_roads(
            rulebook, fixes, matched, zone_start, zone_row, zone_applies, limit_kmh, limit_source,
            limit_zone,
        )  # fmt: skip
    return Located(
        zone_start=zone_start,
        zone_row=zone_row,
        zone_applies=zone_applies,
        limit_kmh=limit_kmh,
        limit_source=limit_source,
        limit_zone=limit_zone,
        matched=matched,
    )


def _zones(rulebook: Rulebook, fixes: FixBatch) -> tuple[I64, I32, Bool, F32, U8, I32]:
    """zone_start, zone_row, zone_applies, and the limit by zones and vehicle, as in Located."""
    table, vehicles, n = rulebook.zone_table, rulebook.vehicles, len(fixes)
    start, row = table.index.contains(fixes.lon, fixes.lat)
    applies = np.empty(len(row), np.bool_)
    limit, source, zone = np.empty(n, np.float32), np.empty(n, np.uint8), np.empty(n, np.int32)
    minute, offset_us = _clock(rulebook, fixes.time)
    kept = _bind_kernel(
        start, row, fixes.vehicle, fixes.time, minute, offset_us, rulebook.profile_row(fixes.time),
        table.rows, table.schedules, table.binds_class, table.limit_kmh,
        (vehicles.vehicle_class, vehicles.operator, vehicles.gross_kg, vehicles.limit_kmh),
        rulebook.class_limits_kmh, applies, limit, source, zone,
    )  # fmt: skip
    return start, row[:kept], applies[:kept], limit, source, zone


def _clock(rulebook: Rulebook, time: I64) -> tuple[I64, int]:
    """The minute of the week of each fix; or none, and the offset from UTC that gives it."""
    nothing = np.zeros(0, np.int64)
    if not len(time) or len(rulebook.zone_table.schedules) == 1:  # the first one is: always
        return nothing, 0
    offset_us = steady_offset_us(int(time.min()), int(time.max()), rulebook.timezone)
    if offset_us is None:
        return minute_of_week(time, rulebook.timezone), 0
    return nothing, offset_us


@kernel
def _applies(
    zone: Any, binds: bool, schedules: Bool, time: int, minute: I64, offset_us: int, i: int,
    gross_kg: float,
) -> bool:  # fmt: skip
    """Whether a zone binds a vehicle at fix i: by class, dates, mass and weekly hours."""
    if not binds or time < zone["valid_from"] or time >= zone["valid_to"]:
        return False
    least_kg = zone["min_gross_kg"]
    if least_kg != -math.inf and not gross_kg >= least_kg:  # NaN, not known, is not enough
        return False
    schedule = zone["schedule"]
    if schedule == 0:
        return True
    return bool(schedules[schedule, minute[i] if len(minute) else minute_at(time + offset_us)])


def binds(rulebook: Rulebook, row: I32, vehicle: I32, time: I64) -> Bool:
    """Whether the zones of some rows bind some vehicles at some instants, shape (n,) all of them.

    As `Located.zone_applies`, wherever the vehicles are.
    """
    zone, vehicles = rulebook.zone_table.rows[row], rulebook.vehicles
    minute = minute_of_week(time, rulebook.timezone)
    mass_matters = ~np.isneginf(zone["min_gross_kg"])
    bound: Bool = (
        ((zone["operator"] == NOBODY) | (zone["operator"] == vehicles.operator[vehicle]))
        & (zone["valid_from"] <= time)
        & (time < zone["valid_to"])
        & rulebook.zone_table.binds_class[row, vehicles.vehicle_class[vehicle]]
        & (~mass_matters | (vehicles.gross_kg[vehicle] >= zone["min_gross_kg"]))
        & rulebook.zone_table.schedules[zone["schedule"], minute]
    )
    return bound


@kernel
def _bind_kernel(
    start: I64,
    row: I32,
    vehicle: I32,
    time: I64,
    minute: I64,
    offset_us: int,
    profile: I32,
    zones: Rows,
    schedules: Bool,
    binds_class: Bool,
    zone_limit: F32,
    by_vehicle: tuple[I32, I32, F64, F32],
    class_limit: F32,
    applies: Bool,
    limit: F32,
    source: U8,
    limit_zone: I32,
) -> int:
    """Drop other operators' zones from start and row; fill the rest. How many rows were kept."""
    class_of, operator_of, gross_of, limit_of = by_vehicle
    kept, begin = 0, start[0]
    for i in range(len(vehicle)):
        own = vehicle[i]
        vehicle_class = class_of[own]
        lowest, found = np.float32(math.inf), -1
        end = start[i + 1]
        for k in range(begin, end):
            at = row[k]
            zone = zones[at]
            if zone["operator"] != NOBODY and zone["operator"] != operator_of[own]:
                continue
            binds = binds_class[at, vehicle_class]
            here = _applies(zone, binds, schedules, time[i], minute, offset_us, i, gross_of[own])
            row[kept], applies[kept] = at, here
            kept += 1
            if here and zone["kind"] == _SPEED:
                of_zone = zone_limit[at, vehicle_class]
                if of_zone < lowest:  # NaN, no limit for the class, is not lower
                    lowest, found = of_zone, at
        begin = end
        start[i + 1] = kept
        limit_zone[i] = found
        if found >= 0:
            limit[i], source[i] = lowest, 1
        elif math.isnan(limit_of[own]):
            limit[i], source[i] = class_limit[profile[i], vehicle_class], 3
        else:
            limit[i], source[i] = limit_of[own], 0
    return kept


def _lower_to_roads(
    rulebook: Rulebook, fixes: FixBatch, matched: Matched, start: I64, row: I32, applies: Bool,
    limit: F32, source: U8, zone: I32,
) -> None:  # fmt: skip
    """Put the limit of the road in force where it is lower than the zones', or there is none."""
    assert rulebook.roads is not None
    table = rulebook.zone_table
    overrides = (table.rows["kind"] == ZoneCode.SPEED) & (table.rows["overrides_road"] != 0)
    zones = ZoneColumns(start, row, applies, overrides, table.limit_kmh)
    _road_kernel(
        rulebook.roads.limits, zones, rulebook.vehicles.vehicle_class,
        np.ascontiguousarray(rulebook.params["roads_confidence"]), fixes.vehicle, fixes.time,
        rulebook.profile_row(fixes.time), matched, limit, source, zone,
    )  # fmt: skip


class ZoneColumns(NamedTuple):
    """The zones of fixes, for kernels.

    start, row, applies: as in `Located`. overrides: shape (zones,), it replaces limits of roads.
    limit_kmh: shape (zones, classes), NaN none.
    """

    start: I64
    row: I32
    applies: Bool
    overrides: Bool
    limit_kmh: F32


@inlined_kernel
def _replaces_road(zones: ZoneColumns, i: int, vehicle_class: int) -> bool:
    """Whether a zone of fix i replaces limits of roads. One without a limit for the class does not.

    vehicle_class: of the fix's vehicle.
    """
    replaces = False
    for k in range(zones.start[i], zones.start[i + 1]):
        z = zones.row[k]
        if zones.overrides[z] and zones.applies[k]:
            replaces = replaces or not math.isnan(zones.limit_kmh[z, vehicle_class])
    return replaces


@kernel
def _road_kernel(
    limits: Limits, zones: ZoneColumns, vehicle_class: I32, at_least: F64, vehicle: I32,
    time: I64, profile: I32, matched: Matched, limit: F32, source: U8, zone: I32,
) -> None:  # fmt: skip
    """at_least: by profile, the confidence that a match must have."""
    for i in range(len(limit)):
        edge = matched.edge[i]
        if edge < 0 or matched.confidence[i] < at_least[profile[i]]:
            continue
        bound = vehicle_class[vehicle[i]]
        here = edge_limit_kmh(limits, edge, matched.is_backward[i], time[i], bound)
        if math.isnan(here) or (zone[i] >= 0 and not here < limit[i]):
            continue
        if not _replaces_road(zones, i, bound):
            limit[i], source[i], zone[i] = here, 2, -1
