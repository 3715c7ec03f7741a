"""Tables into the registry: every error by row and column, all rows or none, again and changed."""

from zoneinfo import ZoneInfo

import pytest

from storage.bulk.importing import Outcome, TableImport
from storage.bulk.kinds import TABLES
from storage.bulk.problems import Problems
from tests.storage.bulk.tables import table
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

OPERATORS = """
    code | name      | Tỉnh
    op1  | Vận tải A | Hà Nội
    op2  | Vận tải B | Hà Nội
"""
VEHICLES = """
    Biển số    | Mã đơn vị | Kiểu xe | gross_kg | kerb_kg | Tải trọng (tấn) | Số khung
    29C-123.45 | op1       | xe tải  | 16000    | 6000    | 9.5             | RLH00001
    51D-678.90 | op2       | đầu kéo |          | 9000    |                 |
"""
DEVICES = """
    imei            | operator | codec
    860000000000001 | op1      | teltonika
    860000000000002 | op2      |
"""
ASSIGNMENTS = """
    imei            | plate     | Từ ngày
    860000000000001 | 29C12345  | 01/05/2026
    860000000000002 | 51D-67890 |
"""


@pytest.fixture
def bring(database):
    """Imports a table of a kind; what came of it, and what was said."""

    def run(what, text, *, dry_run=False):
        problems = Problems()
        importing = TableImport(
            TABLES[what], table(text), "f", ZoneInfo("Asia/Ho_Chi_Minh"), problems
        )

        async def work(conn):
            async with conn.transaction():
                return await importing.run(conn, dry_run=dry_run)

        outcome = connected(database, work)
        return outcome, [str(problem).removeprefix("f: ") for problem in problems]

    return run


@pytest.fixture
def fleet(bring):
    """Two operators with a vehicle and a device in it each."""
    for what, text in (
        ("operators", OPERATORS), ("vehicles", VEHICLES), ("devices", DEVICES),
        ("assignments", ASSIGNMENTS),
    ):  # fmt: skip
        assert bring(what, text) == (Outcome(added=2), [])
    return bring


def stands(database, query):
    return connected(database, lambda conn: rows(conn, query))


def test_tables_of_a_fleet_are_registered_and_the_same_again_changes_nothing(fleet, database):
    assert stands(
        database,
        "SELECT plate, plate_raw, kind, gross_kg, cargo_kg, vin, o.code FROM vehicles v "
        "JOIN operators o ON o.id = v.operator_id ORDER BY plate",
    ) == [
        ("29C12345", "29C-123.45", "rigid", 16000.0, 9500.0, "RLH00001", "op1"),
        ("51D67890", "51D-678.90", "tractor_semi", None, None, None, "op2"),
    ]
    assert stands(
        database, "SELECT valid_from::date::text FROM device_assignments ORDER BY device_id"
    ) == [("2026-04-30",), ("-infinity",)]
    version = stands(database, "SELECT version FROM registry_version")
    for what, text in (("operators", OPERATORS), ("vehicles", VEHICLES), ("devices", DEVICES)):
        assert fleet(what, text) == (Outcome(unchanged=2), [])
    assert fleet("assignments", ASSIGNMENTS)[0] == Outcome(unchanged=2)
    assert stands(database, "SELECT version FROM registry_version") == version


def test_a_dry_run_says_what_would_be_and_writes_nothing(bring, database):
    assert bring("operators", OPERATORS, dry_run=True) == (Outcome(added=2), [])
    assert stands(database, "SELECT count(*) FROM operators") == [(0,)]


def test_every_error_of_every_row_is_named_and_nothing_is_written(fleet, database):
    outcome, said = fleet(
        "vehicles",
        """
        plate      | operator | kind | gross_kg | kerb_kg | axles | vin      | Đến ngày
        30A-111.11 | op1      | bus  | 5000     | 6000    | 2     |          |
        30A-222.22 | nobody   | tàu  | 1,5      |         | 2.5   | RLH00001 | 2026-13-01
        3          | op1      | bus  |          |         |       |          |
        30A-333.33 | op1      | bus  |          |         | 99    |          | 2020-01-01
        30a 333 33 | op2      | bus  |          |         |       |          |
        30A-444.44 |          | bus  | 999999   |         |       |          |
        30A-555.55 | op1      | bus  |          |         |       |          |
        29C12345   | nobody   | bus  |          |         |       |          | 2030-01-01
        """,
    )
    assert (outcome.added, outcome.changed) == (5, 1)
    expected = [
        "row 2, column E (kerb_kg): expected at most gross_kg, 5000, got '6000'",
        "row 3, column C (kind): expected one of rigid, tractor_semi, rigid_trailer, bus, car, ",
        "row 3, column D (gross_kg): expected a number, a point before decimals and nothing betw",
        "row 3, column F (axles): expected a whole number, got '2.5'",
        "row 3, column H (Đến ngày): expected a day like 2026-05-31 or 31/05/2026, or an instant",
        "row 3, column B (operator): expected the code of a registered operator, got 'nobody'",
        "row 3, column G (vin): expected a chassis number that no other vehicle has then, got 'R",
        "row 4, column A (plate): expected a plate of 4 to 12 letters and digits, separators apa",
        "row 5, column F (axles): expected 1 to 40, got '99'",
        "row 6, column A (plate): expected once, got '30a 333 33' as in row 5",
        "row 7, column B (operator): expected a value, got nothing",
        "row 9, column H (Đến ngày): expected the end that is registered, or none: an import end",
        "row 9, column B (operator): expected the code of a registered operator, got 'nobody'",
    ]
    for begins in expected:
        assert sum(line.startswith(begins) for line in said) == 1, (begins, said)
    assert len(said) == len(expected)
    assert stands(database, "SELECT count(*) FROM vehicles") == [(2,)]


