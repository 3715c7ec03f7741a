"""A picture of the whole registry, as the plain values that judging is done by."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import msgspec
from psycopg import AsyncConnection, AsyncCursor
from psycopg.types.json import set_json_loads

from geofence.registry import (
    Route,
    RouteSlot,
    RouteStop,
    StationRule,
    VehicleRoute,
    VehicleRule,
    Zone,
)
from storage.arrays import cursor
from storage.queries import queries

SQL = queries("registry")


class Tenure(NamedTuple):
    """A name means this vehicle from `valid_from` (inclusive) to `valid_to` (exclusive)."""

    name: str
    vehicle: int
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class RegistrySnapshot:
    """The registry at `version`.

    vehicles, zones, routes, stations: ascending by id, every version of each.
    devices, plates: which vehicle an ident or a plate means, and when.
    drivers: id by licence.
    column_maps: by weigh station code, for stations that send CSV: our column -> their header.
    """

    version: int
    zones: tuple[Zone, ...]
    routes: tuple[Route, ...]
    vehicles: tuple[VehicleRule, ...]
    stations: tuple[StationRule, ...]
    devices: tuple[Tenure, ...]
    plates: tuple[Tenure, ...]
    drivers: Mapping[str, int]
    column_maps: Mapping[str, Mapping[str, str]]
    _vehicles: Mapping[int, VehicleRule] = field(default_factory=dict, repr=False)
    _stations: Mapping[int, list[StationRule]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, **parts: Any) -> Self:
        """A snapshot with its indexes."""
        return cls(
            **parts,
            _vehicles={vehicle.id: vehicle for vehicle in parts["vehicles"]},
            _stations=_versions(parts["stations"]),
        )

    def vehicle(self, vehicle_id: int) -> VehicleRule:
        """The vehicle of an id; KeyError for an unknown one."""
        return self._vehicles[vehicle_id]

    def station(self, station_id: int, at_us: int) -> StationRule:
        """The weigh station of an id as it was at an instant; KeyError for an unknown one."""
        *past, now = self._stations[station_id]
        return next((station for station in past if at_us < station.valid_to), now)


async def version(conn: AsyncConnection) -> int:
    """The registry's version: it moves with every change."""
    row = await (await conn.execute(SQL["version"])).fetchone()
    assert row is not None
    return int(row[0])


async def load(conn: AsyncConnection) -> RegistrySnapshot:
    """Read the whole registry."""
    cur = cursor(conn)
    set_json_loads(msgspec.json.decode, cur)
    # Before the rest: a change made while reading shows as a newer version the next time.
    at = await version(conn)
    vehicles = await _rows(cur, "vehicles")
    return RegistrySnapshot.of(
        version=at,
        zones=tuple(zone_of(row) for row in await _rows(cur, "zones")),
        routes=await _routes(cur),
        vehicles=await _vehicle_rules(cur, vehicles),
        plates=tuple(Tenure(row[1], row[0], row[10], row[11]) for row in vehicles),
        devices=tuple(Tenure(*row) for row in await _rows(cur, "devices")),
        drivers=dict(await _rows(cur, "drivers")),
        stations=await _stations(cur),
        column_maps=dict(await _rows(cur, "column_maps")),
    )


async def _rows(cur: AsyncCursor, name: str) -> list[tuple[Any, ...]]:
    await cur.execute(SQL[name])
    return await cur.fetchall()


def zone_of(row: tuple[Any, ...]) -> Zone:
    """The zone of a row of the query `zones`, or of one with its columns."""
    return Zone(
        id=row[0],
        code=row[1],
        kind=row[2],
        geometry=row[3],
        version=row[4],
        name=row[5],
        operator_id=row[6],
        radius_m=row[7],
        corridor_m=row[8],
        speed_limits=row[9],
        classes=None if row[10] is None else tuple(row[10]),
        weekly_hours=None if row[11] is None else tuple(tuple(span) for span in row[11]),
        valid_from=row[12],
        valid_to=row[13],
        max_stay_s=row[14],
        min_duration_s=row[15],
        min_gross_kg=row[16],
        overrides_road=row[17],
        crossings=row[18],
    )


async def _routes(cur: AsyncCursor) -> tuple[Route, ...]:
    names = ("routes", "route_stops", "route_slots")
    return routes_of(*[await _rows(cur, name) for name in names])


def routes_of(
    routes: list[tuple[Any, ...]],
    route_stops: list[tuple[Any, ...]],
    route_slots: list[tuple[Any, ...]],
) -> tuple[Route, ...]:
    """The routes of rows of the queries of these names, or of ones with their columns."""
    stops: dict[int, list[RouteStop]] = defaultdict(list)
    for route_id, direction, seq, lon, lat, name, compulsory in route_stops:
        stops[route_id].append(RouteStop(direction, seq, lon, lat, name, compulsory))
    slots: dict[int, list[RouteSlot]] = defaultdict(list)
    for route_id, direction, departs, days, *dates in route_slots:
        on = None if days is None else tuple(days)
        slots[route_id].append(RouteSlot(direction, departs, on, *dates))
    return tuple(
        Route(*(*row, tuple(stops.get(row[0], ())), tuple(slots.get(row[0], ())))) for row in routes
    )


async def _vehicle_rules(
    cur: AsyncCursor, vehicles: list[tuple[Any, ...]]
) -> tuple[VehicleRule, ...]:
    routes: dict[int, list[VehicleRoute]] = defaultdict(list)
    for vehicle_id, *rest in await _rows(cur, "vehicle_routes"):
        routes[vehicle_id].append(VehicleRoute(*rest))
    return tuple(VehicleRule(*(*row[:10], tuple(routes.get(row[0], ())))) for row in vehicles)


def _versions(stations: Iterable[StationRule]) -> dict[int, list[StationRule]]:
    found: dict[int, list[StationRule]] = defaultdict(list)
    for station in stations:
        found[station.id].append(station)
    return dict(found)


async def _stations(cur: AsyncCursor) -> tuple[StationRule, ...]:
    calibrations: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for station_id, *span in await _rows(cur, "calibrations"):
        calibrations[station_id].append((span[0], span[1]))
    return tuple(_station(row, calibrations) for row in await _rows(cur, "stations"))


def _station(
    row: tuple[Any, ...], calibrations: Mapping[int, list[tuple[int, int]]]
) -> StationRule:
    hours = row[11]
    return StationRule(
        id=row[0],
        code=row[1],
        lon=row[2],
        lat=row[3],
        name=row[4],
        kind=row[5],
        tolerance=row[6],
        calibrated_until=row[7],
        approach=row[8],
        corridor_m=row[9],
        is_two_way=row[10],
        weekly_hours=None if hours is None else tuple(tuple(span) for span in hours),
        calibrations=tuple(calibrations[row[0]]) if row[0] in calibrations else None,
        valid_from=row[12],
        valid_to=row[13],
    )
