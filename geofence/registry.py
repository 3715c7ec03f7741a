"""What the registry says about zones, routes, vehicles and weigh stations, as plain values.

The fields mirror the columns of the registry tables; the storage fills them in, and the judge
command does the same from files. Nothing is checked here: `Rulebook.build` does. Instants are
microseconds since 1970-01-01 UTC, half open: valid_from <= t < valid_to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

import numpy as np

BEGINNING_US: Final = int(np.iinfo(np.int64).min)
"""-infinity of an instant."""

END_US: Final = int(np.iinfo(np.int64).max)
"""infinity of an instant."""

GeoJson = Mapping[str, Any]
"""A GeoJSON geometry object (RFC 7946), as parsed from JSON."""

ZoneKind = Literal["speed", "banned", "terminal", "stop", "watch"]
Direction = Literal["outbound", "inbound"]
VehicleKind = Literal["rigid", "tractor_semi", "rigid_trailer", "bus", "car"]
StationKind = Literal["static", "wim"]
WeeklyHours = tuple[tuple[str, str, str], ...]
"""("mon".."sun", "HH:MM", "HH:MM") each; an end at or before its start lies on the next day."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A fence: one version of what its code names.

    operator_id: None: everybody's; else it binds that operator's vehicles only.
    radius_m: with a Point. corridor_m: to each side, with a LineString or MultiLineString.
    speed_limits: km/h by vehicle class; "*" is every other class.
    classes: the vehicle classes it binds; None: every class.
    weekly_hours: when it applies; None: always.
    min_gross_kg: it binds vehicles of at least this gross mass; None: all.
    crossings: steps that pass it between two fixes are found, too.
    """

    id: int
    code: str
    kind: ZoneKind
    geometry: GeoJson
    version: int = 1
    name: str = ""
    operator_id: int | None = None
    radius_m: float | None = None
    corridor_m: float | None = None
    speed_limits: Mapping[str, float] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    weekly_hours: WeeklyHours | None = None
    valid_from: int = BEGINNING_US
    valid_to: int = END_US
    max_stay_s: float | None = None
    min_duration_s: float = 0.0
    min_gross_kg: float | None = None
    overrides_road: bool = False
    crossings: bool = False


@dataclass(frozen=True, slots=True)
class RouteStop:
    """An announced stop of a route; `seq` orders the stops of one direction."""

    direction: Direction
    seq: int
    lon: float
    lat: float
    name: str = ""
    compulsory: bool = True


@dataclass(frozen=True, slots=True)
class RouteSlot:
    """A departure that a route's timetable says there is, on some days.

    departs: local time "HH:MM". days: "mon".."sun"; None: every day. valid_from, valid_to: the
    first local day and the one after the last; None: as long as the version of the route.
    """

    direction: Direction
    departs: str
    days: tuple[str, ...] | None = None
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One version of a fixed route.

    terminal_a, terminal_b: codes of zones of kind terminal.
    outbound, inbound: GeoJSON LineStrings, from A to B and from B to A.
    """

    id: int
    code: str
    corridor_m: float
    terminal_a: str
    terminal_b: str
    outbound: GeoJson
    inbound: GeoJson
    version: int = 1
    name: str = ""
    operator_id: int | None = None
    valid_from: int = BEGINNING_US
    valid_to: int = END_US
    stops: tuple[RouteStop, ...] = ()
    slots: tuple[RouteSlot, ...] = ()


@dataclass(frozen=True, slots=True)
class VehicleRoute:
    """That a vehicle is registered for a route; the route's version in force at a fix applies."""

    route_code: str
    valid_from: int = BEGINNING_US
    valid_to: int = END_US


@dataclass(frozen=True, slots=True)
class VehicleRule:
    """What the rules need to know of a vehicle. None: not known.

    gross_kg, kerb_kg, cargo_kg: permitted gross mass, kerb mass, permitted cargo of the
        inspection certificate.
    """

    id: int
    plate: str = ""
    operator_id: int | None = None
    vehicle_class: str = "truck_over_3_5t"
    kind: VehicleKind = "rigid"
    speed_limit_kmh: float | None = None
    gross_kg: float | None = None
    kerb_kg: float | None = None
    cargo_kg: float | None = None
    axles: int | None = None
    routes: tuple[VehicleRoute, ...] = ()


@dataclass(frozen=True, slots=True)
class StationRule:
    """A weigh station, as it is between two changes of it.

    tolerance: the fraction by which its masses may be too high.
    approach: a GeoJSON LineString, the road that leads by the station in the direction that is
        weighed there; None: nobody is watched for avoiding it. corridor_m: how far to each side a
        vehicle is still on that road.
    is_two_way: both directions are weighed.
    weekly_hours: when it is open; None: always.
    calibrations: spans (valid_from, valid_to) in which its masses can be relied on; None: always
        until `calibrated_until`.
    valid_from, valid_to: when it is so.
    """

    id: int
    code: str
    lon: float
    lat: float
    name: str = ""
    kind: StationKind = "static"
    tolerance: float = 0.0
    calibrated_until: int = END_US
    approach: GeoJson | None = None
    corridor_m: float | None = None
    is_two_way: bool = False
    weekly_hours: WeeklyHours | None = None
    calibrations: tuple[tuple[int, int], ...] | None = None
    valid_from: int = BEGINNING_US
    valid_to: int = END_US

    def is_calibrated(self, at_us: int) -> bool:
        """Whether its masses can be relied on at an instant, microseconds since 1970 UTC."""
        if self.calibrations is None:
            return at_us < self.calibrated_until
        return any(since <= at_us < until for since, until in self.calibrations)
