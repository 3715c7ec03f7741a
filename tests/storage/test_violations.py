import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import registry, route_trips, violations
from storage.database import connect
from storage.registry import NewVehicle
from storage.revisions import key_of
from tests.storage.connected import connected, rows
from tests.storage.test_registry import ROUTE, ZONE
from tests.storage.test_revisions import BASE, sets

pytestmark = pytest.mark.integration

BOTH = np.array([1, 2], np.int32)
VISIT = replace(BASE, kind="zone_visit", subject=ZONE.code, details={"zone_id": 1})


@pytest.fixture
def peopled(database):
    """A database with vehicles 1 and 2, zone 1, station S and driver 1."""

    async def people(conn):
        owner = await registry.add_operator(conn, "A", "A")
        ids = await registry.add_vehicles(
            conn, [NewVehicle("29C00001", owner), NewVehicle("29C00002", owner)]
        )
        assert ids == [1, 2]
        assert (await registry.add_zone(conn, ZONE)).id == 1
        assert await registry.add_driver(conn, "L") == 1

    connected(database, people)
    return database


async def reconcile(conn, wanted, settled=-1, pending=(), vehicles=BOTH):
    settled_until = np.full(len(vehicles), settled)
    return await violations.reconcile(conn, vehicles, settled_until, pending, wanted, "late data")


async def standing(conn, where="status <> 'withdrawn'"):
    return await rows(
        conn,
        "SELECT kind, vehicle_id, subject, (extract(epoch FROM started_at) * 1e6)::bigint, status,"
        f" version, fixes FROM violations WHERE {where} ORDER BY 1, 2, 3, 4",
    )


def as_rows(wanted):
    return sorted((*key_of(i), i.fixes, i.is_open) for i in wanted)


@given(steps=st.lists(st.tuples(st.booleans(), sets(max_size=5)), min_size=2, max_size=5))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_came_before_what_stands_is_what_was_found_and_nothing_is_forgotten(
    peopled, steps
):
    """Every version of every violation is either the current row or in violation_versions."""

    async def work(conn):
        async with conn.transaction(force_rollback=True):
            for is_write, wanted in steps:
                if is_write:
                    await violations.write(conn, wanted)
                    before = await standing(conn)
                    await violations.write(conn, wanted)
                else:
                    await reconcile(conn, wanted)
                    before = await standing(conn)
                    changes = await reconcile(conn, wanted)
                    assert not any((changes.inserted, changes.revised, changes.withdrawn))
                    assert [(*r[:4], r[6], r[4] == "open") for r in before] == as_rows(wanted)
                assert await standing(conn) == before
            return await rows(
                conn,
                "SELECT v.version, v.status, array_agg(o.version ORDER BY o.version)"
                " FILTER (WHERE o.version IS NOT NULL) FROM violations v"
                " LEFT JOIN violation_versions o ON o.violation_id = v.id GROUP BY v.id",
            )

    for version, status, older in connected(peopled, work):
        assert (older or []) == list(range(1, version))
        assert status in ("open", "withdrawn", "final" if version == 1 else "revised")


def test_an_open_violation_grows_in_place_and_becomes_final(peopled):
    async def work(conn):
        found = []
        for fixes, is_open in ((2, True), (3, True), (4, False), (4, False)):
            grown = replace(BASE, fixes=fixes, ended=100 + fixes, is_open=is_open)
            changes = await violations.write(conn, [grown])
            found.append((dict(changes.inserted), dict(changes.updated), dict(changes.revised)))
        return found, await standing(conn), await rows(conn, "SELECT * FROM violation_versions")

    found, now, older = connected(peopled, work)
    one: dict[str, int] = {"speeding": 1}
    assert found == [(one, {}, {}), ({}, one, {}), ({}, one, {}), ({}, {}, {})]
    assert now == [("speeding", 1, "", 100, "final", 1, 4)]
    assert older == []


def test_a_final_violation_that_turns_out_otherwise_keeps_its_old_facts(peopled):
    async def work(conn):
        await violations.write(conn, [BASE])
        await conn.execute("UPDATE violations SET review = 'confirmed'")
        await reconcile(conn, [replace(BASE, fixes=9, driver=1, details={"max_speed_kmh": 99.0})])
        return (
            await standing(conn),
            await rows(
                conn, "SELECT review, revised_under_review, driver_id, details FROM violations"
            ),
            await rows(
                conn, "SELECT version, facts, superseded_by, reason FROM violation_versions"
            ),
        )

    now, [flags], [(version, facts, who, why)] = connected(peopled, work)
    assert now == [("speeding", 1, "", 100, "revised", 2, 9)]
    assert flags == ("confirmed", True, 1, {"max_speed_kmh": 99.0})
    assert (version, who, why) == (1, "worker", "late data")
    assert (facts["fixes"], facts["status"], facts["review"], facts["details"]) == (
        4, "final", "confirmed", {"max_speed_kmh": 91.5},
    )  # fmt: skip


