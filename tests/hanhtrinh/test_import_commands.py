"""Files into the registry by command: dry runs, all or nothing, and importing again."""

import csv
import json
import zipfile

import pytest
from typer.testing import CliRunner

from geofence.registry import BEGINNING_US
from hanhtrinh.cli import app
from storage.registry import load
from tests.hanhtrinh.gtfs_import.feeds import small_feed
from tests.storage.bulk.tables import workbook
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration
SQUARE = [[[105.0, 21.0], [105.1, 21.0], [105.1, 21.1], [105.0, 21.1], [105.0, 21.0]]]


def run(*arguments):
    """Runs a command: exit code, JSON of standard output, lines of standard error."""
    ran = CliRunner().invoke(app, list(map(str, arguments)))
    said = json.loads(ran.stdout) if ran.stdout.startswith("{") else None
    return ran.exit_code, said, ran.stderr.splitlines()


@pytest.fixture
def command(database, monkeypatch):
    """Runs a command on the test's database."""
    monkeypatch.setenv("HANHTRINH_DATABASE__DSN", database)
    return run


def registered(database):
    return connected(database, load)


def audited(database):
    found = connected(database, lambda conn: rows(conn, "SELECT action, subject FROM audit"))
    return [row for row in found if "import" in str(row[0])]


def test_a_feed_is_imported_once_and_again_only_where_it_changed(command, database, tmp_path):
    feed = tmp_path / "feed.zip"
    with zipfile.ZipFile(feed, "w") as archive:
        for name, content in small_feed().items():
            archive.writestr(name, content)
    gtfs = ("registry", "import", "gtfs", feed)
    code, said, _ = command(*gtfs, "--dry-run")
    assert (code, said["routes"], said["written"]) == (
        0, {"added": 1, "changed": 0, "unchanged": 0}, False,
    )  # fmt: skip
    assert registered(database).routes == ()
    assert audited(database) == []

    code, said, told = command(*gtfs, "--from", "2026-04-01")
    assert (code, said["written"], len(told)) == (0, True, 2)
    (route,) = registered(database).routes
    assert (route.terminal_a, len(route.stops), len(route.slots)) == ("R1-a", 6, 2)
    assert {zone.code for zone in registered(database).zones} == {"R1-a", "R1-b"}
    assert len(audited(database)) == 1

    _, said, _ = command(*gtfs)
    assert said["routes"] == {"added": 0, "changed": 0, "unchanged": 1}
    assert said["terminals"] == {"added": 0, "changed": 0, "unchanged": 2}
    _, said, _ = command(*gtfs, "--corridor-m", "300", "--from", "2026-05-01")
    assert said["routes"] == {"added": 0, "changed": 1, "unchanged": 0}
    before, after = registered(database).routes
    assert (before.corridor_m, after.corridor_m, after.version) == (200.0, 300.0, 2)
    assert before.valid_to == after.valid_from

    code, said, told = command(*gtfs, "--from", "2026-04-02")
    assert (code, said["written"]) == (1, False)
    assert told[-1] == (
        "refused: routes.txt: line 2, column route_id: "
        "expected an instant after version 2 of 'R1' began"
    )


def test_nothing_of_a_feed_is_written_while_a_route_is_refused(command, database, tmp_path):
    texts = small_feed(
        agency="agency_timezone\nUTC\n",
        routes="route_id,route_type\nR1,3\nR2,3\n",
        trips=small_feed()["trips.txt"].decode() + "R2,WD,lame,0\n",
    )
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
    gtfs = ("registry", "import", "gtfs", tmp_path)
    code, said, told = command(*gtfs)
    assert (code, said["written"], registered(database).routes) == (1, False, ())
    assert told[0] == (
        "refused: agency.txt: line 2, column agency_timezone: expected Asia/Ho_Chi_Minh, got 'UTC'"
        if told[0].startswith("refused: agency")
        else "refused: trips.txt: line 4, column trip_id: expected at least 2 stops of trip 'lame'"
    )
    code, said, _ = command(*gtfs, "--local-times", "--json")
    assert (code, said["problems"]["refused"], audited(database)) == (1, 1, [])
    assert said["places"][0] == {
        "file": "trips.txt", "line": 4, "column": "trip_id", "effect": "refused",
        "wrong": "expected at least 2 stops of trip 'lame'",
    }  # fmt: skip
    code, said, _ = command(*gtfs, "--local-times", "--skip-refused")
    assert (code, said["written"]) == (0, True)
    assert [route.code for route in registered(database).routes] == ["R1"]


def collection(*features):
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": properties,
                    "geometry": {"type": "Polygon", "coordinates": SQUARE},
                }
                for properties in features
            ],
        }
    )


