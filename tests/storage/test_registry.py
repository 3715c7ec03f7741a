from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from geofence.errors import RegistryError as UnjudgeableError
from geofence.registry import Route, RouteSlot, RouteStop, StationRule, VehicleRoute, Zone
from storage import registry
from storage.errors import AlreadyThereError, NotThereError, RegistryError
from storage.registry import NewVehicle, Tenure
from storage.wire import BEGINNING_US, END_US
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

LINE = {"type": "LineString", "coordinates": [[106.6, 10.8], [106.7, 10.9]]}
ZONE = Zone(
    id=0,
    code="pho-co",
    kind="banned",
    geometry={"type": "Point", "coordinates": [105.85, 21.03]},
    name="Phố cổ",
    radius_m=800.0,
    speed_limits={"*": 40.0, "bus": 30.0},
    classes=("truck_over_3_5t",),
    weekly_hours=(("mon", "06:00", "09:00"), ("sun", "22:00", "05:00")),
    valid_from=1_000,
    max_stay_s=600.0,
    min_duration_s=60.0,
    min_gross_kg=3500.0,
    overrides_road=True,
    crossings=True,
)
ROUTE = Route(
    id=0,
    code="52",
    corridor_m=60.0,
    terminal_a="bx-a",
    terminal_b="bx-b",
    outbound=LINE,
    inbound=LINE,
    name="Bến Thành - Củ Chi",
    stops=(
        RouteStop("inbound", 1, 106.7, 10.9, "Củ Chi"),
        RouteStop("outbound", 1, 106.6, 10.8, "Bến Thành"),
        RouteStop("outbound", 2, 106.65, 10.85, "", compulsory=False),
    ),
    slots=(
        RouteSlot("outbound", "06:30", ("mon", "fri"), date(2026, 5, 1), date(2027, 1, 1)),
        RouteSlot("inbound", "00:05"),
    ),
)


async def operator(conn) -> int:
    return await registry.add_operator(conn, "HTX-01", "Hợp tác xã 1", "Hà Nội")


def test_an_empty_registry_is_a_picture_of_nothing(database):
    snapshot = connected(database, registry.load)
    assert (snapshot.zones, snapshot.vehicles, snapshot.drivers) == ((), (), {})


def test_the_picture_holds_what_was_added(database):
    async def work(conn):
        owner = await operator(conn)
        new = NewVehicle("29B12345", owner, "bus", "bus", 80.0, 16_000.0, 12_000.0, 4_000.0, 2, 5)
        vehicle = await registry.add_vehicle(conn, new)
        device = await registry.add_device(conn, "866000000000001", "teltonika")
        await registry.assign_device(conn, device, vehicle)
        zone = await registry.add_zone(conn, replace(ZONE, operator_id=owner))
        route = await registry.add_route(conn, replace(ROUTE, operator_id=owner))
        await registry.assign_routes(conn, [vehicle], ["52"], 7, 9)
        station = StationRule(
            0, "TC-15", 105.9, 20.9, "Trạm 15", "wim", 0.05, 77, corridor_m=40.0, is_two_way=True,
            approach={"type": "LineString", "coordinates": [[105.9, 20.8], [105.9, 21.0]]},
            weekly_hours=(("mon", "06:00", "22:00"),),
        )  # fmt: skip
        station = await registry.add_station(conn, station, {"plate": "Bien so"})
        driver = await registry.add_driver(conn, "790123456789", "Nguyễn Văn A", owner)
        assert await registry.operator_id(conn, "HTX-01") == owner
        return new, vehicle, zone, route, station, driver, await registry.load(conn)

    new, vehicle, zone, route, station, driver, snapshot = connected(database, work)
    rule = snapshot.vehicle(vehicle)
    for name in ("plate", "operator_id", "vehicle_class", "kind", "gross_kg", "cargo_kg", "axles"):
        assert getattr(rule, name) == getattr(new, name), name
    assert rule.routes == (VehicleRoute("52", 7, 9),)
    assert snapshot.zones == (zone,)
    assert snapshot.routes == (route,)
    assert snapshot.stations == (station,)
    assert snapshot.station(station.id, 7) == station
    assert snapshot.column_maps == {"TC-15": {"plate": "Bien so"}}
    assert snapshot.devices == (Tenure("866000000000001", vehicle, BEGINNING_US, END_US),)
    assert snapshot.plates == (Tenure("29B12345", vehicle, 5, END_US),)
    assert snapshot.drivers == {"790123456789": driver}


