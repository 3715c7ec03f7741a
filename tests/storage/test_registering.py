"""Registering, changing and retiring: all flaws with their rows, or all of it with its history."""

import pytest
from msgspec.structs import replace

from geofence.registry import BEGINNING_US, END_US
from storage import registry
from storage.registry import changing, registering
from storage.registry.flaws import FlawedError, flaws_of
from storage.registry.records import (
    AssignmentRecord,
    BadgeRecord,
    CalibrationRecord,
    DeviceRecord,
    DriverRecord,
    OperatorRecord,
    StationRecord,
    VehicleRecord,
    VehicleRouteRecord,
)
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

DAY_US = 86_400_000_000
MARCH_US = 1_772_323_200_000_000  # 2026-03-01


@pytest.fixture(scope="module")
def dsn(postgres, migrated_template):
    with postgres.new_database(migrated_template) as name:
        place = postgres.dsn_of(name)

        async def begin(conn):
            await registering.register(
                conn,
                [
                    OperatorRecord(code="north", name="North Lines", province="Ha Noi"),
                    OperatorRecord(code="south", name="South Lines"),
                ],
            )

        connected(place, begin)
        yield place


def said(found):
    return [(flaw.row, flaw.field) for flaw in found]


def truck(plate, **facts):
    return VehicleRecord(plate=plate, operator="north", **facts)


def test_a_record_says_all_that_is_wrong_with_it():
    bad = VehicleRecord(
        plate="51", operator="no code!", vehicle_class="Ship", kind="boat", speed_limit_kmh=-1,
        gross_kg=16_000, kerb_kg=17_000, axles=0, vin="O0O0O0O", valid_from=2, valid_to=2,
    )  # fmt: skip
    assert {flaw.field for flaw in flaws_of(bad)} == {
        "plate", "operator", "vehicle_class", "kind", "speed_limit_kmh", "kerb_kg", "axles", "vin",
        "valid_to",
    }  # fmt: skip
    assert flaws_of(truck("51B-123.45", gross_kg=16_000, kerb_kg=6_000, cargo_kg=10_000)) == []


@pytest.mark.parametrize(
    ("masses", "field"),
    [
        ({"gross_kg": 16_000, "kerb_kg": 6_000, "cargo_kg": 10_001}, "cargo_kg"),
        ({"gross_kg": 16_000, "cargo_kg": 16_001}, "cargo_kg"),
        ({"gross_kg": 0}, "gross_kg"),
        ({"kerb_kg": float("nan")}, "kerb_kg"),
        ({"cargo_kg": float("inf")}, "cargo_kg"),
    ],
)
def test_masses_that_no_vehicle_has_are_refused(masses, field):
    assert [flaw.field for flaw in flaws_of(truck("51B12345", **masses))] == [field]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (OperatorRecord(code="-", name=" x"), "code"),
        (OperatorRecord(code="x", name=""), "name"),
        (DeviceRecord(ident="\0"), "ident"),
        (AssignmentRecord(device="d", vehicle="51B12345", valid_from=5, valid_to=5), "valid_to"),
        (DriverRecord(licence="123451234512345"), "licence"),
        (BadgeRecord(number="B", kind="boat", vehicle="51B1", valid_from=0, valid_to=1), "kind"),
        (VehicleRouteRecord(vehicle="?", route="R"), "vehicle"),
        (StationRecord(code="s", lon=105, lat=21, tolerance=1), "tolerance"),
        (StationRecord(code="s", lon=105, lat=21, corridor_m=50), "corridor_m"),
        (CalibrationRecord(station="s", certificate="", valid_from=0, valid_to=1), "certificate"),
    ],
)  # fmt: skip
def test_every_kind_of_record_is_checked(bad, field):
    assert field in [flaw.field for flaw in flaws_of(bad)]


def test_flaws_of_many_records_name_each_row_and_nothing_is_written(dsn):
    async def work(conn):
        await registering.register(conn, [truck("29C-000.01", vin="RNKGA7F01")])
        given = [
            truck("29C-000.02"),
            truck("29c 000-02"),
            truck("29C00001", vin="RNKGA7F01"),
            replace(truck("29C00003"), operator="nobody"),
            truck("29C00004", axles=0),
        ]
        with pytest.raises(FlawedError) as refused:
            await registering.register(conn, given)
        assert said(refused.value.flaws) == [
            (1, "plate"), (2, "plate"), (2, "vin"), (3, "operator"), (4, "axles"),
        ]  # fmt: skip
        assert refused.value.flaws[0].value == "29c 000-02"
        assert await rows(conn, "SELECT id FROM vehicles WHERE plate = '29C00002'") == []

    connected(dsn, work)


