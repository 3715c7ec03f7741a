"""Violations: filters, pages, evidence, versions."""

import pytest

from devices.rounding import shown_degrees
from storage import fixes, upkeep, violations
from storage.reading import violations as reading
from tests.api.world import HOUR, T0, S, do, interval

FACTS = ("id", "kind", "subject", "started_at", "status")


def test_violations_come_newest_first_with_their_facts(api):
    items = api.inspector.get("/violations")["items"]
    assert [v["kind"] for v in items] == ["overload_gross", "speeding", "speeding"]
    speeding = items[-1]
    assert speeding["plate"] == "51B12345"
    assert speeding["duration_s"] == 120
    assert speeding["details"] == {"max_speed_kmh": 97.0}
    assert (speeding["status"], speeding["review"], speeding["version"]) == ("final", "new", 1)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"kind": "speeding"}, 2),
        ({"kind": ["speeding", "overload_gross"]}, 3),
        ({"kind": "nonsense"}, 0),
        ({"kind": "daily_driving_warning"}, 1),
        ({"subject": "scale"}, 1),
        ({"operator": "south"}, 1),
        ({"from": "2026-05-04T08:02:00Z", "to": "2026-05-04T08:02:00.001Z"}, 2),
        ({"to": "2026-05-04T08:02:00Z"}, 0),
        ({"min_duration_s": 120}, 2),
        ({"min_duration_s": 120.1}, 0),
        ({"status": "open"}, 0),
        ({"status": ["final", "open"]}, 3),
        ({"review": "new"}, 3),
        ({"review": "confirmed"}, 0),
        ({"subject": "' OR ''='"}, 0),
        ({"kind": "speeding'); DROP TABLE violations; --"}, 0),
    ],
)
def test_violations_are_found_by_each_filter(api, asked, count):
    assert len(api.inspector.get("/violations", **asked)["items"]) == count


def test_violations_are_found_by_vehicle(api):
    items = api.inspector.get("/violations", vehicle=api.world.s1)["items"]
    assert [v["id"] for v in items] == [api.world.of_south_speeding]


def test_evidence_is_the_fixes_of_the_interval_and_one_clean_fix_on_either_side(api):
    shown = api.north.get(f"/violations/{api.world.speeding}")
    evidence = shown["evidence"]
    # Fix 6, half a minute within the interval, is a jump: shown, marked. Fix 3 and fix 9 are clean.
    assert [(f["time"][11:19], f["role"]) for f in evidence["fixes"]] == [
        ("08:01:30", "before"),
        ("08:02:00", "inside"),
        ("08:02:30", "inside"),
        ("08:03:00", "inside"),
        ("08:03:30", "inside"),
        ("08:04:00", "inside"),
        ("08:04:30", "after"),
    ]
    assert [f["quality"] for f in evidence["fixes"] if f["quality"]] == [["jump"], ["late"]]
    assert not evidence["is_truncated"]
    assert evidence["weighings"] == []
    assert shown["versions"] == []


def test_evidence_is_the_same_when_a_year_of_fixes_has_been_deleted(own_api):
    world = own_api.world
    numbers = [world.speeding, world.overload]
    shown = [own_api.north.get(f"/violations/{number}") for number in numbers]
    now_us = T0 + 400 * 24 * HOUR
    done = do(world.dsn, lambda conn: upkeep.keep(conn, upkeep.Keeping(), now_us))
    assert done.chunks_dropped == 1
    year = {"from": "2026-05-04T00:00:00Z", "to": "2026-05-05T00:00:00Z"}
    assert own_api.north.get(f"/vehicles/{world.n1}/journey", **year)["fixes"] == []
    assert [own_api.north.get(f"/violations/{number}") for number in numbers] == shown
    assert own_api.south.problem("GET", f"/violations/{world.speeding}")[0] == 404
    hours = own_api.north.get(f"/vehicles/{world.n1}/hours", **year)["items"]
    assert [one["fixes"] for one in hours] == [120]


def test_an_unclean_neighbour_is_no_evidence(own_api):
    world = own_api.world
    # Its neighbour behind, fix 6, is a jump: fix 7 is the nearest clean one.
    do(world.dsn, lambda conn: violations.write(
        conn, [interval("data_gap", world.n1, T0 + 120 * S, T0 + 150 * S)]
    ))  # fmt: skip
    (found,) = own_api.north.get("/violations", kind="data_gap")["items"]
    evidence = own_api.north.get(f"/violations/{found['id']}")["evidence"]["fixes"]
    assert [(f["time"][11:19], f["role"]) for f in evidence] == [
        ("08:01:30", "before"),
        ("08:02:00", "inside"),
        ("08:02:30", "inside"),
        ("08:03:30", "after"),
    ]