def test_what_late_data_refutes_is_withdrawn_and_may_come_back(peopled):
    async def work(conn):
        await violations.write(conn, [BASE])
        await reconcile(conn, [])
        gone = await standing(conn, "true")
        await reconcile(conn, [BASE])
        return gone, await standing(conn, "true")

    gone, back = connected(peopled, work)
    assert [row[4:6] for row in gone] == [("withdrawn", 2)]
    assert sorted(row[4:6] for row in back) == [("final", 1), ("withdrawn", 2)]


def test_starts_that_move_onto_each_other_do_not_collide(peopled):
    spans = [(100, 150), (160, 200), (210, 260)]
    moved = [(140, 165), (160, 205), (195, 215)]

    async def work(conn):
        await reconcile(conn, [replace(BASE, started=a, ended=b) for a, b in spans])
        before = await rows(conn, "SELECT id FROM violations ORDER BY started_at")
        await reconcile(conn, [replace(BASE, started=a, ended=b) for a, b in moved])
        after = await rows(conn, "SELECT id, version FROM violations ORDER BY started_at")
        return before, after, await standing(conn)

    before, after, now = connected(peopled, work)
    assert [row[0] for row in after] == [row[0] for row in before]
    assert [row[1] for row in after] == [2, 2, 2]
    assert [row[3] for row in now] == [140, 160, 195]


def test_only_the_stretch_that_was_replayed_is_reconciled(peopled):
    weighed = replace(BASE, kind="overload_gross", subject="S", started=500, ended=500)
    earlier, later = replace(BASE, started=50, ended=60), replace(BASE, started=100)

    async def work(conn):
        await violations.write(conn, [weighed, earlier, later, replace(later, vehicle=2)])
        changes = await reconcile(conn, [], settled=99, vehicles=BOTH[:1])
        return changes, await standing(conn)

    changes, now = connected(peopled, work)
    assert changes.withdrawn == {"speeding": 1}
    assert [row[:4] for row in now] == [
        ("overload_gross", 1, "S", 500),
        ("speeding", 1, "", 50),
        ("speeding", 2, "", 100),
    ]


def test_what_was_pending_is_reconciled_wherever_it_began(peopled):
    decided, pending = replace(BASE, kind="data_gap"), replace(BASE, is_open=True)
    ended = replace(pending, ended=150, is_open=False)
    found_again = replace(decided, subject="elsewhere")

    async def work(conn):
        await violations.write(conn, [decided, pending, found_again])
        await reconcile(conn, [ended, found_again], settled=180, pending={key_of(pending)})
        grown = await standing(conn)
        await reconcile(conn, [], settled=180, pending={key_of(pending)})
        return grown, await standing(conn)

    grown, left = connected(peopled, work)
    assert [(row[0], row[2], row[4]) for row in grown] == [
        ("data_gap", "", "final"),
        ("data_gap", "elsewhere", "final"),
        ("speeding", "", "final"),
    ]
    assert left == grown[:2]


def test_visits_are_written_by_key_and_replaced_from_where_judging_began_again(peopled):
    query = (
        "SELECT vehicle_id, (extract(epoch FROM entered_at) * 1e6)::int,"
        " (extract(epoch FROM left_at) * 1e6)::int, is_open, fixes FROM zone_visits ORDER BY 1, 2"
    )
    first, second = replace(VISIT, started=10, ended=20), replace(VISIT, is_open=True)

    async def work(conn):
        changes = await violations.write(conn, [first, second, replace(second, fixes=5)])
        assert not changes.inserted
        written = await rows(conn, query)
        await reconcile(conn, [replace(VISIT, started=90)], settled=50)
        replaced = await rows(conn, query)
        await reconcile(conn, [], settled=500, pending=[("zone_visit", 1, ZONE.code, 10)])
        return written, replaced, await rows(conn, query), await standing(conn)

    written, replaced, pended, none = connected(peopled, work)
    assert written == [(1, 10, 20, False, 4), (1, 100, 200, True, 5)]
    assert replaced == [(1, 10, 20, False, 4), (1, 90, 200, False, 4)]
    assert pended == replaced[1:]
    assert none == []