def test_fences_are_imported_all_or_none(command, database, tmp_path):
    file = tmp_path / "zones.geojson"
    file.write_text(collection({"id": "z1", "kind": "watch"}, {"id": "z1", "kind": "stop"}))
    zones = ("zones", "import", file)
    code, said, told = command(*zones)
    assert (code, said["written"], registered(database).zones) == (1, False, ())
    assert told[0].endswith("features[1]: expected every code once, got 'z1' as at line 1")

    limits = {"bus": 50, "*": 60}
    limited: dict[str, object] = {"id": "z1", "kind": "speed", "speed_limit_kmh": limits}
    other: dict[str, object] = {"id": "z2", "kind": "watch", "name": "Chợ"}
    other["valid_from"] = "2020-01-01"
    good = [limited, other]
    file.write_text(collection(*good))
    assert command(*zones, "--dry-run")[1]["zones"]["added"] == 2
    assert registered(database).zones == ()
    assert command(*zones)[1]["zones"] == {"added": 2, "changed": 0, "unchanged": 0}
    assert command(*zones)[1]["zones"] == {"added": 0, "changed": 0, "unchanged": 2}
    one, two = registered(database).zones
    assert (one.speed_limits, two.name) == ({"*": 60.0, "bus": 50.0}, "Chợ")
    assert one.valid_from > two.valid_from > BEGINNING_US

    good[1]["name"] = "Chợ mới"
    file.write_text(collection(*good))
    code, _, told = command(*zones)
    assert code == 1
    assert told[0].endswith("expected an instant after version 1 of 'z2' began")
    good[1]["valid_from"] = "2021-01-01"
    file.write_text(collection(*good))
    assert command(*zones)[1]["zones"] == {"added": 0, "changed": 1, "unchanged": 1}
    assert [(z.code, z.version, z.name) for z in registered(database).zones[1:]] == [
        ("z2", 1, "Chợ"), ("z2", 2, "Chợ mới"),
    ]  # fmt: skip


def test_operators_of_fences_are_looked_up(command, database, tmp_path):
    file = tmp_path / "zones.geojson"
    file.write_text(collection({"id": "z1", "kind": "watch", "operator": "nobody"}))
    code, _, told = command("zones", "import", file)
    assert code == 1
    assert "operator: expected the code of an operator, got 'nobody'" in told[0]
    connected(
        database, lambda conn: conn.execute("INSERT INTO operators (code, name) VALUES ('op', 'n')")
    )
    file.write_text(collection({"id": "z1", "kind": "watch", "operator": "op"}))
    assert command("zones", "import", file)[0] == 0
    assert registered(database).zones[0].operator_id is not None


def test_a_workbook_is_imported_by_the_columns_of_its_template(command, database, tmp_path):
    shown = CliRunner().invoke(app, ["registry", "template", "operators", "--vietnamese"])
    assert shown.stdout.startswith("\ufeffMã đơn vị,Tên đơn vị,")
    (header,) = csv.reader([shown.stdout.removeprefix("\ufeff").strip()])
    file = tmp_path / "đơn vị.xlsx"
    file.write_bytes(workbook([header, ["op1", "Vận tải A", "Hà Nội", 100109106.0, ""]]))
    operators = ("registry", "import", "operators", file)
    code, said, told = command(*operators, "--sheet", "Sheet")
    assert (code, said["operators"]["added"], told) == (0, 1, [])
    assert connected(database, lambda conn: rows(conn, "SELECT code, tax_code FROM operators")) == [
        ("op1", "100109106")
    ]
    history = "SELECT reason, starts_with(actor, 'command ') FROM registry_history"
    assert connected(database, lambda conn: rows(conn, history)) == [
        ("import of đơn vị.xlsx", True)
    ]
    assert command(*operators)[1]["operators"]["unchanged"] == 1
    code, said, told = command(*operators, "--sheet", "Xe")
    assert (code, said["written"]) == (1, False)
    assert told[0].endswith("sheet Xe: expected one of the sheets Sheet, got 'Xe'")


def test_a_table_with_an_error_is_refused_by_row_and_column(command, database, tmp_path):
    file = tmp_path / "ops.csv"
    file.write_text("code;name\nop1;A\nop 2;B\nop3;\n")
    code, said, told = command("registry", "import", "operators", file)
    assert (code, said["problems"], audited(database)) == (1, {"refused": 2}, [])
    assert [line.removeprefix(f"refused: {file}: ") for line in told] == [
        (
            "row 3, column A (code): expected a code: letters, digits, dots, dashes, "
            "64 at most, got 'op 2'"
        ),
        "row 4, column B (name): expected a value, got nothing",
    ]  # fmt: skip
    assert connected(database, lambda conn: rows(conn, "SELECT code FROM operators")) == []


def test_a_class_that_no_profile_names_is_noted_and_written(command, database, tmp_path):
    owners, file = tmp_path / "operators.csv", tmp_path / "vehicles.csv"
    owners.write_text("code,name\none,One\n")
    assert command("registry", "import", "operators", owners)[0] == 0
    file.write_text("plate,operator,class\n29C11111,one,bus\n29C22222,one,lorry\n")
    code, said, told = command("registry", "import", "vehicles", file)
    assert (code, said["written"], said["problems"]) == (0, True, {"noted": 1})
    (line,) = told
    assert line.startswith(f"noted: {file}: row 3, column C (class): nothing goes by 'lorry'")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("zones", "import", "missing.geojson"), 1, "no such file"),
        (("zones", "import", "missing.geojson", "--prefix", "x"), 2, "expected --code with them"),
        (("registry", "import", "gtfs", "missing.zip"), 1, "expected a folder or a zip archive"),
        (("zones", "import", "x", "--from", "soon"), 2, "--from: expected a day or RFC 3339"),
    ],
)
def test_a_wrong_use_is_said_before_a_database_is_needed(arguments, code, said):
    exit_code, _, told = run(*arguments)
    assert exit_code == code
    assert said in " ".join(told)
