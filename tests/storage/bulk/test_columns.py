"""Headers and cells: what they mean in both languages, and what is said of all others."""

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.bulk.cells import (
    read_choice,
    read_count,
    read_date,
    read_flag,
    read_instant,
    read_last_day,
    read_number,
    read_text,
)
from storage.bulk.columns import find_columns
from storage.bulk.kinds import TABLES
from tests.storage.bulk.tables import table

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
VEHICLES = TABLES["vehicles"].columns


@pytest.mark.parametrize("what", TABLES)
def test_no_header_means_two_columns_and_every_column_fills_a_field(what):
    kind = TABLES[what]
    names = Counter(name for column in kind.columns for name in set(column.names()))
    assert [name for name, count in names.items() if count > 1] == []
    fields = {one.name for one in msgspec.structs.fields(kind.record)}
    assert {column.field for column in kind.columns} <= fields
    required = {one.name for one in msgspec.structs.fields(kind.record) if one.required}
    assert required <= {column.field for column in kind.columns}
    assert set(kind.key) <= required


@pytest.mark.parametrize("what", TABLES)
def test_the_page_of_imports_shows_every_column_in_both_languages(what):
    page = Path(__file__).parents[3] / "docs" / "registry-import.md"
    section = page.read_text("utf-8").split(f"### {what}\n")[1].split("\n### ")[0]
    for column in TABLES[what].columns:
        units = f"; units: {', '.join(column.units)}" if column.units else ""
        row = f"| `{column.name}` | {column.vietnamese} | {', '.join(column.others)}{units} |"
        assert row in section


@pytest.mark.parametrize(
    ("header", "field", "factor"),
    [
        ("Biển số", "plate", 1.0),
        ("BIEN_SO", "plate", 1.0),
        ("biển kiểm soát", "plate", 1.0),
        ("Tải trọng (tấn)", "cargo_kg", 1000.0),
        ("gross_kg (kg)", "gross_kg", 1.0),
        ("class", "vehicle_class", 1.0),
        ("Tốc độ giới hạn [km/h]", "speed_limit_kmh", 1.0),
        ("Đến ngày", "valid_to", 1.0),
    ],
)
def test_a_header_is_known_in_both_languages(header, field, factor):
    (found,), wrong = find_columns(table(f"{header}\nx"), VEHICLES)
    assert (found.column.field, found.factor, wrong) == (field, factor, [])


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ("plat", (0, "expected one of plate, got 'plat'")),
        ("gros_kg", (0, "expected one of gross_kg, cargo_kg, got 'gros_kg'")),
        ("colour", (0, "expected one of plate, operator, class, kind, speed_limit_kmh, gross_kg,")),
        ("plate | Biển số", (1, "expected plate in one column, it is in A (plate)")),
        ("last_day | valid_to", (1, "expected valid_to in one column, it is in A (last_day)")),
        ("Tải trọng (lb)", (0, "expected kg, t, tan, tonnes of cargo_kg, got 'Tải trọng (lb)'")),
        ("plate |", (1, "expected a header, got none")),
    ],
)
def test_a_header_that_means_nothing_is_named_with_those_near_it(headers, said):
    cells = " | ".join("x" for _ in headers.split("|"))
    _, (wrong,) = find_columns(table(f"{headers}\n{cells}"), VEHICLES)
    assert wrong[0] == said[0]
    assert wrong[1].startswith(said[1])


def test_a_column_without_header_and_cells_is_no_column():
    assert find_columns(table("plate | \n29C12345 | "), VEHICLES)[1] == []


@pytest.mark.parametrize(
    ("read", "cell", "value"),
    [
        (read_text, "Nguyê\u0303n", "Nguyễn"),
        (read_text, 860000001234567.0, "860000001234567"),
        (read_number, "12.5", 12.5),
        (read_number, 12.5, 12.5),
        (read_count, "3", 3),
        (read_count, 3.0, 3),
        (read_flag, "Có", True),
        (read_flag, "không", False),
        (read_flag, 1.0, True),
        (read_flag, False, False),
        (read_date, datetime.fromisoformat("2026-05-31"), date(2026, 5, 31)),
        (read_choice({"xe tai": "rigid"}), "Xe tải", "rigid"),
    ],
)
def test_a_cell_says_what_people_mean(read, cell, value):
    assert read(cell, HANOI) == value


@pytest.mark.parametrize(
    ("read", "cell", "expected"),
    [
        (read_text, 8.6e22, "a text"),
        (read_text, 0.5, "a text"),
        (read_text, True, "a text"),
        (read_text, datetime.fromisoformat("2026-05-01"), "a text"),
        (read_text, "8.60001E+14", "all digits: the program that saved"),
        (read_text, "8,60001E+14", "all digits: the program that saved"),
        (read_number, "12,5", "a number, a point before decimals"),
        (read_number, "1.250.000", "a number, a point before decimals"),
        (read_number, "nan", "a number"),
        (read_number, "", "a number"),
        (read_number, True, "a number"),
        (read_count, "2.5", "a whole number"),
        (read_flag, "maybe", "yes or no"),
        (read_date, "31/02/2026", "a day like 2026-05-31"),
        (read_date, "05/31/2026", "a day like 2026-05-31"),
        (read_date, "1/5/26", "a day like 2026-05-31"),
        (read_date, 46143.0, "a day like 2026-05-31"),
        (read_date, "2026-05-31 06:00", "a day like 2026-05-31"),
        (read_instant, "0001-01-01", "a day like 2026-05-31"),
        (read_instant, True, "a day like 2026-05-31"),
        (read_choice({"xe tai": "rigid"}), "xe điện", "one of rigid"),
    ],
)
def test_a_cell_that_says_something_else_is_refused_with_what_was_expected(read, cell, expected):
    with pytest.raises(ValueError, match=expected):
        read(cell, HANOI)


@settings(deadline=None, max_examples=50)
@given(st.dates(date(1970, 1, 1), date(2190, 12, 31)), st.sampled_from("/.-"))
def test_a_day_means_the_same_in_every_form(day, mark):
    written = [
        day.isoformat(),
        datetime.fromisoformat(day.isoformat()),
        mark.join((f"{day.day:02d}", f"{day.month:02d}", f"{day.year}")),
        mark.join((f"{day.day}", f"{day.month}", f"{day.year}")),
    ]
    assert {read_date(cell, HANOI) for cell in written} == {day}
    begins = datetime(day.year, day.month, day.day, tzinfo=HANOI).timestamp() * 1e6
    assert {read_instant(cell, HANOI) for cell in written} == {round(begins)}
    assert (
        read_last_day(day.isoformat(), ZoneInfo("UTC"))
        - read_instant(day.isoformat(), ZoneInfo("UTC"))
        == 86_400e6
    )


def test_an_instant_is_local_unless_it_names_an_offset():
    six = datetime(2026, 5, 1, 6, 30, tzinfo=HANOI).timestamp() * 1e6
    for cell in (
        "2026-05-01 06:30", "01/05/2026 6:30", "2026-04-30T23:30:00Z", "2026-05-01T06:30:00+07:00",
        datetime.fromisoformat("2026-05-01T06:30"),
    ):  # fmt: skip
        assert read_instant(cell, HANOI) == six
