"""Compile every kernel once, so that no first batch waits for the compiler.

Belongs here: a tiny fleet that meets every rule. `python -m geofence.warm` is part of the set-up;
compiled kernels are kept by `compile`.
"""

from typing import Final

import numpy as np

from devices.batch import FixBatch
from geofence.interval import Interval
from geofence.judge import Judge
from geofence.loads import Loads, Weighed
from geofence.profile import shipped_profile
from geofence.registry import GeoJson, Route, StationRule, VehicleRoute, VehicleRule, Zone
from geofence.rulebook import Rulebook

_FIXES = 40
_START_US = 1_700_000_000_000_000


def _box(west: float, east: float) -> GeoJson:
    ring = [[west, 9.9], [east, 9.9], [east, 10.1], [west, 10.1], [west, 9.9]]
    return {"type": "Polygon", "coordinates": [ring]}


def _line(*lons: float) -> GeoJson:
    return {"type": "LineString", "coordinates": [[lon, 10.0] for lon in lons]}


STATION: Final = StationRule(
    1, "T", 106.1, 10.0, approach=_line(106.0, 106.2), corridor_m=100.0, is_two_way=True
)


def _rulebook() -> Rulebook:
    zones = [
        Zone(1, "A", "terminal", _box(106.0, 106.01)),
        Zone(2, "B", "terminal", {"type": "Point", "coordinates": [106.2, 10.0]}, radius_m=500.0),
        Zone(3, "slow", "speed", _box(106.02, 106.1), speed_limits={"*": 40.0}),
        Zone(4, "road", "banned", _line(106.05, 106.1), corridor_m=100.0),
    ]
    path, back = _line(106.0, 106.2), _line(106.2, 106.0)
    routes = [Route(1, "AB", 100.0, "A", "B", path, back)]
    vehicles = [VehicleRule(1, routes=(VehicleRoute("AB"),)), VehicleRule(2, operator_id=1)]
    return Rulebook.build([shipped_profile()], zones, routes, vehicles, stations=[STATION])


def _drive(vehicle: int) -> FixBatch:
    step = np.arange(_FIXES)
    time = _START_US + step * 20_000_000
    return FixBatch.blank(
        _FIXES,
        vehicle=np.full(_FIXES, vehicle),
        time=time,
        received=time,
        lon=106.0 + 0.004 * step,
        lat=np.where(step < _FIXES // 2, 10.0, 10.01),
        speed_kmh=np.full(_FIXES, 60.0),
    )


def overloaded(vehicle: int, time: int) -> Weighed:
    """A weighing that shows a vehicle to be overloaded."""
    names = ("measured_kg", "limit_kg", "tolerance", "excess_percent", "band", "group")
    place = (106.0, 10.0)
    overload = Interval(
        "overload_gross", vehicle, "T", "", -1, time, time, 0.0, 0, place, place,
        is_open=False, details=dict.fromkeys(names, 1.0),
    )  # fmt: skip
    return Weighed(
        vehicle=vehicle,
        time=time,
        station="T",
        lane=0,
        gross_kg=20_000.0,
        tolerance=0.0,
        is_indicative=False,
        overload=overload,
    )


def warm() -> None:
    """Run every kernel on a few fixes."""
    judge = Judge(_rulebook())
    fixes = FixBatch.concat([_drive(1), _drive(2)])
    loads = Loads.of([overloaded(1, _START_US)])
    judge.advance(fixes, np.zeros(len(fixes), np.bool_), loads)
    judge.forget(np.array([1, 2], np.int32))
    judge.advance(fixes, np.ones(len(fixes), np.bool_))


if __name__ == "__main__":
    warm()