def test_a_plate_moves_to_another_vehicle_in_time(dsn):
    async def work(conn):
        before = truck("29C-100.00", valid_to=MARCH_US)
        after = truck("29C-100.00", valid_from=MARCH_US)
        assert len(await registering.register(conn, [before, after])) == 2
        again = [truck("29C10000", valid_from=MARCH_US - DAY_US, valid_to=MARCH_US)]
        assert said(await registering.find_flaws(conn, again)) == [(0, "plate")]

    connected(dsn, work)


def test_a_device_is_in_one_vehicle_at_a_time(dsn):
    async def work(conn):
        await registering.register(conn, [truck("29C20001"), truck("29C20002")])
        await registering.register(conn, [DeviceRecord(ident="d-1", operator="north")])
        first = AssignmentRecord(device="d-1", vehicle="29C-200.01", valid_to=MARCH_US)
        second = AssignmentRecord(device="d-1", vehicle="29C-200.02", valid_from=MARCH_US)
        both = [replace(first, valid_to=MARCH_US + 1), second]
        assert said(await registering.find_flaws(conn, both)) == [(1, "device")]
        await registering.register(conn, [first, second])
        for clash in (first, second, replace(first, valid_from=MARCH_US - 1, valid_to=MARCH_US)):
            assert said(await registering.find_flaws(conn, [clash])) == [(0, "device")]
        strange = AssignmentRecord(device="d-2", vehicle="29C29999")
        assert said(await registering.find_flaws(conn, [strange])) == [
            (0, "device"), (0, "vehicle"),
        ]  # fmt: skip

    connected(dsn, work)


def test_a_vehicle_has_one_badge_at_a_time_and_another_for_a_holiday(dsn):
    async def work(conn):
        await registering.register(conn, [truck("29C40001"), truck("29C40002")])
        year = BadgeRecord(
            number="A-1", kind="contract", vehicle="29C40001", valid_from=MARCH_US,
            valid_to=MARCH_US + 365 * DAY_US,
        )  # fmt: skip
        holiday = replace(year, number="A-2", is_extra=True, valid_to=MARCH_US + 30 * DAY_US)
        await registering.register(conn, [year, holiday])
        twice = [replace(year, number="A-3"), replace(year, vehicle="29C40002")]
        assert said(await registering.find_flaws(conn, twice)) == [(0, "vehicle"), (1, "number")]
        next_year = replace(year, valid_from=year.valid_to, valid_to=END_US)
        assert await registering.find_flaws(conn, [next_year]) == []

    connected(dsn, work)


def test_a_change_of_what_is_judged_begins_a_new_registration_with_all_the_vehicle_carries(dsn):
    async def work(conn):
        [number] = await registering.register(conn, [truck("29C50000", gross_kg=16_000)])
        await registering.register(conn, [DeviceRecord(ident="d-5", operator="north")])
        await registering.register(conn, [AssignmentRecord(device="d-5", vehicle="29C50000")])
        badge = BadgeRecord(
            number="A-5", kind="truck", vehicle="29C50000", valid_from=MARCH_US, valid_to=END_US
        )
        await registering.register(conn, [badge])
        changed = truck("29C-500.00", gross_kg=18_000)
        [heavier] = await changing.change(conn, [number], [changed])
        assert heavier != number
        found = await rows(
            conn,
            "SELECT v.id, v.gross_kg, a.valid_from = v.valid_from, a.valid_to = v.valid_to,"
            " b.valid_to = v.valid_to"
            " FROM vehicles v JOIN device_assignments a ON a.vehicle_id = v.id"
            " JOIN badges b ON b.vehicle_id = v.id WHERE v.first_id = %s ORDER BY v.id",
            number,
        )  # fmt: skip
        assert found == [
            (number, 16_000, True, True, True), (heavier, 18_000, True, True, True),
        ]  # fmt: skip
        # What no fix is judged by is no new registration.
        assert await changing.change(conn, [heavier], [replace(changed, vin="RNKGA7F05")]) == [
            heavier
        ]
        # An earlier one is over, and its facts stay what they were.
        flaws = await changing.find_change_flaws(conn, [number], [changed])
        assert said(flaws) == [(0, "plate")]

    connected(dsn, work)


