"""What vehicles did by hour, day and month; and who passed an area."""

import pytest

from api.options import ApiOptions
from storage import hours, violations
from tests.api.server import Client, running
from tests.api.world import EVERYBODYS, HOUR, T0, S, do, drive, interval, store

pytestmark = pytest.mark.integration

WINDOW = {"from": "2026-05-04T08:00:00Z", "to": "2026-05-04T10:00:00Z"}
MAY = {"month": "2026-05"}
AROUND = "106.5,10.5,107.5,11"


@pytest.fixture(scope="module")
def driven(api):
    """The module's world, with an hour more: n1 drove on at 09:00, and n2 just before midnight."""

    async def work(conn):
        await store(conn, drive(api.world.n1, n=60, start=T0 + HOUR))
        await store(conn, drive(api.world.n2, n=10, start=T0 + 9 * HOUR - 150 * S))
        bands = ["5_10", "5_10", "35_up"]
        found = [
            interval("speeding", api.world.n2, T0 + k * HOUR, T0 + k * HOUR + S, band=band)
            for k, band in enumerate(bands)
        ]
        await violations.write(conn, found)
        await hours.refresh(conn, 0, T0 + 24 * HOUR)

    do(api.world.dsn, work)
    return api


def test_hours_add_up_to_the_journey(driven):
    n1 = driven.world.n1
    shown = driven.inspector.get(f"/vehicles/{n1}/hours", **WINDOW)
    journey = driven.inspector.get(f"/vehicles/{n1}/journey", **WINDOW)["summary"]
    assert (shown["vehicle_id"], shown["plate"]) == (n1, "51B12345")
    hours = shown["items"]
    assert [one["hour"][11:16] for one in hours] == ["08:00", "09:00"]
    assert [one["fixes"] for one in hours] == [120, 60]
    for name in ("fixes", "clean_fixes"):
        assert sum(one[name] for one in hours) == journey[name]
    assert sum(one["distance_m"] for one in hours) == pytest.approx(journey["distance_m"], abs=0.1)
    # Of 40 minutes' driving the first hour has the 79 steps that end at a fix that moved.
    assert hours[0]["driving_s"] == 79 * 30
    assert hours[0]["max_speed_kmh"] == 53.2
    later = {**WINDOW, "from": "2026-05-04T09:00:00Z"}
    assert driven.inspector.get(f"/vehicles/{n1}/hours", **later)["items"] == hours[1:]


def test_hours_have_the_violations_that_began_in_them_though_there_was_no_fix(driven):
    shown = driven.north.get(f"/vehicles/{driven.world.n2}/hours", **WINDOW)["items"]
    assert [(one["hour"][11:16], one["fixes"]) for one in shown] == [("08:00", 0), ("09:00", 0)]
    slightly = {"kind": "speeding", "band": "5_10", "violations": 1}
    overload = {"kind": "overload_gross", "band": "", "violations": 1}
    assert [one["violations"] for one in shown] == [[overload, slightly], [slightly]]
    assert shown[0]["max_speed_kmh"] is None
    # Nine hours on it drove, and nothing was wrong.
    evening = {"from": "2026-05-04T11:00:00Z", "to": "2026-05-04T18:00:00Z"}
    [late, later] = driven.north.get(f"/vehicles/{driven.world.n2}/hours", **evening)["items"]
    assert (late["fixes"], late["violations"], later["violations"]) == (5, [], [])


def test_hours_of_too_long_a_window_or_of_somebody_elses_are_refused(api):
    path = f"/vehicles/{api.world.n1}/hours"
    year = {"from": "2025-05-04T08:00:00Z", "to": "2026-05-04T08:00:00Z"}
    assert api.north.problem("GET", path, params=year) == (422, "window_too_long")
    assert api.south.problem("GET", path, params=WINDOW) == (404, "vehicle_not_found")


def test_days_are_local_and_add_up_to_the_month(driven):
    shown = driven.north.get(f"/vehicles/{driven.world.n2}/days", **MAY)
    assert [one["day"] for one in shown["items"]] == ["2026-05-04", "2026-05-05"]
    assert [one["fixes"] for one in shown["items"]] == [5, 5]
    assert shown["total"]["fixes"] == 10
    assert shown["total"]["distance_m"] == pytest.approx(
        sum(one["distance_m"] for one in shown["items"])
    )
    assert [len(one["violations"]) for one in shown["items"]] == [3, 0]
    assert shown["total"]["violations"] == shown["items"][0]["violations"]
    nothing = driven.north.get(f"/vehicles/{driven.world.n2}/days", month="2026-06")
    assert nothing["items"] == []
    assert nothing["total"]["max_speed_kmh"] is None
    assert nothing["total"]["violations"] == []


