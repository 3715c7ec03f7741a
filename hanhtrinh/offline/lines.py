"""One line for each interval: the fields that files of violations carry, by their names.

Belongs here: names, order and units of the fields. How they are written down is for `writing`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from analytics.timetable import NOT_RUN, SlotRun, named
from devices.describe import rfc3339
from devices.rounding import shown_degrees
from geofence.interval import Interval

Line = dict[str, Any]

COMMON: Final = (
    "kind", "rule_profile", "vehicle", "driver", "started_at", "ended_at", "duration_s",
    "distance_m", "fixes", "start", "end",
)  # fmt: skip

SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "zone": (
        "zone_visit", "zone_entry", "zone_exit", "zone_dwell", "banned_zone", "crossing",
    ),
    "route": (
        "off_route", "unscheduled_stop", "missed_stop", "wrong_order", "late_departure", "not_run",
        "route_trip",
    ),
    "station": (
        "overload_gross", "overload_axle", "overload_cargo", "overloaded_stretch",
        "station_avoided",
    ),
    "road": ("bridge_limit",),
}  # fmt: skip
"""What the subject of an interval is called, by its kind; where it has one of no such kind, it is
called `subject`."""

_NAMES: Final = {kind: name for name, kinds in SUBJECTS.items() for kind in kinds}
_REGISTRY_IDS: Final = frozenset({"zone_id", "route_id"})
"""Numbers of rows in a database, which there is none of here."""

Key = tuple[str, int, str, int]
Keyed = tuple[Interval, Line]


def key_of(interval: Interval) -> Key:
    """What identifies an interval."""
    return interval.kind, interval.vehicle, interval.subject, interval.started


class Lines:
    """Makes lines of intervals; knows what vehicles and drivers are called."""

    def __init__(
        self,
        vehicles: Sequence[str],
        drivers: Sequence[str],
        driver_names: Mapping[str, str] | None,
    ) -> None:
        """driver_names: of drivers that a file names, which makes every line carry one."""
        self._vehicles = vehicles
        self._drivers = drivers
        self._driver_names = driver_names

    def order(self, interval: Interval) -> tuple[str, int, str, str]:
        """By vehicle, start and kind."""
        return (
            self._vehicles[interval.vehicle], interval.started, interval.kind, interval.subject,
        )  # fmt: skip

    def line(self, interval: Interval) -> Line:
        """The fields of one interval, in order."""
        driver = self._drivers[interval.driver] if interval.driver >= 0 else None
        line: Line = {
            "kind": interval.kind,
            "rule_profile": interval.profile,
            "vehicle": self._vehicles[interval.vehicle],
            "driver": driver,
            "started_at": rfc3339(interval.started),
            "ended_at": rfc3339(interval.ended),
            "duration_s": interval.duration_s,
            "distance_m": _plain(interval.distance_m),
            "fixes": interval.fixes,
            "start": _place(interval.start),
            "end": _place(interval.end),
        }
        if self._driver_names is not None:
            line["driver_name"] = self._driver_names.get(driver) if driver else None
        if interval.kind in _NAMES or interval.subject:
            line[_NAMES.get(interval.kind, "subject")] = interval.subject or None
        for name, value in interval.details.items():
            if name not in _REGISTRY_IDS:
                line[name] = _plain(value)
        return line

    def not_run(self, run: SlotRun) -> Line:
        """The fields of a slot that no vehicle ran; nobody knows a vehicle or a place."""
        slot = run.slot
        line: Line = {
            "kind": NOT_RUN,
            "rule_profile": run.profile,
            "vehicle": None,
            "driver": None,
            "started_at": rfc3339(slot.at_us),
            "ended_at": rfc3339(slot.at_us),
            "duration_s": 0.0,
            "distance_m": 0.0,
            "fixes": 0,
            "start": None,
            "end": None,
        }
        if self._driver_names is not None:
            line["driver_name"] = None
        return line | {
            "route": slot.route_code, "direction": slot.direction, "slot": named(slot),
        }  # fmt: skip


def _plain(value: Any) -> Any:
    """A value as it is written down: numbers to a thousandth, None for what is no number."""
    if isinstance(value, float):
        return round(value, 3) + 0.0 if math.isfinite(value) else None
    return value


def _place(place: tuple[float, float]) -> list[float] | None:
    """[lon, lat] to a centimetre; None: nobody knows."""
    return None if math.isnan(place[0]) else [shown_degrees(degrees) for degrees in place]