def test_fixes_are_judged_by_what_was_registered_at_their_own_time(dsn):
    async def work(conn):
        before = truck("29C55555", gross_kg=16_000, kerb_kg=6_000)
        [number] = await registering.register(conn, [before])
        await registering.register(conn, [DeviceRecord(ident="d-55", operator="north")])
        await registering.register(conn, [AssignmentRecord(device="d-55", vehicle="29C55555")])
        old_version = await registry.version(conn)
        later = replace(before, gross_kg=18_000, plate="29C55556", valid_from=MARCH_US)
        [heavier] = await changing.change(conn, [number], [later])
        assert await registry.version(conn) > old_version
        snapshot = await registry.load(conn)
        assert [t[1:] for t in snapshot.devices if t.name == "d-55"] == [
            (number, BEGINNING_US, MARCH_US), (heavier, MARCH_US, END_US),
        ]  # fmt: skip
        assert [t for t in snapshot.plates if t.name.startswith("29C5555")] == [
            ("29C55555", number, BEGINNING_US, MARCH_US), ("29C55556", heavier, MARCH_US, END_US),
        ]  # fmt: skip
        assert snapshot.vehicle(number).gross_kg == 16_000
        assert snapshot.vehicle(heavier).gross_kg == 18_000

    connected(dsn, work)