ROUTE_FACTS: dict[str, float | str] = {
    "route_id": 1,
    "direction": "outbound",
    "outcome": "under_way",
    "unseen_s": 1.5,
}
TRIP = replace(BASE, kind="route_trip", subject=ROUTE.code, details=ROUTE_FACTS, is_open=True)


def test_trips_tell_which_departures_are_new_over_or_gone(peopled):
    query = (
        "SELECT vehicle_id, (extract(epoch FROM departed_at) * 1e6)::int,"
        " (extract(epoch FROM ended_at) * 1e6)::int, outcome, fixes, unseen_s FROM route_trips"
        " ORDER BY 1, 2"
    )
    longer = replace(TRIP, ended=TRIP.ended + 50, fixes=7)
    over = replace(longer, is_open=False, details={**ROUTE_FACTS, "outcome": "arrived"})

    async def work(conn):
        await registry.add_route(conn, ROUTE)
        told = [(await violations.write(conn, [trip])).departures
                for trip in (TRIP, TRIP, longer, over, over)]  # fmt: skip
        written = await rows(conn, query)
        left = await route_trips.departures(conn, ROUTE.code, TRIP.started, TRIP.started + 1)
        none = await route_trips.departures(conn, ROUTE.code, TRIP.started + 1, 10**9)
        moved = replace(over, started=TRIP.started + 5)
        changes = await reconcile(conn, [moved], settled=TRIP.started - 1)
        pending = {key_of(moved)}
        gone = await reconcile(conn, [], settled=10**6, pending=pending)
        return told, written, left, none, changes, gone, await rows(conn, query)

    told, written, (left,), none, changes, gone, nothing = connected(peopled, work)
    at = (ROUTE.code, TRIP.started)
    assert told == [{at}, set(), set(), {at}, set()]
    assert written == [(1, TRIP.started, TRIP.ended + 50, "arrived", 7, 1.5)]
    assert (left.vehicle, left.started, left.driver) == (1, TRIP.started, TRIP.driver)
    assert left.details == {"route_id": 1, "direction": "outbound", "outcome": "arrived"}
    assert none == nothing == []
    assert changes.departures == {at, (ROUTE.code, TRIP.started + 5)}
    assert gone.departures == {(ROUTE.code, TRIP.started + 5)}


def test_late_departures_are_those_of_their_route_and_day_and_no_fix_withdraws_them(peopled):
    late = [replace(BASE, kind="late_departure", subject="52", started=s, ended=s, is_open=False)
            for s in (100, 200, 300)]  # fmt: skip

    async def work(conn):
        await violations.reconcile_departures(conn, "52", 0, 1_000, late)
        await reconcile(conn, [], settled=0)
        kept = await standing(conn)
        await violations.reconcile_departures(conn, "52", 150, 300, [])
        await violations.reconcile_departures(conn, "53", 0, 1_000, [])
        return kept, await standing(conn)

    kept, left = connected(peopled, work)
    assert len(kept) == 3
    assert [row[4] for row in left].count("withdrawn") in (0, 1)
    assert len([row for row in left if row[4] != "withdrawn"]) == 2


def test_details_survive_the_way_through_jsonb(peopled):
    details = {
        "a": 0.1 + 0.2, "b": 1e-7, "c": -0.0, "d": 2**40, "e": None, "f": True, "g": "Hà Nội",
        "h": float("inf"), "i": 1.7976931348623157e308, "j": 5e-324, "k": "nul \0",
    }  # fmt: skip
    odd = replace(BASE, details=details)

    async def work(conn):
        await violations.write(conn, [odd])
        changes = await violations.write(conn, [odd])
        return changes, await rows(conn, "SELECT details::text FROM violations")

    changes, [(text,)] = connected(peopled, work)
    assert (changes.updated, changes.revised) == ({}, {})
    assert json.loads(text)["a"] == 0.1 + 0.2


def test_nothing_to_write_and_nothing_to_reconcile(peopled):
    async def work(conn):
        await reconcile(conn, [], vehicles=BOTH[:0])
        return await violations.write(conn, [])

    assert connected(peopled, work).inserted == {}


def test_a_person_who_reviews_meanwhile_loses_nothing(peopled):
    async def work(conn):
        await violations.write(conn, [BASE])
        person = await connect(peopled, name="person")
        async with conn.transaction():
            await reconcile(conn, [replace(BASE, fixes=9)])
            review = asyncio.create_task(person.execute("UPDATE violations SET review = 'excused'"))
            await asyncio.sleep(0)
        await review
        await person.close()
        return await rows(conn, "SELECT review, version, fixes FROM violations")

    assert connected(peopled, work) == [("excused", 2, 9)]
