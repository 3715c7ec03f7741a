"""The simulated country: zones, routes, weigh stations and roads near Ha Noi.

Everything in places/hanoi.geojson is made up by us; it lies where Ha Noi lies and looks like what
lies there, and no street, terminal or station of it exists. Belongs here: reading that file, and
questions about places. Does not belong here: who drives there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Final

import numpy as np
import shapely

from devices.batch import F64, Bool
from geofence.registry import GeoJson, Route, RouteSlot, RouteStop, StationRule, Zone
from simulators.errors import LineError
from simulators.motion import EARTH_RADIUS_M, Line
from simulators.signs import Sign

CENTRE: Final = (105.85, 21.02)
"""Where the local plane of the world touches the sphere: (lon, lat)."""

DEFAULT_LIMIT_KMH: Final = 80.0
"""The rule profiles' default where neither a zone nor the vehicle has a limit."""

ASIDE_M: Final = 40.0
"""A way so far from a zone is outside for certain, whatever the receiver's noise."""

TUNNEL_M: Final = 20.0
"""Half the width of a tunnel."""

SCALE_M: Final = 500.0
"""Lorries that pass nearer to a weigh station would have to be weighed there."""

_METRES_PER_DEGREE = np.pi / 180 * EARTH_RADIUS_M


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What the registry is told, and the roads that the fleet drives. Equal to itself alone."""

    zones: tuple[Zone, ...]
    routes: tuple[Route, ...]
    stations: tuple[StationRule, ...]
    roads: Mapping[str, Line]
    areas: Mapping[str, shapely.Geometry]
    """In the local plane, metres: zones, routes' outbound paths, stations' approaches, tunnels."""

    tunnels: tuple[str, ...] = ()
    """Codes of the places where no receiver hears a satellite."""

    lines: tuple[str, ...] = ()
    """The roads that a user added."""

    signs: tuple[Sign, ...] = ()
    """What a map of roads says that is driven against; none: nobody has the map."""

    def with_lines(self, lines: Mapping[str, Line]) -> "World":
        """The same world with more roads, by name.

        Raises LineError where driving one breaks a rule.
        """
        for name, line in lines.items():
            lon, lat, _ = line.at(line.grid(()))
            for zone in self.zones:
                if zone.kind == "watch" and self.inside(zone.code, lon, lat, ASIDE_M).any():
                    raise LineError(
                        f"{name}: expected a way that keeps {ASIDE_M:g} m from watched places, "
                        f"got one through {zone.code}: nobody plans its visits there"
                    )
        return replace(self, roads={**self.roads, **lines}, lines=(*self.lines, *lines))

    def serves_lorries(self, road: str) -> bool:
        """Whether lorries break no rule there: no closed zone is near, and no scale."""
        lon, lat, _ = self.roads[road].at(self.roads[road].grid(()))
        closed = any(
            zone.kind == "banned" and self.inside(zone.code, lon, lat, ASIDE_M).any()
            for zone in self.zones
        )
        x, y = _plane(lon, lat)
        scales = [
            _plane(np.array([station.lon]), np.array([station.lat])) for station in self.stations
        ]
        near = any(bool((np.hypot(x - sx, y - sy) < SCALE_M).any()) for sx, sy in scales)
        return not closed and not near

    def inside(self, code: str, lon: F64, lat: F64, margin_m: float = 0.0) -> Bool:
        """Which places lie in the zone, or within `margin_m` of it. Shape of lon."""
        x, y = _plane(lon, lat)
        area = self.areas[code]
        west, south, east, north = area.bounds
        found = (x >= west - margin_m) & (x <= east + margin_m)
        found &= (y >= south - margin_m) & (y <= north + margin_m)
        # Nearly all places are far from nearly all zones.
        rows = np.flatnonzero(found)
        if margin_m == 0.0:
            found[rows] = shapely.intersects_xy(area, x[rows], y[rows])
        else:
            found[rows] = shapely.dwithin(area, shapely.points(x[rows], y[rows]), margin_m)
        return np.asarray(found, np.bool_)

    def distance_m(self, code: str, lon: F64, lat: F64) -> F64:
        """How far from the zone (0 inside) or from the route's outbound path each place is."""
        x, y = _plane(lon, lat)
        return np.asarray(shapely.distance(self.areas[code], shapely.points(x, y)), np.float64)

    def distance_to_centre_m(self, code: str, lon: F64, lat: F64) -> F64:
        """How far from the middle of the zone each place is."""
        x, y = _plane(lon, lat)
        centre = self.areas[code].centroid
        return np.asarray(np.hypot(x - centre.x, y - centre.y), np.float64)

    def meets_m(self, code: str, line: Line) -> list[float]:
        """How far along a line its middles of what it has in common with the zone lie."""
        x, y = _plane(line.lon, line.lat)
        way = shapely.LineString(np.column_stack((x, y)))
        common = shapely.get_parts(shapely.intersection(way, self.areas[code]))
        scale = line.length_m / way.length
        middles = [way.project(part.centroid) * scale for part in common if part.length > 0.0]
        return sorted(float(along) for along in middles)

    def limit_kmh(
        self, vehicle_class: str, own_kmh: float | None, lon: F64, lat: F64, margin_m: float = 0.0
    ) -> F64:
        """The limit for such a vehicle at each place: the lowest zone's, else its own."""
        own = DEFAULT_LIMIT_KMH if own_kmh is None else own_kmh
        limit = np.full(lon.shape, np.inf)
        for zone in self.zones:
            kmh = zone.speed_limits.get(vehicle_class, zone.speed_limits.get("*"))
            if zone.kind == "speed" and kmh is not None:
                within = self.inside(zone.code, lon, lat, margin_m)
                limit = np.where(within, np.minimum(limit, kmh), limit)
        # Near a zone's edge its limit may not apply yet: whoever keeps a margin keeps both.
        return np.where(np.isinf(limit) | (margin_m > 0.0), np.minimum(limit, own), limit)

    def in_tunnel(self, lon: F64, lat: F64) -> Bool:
        """Which places lie in a tunnel. Shape of lon."""
        dark = np.zeros(lon.shape, np.bool_)
        for code in self.tunnels:
            dark |= self.inside(code, lon, lat)
        return dark

    def route(self, code: str) -> Route:
        return next(route for route in self.routes if route.code == code)

    def station(self, code: str) -> StationRule:
        return next(station for station in self.stations if station.code == code)