def test_evidence_of_an_overload_is_the_weighing_that_was_judged(api):
    evidence = api.north.get(f"/violations/{api.world.overload}")["evidence"]
    (weighing,) = evidence["weighings"]
    assert (weighing["station"], weighing["gross_kg"]) == ("scale", 31450)
    assert evidence["fixes"] == []


def test_earlier_versions_are_shown_as_they_were(own_api):
    world = own_api.world
    grown = interval("speeding", world.n1, T0 + 120 * S, T0 + 300 * S, fixes=7)
    do(world.dsn, lambda conn: violations.write(conn, [grown], reason="late data"))
    shown = own_api.north.get(f"/violations/{world.speeding}")
    assert (shown["status"], shown["version"], shown["duration_s"]) == ("revised", 2, 180)
    (old,) = shown["versions"]
    assert (old["version"], old["duration_s"], old["fixes"]) == (1, 120, 5)
    assert (old["started_at"], old["ended_at"]) == (
        "2026-05-04T08:02:00.000Z",
        "2026-05-04T08:04:00.000Z",
    )
    assert (old["superseded_by"], old["reason"]) == ("worker", "late data")
    assert old["details"] == {"max_speed_kmh": 97.0}


def test_withdrawn_violations_are_listed_only_when_asked_for_but_always_shown(own_api):
    world = own_api.world

    async def withdraw(conn):
        await conn.execute("UPDATE violations SET status = 'withdrawn' WHERE id = %s",
                           [world.speeding])  # fmt: skip

    do(world.dsn, withdraw)
    listed = own_api.north.get("/violations")["items"]
    assert world.speeding not in [v["id"] for v in listed]
    (found,) = own_api.north.get("/violations", status="withdrawn")["items"]
    assert found["id"] == world.speeding
    assert own_api.north.get(f"/violations/{world.speeding}")["status"] == "withdrawn"


def test_pages_neither_repeat_nor_lose_a_violation_while_others_are_found(own_api):
    world = own_api.world
    # Seven pairs that begin at the same instant: the order within a pair must hold too.
    before = [
        interval(kind, world.n1, T0 + HOUR + minute * 60 * S, T0 + 3 * HOUR)
        for minute in range(7)
        for kind in ("speeding", "off_route")
    ]
    do(world.dsn, lambda conn: violations.write(conn, before))
    whole = [v["id"] for v in own_api.inspector.get("/violations")["items"]]
    seen, cursor, found = [], None, 0
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = own_api.inspector.get("/violations", **params)
        seen += [v["id"] for v in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        found += 1
        new = interval("banned_zone", world.n2, T0 + 9 * HOUR + found * S, T0 + 10 * HOUR, "z")
        do(world.dsn, lambda conn, new=new: violations.write(conn, [new]))
    assert found > 3
    assert seen == whole
    assert len(set(seen)) == len(seen)


def test_the_violations_of_a_large_fleet_are_paged_like_those_of_a_small_one(api, monkeypatch):
    def pages():
        asked, found = {"operator": "north", "limit": 1}, []
        while True:
            page = api.inspector.get("/violations", **asked)
            found.append([v["id"] for v in page["items"]])
            if page["next_cursor"] is None:
                return found
            asked["cursor"] = page["next_cursor"]

    small = pages()
    monkeypatch.setattr(reading, "SMALL_FLEET", 0)
    assert pages() == small
    assert len(small) > 1
    assert api.inspector.get("/violations", operator="nobody")["items"] == []


def test_a_last_page_that_is_full_has_no_next_page(api):
    page = api.inspector.get("/violations", limit=3)
    assert (len(page["items"]), page["next_cursor"]) == (3, None)


def test_long_evidence_is_cut_and_says_so(database):
    from api.options import ApiOptions
    from tests.api.server import Client, running
    from tests.api.world import build

    world = build(database)
    with running(database, ApiOptions(most_evidence_fixes=2)) as (app, base):
        client = Client(app, base, world.of_north)
        evidence = client.get(f"/violations/{world.speeding}")["evidence"]
        client.http.close()
    assert evidence["is_truncated"]
    assert [f["role"] for f in evidence["fixes"]] == ["before", "inside", "inside", "after"]


def test_fixes_are_read_back_to_a_centimetre(api):
    async def stored(conn):
        import numpy as np

        return await fixes.stretch(conn, np.array([api.world.n1], np.int32), np.array([T0]))

    batch = do(api.world.dsn, stored)
    journey = api.north.get(
        f"/vehicles/{api.world.n1}/journey",
        **{"from": "2026-05-04T00:00:00Z", "to": "2026-05-05T00:00:00Z"},
    )
    assert [f["lon"] for f in journey["fixes"]] == [shown_degrees(lon) for lon in batch.lon]
    assert [f["lat"] for f in journey["fixes"]] == [shown_degrees(lat) for lat in batch.lat]
