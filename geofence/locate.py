"""Where fixes lie: zones, and the limit in force.

Belongs here: what can be said of a fix on its own, for all fixes at once. What follows from one
fix after another is for the rules, and so is what only few fixes are asked for, as how far from a
route they lie.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from devices.batch import F32, I32, I64, U8, Bool, FixBatch
from geofence.compile import kernel
from geofence.hours import minute_of_week
from geofence.roads.matcher import Matched
from geofence.rulebook import Rulebook
from geofence.zone_table import NOBODY, ZoneCode


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
    zone_start, zone_row = _zones(rulebook, fixes)
    zone_applies = _applies(rulebook, fixes, zone_start, zone_row)
    limit_kmh, limit_source, limit_zone = _limits(
        rulebook, fixes, zone_start, zone_row, zone_applies
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


def _zones(rulebook: Rulebook, fixes: FixBatch) -> tuple[I64, I32]:
    """The zones that contain each fix and may bind its vehicle, as offsets and rows."""
    start, row = rulebook.zone_table.index.contains(fixes.lon, fixes.lat)
    owner = rulebook.zone_table.rows["operator"][row]
    if (owner == NOBODY).all():
        return start, row
    fix = np.repeat(np.arange(len(fixes)), np.diff(start))
    operator = rulebook.vehicles.operator[fixes.vehicle[fix]]
    kept = (owner == NOBODY) | (owner == operator)
    counts = np.bincount(fix[kept], minlength=len(fixes))
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), row[kept]


def _applies(rulebook: Rulebook, fixes: FixBatch, start: I64, row: I32) -> Bool:
    """Whether each zone of each fix binds its vehicle at its time."""
    table = rulebook.zone_table
    zone = table.rows[row]
    fix = np.repeat(np.arange(len(fixes)), np.diff(start))
    vehicle = fixes.vehicle[fix]
    time = fixes.time[fix]
    minute = minute_of_week(fixes.time, rulebook.timezone)[fix]
    any_mass = np.isneginf(zone["min_gross_kg"])
    applies: Bool = (
        (zone["valid_from"] <= time)
        & (time < zone["valid_to"])
        & table.binds_class[row, rulebook.vehicles.vehicle_class[vehicle]]
        & (any_mass | (rulebook.vehicles.gross_kg[vehicle] >= zone["min_gross_kg"]))
        & table.schedules[zone["schedule"], minute]
    )
    return applies


def _limits(
    rulebook: Rulebook, fixes: FixBatch, start: I64, row: I32, applies: Bool
) -> tuple[F32, U8, I32]:
    """The limit in force at each fix, its source, and the zone that gave it."""
    limit = np.empty(len(fixes), np.float32)
    source = np.empty(len(fixes), np.uint8)
    zone = np.empty(len(fixes), np.int32)
    vehicle_class = rulebook.vehicles.vehicle_class[fixes.vehicle]
    default = rulebook.class_limits_kmh[rulebook.profile_row(fixes.time), vehicle_class]
    is_speed = rulebook.zone_table.rows["kind"] == ZoneCode.SPEED
    _limit_kernel(
        start, row, applies & is_speed[row], rulebook.zone_table.limit_kmh, vehicle_class,
        rulebook.vehicles.limit_kmh[fixes.vehicle], default, limit, source, zone,
    )  # fmt: skip
    return limit, source, zone


@kernel
def _limit_kernel(
    start: I64,
    row: I32,
    limits_here: Bool,
    zone_limit: F32,
    vehicle_class: I32,
    vehicle_limit: F32,
    default: F32,
    limit: F32,
    source: U8,
    zone: I32,
) -> None:
    for i in range(len(limit)):
        lowest, found = np.float32(math.inf), -1
        for k in range(start[i], start[i + 1]):
            here = zone_limit[row[k], vehicle_class[i]]
            if limits_here[k] and here < lowest:  # NaN, no limit for the class, is not lower
                lowest, found = here, row[k]
        zone[i] = found
        if found >= 0:
            limit[i], source[i] = lowest, 1
        elif math.isnan(vehicle_limit[i]):
            limit[i], source[i] = default[i], 3
        else:
            limit[i], source[i] = vehicle_limit[i], 0


def _lower_to_roads(
    rulebook: Rulebook, fixes: FixBatch, matched: Matched, start: I64, row: I32, applies: Bool,
    limit: F32, source: U8, zone: I32,
) -> None:  # fmt: skip
    """Put the limit of the road in force where it is lower than the zones', or there is none."""
    assert rulebook.roads is not None
    table = rulebook.zone_table
    vehicle_class = rulebook.vehicles.vehicle_class[fixes.vehicle]
    at_least = rulebook.params["roads_confidence"][rulebook.profile_row(fixes.time)]
    road_limit = rulebook.roads.limits(matched, fixes, vehicle_class, at_least)
    overrides = applies & (table.rows["kind"] == ZoneCode.SPEED)[row]
    overrides &= table.rows["overrides_road"][row] != 0
    _road_kernel(
        start, row, overrides, table.limit_kmh, vehicle_class, road_limit, limit, source, zone
    )


@kernel
def _road_kernel(
    start: I64,
    row: I32,
    overrides: Bool,
    zone_limit: F32,
    vehicle_class: I32,
    road_limit: F32,
    limit: F32,
    source: U8,
    zone: I32,
) -> None:
    for i in range(len(limit)):
        if math.isnan(road_limit[i]) or (zone[i] >= 0 and not road_limit[i] < limit[i]):
            continue
        replaced = False
        for k in range(start[i], start[i + 1]):
            # A zone that has no limit for the class replaces nothing.
            if overrides[k] and not math.isnan(zone_limit[row[k], vehicle_class[i]]):
                replaced = True
        if not replaced:
            limit[i], source[i], zone[i] = road_limit[i], 2, -1
