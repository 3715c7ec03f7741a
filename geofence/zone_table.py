"""Zones as arrays: what locating and the rules need of each zone, one row per zone.

Belongs here: checking zones of the registry and laying them out for kernels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from devices.batch import F32, F64, Bool
from geofence.errors import GeometryError, RegistryError
from geofence.geometry import Shape, parse_shape
from geofence.hours import weekly_minutes
from geofence.index import ZoneIndex
from geofence.registry import Zone

NO_STAY_LIMIT_US: Final = int(np.iinfo(np.int64).max)
SPEED_RANGE: Final = (5.0, 200.0)

NOBODY: Final = -1
"""The operator of a zone that is everybody's, and of a vehicle without one."""


class ZoneCode(IntEnum):
    """Kinds of zones as codes for kernels; the names are those of the registry in capitals."""

    SPEED = 0
    BANNED = 1
    TERMINAL = 2
    STOP = 3
    WATCH = 4


SHARED_KINDS: Final = (ZoneCode.TERMINAL, ZoneCode.STOP)
"""Kinds that bind whoever drives a route through them, whoever entered them in the registry."""

ZONE_DTYPE: Final = np.dtype(
    [
        ("kind", np.uint8),  # ZoneCode
        ("place", np.int32),  # the same number for all versions of one code
        ("operator", np.int32),  # whose vehicles it binds, NOBODY: everybody's
        ("valid_from", np.int64),
        ("valid_to", np.int64),
        ("schedule", np.int32),  # row of ZoneTable.schedules
        ("min_gross_kg", np.float64),  # -inf: any mass, even an unknown one
        ("min_duration_us", np.int64),
        ("max_stay_us", np.int64),  # NO_STAY_LIMIT_US: none
        ("overrides_road", np.uint8),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class ZoneTable:
    """Zones by row.

    rows: shape (z,), ZONE_DTYPE. places: zone code to its number in `rows["place"]`.
    binds_class: shape (z, c), whether the zone binds vehicles of class c.
    limit_kmh: shape (z, c), its speed limit for class c, NaN none.
    schedules: shape (s, 10080), whether a schedule is open at a minute of the week.
    """

    rows: np.ndarray[tuple[int], np.dtype[np.void]]
    places: Mapping[str, int]
    binds_class: Bool
    limit_kmh: F32
    schedules: Bool
    index: ZoneIndex

    @classmethod
    def build(cls, zones: Sequence[Zone], classes: Sequence[str]) -> "ZoneTable":
        """The table of some zones for vehicles of some classes. Raises RegistryError."""
        places = {code: at for at, code in enumerate(dict.fromkeys(z.code for z in zones))}
        shapes = [check_zone(zone) for zone in zones]
        schedules = {weekly_minutes(None).tobytes(): 0}
        rows = np.zeros(len(zones), ZONE_DTYPE)
        for at, zone in enumerate(zones):
            minutes = weekly_minutes(zone.weekly_hours).tobytes()
            rows[at] = (
                ZoneCode[zone.kind.upper()],
                places[zone.code],
                NOBODY if zone.operator_id is None else zone.operator_id,
                zone.valid_from,
                zone.valid_to,
                schedules.setdefault(minutes, len(schedules)),
                -math.inf if zone.min_gross_kg is None else zone.min_gross_kg,
                round(zone.min_duration_s * 1e6),
                NO_STAY_LIMIT_US if zone.max_stay_s is None else round(zone.max_stay_s * 1e6),
                zone.overrides_road,
            )
        shared = np.isin(rows["kind"], SHARED_KINDS)
        rows["operator"][shared] = NOBODY
        return cls(
            rows=rows,
            places=places,
            binds_class=_by_class(zones, classes, _binds).astype(np.bool_),
            limit_kmh=_by_class(zones, classes, _limit).astype(np.float32),
            schedules=np.frombuffer(b"".join(schedules), np.bool_).reshape(len(schedules), -1),
            index=ZoneIndex(shapes),
        )


def _by_class(
    zones: Sequence[Zone], classes: Sequence[str], value: Callable[[Zone, str], float]
) -> F64:
    table = [[value(zone, name) for name in classes] for zone in zones]
    return np.array(table, np.float64).reshape(len(zones), len(classes))


def _binds(zone: Zone, vehicle_class: str) -> float:
    return zone.classes is None or vehicle_class in zone.classes


def _limit(zone: Zone, vehicle_class: str) -> float:
    return zone.speed_limits.get(vehicle_class, zone.speed_limits.get("*", math.nan))


def _is_number(value: object, low: float, high: float = math.inf) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and low <= value <= high
    )


def _check_values(zone: Zone) -> None:
    if zone.kind.upper() not in ZoneCode.__members__:
        kinds = ", ".join(code.name.lower() for code in ZoneCode)
        raise RegistryError(f"kind: expected one of {kinds}, got {zone.kind!r}")
    if zone.valid_from >= zone.valid_to:
        raise RegistryError(f"valid_to: expected after {zone.valid_from}, got {zone.valid_to}")
    low, high = SPEED_RANGE
    for name, limit in zone.speed_limits.items():
        if not _is_number(limit, low, high):
            raise RegistryError(f"speed_limits[{name!r}]: expected {low:g}..{high:g}, got {limit}")
    if zone.kind == "speed" and not zone.speed_limits:
        raise RegistryError('speed_limits: expected km/h by vehicle class, like {"*": 60}')
    if zone.classes is not None and not zone.classes:
        raise RegistryError("classes: expected some vehicle classes, or none for every class")
    lengths = {
        "min_duration_s": zone.min_duration_s,
        "max_stay_s": zone.max_stay_s,
        "min_gross_kg": zone.min_gross_kg,
    }
    for key, value in lengths.items():
        if value is not None and not _is_number(value, 0.0, 1e9):
            raise RegistryError(f"{key}: expected 0..1e9, got {value}")


def check_zone(zone: Zone, *, repair: bool = False) -> Shape:
    """A zone's shape. Raises RegistryError where the zone could not be part of a rulebook.

    What writes zones to the registry calls it first, so that a rulebook can always be built.
    """
    try:
        _check_values(zone)
        weekly_minutes(zone.weekly_hours)
        return parse_shape(
            zone.geometry, radius_m=zone.radius_m, corridor_m=zone.corridor_m, repair=repair
        )
    except (GeometryError, RegistryError) as error:
        raise RegistryError(f"zone {zone.code!r} version {zone.version}: {error}") from error