def test_masses_that_no_vehicle_has_are_refused_by_the_database(database):
    async def work(conn):
        owner = await operator(conn)

        async def add(number, gross_kg, kerb_kg, cargo_kg):
            await registry.add_vehicle(
                conn,
                NewVehicle(
                    f"29C0000{number}", owner, gross_kg=gross_kg, kerb_kg=kerb_kg, cargo_kg=cargo_kg
                ),
            )

        # Each less than the whole, but not together.
        with pytest.raises(RegistryError, match="vehicles_masses: gross 29000 kg, kerb 11000 kg"):
            await add(1, 29_000.0, 11_000.0, 25_000.0)
        with pytest.raises(RegistryError, match="vehicles_masses"):
            await add(1, 29_000.0, None, 29_001.0)
        # What only the column's rounding adds is nothing.
        await add(1, 28_999.9, 10_999.2, 18_000.7)
        await add(2, None, 11_000.0, 25_000.0)
        return await registry.load(conn)

    assert len(connected(database, work).vehicles) == 2


def test_a_station_whose_approach_does_not_lead_by_it_is_refused(database):
    far = StationRule(0, "TC-15", 105.9, 20.9, approach=LINE, corridor_m=40.0)

    async def work(conn):
        with pytest.raises(UnjudgeableError, match="within 40 m of the station"):
            await registry.add_station(conn, far)
        return await registry.load(conn)

    assert connected(database, work).stations == ()


def test_many_are_added_at_once_and_their_ids_come_in_order(database):
    async def work(conn):
        owner = await operator(conn)
        plates = [f"51C{number:05d}" for number in reversed(range(2_000))]
        vehicles = await registry.add_vehicles(conn, [NewVehicle(plate, owner) for plate in plates])
        devices = await registry.add_devices(conn, [f"imei{plate}" for plate in plates])
        await registry.assign_devices(conn, devices, vehicles)
        return plates, vehicles, await registry.load(conn)

    plates, vehicles, snapshot = connected(database, work)
    assert [snapshot.vehicle(vehicle).plate for vehicle in vehicles] == plates
    assert {tenure.name: tenure.vehicle for tenure in snapshot.devices} == {
        f"imei{plate}": vehicle for plate, vehicle in zip(plates, vehicles, strict=True)
    }


def test_a_device_that_moves_leaves_the_vehicle_it_was_in(database):
    async def work(conn):
        owner = await operator(conn)
        one, two = await registry.add_vehicles(
            conn, [NewVehicle("29C00001", owner), NewVehicle("29C00002", owner)]
        )
        device = await registry.add_device(conn, "x")
        await registry.assign_device(conn, device, one)
        await registry.assign_device(conn, device, two, 1_000)
        with pytest.raises(AlreadyThereError):
            await registry.assign_device(conn, device, one, 1_000)
        with pytest.raises(NotThereError):
            await registry.assign_device(conn, device, 999, 2_000)
        with pytest.raises(RegistryError):
            await registry.assign_devices(conn, [device], [one, two])
        return one, two, (await registry.load(conn)).devices

    one, two, devices = connected(database, work)
    assert devices == (Tenure("x", one, BEGINNING_US, 1_000), Tenure("x", two, 1_000, END_US))


@pytest.mark.parametrize("plate", ["29b12345", "29B-123.45", "", "29Б12345"])
def test_a_plate_is_capital_letters_and_digits(database, plate):
    async def work(conn):
        owner = await operator(conn)
        async with conn.transaction():
            # No word of the row follows, which holds secrets in other tables.
            with pytest.raises(RegistryError, match=r"vehicles_plate_check$"):
                await registry.add_vehicle(conn, NewVehicle(plate, owner))
            # The caller's transaction is still of use.
            return await registry.add_vehicle(conn, NewVehicle("29B12345", owner))

    assert connected(database, work) > 0