def test_what_a_file_changes_is_changed_from_its_day_on_and_the_rest_stays(fleet, database):
    text = """
        plate    | Khối lượng toàn bộ | Từ ngày
        29C12345 | 17000              | 2090-01-01
    """
    assert fleet("vehicles", text) == (Outcome(changed=1), [])
    assert stands(
        database,
        "SELECT gross_kg, kerb_kg, cargo_kg, vin, valid_to::date::text FROM vehicles "
        "WHERE plate = '29C12345' ORDER BY id",
    ) == [
        (16000.0, 6000.0, 9500.0, "RLH00001", "2089-12-31"),
        (17000.0, 6000.0, 9500.0, "RLH00001", "infinity"),
    ]
    outcome, said = fleet("operators", "code | name | province\nop1 | A mới |")
    assert (outcome, said) == (Outcome(changed=1), [])
    assert stands(database, "SELECT name, province FROM operators WHERE code = 'op1'") == [
        ("A mới", None)
    ]
    assert stands(database, "SELECT count(*) FROM registry_history WHERE before IS NOT NULL") > [
        (0,)
    ]


def test_a_device_cannot_be_in_two_vehicles_at_once(fleet, database):
    _, said = fleet(
        "assignments",
        """
        imei            | plate    | valid_from | last_day
        860000000000001 | 51D67890 | 2026-06-01 |
        860000000000002 | 51D67890 |            |
        860000000000009 | 51D67890 | 2026-06-01 |
        860000000000001 | 99X99999 | 2025-01-01 | 2025-01-31
        """,
    )
    assert [line.partition(", got")[0] for line in said] == [
        "row 2, column A (imei): expected a device that is in no other vehicle then",
        "row 4, column A (imei): expected the ident of a registered device",
        "row 5, column B (plate): expected the plate of a vehicle registered then",
    ]
    assert stands(database, "SELECT count(*) FROM device_assignments") == [(2,)]


def test_spans_of_a_file_that_overlap_are_named(fleet):
    _, said = fleet(
        "badges",
        """
        number | kind  | vehicle  | valid_from | last_day
        P1     | taxi  | 29C12345 | 2026-01-01 | 2026-12-31
        P2     | taxi  | 29C12345 | 2026-12-31 | 2027-06-30
        P3     | taxi  | 51D67890 | 2026-01-01 | 2025-12-31
        P4     | đầu kéo | 51D67890 |          | 2026-12-31
        """,
    )
    assert [line.partition(", got")[0] for line in said] == [
        "row 3, column C (vehicle): expected a vehicle that has one badge at a time",
        "row 4, column E (last_day): expected an instant after valid_from",
        "row 5, column D (valid_from): expected a value",
    ]


DRIVERS = """
    GPLX         | Họ và tên | operator | Hạng | Có giá trị đến
    790012345678 | Ân        | op1      | C    | 1/6/2030
"""
STATIONS = """
    code | name     | Kinh độ | Vĩ độ | kind     | Sai số (%) | Hai chiều | Giờ hoạt động
    T1   | Dầu Giây | 107.1   | 10.9  | cân động | 5          | có        | Mo-Sa 06:00-22:00
"""
BADGES = """
    number | kind   | plate    | from       | Đến ngày
    P1     | xe tải | 29C12345 | 2026-01-01 | 31/12/2026
"""


@pytest.mark.parametrize(
    ("what", "text"), [("drivers", DRIVERS), ("stations", STATIONS), ("badges", BADGES)]
)
def test_the_other_tables_come_in_and_come_back_the_same(what, text, fleet):
    assert fleet(what, text) == (Outcome(added=1), [])
    assert fleet(what, text) == (Outcome(unchanged=1), [])


def test_a_station_is_given_a_road_and_hours_and_loses_them(bring, database):
    road = '{"type": "LineString", "coordinates": [[107.0, 10.9], [107.2, 10.9]]}'
    head = "code | lon | lat | approach | corridor_m | hours"
    assert bring("stations", f"{head}\nT1 | 107.1 | 10.9 | {road} | 50 | Mo 22:00-05:00") == (
        Outcome(added=1), []
    )  # fmt: skip
    assert bring("stations", f"{head}\nT1 | 107.1 | 10.9 | | |") == (Outcome(changed=1), [])
    kept = (
        "SELECT approach IS NULL, corridor_m, weekly_hours FROM station_facts ORDER BY valid_from"
    )
    assert connected(database, lambda conn: rows(conn, kept)) == [
        (False, 50, [["mon", "22:00", "24:00"], ["tue", "00:00", "05:00"]]), (True, None, None),
    ]  # fmt: skip
    _, said = bring(
        "stations", f"{head}\nT1 | 107.1 | 10.9 | by the river | | PH\nT2 | 107 | 10 | {road} | |"
    )
    both = "expected it with an approach, and only with one"
    weekly = (
        "expected a schedule that is the same every week (public holidays cannot be part of it),"
        " got 'PH'"
    )
    assert said == [
        "row 2, column D (approach): expected a GeoJSON LineString, got 'by the river'",
        "row 2, column F (hours): " + weekly,
        f"row 3, column E (corridor_m): {both}, got nothing",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["expected a header and rows, got an empty table"]),
        ("name | cod\nx | y", [
            "row 1, column B (cod): expected one of code, got 'cod'",
            "row 1: expected a column code, got none",
        ]),
        ("code\nop9", ["row 1: expected a column name for the 1 rows that are new, got none"]),
    ],
)  # fmt: skip
def test_a_header_that_will_not_do_is_named(text, said, bring):
    assert bring("operators", text or "\n")[1] == said
