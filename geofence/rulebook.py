"""Rulebook: the registry and the rule profiles in the form that judging wants, immutable.

Belongs here: checking that the parts fit together, and laying them out as arrays by vehicle id,
zone row, route row and profile row. A change of the registry makes a new rulebook.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from devices.batch import F32, F64, I32, I64, Bool
from geofence.errors import RegistryError, UnknownVehicleError
from geofence.hours import DAY_US, local_us, midnight_us
from geofence.load_limits import LoadLimits
from geofence.parameters import PARAMETERS, PROFILE_DTYPE
from geofence.profile import Profile
from geofence.registry import BEGINNING_US, Route, StationRule, VehicleRule, Zone
from geofence.roads.limits import RoadTable
from geofence.roads.matcher import RoadIndex
from geofence.route_table import RouteTable
from geofence.station_table import StationTable
from geofence.stop_table import StopTable
from geofence.zone_table import NOBODY, ZoneTable

MOST_VEHICLE_ID: Final = 50_000_000
"""Attributes are arrays by vehicle id: a larger id is a mistake, and would take gigabytes."""

Rows = np.ndarray[tuple[int], np.dtype[np.void]]


@dataclass(frozen=True, slots=True, eq=False)
class Vehicles:
    """Vehicles as arrays by vehicle id, shape (n_vehicles,).

    known: whether the registry has a vehicle of that id. vehicle_class: index into
    `Rulebook.classes`. operator: registry id, NOBODY none. The others: NaN not known.
    """

    known: Bool
    vehicle_class: I32
    operator: I32
    limit_kmh: F32
    gross_kg: F64

    def __len__(self) -> int:
        return len(self.known)


@dataclass(frozen=True, slots=True, eq=False)
class Rulebook:
    """What fixes are judged by.

    profiles: in order of time; params: the same as PROFILE_DTYPE rows, for kernels.
    class_limits_kmh: shape (n_profiles, n_classes), a profile's default limit of a class.
    zones, zone_table: by zone row; zone_table.rows are ZONE_DTYPE.
    routes, route_table, stop_table: by route row; route_table.rows are ROUTE_DTYPE.
    roads: what roads fixes are matched to, None: none.
    station_table: the weigh stations that may be avoided.
    vehicle_rules: the vehicles as given, by id.
    warnings: what is wrong in the registry and does not hinder judging.
    """

    timezone: ZoneInfo
    profiles: tuple[Profile, ...]
    profile_from: I64
    params: Rows
    classes: tuple[str, ...]
    class_limits_kmh: F32
    zones: tuple[Zone, ...]
    zone_table: ZoneTable
    routes: tuple[Route, ...]
    route_table: RouteTable
    stop_table: StopTable
    roads: RoadTable | None
    station_table: StationTable
    vehicles: Vehicles
    vehicle_rules: dict[int, VehicleRule]
    warnings: tuple[str, ...]

    @classmethod
    def build(
        cls,
        profiles: Sequence[Profile],
        zones: Sequence[Zone],
        routes: Sequence[Route],
        vehicles: Sequence[VehicleRule],
        timezone: str = "Asia/Ho_Chi_Minh",
        roads: RoadIndex | None = None,
        stations: Sequence[StationRule] = (),
    ) -> "Rulebook":
        """A rulebook of these parts. Raises RegistryError where they do not fit together.

        Together the profiles must cover all time without overlap. Rows of zones and routes are
        their positions in the sequences.
        """
        zone_info = ZoneInfo(timezone)
        ordered = _in_order(profiles)
        by_id = _by_id(vehicles)
        classes = tuple(sorted({vehicle.vehicle_class for vehicle in vehicles}))
        zone_table = ZoneTable.build(zones, classes)
        terminals = {z.code: zone_table.places[z.code] for z in zones if z.kind == "terminal"}
        count = max(by_id, default=-1) + 1
        route_table = RouteTable.build(routes, terminals, vehicles, count)
        return cls(
            timezone=zone_info,
            profiles=ordered,
            profile_from=np.array(
                [_begins_us(p.effective_from, zone_info) for p in ordered], np.int64
            ),
            params=_profile_table(ordered),
            classes=classes,
            class_limits_kmh=_class_limits(ordered, classes),
            zones=tuple(zones),
            zone_table=zone_table,
            routes=tuple(routes),
            route_table=route_table,
            stop_table=StopTable.build(routes, zone_table),
            roads=RoadTable.build(roads, ordered, classes, zone_info) if roads else None,
            station_table=StationTable.build(stations),
            vehicles=_vehicle_arrays(vehicles, count, classes),
            vehicle_rules=by_id,
            warnings=tuple(
                f"vehicle {vehicle}: route {code!r} is not in the registry"
                for vehicle, code in route_table.unknown
            ),
        )

    def check_vehicles(self, vehicle: I32) -> None:
        """Raise UnknownVehicleError unless the registry has every vehicle id of the array."""
        inside = (vehicle >= 0) & (vehicle < len(self.vehicles))
        known = inside.copy()
        known[inside] = self.vehicles.known[vehicle[inside]]
        if not known.all():
            raise UnknownVehicleError(np.unique(vehicle[~known]).tolist())

    def profile_row(self, times: I64) -> I32:
        """Row of the profile in force at each instant, shape (n,); there always is one."""
        if len(self.profiles) == 1:
            return np.zeros(len(times), np.int32)
        row = np.searchsorted(self.profile_from[1:], times, side="right")
        return row.astype(np.int32)

    def profile_at(self, time_us: int) -> Profile:
        """The profile in force at an instant."""
        return self.profiles[int(self.profile_row(np.array([time_us], np.int64))[0])]

    def profile_of(self, day: date) -> Profile:
        """The profile in force on a local day."""
        return self.profile_at(midnight_us(day, self.timezone))

    def load_limits_at(self, time_us: int) -> LoadLimits | None:
        """The tables of load limits in force at an instant; None: the profile knows none."""
        local = int(local_us(np.array([time_us], np.int64), self.timezone)[0])
        day = date.fromordinal(date(1970, 1, 1).toordinal() + local // DAY_US)
        return self.profile_at(time_us).load_limits_on(day)


def _begins_us(day: date | None, timezone: ZoneInfo) -> int:
    return BEGINNING_US if day is None else midnight_us(day, timezone)


def _in_order(profiles: Sequence[Profile]) -> tuple[Profile, ...]:
    """The profiles in order of time; they must meet."""
    ordered = tuple(sorted(profiles, key=lambda p: p.effective_from or date.min))
    expected: date | None = None
    for number, profile in enumerate(ordered):
        last = number == len(ordered) - 1
        if profile.effective_from != expected or (profile.effective_to is None) != last:
            raise RegistryError(
                f"profiles: expected one after another over all time; {profile.id!r} is in force "
                f"from {profile.effective_from or '-infinity'} "
                f"to {profile.effective_to or 'infinity'}, "
                f"the one before to {expected or '-infinity'}"
            )
        expected = profile.effective_to
    if not ordered:
        raise RegistryError("profiles: expected at least one, got none")
    return ordered


def _profile_table(profiles: Sequence[Profile]) -> Rows:
    table = np.zeros(len(profiles), PROFILE_DTYPE)
    for row, profile in enumerate(profiles):
        for parameter in PARAMETERS:
            if parameter.kind == "edges" or parameter.key not in profile.values:
                continue
            value: float
            if parameter.kind == "choice":
                value = parameter.choices.index(profile.choice(parameter.key))
            else:
                value = profile.number(parameter.key)
            table[parameter.column][row] = round(value * 1e6) if parameter.unit == "s" else value
    return table


def _class_limits(profiles: Sequence[Profile], classes: Sequence[str]) -> F32:
    limits = [
        [p.class_limits_kmh.get(name, p.number("limits.default_kmh")) for name in classes]
        for p in profiles
    ]
    return np.array(limits, np.float32).reshape(len(profiles), len(classes))


def _by_id(vehicles: Sequence[VehicleRule]) -> dict[int, VehicleRule]:
    by_id: dict[int, VehicleRule] = {}
    for vehicle in vehicles:
        if not 0 <= vehicle.id <= MOST_VEHICLE_ID:
            raise RegistryError(f"vehicle: expected an id 0..{MOST_VEHICLE_ID}, got {vehicle.id}")
        if vehicle.id in by_id:
            raise RegistryError(f"vehicle {vehicle.id}: expected once, got twice")
        by_id[vehicle.id] = vehicle
    return by_id


def _vehicle_arrays(
    vehicles: Sequence[VehicleRule], count: int, classes: Sequence[str]
) -> Vehicles:
    ids = np.array([vehicle.id for vehicle in vehicles], np.int64)
    numbers = {name: number for number, name in enumerate(classes)}
    made = Vehicles(
        known=np.zeros(count, np.bool_),
        vehicle_class=np.zeros(count, np.int32),
        operator=np.full(count, NOBODY, np.int32),
        limit_kmh=np.full(count, np.nan, np.float32),
        gross_kg=np.full(count, np.nan, np.float64),
    )
    made.known[ids] = True
    made.vehicle_class[ids] = [numbers[v.vehicle_class] for v in vehicles]
    made.operator[ids] = [NOBODY if v.operator_id is None else v.operator_id for v in vehicles]
    made.limit_kmh[ids] = [np.nan if (x := v.speed_limit_kmh) is None else x for v in vehicles]
    made.gross_kg[ids] = [np.nan if (x := v.gross_kg) is None else x for v in vehicles]
    return made
