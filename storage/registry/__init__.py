"""The registry: operators, vehicles, devices, drivers, zones, routes, weigh stations, in time.

`load` gives a picture of all of it to judge by; the rest changes it. Nothing is ever deleted: what
ends gets an end. Every change moves `version` (drivers excepted), and workers load anew.

What people register is checked, and refused with every flaw named: `records` is what can be given,
`registering` and `changing` take it. The functions of this page take what the product itself makes.

Functions that write do so in a transaction of their own, or in a savepoint of the caller's, and
raise a RegistryError for what contradicts the registry. Instants are microseconds since 1970 UTC.
"""

from storage.registry.routes import (
    add_route,
    assign_routes,
    newest_routes,
    replace_route,
    retire_route,
)
from storage.registry.snapshot import RegistrySnapshot, Tenure, load, version
from storage.registry.stations import add_station
from storage.registry.vehicles import (
    NewVehicle,
    add_device,
    add_devices,
    add_driver,
    add_operator,
    add_vehicle,
    add_vehicles,
    assign_device,
    assign_devices,
    drivers_of,
    ensure_drivers,
    operator_id,
)
from storage.registry.zones import add_zone, add_zones, newest_zones, replace_zone, retire_zone

__all__ = [
    "NewVehicle",
    "RegistrySnapshot",
    "Tenure",
    "add_device",
    "add_devices",
    "add_driver",
    "add_operator",
    "add_route",
    "add_station",
    "add_vehicle",
    "add_vehicles",
    "add_zone",
    "add_zones",
    "assign_device",
    "assign_devices",
    "assign_routes",
    "drivers_of",
    "ensure_drivers",
    "load",
    "newest_routes",
    "newest_zones",
    "operator_id",
    "replace_route",
    "replace_zone",
    "retire_route",
    "retire_zone",
    "version",
]
