"""The registry of a simulated fleet: its world, operators, vehicles, trackers and routes."""

from collections import defaultdict

from psycopg import AsyncConnection

from simulators.fleet import Fleet
from simulators.vehicles import OPERATORS, SimulatedVehicle
from storage import registry


async def register_fleet(conn: AsyncConnection, fleet: Fleet) -> None:
    """Register world and fleet in one transaction. Raises RegistryError if a part is there."""
    async with conn.transaction():
        for zone in fleet.world.zones:
            await registry.add_zone(conn, zone)
        for route in fleet.world.routes:
            await registry.add_route(conn, route)
        for station in fleet.world.stations:
            await registry.add_station(conn, station)
        operators = {
            code: await registry.add_operator(conn, code, name) for code, name in OPERATORS
        }
        made = await registry.add_vehicles(
            conn, [_new_vehicle(vehicle, operators) for vehicle in fleet.vehicles]
        )
        await _install_devices(conn, fleet, made)
        on_routes = [
            (vehicle_id, route.route_code)
            for vehicle_id, vehicle in zip(made, fleet.vehicles, strict=True)
            for route in vehicle.rule.routes
        ]
        await registry.assign_routes(
            conn, [vehicle for vehicle, _ in on_routes], [code for _, code in on_routes]
        )


def _new_vehicle(vehicle: SimulatedVehicle, operators: dict[str, int]) -> registry.NewVehicle:
    rule = vehicle.rule
    return registry.NewVehicle(
        plate=vehicle.plate,
        operator_id=operators[vehicle.operator],
        vehicle_class=rule.vehicle_class,
        kind=rule.kind,
        speed_limit_kmh=rule.speed_limit_kmh,
        gross_kg=rule.gross_kg,
        kerb_kg=rule.kerb_kg,
        cargo_kg=rule.cargo_kg,
        axles=rule.axles,
    )


async def _install_devices(conn: AsyncConnection, fleet: Fleet, made: list[int]) -> None:
    """Give every vehicle its tracker; those of a UFMS feed are known by their plates."""
    by_codec: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for vehicle_id, vehicle in zip(made, fleet.vehicles, strict=True):
        if vehicle.codec != "ufms":
            by_codec[vehicle.codec].append((vehicle.ident, vehicle_id))
    for codec, installed in by_codec.items():
        devices = await registry.add_devices(conn, [ident for ident, _ in installed], codec)
        await registry.assign_devices(conn, devices, [vehicle for _, vehicle in installed])