def test_a_zone_is_replaced_and_retired_in_time(database):
    async def work(conn):
        first = await registry.add_zone(conn, ZONE)
        second = await registry.replace_zone(conn, replace(ZONE, radius_m=900.0), 5_000)
        await registry.retire_zone(conn, "pho-co", 9_000)
        return first, second, (await registry.load(conn)).zones

    first, second, zones = connected(database, work)
    assert zones == (replace(first, valid_to=5_000), replace(second, valid_to=9_000))
    assert [(z.version, z.valid_from, z.valid_to, z.radius_m) for z in zones] == [
        (1, 1_000, 5_000, 800.0),
        (2, 5_000, 9_000, 900.0),
    ]


def test_a_zone_that_is_not_there_cannot_change(database):
    async def work(conn):
        with pytest.raises(NotThereError, match="pho-co"):
            await registry.replace_zone(conn, ZONE, 5_000)
        await registry.add_zone(conn, ZONE)
        with pytest.raises(AlreadyThereError):
            await registry.add_zone(conn, ZONE)
        with pytest.raises(RegistryError, match="after version 1 began"):
            await registry.replace_zone(conn, ZONE, ZONE.valid_from)
        await registry.retire_zone(conn, "pho-co", 5_000)
        with pytest.raises(NotThereError, match="retired"):
            await registry.retire_zone(conn, "pho-co", 6_000)
        return len((await registry.load(conn)).zones)

    assert connected(database, work) == 1


def test_a_route_is_replaced_with_its_stops_and_retired(database):
    async def work(conn):
        first = await registry.add_route(conn, ROUTE)
        second = await registry.replace_route(conn, replace(ROUTE, stops=ROUTE.stops[:1]), 5_000)
        await registry.retire_route(conn, "52", 9_000)
        with pytest.raises(NotThereError):
            await registry.retire_route(conn, "53", 9_000)
        return first, second, (await registry.load(conn)).routes

    first, second, routes = connected(database, work)
    assert routes == (replace(first, valid_to=5_000), replace(second, valid_to=9_000))
    assert [len(route.stops) for route in routes] == [3, 1]
    assert routes[1].slots == ROUTE.slots


def test_drivers_of_a_feed_are_added_once_and_move_no_version(database):
    async def work(conn):
        before = await registry.version(conn)
        first = await registry.ensure_drivers(conn, ["a", "b\0", "a"])
        again = await registry.ensure_drivers(conn, ["b\0", "c"])
        return first, again, await registry.version(conn) - before

    first, again, moved = connected(database, work)
    assert first["b\0"] == again["b\0"]
    assert len({*first.values(), *again.values()}) == 3
    assert moved == 0


def test_every_change_that_judging_sees_moves_the_version(database):
    async def work(conn):
        found = [await registry.version(conn)]
        owner = await operator(conn)
        await registry.add_vehicles(conn, [NewVehicle(f"29C0000{i}", owner) for i in range(9)])
        found.append(await registry.version(conn))
        await registry.add_zone(conn, ZONE)
        found.append(await registry.version(conn))
        await registry.retire_zone(conn, ZONE.code, 5_000)
        found.append(await registry.version(conn))
        await conn.execute("UPDATE vehicles SET speed_limit_kmh = 60")
        found.append(await registry.version(conn))
        return np.diff(found).tolist(), found[-1] == (await registry.load(conn)).version

    assert connected(database, work) == ([1, 1, 1, 1], True)


def test_of_two_replacements_at_once_neither_is_lost(database):
    async def work(conn):
        import asyncio

        from storage.database import open_pool

        await registry.add_zone(conn, ZONE)
        pool = await open_pool(database, name="test", max_size=4)

        async def replaced(at: int):
            async with pool.connection() as other:
                return await registry.replace_zone(other, ZONE, at)

        made = await asyncio.gather(
            *(replaced(at) for at in (4_000, 4_001, 4_002)), return_exceptions=True
        )
        await pool.close()
        return made, await rows(conn, "SELECT version FROM zones ORDER BY version")

    made, versions = connected(database, work)
    # Whichever came first; who asks for an instant before the newest version is told so.
    kept = [zone for zone in made if isinstance(zone, Zone)]
    assert all(isinstance(other, (Zone, RegistryError)) for other in made)
    assert [version for (version,) in versions] == [1, *(sorted(zone.version for zone in kept))]
