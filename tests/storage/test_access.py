"""What the API's role sees: by policy, in every table and view that it may read at all."""

import asyncio
from dataclasses import replace
from secrets import token_bytes

import numpy as np
import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from devices.batch import FixBatch, WeighingBatch
from geofence.registry import StationRule
from storage import driving, fixes, progress, registry, violations, weighings
from storage.access import keys
from storage.access.roles import Reach, Role
from storage.database import connect
from storage.errors import NotAllowedError, NotThereError
from storage.reading import session
from storage.registry import NewVehicle, registering
from storage.registry.records import BadgeRecord
from tests.storage.strategies import NOV_2023_US
from tests.storage.test_registry import ROUTE, ZONE
from tests.storage.test_revisions import BASE

pytestmark = pytest.mark.integration

OPEN_TO_ALL = {"registry_version", "alembic_version"}
"""Two numbers that say nothing about anybody."""

ADMINISTRATORS = {"providers"}
"""Of these, nobody else sees anything but itself."""

OWNER_OF = {
    "operators": "id",
    "vehicles": "operator_id",
    "visible_drivers": "operator_id",
    "visible_history": "operator_id",
    "device_health": "(SELECT v.operator_id FROM device_assignments a JOIN vehicles v"
    " ON v.id = a.vehicle_id WHERE a.device_id = t.id)",
    "devices": "(SELECT v.operator_id FROM device_assignments a JOIN vehicles v"
    " ON v.id = a.vehicle_id WHERE a.device_id = t.id)",
    "zones": "operator_id",
    "routes": "operator_id",
    "route_stops": "(SELECT r.operator_id FROM routes r WHERE r.id = t.route_id)",
    "route_slots": "(SELECT r.operator_id FROM routes r WHERE r.id = t.route_id)",
    "violation_versions": "(SELECT v.operator_id FROM vehicles v"
    " WHERE v.id = (t.facts->>'vehicle_id')::int)",
    "visible_reviews": "(SELECT h.operator_id FROM violations v JOIN vehicles h"
    " ON h.id = v.vehicle_id WHERE v.id = t.violation_id)",
    **dict.fromkeys(
        ["device_assignments", "badges", "vehicle_routes", "visible_fixes", "evidence_fixes",
         "latest", "weighings", "zone_visits", "route_trips", "driving_spans", "violations"],
        "(SELECT v.operator_id FROM vehicles v WHERE v.id = t.vehicle_id)",
    ),
}  # fmt: skip
"""Who a row is about, to be asked by the owner of the tables; NULL: everybody."""

BEHIND = {
    "visible_fixes": "fixes", "visible_drivers": "drivers", "device_health": "devices",
    "visible_reviews": "violation_reviews", "visible_history": "registry_history",
}  # fmt: skip
"""Where a view's rows are, for its owner, whom the view shows nothing."""

SHARED = {"zones": 1, "routes": 1, "route_stops": 3, "route_slots": 2, "visible_history": 1}
"""Rows that are everybody's."""


async def populate(dsn: str) -> None:
    """Two operators with everything there is, and a zone and a route that are everybody's."""
    conn = await connect(dsn, name="test")
    station = await registry.add_station(conn, StationRule(0, "S", 105.0, 21.0))
    await registry.add_zone(conn, ZONE)
    await registry.add_route(conn, ROUTE)
    for number in (1, 2):
        owner = await registry.add_operator(conn, f"op-{number}", f"operator {number}")
        vehicle = await registry.add_vehicle(conn, NewVehicle(f"29C0000{number}", owner))
        device = await registry.add_device(conn, f"device-{number}", operator=owner)
        await registry.assign_device(conn, device, vehicle)
        await registry.add_driver(conn, f"licence-{number}", None, owner)
        own_zone = replace(ZONE, code=f"zone-{number}", operator_id=owner)
        zone = await registry.add_zone(conn, own_zone)
        own_route = replace(ROUTE, code=f"r-{number}", operator_id=owner)
        route = await registry.add_route(conn, own_route)
        await registry.assign_routes(conn, [vehicle], [f"r-{number}"])
        badge = BadgeRecord(
            number=f"B-{number}", kind="truck", vehicle=f"29C0000{number}", valid_from=0, valid_to=1
        )
        await registering.register(conn, [badge])
        batch = FixBatch.blank(
            2, vehicle=[vehicle] * 2, time=[NOV_2023_US, NOV_2023_US + 1], extra={1: b'{"rpm":900}'}
        )
        await fixes.ensure_days(conn, batch.time)
        await fixes.insert_fixes(conn, batch)
        now = batch.time[1:]
        await progress.upsert_latest(conn, batch.take(np.array([1])), now, now, now)
        await weighings.insert(
            conn,
            replace(
                WeighingBatch.empty(),
                station=("S",),
                plate=(f"29C0000{number}",),
                time=now,
                received=now,
                lane=np.zeros(1, np.int16),
                gross_kg=np.ones(1),
                speed_kmh=np.ones(1, np.float32),
                length_m=np.ones(1, np.float32),
                axle_start=np.zeros(2, np.int64),
            ),
            np.array([vehicle], np.int32),
            np.array([station.id], np.int32),
        )
        visit = replace(BASE, kind="zone_visit", vehicle=vehicle, details={"zone_id": zone.id})
        facts: dict[str, float | str] = {
            "route_id": route.id,
            "direction": "inbound",
            "outcome": "arrived",
            "unseen_s": 0.0,
        }
        trip = replace(BASE, kind="route_trip", vehicle=vehicle, details=facts)
        await violations.write(conn, [visit, trip, replace(BASE, vehicle=vehicle)])
        await violations.write(conn, [replace(BASE, vehicle=vehicle, fixes=9)])
        await conn.execute(
            "INSERT INTO violation_reviews (violation_id, number, act, step, from_state, to_state,"
            " version, actor, role) SELECT id, 1, 'taken', 'acknowledge', 'new', 'acknowledged',"
            " version, 'key 1 x', 'operator' FROM violations WHERE vehicle_id = %s",
            [vehicle],
        )
        known = {"unseen_s": 0.0, "continues": False, "is_moving": False}
        await driving.write(conn, [replace(BASE, kind="driving", vehicle=vehicle, details=known)])
    await conn.execute("INSERT INTO evidence_fixes SELECT *, NULL FROM whole_fixes")
    await conn.close()


