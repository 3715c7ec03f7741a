"""Every operation as every kind of caller, compared with tests/api/matrix.csv."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from storage import violations
from storage.access import audit, keys, people
from storage.access.roles import NATION, Reach, Role
from storage.bulk.kinds import TABLES
from storage.registry import add_driver
from tests.api import registered
from tests.api.people import Browser, make_person
from tests.api.server import LIMITLESS, Client, document, matches, running
from tests.api.world import EVERYBODYS, HOUR, T0, S, build, do, interval

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
        "wrong-proof": {"password": "wrong"},
        **{step: {"step": step, "reason": reason, "text": "as I say"} for step, reason in STEPS},
    }[name]


STEPS = (
    ("acknowledge", ""), ("confirm", ""), ("appeal", "weather"), ("excuse", "weather"),
    ("dismiss", "wrong_vehicle"),
)  # fmt: skip


def reviewed(conn, violation):
    """What a step sends with it: the violation as it is read now, and a step for many."""
    [(version, number)] = conn.execute(
        "SELECT version, review_number FROM violations WHERE id = %s", [violation]
    )
    return f"{version}-{number}"


def options_of(name, caller, conn, violation):
    """What is sent besides the address."""
    if name == "file":
        return {"content": b"Lenh van chuyen so 17"}
    if name == "steps":
        step = {"violation": violation, "etag": reviewed(conn, violation), "step": "acknowledge"}
        return {"json": {"steps": [step]}}
    body = body_of(name, caller)
    options = {"content" if isinstance(body, str) else "json": body}
    if name in dict(STEPS):
        options["headers"] = {"If-Match": f'"{reviewed(conn, violation)}"'}
    return options


PEOPLE: dict[str, tuple[Role, Reach | None]] = {
    "administrator": ("administrator", NATION),
    "inspector": ("inspector", NATION),
    "province": ("inspector", Reach(province="Ha Noi")),
    "operator": ("operator", None),
}
"""Callers whose keys are a person's, as only people decide; reach None: the north's."""


async def add_people(conn, north):
    """A person for each of PEOPLE, and the person's key."""
    made = {}
    for caller, (role, reach) in PEOPLE.items():
        own = reach or Reach(north)
        await people.create(conn, people.NewPerson(f"one-{caller}", role, own), None)
        number = await people.person_id(conn, f"one-{caller}")
        made[caller] = (await keys.create(conn, caller, role, own, person_id=number)).key
    return made


async def add_violations(conn, world):
    """For each caller one of the north's, one that is confirmed, and one of the south's."""
    found = {}
    for place, caller in enumerate(CALLERS):
        wanted = {
            "mine": interval("off_route", world.n1, T0 + place * S, T0 + HOUR, "R-1"),
            "held": interval("data_gap", world.n1, T0 + place * S, T0 + HOUR),
            "theirs": interval("data_gap", world.s1, T0 + place * S, T0 + HOUR),
        }
        await violations.write(conn, list(wanted.values()))
        for name, one in wanted.items():
            [(number,)] = await (
                await conn.execute(
                    "SELECT max(id) FROM violations WHERE kind = %s AND vehicle_id = %s",
                    [one.kind, one.vehicle],
                )
            ).fetchall()
            found[caller, name] = number
    await conn.execute(
        "UPDATE violations SET review = 'confirmed' WHERE id = ANY (%s)",
        [[number for (_, name), number in found.items() if name == "held"]],
    )
    return found


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
            known = {(caller, "key"): number for caller, number in victims.items()}
            known |= await add_violations(conn, world)
            return an, binh, known, things, await add_people(conn, world.north)

        an, binh, victims, things, of_people = do(dsn, more)
        for person in ("boss", "victim"):
            make_person(dsn, person, "administrator")
        options = replace(LIMITLESS, secret="s" * 32)
        with running(dsn, options) as (app, base):
            browser = Browser(base)
            assert browser.sign_in("boss").status_code == 200
            tokens = {
                "nobody": None, **world.others, **of_people,
            }  # fmt: skip
            made = {name: Client(app, base, token) for name, token in tokens.items()}
            asking = {name: client.ask for name, client in made.items()} | {"person": browser.ask}
            known = {
                "n1": world.n1, "s1": world.s1, "speeding": world.speeding, "an": an, "binh": binh,
                "of_south_speeding": world.of_south_speeding, "window": WINDOW,
                "file": world.of_south_file, **things,
            }  # fmt: skip
            yield app, dsn, asking, known, victims
            for client in made.values():
                client.http.close()


def test_each_operation_answers_each_caller_as_the_matrix_says(callers):
    _, dsn, asking, known, victims = callers
    wrong, changes = [], 0
    with psycopg.connect(dsn, autocommit=True) as conn:
        for row in ROWS:
            words = row["operation"].split()
            for caller in CALLERS:
                own = {name: number for (one, name), number in victims.items() if one == caller}
                named = re.findall(r"violations/{(\w+)}", words[1]) or ["mine"]
                options = {}
                if len(words) > 2:
                    options = options_of(words[2], caller, conn, {**known, **own}[named[0]])
                path = words[1].format(**known, **own)
                answer = asking[caller](words[0], path, **options)
                changes += answer.is_success and words[0] != "GET" and "session" not in path
                if answer.status_code != int(row[caller]):
                    said = f"{answer.status_code} {answer.text}"
                    wrong.append(f"{caller}: {row['operation']}: {said}")
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


def test_the_matrix_has_every_operation_of_the_api():
    asked = {tuple(row["operation"].split()[:2]) for row in ROWS}
    for template, operations in document()["paths"].items():
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
