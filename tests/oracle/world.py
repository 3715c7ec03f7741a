"""What fixes are judged by: the registry and the profiles, asked one question at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from geofence.profile import Profile
from geofence.registry import Route, StationRule, VehicleRule, Zone
from tests.oracle.earth import is_inside

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass
class Fix:
    """One fix of one vehicle. speed_kmh NaN: unknown. quality: the names of its bits."""

    time: int
    lon: float
    lat: float
    speed_kmh: float
    driver: int = -1
    inputs: int = 0
    quality: set[str] = field(default_factory=set)

    @property
    def place(self):
        return self.lon, self.lat

    @property
    def rule_speed_kmh(self):
        return math.nan if "speed_implausible" in self.quality else self.speed_kmh


@dataclass
class World:
    profiles: list[Profile]
    zones: list[Zone]
    routes: list[Route]
    vehicles: dict[int, VehicleRule]
    timezone: str = "Asia/Ho_Chi_Minh"
    stations: Sequence[StationRule] = ()

    def local(self, time):
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)
        return utc.astimezone(ZoneInfo(self.timezone))

    def profile(self, time):
        day = self.local(time).date()
        for profile in self.profiles:
            begins, ends = profile.effective_from, profile.effective_to
            if (begins is None or begins <= day) and (ends is None or day < ends):
                return profile
        raise AssertionError("no profile")

    def number(self, time, key):
        return self.profile(time).number(key)

    def is_open_hour(self, zone, time):
        if zone.weekly_hours is None:
            return True
        local = self.local(time)
        minute = local.hour * 60 + local.minute
        for day, start, end in zone.weekly_hours:
            first, last = _minute(start), _minute(end)
            today = DAYS[local.weekday()] == day
            yesterday = DAYS[(local.weekday() - 1) % 7] == day
            if last > first and today and first <= minute < last:
                return True
            if last <= first and ((today and minute >= first) or (yesterday and minute < last)):
                return True
        return False

    def applies(self, zone, vehicle, time):
        owner = zone.operator_id
        shared = owner is None or zone.kind in ("terminal", "stop")
        heavy = zone.min_gross_kg is None or (
            vehicle.gross_kg is not None and vehicle.gross_kg >= zone.min_gross_kg
        )
        return (
            (shared or owner == vehicle.operator_id)
            and zone.valid_from <= time < zone.valid_to
            and (zone.classes is None or vehicle.vehicle_class in zone.classes)
            and heavy
            and self.is_open_hour(zone, time)
        )

    def limit(self, vehicle, fix):
        """(limit, source, code of the zone) in force at a fix."""
        lowest = None
        for zone in self.zones:
            if zone.kind != "speed" or not self.applies(zone, vehicle, fix.time):
                continue
            here = zone.speed_limits.get(vehicle.vehicle_class, zone.speed_limits.get("*"))
            if here is None or not is_inside(zone, fix.place):
                continue
            if lowest is None or here < lowest[0]:
                lowest = here, "zone", zone.code
        if lowest is not None:
            return lowest
        if vehicle.speed_limit_kmh is not None:
            return vehicle.speed_limit_kmh, "vehicle", None
        profile = self.profile(fix.time)
        default = profile.number("limits.default_kmh")
        return profile.class_limits_kmh.get(vehicle.vehicle_class, default), "profile", None

    def zones_by_code(self, *kinds):
        codes: dict[str, list[Zone]] = {}
        for zone in self.zones:
            if zone.kind in kinds:
                codes.setdefault(zone.code, []).append(zone)
        return codes

    def route_at(self, vehicle, code, time):
        """The version of a route that a vehicle is registered for at a time, else None."""
        registered = any(
            r.route_code == code and r.valid_from <= time < r.valid_to for r in vehicle.routes
        )
        versions = [r for r in self.routes if r.code == code and r.valid_from <= time < r.valid_to]
        return max(versions, key=lambda r: r.version, default=None) if registered else None


def _minute(clock):
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)


def gap_s(a, b):
    return (b.time - a.time) / 1e6
