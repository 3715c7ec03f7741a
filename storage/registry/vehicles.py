"""Operators, vehicles, the devices in them, and drivers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from psycopg import AsyncConnection

from devices.batch import I32, I64
from geofence.registry import BEGINNING_US, END_US, VehicleKind
from storage.arrays import Instants, Int4s, cursor
from storage.errors import NotThereError, RegistryError
from storage.queries import queries
from storage.registry.refusals import in_turn
from storage.texts import storable_text

SQL = queries("registry")


@dataclass(frozen=True, slots=True)
class NewVehicle:
    """A vehicle to be added; None: not known. `plate`: capital letters and digits only."""

    plate: str
    operator_id: int
    vehicle_class: str = "truck_over_3_5t"
    kind: VehicleKind = "rigid"
    speed_limit_kmh: float | None = None
    gross_kg: float | None = None
    kerb_kg: float | None = None
    cargo_kg: float | None = None
    axles: int | None = None
    valid_from: int = BEGINNING_US
    valid_to: int = END_US


async def add_operator(
    conn: AsyncConnection, code: str, name: str, province: str | None = None
) -> int:
    """Add an operator. Returns its id."""
    async with in_turn(conn, f"operator {code!r}"):
        params = {"code": code, "name": name, "province": province}
        return await _one_id(conn, "add_operator", params)


async def operator_id(conn: AsyncConnection, code: str) -> int:
    """The id of an operator. Raises NotThereError."""
    found = await (await conn.execute(SQL["operator_id"], {"code": code})).fetchone()
    if found is None:
        raise NotThereError(f"operator {code!r}: expected the code of a registered one")
    return int(found[0])


async def add_vehicle(conn: AsyncConnection, vehicle: NewVehicle) -> int:
    """Add a vehicle. Returns its id."""
    return (await add_vehicles(conn, [vehicle]))[0]


async def add_vehicles(conn: AsyncConnection, vehicles: Sequence[NewVehicle]) -> list[int]:
    """Add many vehicles in one statement. Returns their ids, in the same order."""
    params: dict[str, Any] = {
        "plate": [v.plate for v in vehicles],
        "operator_id": [v.operator_id for v in vehicles],
        "class": [v.vehicle_class for v in vehicles],
        "kind": [v.kind for v in vehicles],
        "speed_limit_kmh": [v.speed_limit_kmh for v in vehicles],
        "gross_kg": [v.gross_kg for v in vehicles],
        "kerb_kg": [v.kerb_kg for v in vehicles],
        "cargo_kg": [v.cargo_kg for v in vehicles],
        "axles": [v.axles for v in vehicles],
        "valid_from": Instants(np.array([v.valid_from for v in vehicles], np.int64)),
        "valid_to": Instants(np.array([v.valid_to for v in vehicles], np.int64)),
    }
    cur = cursor(conn)
    async with in_turn(conn, f"{len(vehicles)} vehicles"):
        await cur.execute(SQL["add_vehicles"], params)
        ids = {(plate, since): made for plate, since, made in await cur.fetchall()}
    return [ids[v.plate, v.valid_from] for v in vehicles]


async def add_device(
    conn: AsyncConnection,
    ident: str,
    codec: str | None = None,
    note: str | None = None,
    *,
    operator: int | None = None,
) -> int:
    """Add a device. `codec`: the only one it speaks, None: any. Returns its id."""
    return (await add_devices(conn, [ident], codec, note, operator=operator))[0]


async def add_devices(
    conn: AsyncConnection,
    idents: Sequence[str],
    codec: str | None = None,
    note: str | None = None,
    *,
    operator: int | None = None,
) -> list[int]:
    """Add many devices in one statement. Returns their ids, in the same order.

    operator: whose they are, None: nobody's.
    """
    params = {
        "ident": list(idents),
        "codec": [codec] * len(idents),
        "note": [note] * len(idents),
        "operator": operator,
    }
    cur = cursor(conn)
    async with in_turn(conn, f"{len(idents)} devices"):
        await cur.execute(SQL["add_devices"], params)
        ids: dict[str, int] = dict(await cur.fetchall())
    return [ids[ident] for ident in idents]


async def assign_device(
    conn: AsyncConnection,
    device: int,
    vehicle: int,
    valid_from: int = BEGINNING_US,
    valid_to: int = END_US,
) -> None:
    """Put a device into a vehicle from an instant on; it leaves the one it was in."""
    await assign_devices(
        conn, np.array([device], np.int32), np.array([vehicle], np.int32), valid_from, valid_to
    )


async def assign_devices(
    conn: AsyncConnection,
    devices: I32 | Sequence[int],
    vehicles: I32 | Sequence[int],
    valid_from: int = BEGINNING_US,
    valid_to: int = END_US,
) -> None:
    """Put devices[i] into vehicles[i] from an instant on; each leaves the vehicle it was in."""
    device, vehicle = np.asarray(devices, np.int32), np.asarray(vehicles, np.int32)
    if device.shape != vehicle.shape:
        raise RegistryError(
            f"assign_devices: expected as many vehicles as devices, "
            f"got {len(vehicle)} and {len(device)}"
        )
    start: I64 = np.full(len(device), valid_from, np.int64)
    params = {
        "device": Int4s(device),
        "vehicle": Int4s(vehicle),
        "valid_from": Instants(start),
        "valid_to": Instants(np.full(len(device), valid_to, np.int64)),
    }
    cur = cursor(conn)
    async with in_turn(conn, f"{len(device)} device assignments"):
        await cur.execute(SQL["end_assignments"], params)
        await cur.execute(SQL["assign_devices"], params)


async def add_driver(
    conn: AsyncConnection, licence: str, name: str | None = None, operator: int | None = None
) -> int:
    """Add a driver. Returns the id."""
    async with in_turn(conn, f"driver {licence!r}"):
        params = {"licence": licence, "name": name, "operator_id": operator}
        return await _one_id(conn, "add_driver", params)


async def ensure_drivers(conn: AsyncConnection, licences: Sequence[str]) -> Mapping[str, int]:
    """The ids of drivers by licence; those that are not registered are added without a name."""
    if licences:
        params = {"licence": sorted({storable_text(licence) for licence in licences})}
        await conn.execute(SQL["ensure_drivers"], params)
    return await drivers_of(conn, licences)


async def drivers_of(conn: AsyncConnection, licences: Sequence[str]) -> Mapping[str, int]:
    """The ids of drivers by licence, of those that are there."""
    if not licences:
        return {}
    texts = {licence: storable_text(licence) for licence in licences}
    params = {"licence": sorted(set(texts.values()))}
    ids: dict[str, int] = dict(await (await conn.execute(SQL["driver_ids"], params)).fetchall())
    return {licence: ids[text] for licence, text in texts.items() if text in ids}


async def _one_id(conn: AsyncConnection, statement: str, params: dict[str, Any]) -> int:
    row = await (await conn.execute(SQL[statement], params)).fetchone()
    assert row is not None
    return int(row[0])