@pytest.fixture(scope="module")
def dsn(postgres, migrated_template):
    """One database for the module: every test rolls back what it does."""
    with postgres.new_database(migrated_template) as name:
        asyncio.run(populate(postgres.dsn_of(name)))
        yield postgres.dsn_of(name)


@pytest.fixture
def populated(dsn):
    with psycopg.connect(dsn, autocommit=True) as conn:
        yield conn


class As:
    """A transaction that is rolled back, with the eyes of who has such a key."""

    def __init__(self, conn, role: str, operator: int | None = None, province: str | None = None):
        self.conn, self.role, self.reach = conn, role, (operator, province)

    def __enter__(self):
        self.block = self.conn.transaction(force_rollback=True)
        self.block.__enter__()
        digest = token_bytes(32)
        self.conn.execute(
            "INSERT INTO api_keys (name, digest, role, operator_id, province, scopes, expires_at)"
            " VALUES ('', %s, %s, %s, %s, abilities_of(%s, %s), now() + interval '1 hour')",
            [digest, self.role, *self.reach, self.role, self.reach[1]],
        )
        self.conn.execute("SELECT set_config('hanhtrinh.caller', %s, true)", [digest.hex()])
        self.conn.execute(b"SET LOCAL ROLE hanhtrinh_" + self.role.encode())
        return self

    def __exit__(self, *error):
        return self.block.__exit__(*error)

    def count(self, table: str) -> int:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        [(found,)] = self.conn.execute(query)
        return int(found)


def readable(conn) -> set[str]:
    found = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p', 'v', 'm')"
        " AND has_table_privilege('hanhtrinh_api', oid, 'SELECT')"
    )
    return {row[0] for row in found}


def test_every_readable_table_is_scoped(populated):
    stations = {"weigh_stations", "station_calibrations", "station_facts"}
    known = {*OWNER_OF, *OPEN_TO_ALL, *ADMINISTRATORS, *stations}
    assert readable(populated) == known


