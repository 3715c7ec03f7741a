"""What people change, on either flavour."""

import pytest
from psycopg.errors import ExclusionViolation

from storage.registry import changing, registering
from storage.registry.records import AssignmentRecord, DeviceRecord, VehicleRecord
from tests.storage.connected import rows
from tests.storage.reviewing import reviewed_by_two

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_a_review_is_the_same_on_either(place, vehicles):
    vehicle = next(vehicles)
    acts, left = place.connected(lambda conn: reviewed_by_two(conn, vehicle))
    assert acts == ["proposed", "agreed"]
    assert left == [("confirmed", 2, True, 2)]


def test_the_registry_is_changed_in_time_and_remembers(place):
    async def work(conn):
        truck = VehicleRecord(plate="51C-000.01", operator="op-1", gross_kg=16_000)
        [number] = await registering.register(conn, [truck])
        await registering.register(conn, [DeviceRecord(ident="d-1", operator="op-1")])
        inside = AssignmentRecord(device="d-1", vehicle="51C00001")
        await registering.register(conn, [inside])
        with pytest.raises(ExclusionViolation, match="51C00001"):
            await conn.execute(
                "INSERT INTO vehicles (plate, operator_id, valid_from)"
                " VALUES ('51C00001', 2, '2026-01-01')"
            )
        heavier = VehicleRecord(plate="51C-000.01", operator="op-1", gross_kg=18_000)
        [after] = await changing.change(conn, [number], [heavier])
        assert await changing.retire(conn, "vehicle", [after]) == 1
        return number, after, await rows(
            conn,
            "SELECT kind, after ->> 'id', (after ->> 'valid_to') = 'infinity' FROM registry_history"
            " WHERE kind IN ('vehicle', 'assignment')"
            " AND (after ->> 'plate' = '51C00001' OR kind = 'assignment') ORDER BY id",
        )  # fmt: skip

    number, after, history = place.connected(work)
    vehicles = [(int(one), forever) for kind, one, forever in history if kind == "vehicle"]
    assert vehicles == [
        (number, True), (after, True), (number, False), (after, False),
    ]  # fmt: skip
    assert [forever for kind, _, forever in history if kind == "assignment"] == [
        True, True, False, False,
    ]  # fmt: skip