def test_stations_are_relied_on_while_they_are_calibrated(dsn):
    async def work(conn):
        [station, other] = await registering.register(
            conn, [StationRecord(code=code, lon=105, lat=21) for code in ("c-1", "c-2")]
        )
        year = CalibrationRecord(
            station="c-1", certificate="K-1", valid_from=MARCH_US, valid_to=MARCH_US + DAY_US
        )
        later = replace(year, valid_from=MARCH_US + 2 * DAY_US, valid_to=MARCH_US + 3 * DAY_US)
        assert said(await registering.find_flaws(conn, [later, year, year])) == [(2, "valid_from")]
        [_, second] = await registering.register(conn, [year, later])
        assert await changing.retire(conn, "calibration", [second], MARCH_US) == 1
        snapshot = await registry.load(conn)
        rule = snapshot.station(station, MARCH_US)
        days = [rule.is_calibrated(MARCH_US + DAY_US * half // 2) for half in range(-1, 6)]
        assert days == [False, True, True, False, False, False, False]
        assert snapshot.station(other, MARCH_US).is_calibrated(MARCH_US)

    connected(dsn, work)


def test_a_weighing_is_judged_by_what_its_station_was_when_it_weighed(dsn):
    async def work(conn):
        first = StationRecord(code="t-1", lon=105, lat=21, tolerance=0.05)
        [number] = await registering.register(conn, [first])
        before = await registry.load(conn)
        moved = replace(first, lon=106, kind="wim", tolerance=0.1)
        await changing.change(conn, [number], [moved])
        await changing.change(conn, [number], [replace(moved, name="Another name")])
        snapshot = await registry.load(conn)
        [(at, later)] = await rows(
            conn,
            "SELECT (extract(epoch FROM valid_from) * 1e6)::bigint,"
            " (extract(epoch FROM now()) * 1e6)::bigint FROM station_facts"
            " WHERE station_id = %s AND isfinite(valid_from)",
            number,
        )  # fmt: skip
        assert before.station(number, END_US - 1).tolerance == 0.05
        times = (MARCH_US, int(str(at)) - 1, int(str(at)), int(str(later)))
        told = [snapshot.station(number, one) for one in times]
        assert [(one.tolerance, one.lon, one.kind) for one in told] == [
            (0.05, 105, "static"), (0.05, 105, "static"), (0.1, 106, "wim"), (0.1, 106, "wim"),
        ]  # fmt: skip
        assert {one.name for one in told} == {"Another name"}

    connected(dsn, work)


def test_the_road_and_the_hours_of_a_station_hold_from_change_to_change(dsn):
    road = {"type": "LineString", "coordinates": [[105, 20.9], [105, 21.1]]}
    always = StationRecord(code="t-2", lon=105, lat=21, approach=road, corridor_m=50)
    by_day = replace(always, weekly_hours=(("mon", "06:00", "22:00"),))
    both_ways = replace(by_day, is_two_way=True)

    async def work(conn):
        [number] = await registering.register(conn, [always])
        for changed in (by_day, replace(by_day, name="T"), both_ways):
            await changing.change(conn, [number], [changed])
        await changing.retire(conn, "station", [number])
        snapshot = await registry.load(conn)
        return snapshot, [station for station in snapshot.stations if station.id == number]

    snapshot, told = connected(dsn, work)
    assert [(one.approach, one.corridor_m, one.is_two_way, one.weekly_hours) for one in told] == [
        (road, 50, False, None), (road, 50, False, by_day.weekly_hours),
        (road, 50, True, by_day.weekly_hours),
        # Nobody avoids a station that is closed for good.
        (None, None, True, by_day.weekly_hours),
    ]  # fmt: skip
    ends = [one.valid_to for one in told]
    assert [one.valid_from for one in told] == [BEGINNING_US, *ends[:-1]]
    assert ends[-1] == END_US
    for one in told:
        assert snapshot.station(one.id, one.valid_from) is one
        assert snapshot.station(one.id, one.valid_to - 1) is one


def test_badges_and_routes_end_with_the_operator_and_devices_go_along(dsn):
    async def work(conn):
        [number] = await registering.register(conn, [truck("29C60000")])
        await registering.register(conn, [DeviceRecord(ident="d-6", operator="north")])
        await registering.register(conn, [AssignmentRecord(device="d-6", vehicle="29C60000")])
        badge = BadgeRecord(
            number="A-6", kind="truck", vehicle="29C60000", valid_from=MARCH_US, valid_to=END_US
        )
        await registering.register(conn, [badge])
        [sold] = await changing.change(
            conn, [number], [VehicleRecord(plate="29C60000", operator="south")]
        )
        assert await rows(
            conn, "SELECT vehicle_id, isfinite(valid_to) FROM badges WHERE number = 'A-6'"
        ) == [(number, True)]
        assert await rows(
            conn,
            "SELECT o.code, a.vehicle_id FROM devices d JOIN operators o ON o.id = d.operator_id"
            " JOIN device_assignments a ON a.device_id = d.id AND a.valid_to > now()"
            " WHERE d.ident = 'd-6'",
        ) == [("south", sold)]

    connected(dsn, work)


GIVEN = """
WITH one AS (
    INSERT INTO badges (number, kind, vehicle_id, is_extra, valid_from, valid_to)
    SELECT %(plate)s || n, 'truck', %(vehicle)s, n = 2, since, '2099-01-01'
    FROM (VALUES (1, timestamptz '2026-03-01'), (2, '2098-01-01')) k (n, since)
    RETURNING number, vehicle_id, valid_from, valid_to
)
INSERT INTO vehicle_routes (route_code, vehicle_id, valid_from, valid_to) SELECT * FROM one
"""
"""A badge and a route that hold, and one of each that has not begun."""
STANDING = """
SELECT right(route_code, 1), r.vehicle_id, isfinite(r.valid_from) AND r.valid_from = r.valid_to,
       r.valid_to = '2099-01-01', b.is_extra AND b.kind = 'truck'
FROM vehicle_routes r
LEFT JOIN badges b ON (b.number, b.vehicle_id, b.valid_from, b.valid_to) =
                      (r.route_code, r.vehicle_id, r.valid_from, r.valid_to)
WHERE route_code LIKE %s ORDER BY 1, 2
"""


@pytest.mark.parametrize("owner", ["north", "south"])
def test_licences_go_on_with_a_vehicle_unless_the_operator_changes(owner, dsn):
    plate = {"north": "29C61001", "south": "29C61002"}[owner]

    async def work(conn):
        [old] = await registering.register(conn, [truck(plate)])
        await conn.execute(GIVEN, {"plate": plate, "vehicle": old})
        changed = VehicleRecord(plate=plate, operator=owner, gross_kg=18_000)
        [new] = await changing.change(conn, [old], [changed])
        return old, new, await rows(conn, STANDING, f"{plate}%")

    old, new, standing = connected(dsn, work)
    ended = ("1", old, False, False, False)
    if owner == "north":
        expected = [ended, ("1", new, False, True, False), ("2", new, False, True, True)]
    else:
        expected = [ended, ("2", old, True, False, True)]
    assert standing == expected  # of routes, and of badges as well


def test_a_change_does_not_reach_behind_what_has_been_judged(dsn):
    async def work(conn):
        [number] = await registering.register(conn, [truck("29C70000", gross_kg=16_000)])
        await conn.execute(
            "INSERT INTO latest VALUES (%s, now(), 105, 21, 0, 0, -1, 0, 0, now(),"
            " now() - interval '1 hour', now(), now())",
            [number],
        )
        changed = truck("29C70000", gross_kg=18_000, valid_from=MARCH_US)
        found = await changing.find_change_flaws(conn, [number], [changed])
        assert said(found) == [(0, "valid_from")]
        assert "newest fix" in found[0].expected
        now = replace(changed, valid_from=BEGINNING_US)
        assert len(await changing.change(conn, [number], [now])) == 1

    connected(dsn, work)


def test_what_is_retired_ends_with_what_it_carries_and_is_still_there(dsn):
    async def work(conn):
        [number, _] = await registering.register(conn, [truck("29C80000"), truck("29C80001")])
        [device] = await registering.register(conn, [DeviceRecord(ident="d-8")])
        await registering.register(conn, [AssignmentRecord(device="d-8", vehicle="29C80000")])
        with pytest.raises(FlawedError, match="without vehicles"):
            await changing.retire(conn, "operator", [1])
        assert await changing.retire(conn, "vehicle", [number]) == 1
        assert await changing.retire(conn, "vehicle", [number]) == 0
        assert await rows(
            conn, "SELECT isfinite(valid_to) FROM device_assignments WHERE device_id = %s", device
        ) == [(True,)]
        assert await changing.retire(conn, "device", [device]) == 1
        again = AssignmentRecord(device="d-8", vehicle="29C80001")
        assert said(await registering.find_flaws(conn, [again])) == [(0, "device")]
        assert (
            await registering.find_flaws(
                conn, [truck("29C80000", valid_from=MARCH_US + 9999 * DAY_US)]
            )
            == []
        )

    connected(dsn, work)


def test_what_is_taken_back_before_it_begins_can_be_made_anew(dsn):
    async def work(conn):
        await registering.register(conn, [DeviceRecord(ident="d-9", operator="north")])
        for _ in range(2):
            later = truck("29C90000", valid_from=MARCH_US + 9999 * DAY_US)
            [number] = await registering.register(conn, [later])
            inside = AssignmentRecord(device="d-9", vehicle="29C90000", valid_from=later.valid_from)
            await registering.register(conn, [inside])
            assert await changing.retire(conn, "vehicle", [number]) == 1
        assert await rows(
            conn,
            "SELECT DISTINCT valid_from = valid_to FROM device_assignments WHERE vehicle_id = %s",
            number,
        ) == [(True,)]  # fmt: skip

    connected(dsn, work)


def test_a_driver_whom_a_feed_named_is_taken_over_once(dsn):
    from storage.registry import ensure_drivers

    async def work(conn):
        known = await ensure_drivers(conn, ["790000000001"])
        binh = DriverRecord(licence="790000000001", name="Binh", operator="north")
        new = replace(binh, licence="790000000002", name="Chi")
        numbers = await registering.register(conn, [new, binh])
        assert numbers[1] == known["790000000001"]
        assert said(await registering.find_flaws(conn, [binh, new])) == [
            (0, "licence"), (1, "licence"),
        ]  # fmt: skip
        # What feeds name is nobody's doing; what people register is.
        found = await rows(
            conn, "SELECT count(*) FROM registry_history WHERE kind = 'driver' AND before IS NULL"
        )
        assert found == [(1,)]

    connected(dsn, work)


def test_history_is_whole_and_only_added_to(dsn):
    from psycopg.errors import InsufficientPrivilege

    async def work(conn):
        async with conn.transaction():
            await registering.note(conn, "command an", "a slip of the pen")
            [number] = await registering.register(conn, [OperatorRecord(code="east", name="Est")])
            await changing.change(conn, [number], [OperatorRecord(code="east", name="East")])
            await changing.retire(conn, "operator", [number])
        found = await rows(
            conn,
            "SELECT actor, reason, before ->> 'name', after ->> 'name', after ->> 'version'"
            " FROM registry_history WHERE kind = 'operator' AND subject = %s ORDER BY id",
            number,
        )
        who = ("command an", "a slip of the pen")
        assert found == [
            (*who, None, "Est", "1"), (*who, "Est", "East", "2"), (*who, "East", "East", "3"),
        ]  # fmt: skip
        for forbidden in (
            "UPDATE registry_history SET actor = 'nobody'",
            "DELETE FROM registry_history",
            "TRUNCATE registry_history",
        ):
            with pytest.raises(InsufficientPrivilege, match="only ever added to"):
                await conn.execute(forbidden.encode())

    connected(dsn, work)