def test_a_month_of_an_operator_has_its_vehicles_one_by_one_and_together(driven):
    month = f"/operators/{driven.world.north}/month"
    first = driven.north.get(month, **MAY, limit=1)
    rest = driven.north.get(month, **MAY, cursor=first["next_cursor"])
    world = driven.world
    whole = driven.inspector.get(month, **MAY)
    assert first["items"] + rest["items"] == whole["items"]
    assert [(one["vehicle_id"], one["fixes"]) for one in whole["items"]] == [
        (world.n1, 180), (world.n2, 10),
    ]  # fmt: skip
    assert whole["vehicles"] == 2
    assert whole["total"]["fixes"] == 190
    assert whole["total"] == first["total"]
    assert whole["violations"] == first["violations"] == [
        {"kind": "overload_gross", "band": "", "violations": 1},
        {"kind": "speeding", "band": "", "violations": 1},
        {"kind": "speeding", "band": "35_up", "violations": 1},
        {"kind": "speeding", "band": "5_10", "violations": 2},
    ]  # fmt: skip
    assert [one["violations"] for one in whole["items"]] == [
        whole["violations"][1:2], [whole["violations"][0], *whole["violations"][2:]],
    ]  # fmt: skip
    assert (rest["total"], rest["violations"], rest["next_cursor"]) == (None, None, None)


def test_the_month_of_an_operator_that_is_not_seen_is_not_there(api):
    for path in (f"/operators/{api.world.south}/month", "/operators/999/month"):
        assert api.north.problem("GET", path, params=MAY) == (404, "operator_not_found")
    wrong = {**MAY, "cursor": "x"}
    assert api.north.problem("GET", f"/operators/{api.world.north}/month", params=wrong) == (
        422, "cursor_invalid",
    )  # fmt: skip


def test_who_passed_an_area_is_found_with_first_and_last_fix(driven):
    world = driven.world
    shown = driven.inspector.get("/areas/passages", bbox=AROUND, **WINDOW)["items"]
    assert [one["vehicle_id"] for one in shown] == [world.n1, world.s1]
    assert shown[0]["plate"] == "51B12345"
    assert shown[0]["operator"] == "north"
    assert (shown[0]["first_at"], shown[0]["last_at"]) == (
        "2026-05-04T08:00:00.000Z", "2026-05-04T09:29:30.000Z",
    )  # fmt: skip
    pages = driven.inspector.get("/areas/passages", bbox=AROUND, **WINDOW, limit=1)
    assert pages["items"] == shown[:1]
    last = driven.inspector.get(
        "/areas/passages", bbox=AROUND, **WINDOW, limit=1, cursor=pages["next_cursor"]
    )
    assert (last["items"], last["next_cursor"]) == (shown[1:], None)
    ours = driven.north.get("/areas/passages", bbox=AROUND, **WINDOW)["items"]
    assert ours == shown[:1]


def test_a_polygon_is_the_same_question_by_its_corners(driven):
    world = driven.world
    ring = ";".join(f"{lon},{lat}" for lon, lat in EVERYBODYS["coordinates"][0])
    by_ring = driven.inspector.get("/areas/passages", polygon=ring, **WINDOW)
    by_box = driven.inspector.get("/areas/passages", bbox="106.6,10.7,106.8,10.9", **WINDOW)
    assert by_ring == by_box
    assert [one["vehicle_id"] for one in by_ring["items"]] == [world.n1, world.s1]
    # A triangle with the same box that leaves out where they drove.
    beside = "106.6,10.7;106.8,10.7;106.8,10.79"
    assert driven.inspector.get("/areas/passages", polygon=beside, **WINDOW)["items"] == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "invalid_request"),
        ({"bbox": AROUND, "polygon": "1,1;2,2;2,1"}, "invalid_request"),
        ({"polygon": "1,1;2,2"}, "invalid_request"),
        ({"polygon": "1,1;2,x;2,1"}, "invalid_request"),
        ({"polygon": "1,1;nan,2;2,1"}, "invalid_request"),
        ({"polygon": ";".join(["1,1", "1,1.5", "1.5,1"] * 80)}, "invalid_request"),
        ({"polygon": "1,1;2,2;2,1;1,2"}, "geometry_invalid"),
        ({"polygon": "1,1;1.2,1;1.5,1"}, "geometry_invalid"),
        ({"bbox": "1,1,1,1"}, "geometry_invalid"),
        ({"bbox": "106,10,108,11"}, "area_too_large"),
        ({"bbox": AROUND, "to": "2026-05-06T08:00:00Z"}, "window_too_long"),
        ({"bbox": AROUND, "to": "2026-05-04T08:00:00Z"}, "invalid_request"),
    ],
)
def test_an_area_that_is_none_or_costs_too_much_is_refused(api, asked, code):
    found = api.inspector.problem("GET", "/areas/passages", params={**WINDOW, **asked})
    assert found == (422, code)


def test_limits_are_those_of_the_deployment(driven):
    options = ApiOptions(most_area_fixes=100, most_fleet_vehicles=1)
    with running(driven.world.dsn, options) as (app, base):
        client = Client(app, base, driven.world.inspector)
        asked = {**WINDOW, "bbox": AROUND}
        assert client.problem("GET", "/areas/passages", params=asked) == (422, "area_too_large")
        month = client.get(f"/operators/{driven.world.north}/month", **MAY)
        client.http.close()
    assert month["total"] is None
    assert [one["fixes"] for one in month["items"]] == [180, 10]