def load_world(*, has_map: bool = False) -> World:
    """The world of places/hanoi.geojson; has_map: who judges it has the map with the signs."""
    text = resources.files("simulators").joinpath("places/hanoi.geojson").read_text("utf-8")
    features: list[dict[str, Any]] = json.loads(text)["features"]
    of = {
        what: [feature for feature in features if feature["properties"]["is"] == what]
        for what in ("zone", "route", "weigh_station", "road", "tunnel", "sign")
    }
    zones = tuple(_zone(number, feature) for number, feature in enumerate(of["zone"], 1))
    routes = tuple(_route(number, feature) for number, feature in enumerate(of["route"], 1))
    stations = tuple(_station(n, feature) for n, feature in enumerate(of["weigh_station"], 1))
    tunnels = {feature["properties"]["code"]: feature["geometry"] for feature in of["tunnel"]}
    areas = {zone.code: _area(zone.geometry, zone.radius_m or zone.corridor_m) for zone in zones}
    areas.update({route.code: _area(route.outbound, None) for route in routes})
    areas.update({each.code: _area(each.approach, None) for each in stations if each.approach})
    areas.update({code: _area(way, TUNNEL_M) for code, way in tunnels.items()})
    roads = {
        feature["properties"]["code"]: Line.of(feature["geometry"]["coordinates"])
        for feature in of["road"]
    }
    signs = [Sign.of(each["geometry"], each["properties"], roads) for each in of["sign"]]
    return World(
        zones=zones,
        routes=routes,
        stations=stations,
        roads=roads,
        areas=areas,
        tunnels=tuple(tunnels),
        signs=tuple(signs) if has_map else (),
    )


def _plane(lon: F64, lat: F64) -> tuple[F64, F64]:
    """Metres east and north of CENTRE; scale errors stay under 0.3 % within 40 km."""
    east = (lon - CENTRE[0]) * _METRES_PER_DEGREE * np.cos(np.radians(CENTRE[1]))
    return east, (lat - CENTRE[1]) * _METRES_PER_DEGREE


def _area(geometry: GeoJson, buffer_m: float | None) -> shapely.Geometry:
    shape = shapely.from_geojson(json.dumps(geometry))
    flat = shapely.transform(shape, lambda xy: np.column_stack(_plane(xy[:, 0], xy[:, 1])))
    area = flat if buffer_m is None else shapely.buffer(flat, buffer_m, quad_segs=64)
    shapely.prepare(area)
    return area


def _zone(number: int, feature: Mapping[str, Any]) -> Zone:
    values = {key: value for key, value in feature["properties"].items() if key != "is"}
    if "weekly_hours" in values:
        values["weekly_hours"] = tuple(tuple(hours) for hours in values["weekly_hours"])
    if "classes" in values:
        values["classes"] = tuple(values["classes"])
    return Zone(id=number, geometry=feature["geometry"], **values)


def _route(number: int, feature: Mapping[str, Any]) -> Route:
    values = {key: value for key, value in feature["properties"].items() if key != "is"}
    stops = tuple(RouteStop(**stop) for stop in values.pop("stops"))
    slots = tuple(RouteSlot(**slot) for slot in values.pop("slots", ()))
    return Route(id=number, outbound=feature["geometry"], stops=stops, slots=slots, **values)


def _station(number: int, feature: Mapping[str, Any]) -> StationRule:
    values = {key: value for key, value in feature["properties"].items() if key != "is"}
    lon, lat = feature["geometry"]["coordinates"]
    return StationRule(id=number, lon=lon, lat=lat, **values)
