"""Every operation as every kind of caller, compared with tests/api/matrix.csv."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from storage.access import audit, keys
from storage.access.roles import Reach
from storage.bulk.kinds import TABLES
from storage.registry import add_driver
from tests.api import registered
from tests.api.people import Browser, make_person
from tests.api.server import LIMITLESS, Client, matches, running
from tests.api.world import EVERYBODYS, build, do

MATRIX = Path(__file__).with_name("matrix.csv").read_text("utf-8")
ROWS = list(csv.DictReader(MATRIX.splitlines()))
CALLERS = [name for name in ROWS[0] if name != "operation"]
WINDOW = "from=2026-05-04T08:00:00Z&to=2026-05-04T09:00:00Z"
LINE = {"type": "LineString", "coordinates": [[106.7, 10.8], [106.9, 10.9]]}
ZONE = {"kind": "watch", "geometry": EVERYBODYS}
ROUTE = {
    "corridor_m": 200, "terminal_a": "term-a", "terminal_b": "term-b", "outbound": LINE,
    "inbound": {"type": "LineString", "coordinates": [[106.9, 10.9], [106.7, 10.8]]},
}  # fmt: skip


def table_of(what):
    """A table with all columns and one row, which only its name fills."""
    kind = TABLES[what.replace("-", "_")]
    cells = ["X12345" if column.field in kind.key else "" for column in kind.columns]
    return ",".join(column.name for column in kind.columns) + "\n" + ",".join(cells) + "\n"


def body_of(name, caller):
    if name.startswith("table-of-"):
        return table_of(name.removeprefix("table-of-"))
    registering = registered.body_of(name, caller, CALLERS.index(caller))
    if registering is not None:
        return registering
    code = f"{name}-{caller}".replace("_", "-")
    return {
        "everybodys-zone": {**ZONE, "code": code},
        "zone-of-north": {**ZONE, "code": code, "operator": "north"},
        "zone-of-south": {**ZONE, "code": code, "operator": "south"},
        "zone": ZONE,
        "everybodys-route": {**ROUTE, "code": code},
        "route": ROUTE,
        "somebody": {"username": code, "role": "inspector"},
        "key": {"name": code},
        "wrong-login": {"username": f"no-{code}", "password": "wrong"},
        "wrong-password": {"old": "wrong", "new": "also wrong"},
        "wrong-code": {"code": "000000"},
    }[name]


@pytest.fixture(scope="module")
def callers(postgres, migrated_template):
    """What asks as each kind of caller, and the names that the matrix has for numbers."""
    with postgres.new_database(migrated_template) as name:
        dsn = postgres.dsn_of(name)
        world = build(dsn)

        async def more(conn):
            binh = await add_driver(conn, "790000000002", "Binh", world.south)
            [(an,)] = await (
                await conn.execute("SELECT id FROM drivers WHERE id <> %s", [binh])
            ).fetchall()
            things = await registered.add_things(conn, world, CALLERS)
            victims = {
                caller: (
                    await keys.create(conn, f"victim {caller}", "operator", Reach(world.south))
                ).id
                for caller in CALLERS
            }
            return an, binh, victims, things

        an, binh, victims, things = do(dsn, more)
        for person in ("boss", "victim"):
            make_person(dsn, person, "administrator")
        options = replace(LIMITLESS, secret="s" * 32)
        with running(dsn, options) as (app, base):
            browser = Browser(base)
            assert browser.sign_in("boss").status_code == 200
            tokens = {
                "nobody": None, "inspector": world.inspector, "operator": world.of_north,
                **world.others,
            }  # fmt: skip
            made = {name: Client(app, base, token) for name, token in tokens.items()}
            asking = {name: client.ask for name, client in made.items()} | {"person": browser.ask}
            known = {
                "n1": world.n1, "s1": world.s1, "speeding": world.speeding, "an": an, "binh": binh,
                "of_south_speeding": world.of_south_speeding, "window": WINDOW, **things,
            }  # fmt: skip
            yield app, dsn, asking, known, victims
            for client in made.values():
                client.http.close()


def test_each_operation_answers_each_caller_as_the_matrix_says(callers):
    _, dsn, asking, known, victims = callers
    wrong, changes = [], 0
    for row in ROWS:
        words = row["operation"].split()
        for caller in CALLERS:
            path = words[1].format(**known, key=victims[caller])
            body = body_of(words[2], caller) if len(words) > 2 else None
            options = {"content" if isinstance(body, str) else "json": body} if body else {}
            answer = asking[caller](words[0], path, **options)
            changes += answer.is_success and words[0] != "GET" and "session" not in path
            if answer.status_code != int(row[caller]):
                wrong.append(f"{caller}: {row['operation']}: {answer.status_code} {answer.text}")
    assert wrong == []

    # Every change that was answered stands in the audit, and the audit is whole.
    async def look(conn):
        found = [row async for row in audit.rows(conn)]
        await audit.verify(conn)
        return found

    written = do(dsn, look)
    made = [
        row
        for row in written
        if re.match(r"(make|put|delete|retire|erase|disable|revoke|import)_", row.action)
    ]
    assert len(made) == changes > 30
    for row in made:
        assert re.match(r"(person boss|key \d+ \w+)$", row.actor)
        assert row.address == "127.0.0.1"


def test_the_matrix_has_every_operation_of_the_api(callers):
    app = callers[0]
    asked = {tuple(row["operation"].split()[:2]) for row in ROWS}
    for template, operations in app.openapi()["paths"].items():
        path = template.removeprefix("/api/v1")
        for method in operations:
            assert any(
                method.upper() == one and matches(path, other.partition("?")[0])
                for one, other in asked
            ), f"{method} {path}"


def test_the_api_connects_as_a_user_that_owns_nothing(callers):
    with psycopg.connect(callers[1]) as conn:
        users = conn.execute(
            "SELECT DISTINCT a.usename, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole,"
            " (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid)"
            " FROM pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename"
            " WHERE a.application_name = 'hanhtrinh api' AND a.datname = current_database()"
        ).fetchall()
    assert users == [("hanhtrinh_test_api", False, 0)]