TRICKS = [
    "SELECT set_config('hanhtrinh.caller', '', true)",
    "SELECT set_config('hanhtrinh.caller', repeat('00', 32), true)",
    "SELECT set_config('hanhtrinh.role', 'inspector', true)",
    "SELECT set_config('hanhtrinh.operator_id', '1', true)",
    "SET LOCAL ROLE hanhtrinh_inspector",
    "SET LOCAL ROLE hanhtrinh_administrator",
    "SET LOCAL row_security = off",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_who_knows_no_secret_sees_nothing_whatever_it_sets(populated, trick):
    for role in ("inspector", "operator", "reader", "administrator"):
        with populated.transaction(force_rollback=True):
            populated.execute(b"SET LOCAL ROLE hanhtrinh_" + role.encode())
            populated.execute(trick.encode())
            for table in readable(populated) - OPEN_TO_ALL:
                query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
                try:
                    with populated.transaction():
                        assert populated.execute(query).fetchone() == (0,), table
                except InsufficientPrivilege:  # row_security = off: refused, not unbounded
                    assert "row_security" in trick


@pytest.mark.parametrize("trick", TRICKS[2:-1])
def test_an_operator_that_becomes_another_role_goes_on_seeing_its_own(populated, trick):
    with As(populated, "operator", 1) as operator:
        own = {table: operator.count(table) for table in OWNER_OF}
        populated.execute(trick.encode())
        assert {table: operator.count(table) for table in OWNER_OF} == own


def test_a_caller_that_is_no_digest_is_an_error_and_no_leak(populated):
    with As(populated, "operator", 1) as operator:
        populated.execute("SELECT set_config('hanhtrinh.caller', '1 OR true', true)")
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            operator.count("vehicles")


def test_a_province_sees_its_operators_and_no_other(populated):
    with populated.transaction(force_rollback=True):
        populated.execute("UPDATE operators SET province = 'Ha Noi' WHERE id = 1")
        for role in ("inspector", "reader"):
            with As(populated, "operator", 1) as operator:
                own = {table: operator.count(table) for table in OWNER_OF}
            with As(populated, role, province="Ha Noi") as province:
                assert {table: province.count(table) for table in OWNER_OF} == own
            with As(populated, role, province="Hue") as province:
                assert {t for t in OWNER_OF if province.count(t)} == set(SHARED)


@pytest.mark.parametrize("table", OWNER_OF)
def test_an_operator_sees_its_own_rows_and_everybodys(populated, table):
    query = sql.SQL("SELECT count(*) FILTER (WHERE {owner} = 1), count(*) FROM {table} t").format(
        owner=sql.SQL(OWNER_OF[table]), table=sql.Identifier(BEHIND.get(table, table))
    )
    own, every = populated.execute(query).fetchone()
    assert own > 0, "the test's data must have rows of everybody"
    assert every == 2 * own + SHARED.get(table, 0)
    with As(populated, "operator", 1) as operator:
        assert operator.count(table) == own + SHARED.get(table, 0)
        if table not in (
            "route_stops",
            "route_slots",
            "devices",
            "violation_versions",
            "visible_reviews",
        ):
            foreign = sql.SQL("SELECT count(*) FROM {table} t WHERE {owner} <> 1").format(
                owner=sql.SQL(OWNER_OF[table]), table=sql.Identifier(table)
            )
            assert populated.execute(foreign).fetchone() == (0,)


@pytest.mark.parametrize("table", OWNER_OF)
def test_the_nation_is_seen_by_those_whose_reach_it_is(populated, table):
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(BEHIND.get(table, table)))
    [(every,)] = populated.execute(query)
    for role in ("inspector", "reader", "administrator"):
        with As(populated, role) as national:
            assert national.count(table) == every


@pytest.mark.parametrize(
    ("call", "own"),
    [
        ("SELECT licence FROM drivers_by_licence(ARRAY['licence-1', 'licence-2'])", ["licence-1"]),
        ("SELECT t FROM taken_names('operator', ARRAY['op-1', 'op-2']) t", []),
        ("SELECT licence FROM claim_drivers(ARRAY['nobodys', 'nobodys-too'], ARRAY[1, 2])",
         ["nobodys"]),
    ],
)  # fmt: skip
def test_a_caller_is_no_owner_where_the_api_is_connected_as_one(populated, call, own):
    """Without `api.dsn` its process is; functions that run as the owner ask who called."""
    with populated.transaction(force_rollback=True):
        populated.execute("INSERT INTO drivers (licence) VALUES ('nobodys'), ('nobodys-too')")
        with As(populated, "operator", 1):
            assert [row[0] for row in populated.execute(call.encode())] == own
        assert len(populated.execute(call.encode()).fetchall()) == 2


@pytest.mark.parametrize(
    ("stored_until", "heard"),
    [
        ("time - interval '1 hour'", "l.received"),
        ("received + interval '1 hour'", "l.stored_until"),  # fixes since say no place
        ("now() + interval '1 day'", "now()"),  # its clock is ahead
    ],
)
def test_a_device_that_sends_fixes_without_a_place_is_heard_of(populated, stored_until, heard):
    with populated.transaction(force_rollback=True):
        populated.execute("UPDATE latest SET received = time + interval '1 second'")
        populated.execute(f"UPDATE latest SET stored_until = {stored_until}".encode())
        with As(populated, "operator", 1):
            query = (
                f"SELECT d.last_received_at = {heard}, d.last_fix_at BETWEEN l.time AND {heard}"
                " FROM device_health d JOIN latest l USING (vehicle_id)"
            )
            assert populated.execute(query.encode()).fetchall() == [(True, True)]


OF_THE_CALLER = {
    "scope_can", "scope_is_national", "scope_operators", "scope_provider", "scope_person",
    "scope_province", "scope_devices", "person_name", "registry_actor",
}  # fmt: skip
"""Functions that run as the owner and say what the caller may know anyway."""


