"""Errors of the judging core.

GeofenceError
├── GeometryError        a GeoJSON geometry that cannot be a zone or a path
├── ProfileError         a rule profile that cannot be used
├── RegistryError        zones, routes or vehicles that contradict each other
└── UnknownVehicleError  fixes of a vehicle that the rulebook does not know
"""

from collections.abc import Sequence


class GeofenceError(Exception):
    """Base of every error that this package raises."""


class GeometryError(GeofenceError):
    """A geometry that was refused.

    `place` is the path of the offending member ("geometry.coordinates[0]"), `reason` what is wrong
    with it and what was expected.
    """

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class ProfileError(GeofenceError):
    """A rule profile that cannot be used; `key` is the offending one ("speeding.max_gap_s")."""

    def __init__(self, key: str, reason: str) -> None:
        self.key = key
        self.reason = reason
        super().__init__(f"{key}: {reason}")


class RegistryError(GeofenceError):
    """Zones, routes, vehicles or profiles that no rulebook can be made of."""


class UnknownVehicleError(GeofenceError):
    """Fixes of vehicles that are not in the rulebook; `vehicles` holds their ids, ascending."""

    def __init__(self, vehicles: Sequence[int]) -> None:
        self.vehicles = tuple(vehicles)
        shown = ", ".join(str(vehicle) for vehicle in self.vehicles[:10])
        more = f" and {len(self.vehicles) - 10} more" if len(self.vehicles) > 10 else ""
        super().__init__(f"vehicle: expected one of the registry, got {shown}{more}")
