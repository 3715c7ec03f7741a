"""Several who change the registry at once: one after the other, and the later is told why not."""

import asyncio
from zoneinfo import ZoneInfo

import pytest
from psycopg.errors import ExclusionViolation

from storage.bulk.importing import TableImport
from storage.bulk.kinds import TABLES
from storage.bulk.problems import Problems
from storage.bulk.reading import read_table
from storage.database import connect
from storage.errors import AlreadyThereError
from storage.reading import registered
from storage.registry import NewVehicle, add_vehicles, changing, registering
from storage.registry.flaws import FlawedError
from storage.registry.records import (
    AssignmentRecord,
    DeviceRecord,
    DriverRecord,
    OperatorRecord,
    VehicleRecord,
)
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

MARCH_US = 1_772_323_200_000_000  # 2026-03-01
DEADLINE_S = 60


@pytest.fixture(scope="module")
def dsn(postgres, migrated_template):
    with postgres.new_database(migrated_template) as name:
        place = postgres.dsn_of(name)
        north = OperatorRecord(code="north", name="North Lines")
        connected(place, lambda conn: registering.register(conn, [north]))
        yield place


def two(dsn, work):
    """Run `work` with two connections; a deadlock of ours ends with the deadline."""

    async def both():
        one, other = await connect(dsn, name="test one"), await connect(dsn, name="test other")
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await work(one, other)
        finally:
            await one.close()
            await other.close()

    return asyncio.run(both())


async def until_somebody_waits(conn):
    """Until a transaction of this database waits for another one."""
    for _ in range(100_000):
        if await rows(
            conn,
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()",
        ):
            return
        await asyncio.sleep(0)
    raise AssertionError("nobody waits")


async def imported(conn, what, text):
    """Import a table in a transaction of its own, which is undone if anything is wrong."""
    problems = Problems()
    table = read_table(text.encode())
    importing = TableImport(TABLES[what], table, "a.csv", ZoneInfo("UTC"), problems)
    async with conn.transaction() as transaction:
        await importing.run(conn, dry_run=False)
        if problems.refused:
            transaction.force_rollback = True
    return [(one.row, one.column) for one in problems]


def truck(plate, **facts):
    return VehicleRecord(plate=plate, operator="north", **facts)


def test_of_two_tables_at_once_the_later_one_is_told_the_rows_that_clash_and_is_undone(dsn):
    header = "plate,operator,vin"
    ours = ["51T-000.01,north,", "51T-000.02,north,RNKGA7T02", "51T-000.03,north,"]
    theirs = ["51T00003,north,", "51T00004,north,", "51T00005,north,RNKGA7T02"]

    async def work(one, other):
        async with one.transaction():
            assert await imported(one, "vehicles", "\n".join([header, *ours])) == []
            waiting = asyncio.create_task(imported(other, "vehicles", "\n".join([header, *theirs])))
            await until_somebody_waits(one)
        said = await waiting
        left = await rows(one, "SELECT plate FROM vehicles WHERE plate LIKE '51T%%' ORDER BY 1")
        return said, left

    # The plate stands by then, as the table says it: only the chassis number is another vehicle's.
    said, left = two(dsn, work)
    assert said == [(4, "C (vin)")]
    assert left == [("51T00001",), ("51T00002",), ("51T00003",)]


def test_of_two_who_register_the_same_in_another_order_one_wins_and_nothing_is_half_written(dsn):
    async def attempt(conn, records):
        try:
            async with conn.transaction():
                for one in records:
                    await registering.register(conn, one)
        except FlawedError as error:
            return {(type(error.flaws[0]).__name__, flaw.field) for flaw in error.flaws}
        return None

    async def work(one, other):
        lost = []
        for turn in range(5):
            names = [f"{turn}-{n}" for n in range(20)]
            vehicles = [truck(f"51U{turn}{n:04}", vin=f"RNKGA7U{turn}{n:03}") for n in range(20)]
            devices = [DeviceRecord(ident=name, operator="north") for name in names]
            inside = [
                AssignmentRecord(device=device.ident, vehicle=vehicle.plate)
                for device, vehicle in zip(devices, vehicles, strict=True)
            ]
            drivers = [DriverRecord(licence=f"79{turn}{n:09}", operator="north") for n in range(20)]
            sets = [vehicles, devices, drivers]
            done = await asyncio.gather(
                attempt(one, [*sets, inside]),
                attempt(other, [half[::-1][:15] for half in sets[::-1]]),
            )
            assert done.count(None) == 1
            lost += [said for said in done if said]
            [(devices_there, drivers_there)] = await rows(
                one,
                "SELECT (SELECT count(*) FROM devices WHERE ident LIKE %s),"
                " (SELECT count(*) FROM drivers WHERE licence LIKE %s)",
                f"{turn}-%", f"79{turn}%",
            )  # fmt: skip
            assert devices_there == drivers_there == (20 if done[0] is None else 15)
        return lost

    assert len(two(dsn, work)) == 5


def test_who_has_read_a_row_to_change_it_and_who_changes_many_do_not_wait_for_each_other(dsn):
    async def work(one, other):
        [number] = await registering.register(one, [truck("51V00001", gross_kg=16_000)])

        async def many():
            async with other.transaction():
                await registering.register(other, [truck("51V00002")])
                return await changing.change(other, [number], [truck("51V00001", axles=3)])

        async with one.transaction():
            held = await registered.hold(one, "vehicle", number)
            waiting = asyncio.create_task(many())
            await until_somebody_waits(one)
            [heavier] = await changing.change(one, [number], [truck("51V00001", gross_kg=18_000)])
        assert held is not None
        assert held.version == 1
        with pytest.raises(FlawedError, match="a vehicle that is registered"):
            await waiting
        return heavier, await rows(one, "SELECT plate FROM vehicles WHERE plate = '51V00002'")

    heavier, half = two(dsn, work)
    assert heavier > 0
    assert half == []


def test_the_database_has_the_last_word_over_chassis_numbers_and_names_the_one_at_fault(dsn):
    insert = (
        "INSERT INTO vehicles (plate, operator_id, class, kind, vin, valid_from, valid_to)"
        " VALUES (%s, 1, 'truck_over_3_5t', 'rigid', %s, to_timestamp(%s / 1e6), 'infinity')"
    )

    async def work(conn):
        await registering.register(
            conn, [truck("51W00001", vin="RNKGA7W01", valid_to=MARCH_US), truck("51W00002")]
        )
        with pytest.raises(ExclusionViolation) as clash:
            await conn.execute(insert, ["51W00003", "RNKGA7W01", MARCH_US - 1])
        assert (clash.value.diag.column_name, clash.value.diag.message_hint) == ("vin", "RNKGA7W01")
        # A number that becomes known is looked at as one that is given from the beginning.
        with pytest.raises(ExclusionViolation, match="would hold at once"):
            await conn.execute("UPDATE vehicles SET vin = 'RNKGA7W01' WHERE plate = '51W00002'")
        await conn.execute(insert, ["51W00003", "RNKGA7W01", MARCH_US])
        # Plates likewise, where nobody looked before.
        with pytest.raises(AlreadyThereError, match="plate 51W00002 from") as taken:
            await add_vehicles(conn, [NewVehicle("51W00002", 1)])
        assert (taken.value.field, taken.value.value) == ("plate", "51W00002")

    connected(dsn, work)