def test_what_runs_as_the_owner_looks_up_nothing_of_the_callers_and_is_not_for_everybody(populated):
    found = populated.execute(
        "SELECT p.proname, p.proconfig, has_function_privilege('public', p.oid, 'EXECUTE')"
        " FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
        " AND p.prorettype <> 'trigger'::regtype"
    ).fetchall()
    assert len(found) > len(OF_THE_CALLER)
    for name, settings, _ in found:
        assert settings == ["search_path=public, pg_temp"], name
    assert {name for name, _, is_public in found if is_public} == OF_THE_CALLER


def test_fixes_are_read_with_their_extra_through_the_view_alone(populated):
    with As(populated, "operator", 2):
        found = populated.execute("SELECT vehicle_id, extra FROM visible_fixes ORDER BY time")
        assert found.fetchall() == [(2, None), (2, {"rpm": 900})]


def test_a_leaky_function_is_not_shown_rows_that_the_view_hides(populated):
    populated.execute(
        "CREATE OR REPLACE FUNCTION tell(v int) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS"
        " 'BEGIN IF v <> 2 THEN RAISE EXCEPTION ''saw %'', v; END IF; RETURN true; END'"
    )
    for table in ("visible_fixes", "violations"):
        with As(populated, "operator", 2):
            query = sql.SQL("SELECT vehicle_id FROM {} WHERE tell(vehicle_id)")
            found = populated.execute(query.format(sql.Identifier(table))).fetchall()
            assert {row[0] for row in found} == {2}


MADE_KEY = """INSERT INTO api_keys (name, digest, role, scopes, expires_at)
    VALUES ('x', '', 'inspector', '{read}', now())"""


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM fixes",
        "SELECT * FROM fix_extras",
        "SELECT * FROM fix_repeats",
        "SELECT digest FROM api_keys",
        "SELECT * FROM people",
        "SELECT * FROM sessions",
        "SELECT * FROM drivers",
        "SELECT licence FROM drivers",
        "SELECT * FROM registry_history",
        "SELECT * FROM audit",
        "SELECT * FROM holder_of('')",
        "INSERT INTO audit VALUES (1, now(), '', '', '', '', '', '', '')",
        "UPDATE audit_head SET seq = 0",
        "UPDATE zones SET geometry = '{}'",
        "UPDATE routes SET operator_id = NULL",
        "SELECT payload FROM quarantine",
        "UPDATE vehicles SET operator_id = 1",
        "UPDATE violations SET status = 'withdrawn'",
        "UPDATE violations SET review = 'dismissed'",
        "DELETE FROM violation_versions",
        "SELECT * FROM violation_reviews",
        "UPDATE violation_reviews SET text = ''",
        "DELETE FROM violation_reviews",
        "UPDATE violation_attachments SET content = ''",
        "DELETE FROM review_moves",
        "DELETE FROM zones",
        MADE_KEY,
        "UPDATE registry_version SET version = 0",
    ],
)
def test_the_role_may_do_nothing_else(populated, statement):
    with pytest.raises(InsufficientPrivilege), As(populated, "inspector"):
        populated.execute(statement)


async def change_zones(dsn: str, role: Role, operator: int | None, zone, code: str) -> None:
    conn = await connect(dsn, name="test")
    try:
        made = await keys.create(conn, "x", role, Reach(operator))
        async with conn.transaction(force_rollback=True):
            await session.begin(conn, keys.digest_of(made.key), read_only=False, timeout_s=10)
            await registry.add_zone(conn, zone)
            before = await registry.version(conn)
            await registry.retire_zone(conn, code, NOV_2023_US)
            assert await registry.version(conn) == before + 1
    finally:
        await conn.close()


@pytest.mark.parametrize(
    ("role", "operator", "owner", "code"),
    [
        ("inspector", None, None, "zone-1"),
        ("inspector", None, 2, "pho-co"),
        ("operator", 1, 1, "zone-1"),
    ],
)
def test_zones_are_changed_by_inspectors_and_by_their_operator(dsn, role, operator, owner, code):
    zone = replace(ZONE, code="new", operator_id=owner)
    asyncio.run(change_zones(dsn, role, operator, zone, code))


@pytest.mark.parametrize(
    ("owner", "code"), [(None, "zone-1"), (2, "zone-1"), (1, "zone-2"), (1, "pho-co")]
)
def test_an_operator_changes_no_zone_but_its_own(dsn, owner, code):
    zone = replace(ZONE, code="new", operator_id=owner)
    with pytest.raises((InsufficientPrivilege, NotThereError, NotAllowedError)):
        asyncio.run(change_zones(dsn, "operator", 1, zone, code))
