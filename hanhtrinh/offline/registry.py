"""The registry of one run: what the files beside the fixes say, as a rulebook.

Belongs here: putting the files together, and finding out where they contradict each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from devices.batch import WeighingBatch
from devices.texts import normal_plate
from geofence.profile import Profile
from geofence.quality import Region
from geofence.registry import Route, StationRule, VehicleRoute, VehicleRule, Zone
from geofence.roads.matcher import RoadIndex
from geofence.rulebook import Rulebook
from hanhtrinh.offline.routes import read_routes
from hanhtrinh.offline.vehicles import PLAIN, read_drivers, read_vehicles
from hanhtrinh.offline.weighings import read_stations, read_weighings
from hanhtrinh.offline.wrong_file import WrongFileError
from hanhtrinh.offline.zones import read_zones


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one run; None: there is none."""

    fixes: Path
    vehicles: Path | None = None
    drivers: Path | None = None
    zones: Path | None = None
    routes: Path | None = None
    weighings: Path | None = None
    stations: Path | None = None
    roads: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What fixes are judged by, as the worker's settings say."""

    profiles: tuple[Profile, ...]
    timezone: str
    region: Region


@dataclass(frozen=True, slots=True, eq=False)
class Registry:
    """What the files say, before it is known which vehicles there are.

    driver_names: None where no file names drivers.
    """

    vehicles: dict[str, VehicleRule]
    driver_names: dict[str, str] | None
    zones: list[Zone]
    routes: list[Route]
    weighings: WeighingBatch
    stations: dict[str, StationRule]

    def rules(self, names: Sequence[str]) -> list[VehicleRule]:
        """What is known of vehicles, whose ids are their places among the names.

        Names are those of the file of vehicles as they are, else as plates. Where no vehicle is
        said to be registered for a route, all are for every route.
        """
        everywhere: tuple[VehicleRoute, ...] = ()
        if not any(vehicle.routes for vehicle in self.vehicles.values()):
            everywhere = tuple(VehicleRoute(route.code) for route in self.routes)
        by_plate = {normal_plate(name): known for name, known in self.vehicles.items()} | {
            "": PLAIN
        }
        found = (
            self.vehicles.get(name) or by_plate.get(normal_plate(name), PLAIN) for name in names
        )
        return [
            replace(known, id=number, plate=name, routes=known.routes or everywhere)
            for number, (name, known) in enumerate(zip(names, found, strict=True))
        ]

    def weighed(self, names: Sequence[str]) -> list[str]:
        """Vehicles that were weighed and are in the file of vehicles, but not among the names."""
        wanted = set(self.weighings.plate) - {normal_plate(name) for name in names}
        return [name for name in self.vehicles if normal_plate(name) in wanted]


def read_registry(files: Files, options: Options) -> Registry:
    """All files but the fixes and the roads. Raises WrongFileError."""
    timezone = ZoneInfo(options.timezone)
    vehicles = read_vehicles(files.vehicles) if files.vehicles else {}
    zones = read_zones(files.zones, timezone) if files.zones else []
    routes: list[Route] = []
    if files.routes:
        routes, terminals = read_routes(files.routes, timezone, zones)
        zones += terminals
    codes = {route.code for route in routes}
    for name, vehicle in vehicles.items():
        for registered in vehicle.routes:
            if files.vehicles and registered.route_code not in codes:
                raise WrongFileError(
                    files.vehicles,
                    f"vehicle {name!r}: expected routes of --routes, got {registered.route_code!r}",
                    column="routes",
                )
    return Registry(
        vehicles=vehicles,
        driver_names=read_drivers(files.drivers) if files.drivers else None,
        zones=zones,
        routes=routes,
        weighings=read_weighings(files.weighings) if files.weighings else WeighingBatch.empty(),
        stations=read_stations(files.stations) if files.stations else {},
    )


def build_rulebook(
    registry: Registry, options: Options, names: Sequence[str], roads: RoadIndex | None
) -> Rulebook:
    """The rulebook for vehicles of these names. Raises GeofenceError."""
    return Rulebook.build(
        options.profiles,
        registry.zones,
        registry.routes,
        registry.rules(names),
        timezone=options.timezone,
        roads=roads,
        stations=list(registry.stations.values()),
    )
