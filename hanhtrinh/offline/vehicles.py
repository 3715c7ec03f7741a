"""`--vehicles` and `--drivers`: what the rules ask of vehicles, and what drivers are called."""

from pathlib import Path
from typing import Final, cast

from geofence.load_tables import KINDS
from geofence.registry import VehicleKind, VehicleRoute, VehicleRule
from hanhtrinh.offline.tables import Row, read_table

VEHICLE_COLUMNS: Final = (
    "class", "speed_limit_kmh", "gross_kg", "kerb_kg", "cargo_kg", "axles", "kind", "routes",
)  # fmt: skip
PLAIN: Final = VehicleRule(0)
"""What is taken to be true of a vehicle that no file says anything about."""

MOST_KG: Final = 1_000_000.0
"""As in weighings."""


def read_vehicles(file: Path) -> dict[str, VehicleRule]:
    """What a CSV file says of vehicles, by name; their ids are all 0 yet.

    routes: codes of the routes that a vehicle is registered for, separated by blanks.
    """
    found: dict[str, VehicleRule] = {}
    for row in read_table(file, ("vehicle",), VEHICLE_COLUMNS):
        name = row.name("vehicle")
        if name in found:
            raise row.wrong("vehicle", "expected every vehicle once")
        found[name] = _vehicle(name, row)
    return found


def _vehicle(name: str, row: Row) -> VehicleRule:
    return VehicleRule(
        id=0,
        plate=name,
        vehicle_class=row.text("class") or PLAIN.vehicle_class,
        kind=cast("VehicleKind", row.choice("kind", KINDS, PLAIN.kind)),
        speed_limit_kmh=row.number("speed_limit_kmh", 5.0, 200.0),
        gross_kg=row.number("gross_kg", 1.0, MOST_KG),
        kerb_kg=row.number("kerb_kg", 1.0, MOST_KG),
        cargo_kg=row.number("cargo_kg", 0.0, MOST_KG),
        axles=row.count("axles", 1, 99),
        routes=tuple(VehicleRoute(code) for code in row.text("routes").split()),
    )


def read_drivers(file: Path) -> dict[str, str]:
    """Drivers' names, by what the fixes call them."""
    found: dict[str, str] = {}
    for row in read_table(file, ("driver", "name")):
        driver = row.name("driver")
        if driver in found:
            raise row.wrong("driver", "expected every driver once")
        found[driver] = row.text("name")
    return found
