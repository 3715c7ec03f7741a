"""What the matrix asks the pages of the registry about, and the bodies that it sends."""

from typing import Any

from psycopg import AsyncConnection

from storage.registry import registering
from storage.registry.records import (
    BadgeRecord,
    CalibrationRecord,
    DeviceRecord,
    DriverRecord,
    OperatorRecord,
    StationRecord,
    VehicleRecord,
)
from tests.api.world import World

YEAR_US = 365 * 86_400_000_000
PLATES = {"north": "29C00777", "south": "51B99999"}


async def add_things(
    conn: AsyncConnection[Any], world: World, callers: list[str]
) -> dict[str, int]:
    """One of everything for either operator, by the names that the matrix has for numbers."""

    async def make(*records: Any) -> list[int]:
        return await registering.register(conn, records)

    known = {"north": world.north, "south": world.south, "n2": world.n2}
    [known["idle"]] = await make(OperatorRecord(code="idle", name="Idle"))
    for owner, letter in (("north", "n"), ("south", "s")):
        spare = VehicleRecord(plate=f"29C9990{len(owner)}{letter}", operator=owner)
        [known["n3" if letter == "n" else "s2"]] = await make(spare)
        devices = [f"idle-{letter}", *(f"idle-{letter}-{caller}" for caller in callers)]
        known[f"idle_{letter}"] = (
            await make(*(DeviceRecord(ident=ident, operator=owner) for ident in devices))
        )[0]
        badge = BadgeRecord(
            number=f"B-{letter}",
            kind="truck",
            vehicle=PLATES[owner],
            valid_from=0,
            valid_to=YEAR_US,
        )
        [known[f"badge_{letter}"]] = await make(badge)
        name = "chi" if letter == "n" else "dung"
        [known[name]] = await make(DriverRecord(licence=f"80000000000{letter}", operator=owner))
    hanoi = StationRecord(code="hanoi", lon=105.8, lat=21.0, province="Ha Noi")
    [known["of_hanoi"]] = await make(hanoi)
    calibration = CalibrationRecord(
        station="hanoi", certificate="C-1", valid_from=0, valid_to=YEAR_US
    )
    [known["calibration"]] = await make(calibration)
    numbers = {
        "dev_n1": "SELECT id FROM devices WHERE ident = 'dev-n1'",
        "dev_s1": "SELECT id FROM devices WHERE ident = 'dev-s1'",
        "in_n1": f"SELECT id FROM device_assignments WHERE vehicle_id = {world.n1}",
        "in_s1": f"SELECT id FROM device_assignments WHERE vehicle_id = {world.s1}",
        "route_n": f"SELECT id FROM vehicle_routes WHERE vehicle_id = {world.n1}",
        "route_s": f"SELECT id FROM vehicle_routes WHERE vehicle_id = {world.s1}",
        "scale": "SELECT id FROM weigh_stations WHERE code = 'scale'",
    }
    for name, query in numbers.items():
        [(known[name],)] = await (await conn.execute(query.encode())).fetchall()
    return known


def body_of(name: str, caller: str, nth: int) -> dict[str, Any] | None:
    """A body of the matrix's; what must be one's own is so by the caller's name and number."""
    code = f"{name}-{caller}".replace("_", "-")
    owner = "south" if name.endswith("south") else "north"
    letter = owner[0]
    span = {
        "valid_from": f"20{30 + nth}-01-01T00:00:00Z", "valid_to": f"20{30 + nth}-06-01T00:00:00Z",
    }  # fmt: skip
    place = {"lon": 105.8, "lat": 21.0}
    bodies: dict[str, dict[str, Any]] = {
        "operator-of-hanoi": {"code": code, "name": "New", "province": "Ha Noi"},
        "operator-of-hue": {"code": code, "name": "New", "province": "Hue"},
        "operator-facts": {"name": "North Lines", "province": "Ha Noi"},
        "operator-facts-of-south": {"name": "South Lines"},
        "vehicle-of": {"plate": f"30{letter}-{nth:05d}", "operator": owner},
        "vehicle-facts-of": {"plate": PLATES[owner], "operator": owner},
        "device-of": {"ident": code, "operator": owner},
        "device-facts-of": {"operator": owner, "codec": "json"},
        "assignment-of": {"device": f"idle-{letter}-{caller}", "vehicle": PLATES[owner]},
        "driver-of": {"licence": code, "name": "New", "operator": owner},
        "driver-facts-of": {"name": "Chi", "operator": owner},
        "badge-of": {"number": code, "kind": "bus", "vehicle": PLATES[owner], **span},
        "vehicle-route-of": {"vehicle": PLATES[owner], "route": "R-1", **span},
        "station-of-hanoi": {"code": code, "province": "Ha Noi", **place},
        "station-of-nowhere": {"code": code, **place},
        "station-facts": {"name": "Scale", **place},
        "station-facts-of-hanoi": {"name": "Ha Noi", "province": "Ha Noi", **place},
        "calibration-of-hanoi": {"station": "hanoi", "certificate": code, **span},
        "calibration-of-scale": {"station": "scale", "certificate": code, **span},
    }  # fmt: skip
    return bodies.get(name) or bodies.get(name.removesuffix("-north").removesuffix("-south"))
