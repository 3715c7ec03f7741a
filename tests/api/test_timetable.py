"""A route compared with its timetable: what is counted, and who may see it."""

from typing import Any

import pytest

from geofence.registry import Route, RouteSlot
from storage import registry, violations
from tests.api.world import HOUR, T0, do, interval

pytestmark = pytest.mark.integration

LINE = {"type": "LineString", "coordinates": [[106.7, 10.8], [106.9, 10.9]]}
DAY = 24 * HOUR
NOON = T0 - 3 * HOUR
"""2026-05-04 12:00 in Viet Nam, a Monday; fixes of the future have not come yet."""


def with_timetable(api, code, owner, *departures):
    """A route with slots at noon on workdays and on Mondays at 13:00 back; trips at instants."""
    slots = (
        RouteSlot("outbound", "12:00", ("mon", "tue", "wed", "thu", "fri")),
        RouteSlot("inbound", "13:00", ("mon",)),
    )

    async def work(conn):
        made = await registry.add_route(
            conn,
            Route(0, code, 200.0, "term-a", "term-b", LINE, LINE, operator_id=owner, slots=slots),
        )
        trips = [
            interval(
                "route_trip", vehicle, at, at + HOUR, code, route_id=made.id, direction=direction,
                outcome="arrived", unseen_s=0.0,
            )
            for vehicle, at, direction in departures
        ]  # fmt: skip
        await violations.write(conn, trips)

    do(api.world.dsn, work)


def test_a_month_counts_what_was_run_late_and_not_run(own_api):
    n1 = own_api.world.n1
    south = own_api.world.south
    left = [(n1, NOON + k * DAY, "outbound") for k in range(3)]
    left += [(own_api.world.s1, NOON + 3 * DAY + HOUR, "outbound"), (n1, NOON + HOUR, "inbound")]
    with_timetable(own_api, "R-T", south, *left)
    shown = own_api.inspector.get("/routes/R-T/timetable", month="2026-05")
    assert (shown["route"], shown["month"]) == ("R-T", "2026-05")
    there, back = shown["items"]
    assert (there["departs"], there["slots"], there["run"], there["late"]) == ("12:00", 21, 4, 1)
    assert (back["direction"], back["slots"], back["run"]) == ("inbound", 4, 1)
    assert there["not_run"] + there["open"] == 17
    assert there["not_run_days"][:2] == ["2026-05-01", "2026-05-08"]
    assert there["is_marked"] is (there["share_percent"] < 70)


def test_months_to_come_are_open(own_api):
    with_timetable(own_api, "R-T", None)
    shown = own_api.inspector.get("/routes/R-T/timetable", month="2099-01")
    assert shown["is_provisional"] is True
    assert {(i["run"], i["not_run"], i["share_percent"], i["is_marked"]) for i in shown["items"]} \
        == {(0, 0, None, False)}  # fmt: skip


def test_an_operator_is_shown_its_own_routes_only(own_api):
    with_timetable(own_api, "R-T", own_api.world.south)
    assert own_api.south.get("/routes/R-T/timetable", month="2026-05")["items"]
    ask = {"params": {"month": "2026-05"}}
    problem = own_api.north.problem("GET", "/routes/R-T/timetable", **ask)
    assert problem == (404, "route_not_found")
    assert own_api.south.problem("GET", "/routes/R-1/timetable", **ask) == (403, "forbidden")
    assert own_api.inspector.get("/routes/R-1/timetable", month="2026-05")["items"] == []


@pytest.mark.parametrize("month", ["2026-13", "2026", "1999-12", "2026-5", ""])
def test_what_is_no_month_is_refused(own_api, month):
    problem = own_api.inspector.problem("GET", "/routes/R-1/timetable", params={"month": month})
    assert problem == (422, "invalid_request")


def test_slots_are_written_and_read_with_their_route(own_api):
    facts: dict[str, Any] = {
        "code": "R-N", "corridor_m": 100.0, "terminal_a": "term-a", "terminal_b": "term-b",
        "outbound": LINE, "inbound": LINE,
        "slots": [
            {"direction": "inbound", "departs": "05:45", "days": ["sat", "sun"],
             "valid_from": "2026-05-01", "valid_to": None},
            {"direction": "outbound", "departs": "23:59", "days": None, "valid_from": None,
             "valid_to": None},
        ],
    }  # fmt: skip
    made = own_api.inspector.ask("POST", "/routes", json=facts)
    assert made.status_code == 201, made.text
    assert own_api.inspector.get("/routes/R-N")["slots"] == facts["slots"]
    wrongs: list[dict[str, Any]] = [
        {"departs": "24:00"}, {"days": []}, {"days": ["mon", "mon"]}, {"direction": "up"},
    ]  # fmt: skip
    for wrong in wrongs:
        slot = facts["slots"][0] | wrong
        problem = own_api.inspector.problem(
            "POST", "/routes", json=facts | {"code": "R-M", "slots": [slot]}
        )
        assert problem == (422, "invalid_request"), wrong
