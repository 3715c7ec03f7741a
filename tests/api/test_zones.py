"""Zones and routes: made, replaced, retired; by whom; and what is refused."""

import threading
from typing import Any

import pytest

from storage import registry
from tests.api.world import EVERYBODYS, SQUARE, do

ZONE: dict[str, Any] = {
    "code": "new-zone",
    "kind": "banned",
    "geometry": EVERYBODYS,
    "classes": ["truck_over_3_5t"],
}
THERE = {"type": "LineString", "coordinates": [[106.7, 10.8], [106.9, 10.9]]}
ROUTE: dict[str, Any] = {
    "code": "R-new",
    "corridor_m": 150,
    "terminal_a": "term-a",
    "terminal_b": "term-b",
    "outbound": THERE,
    "inbound": {"type": "LineString", "coordinates": [[106.9, 10.9], [106.7, 10.8]]},
    "stops": [
        {"direction": "outbound", "seq": 2, "name": "Two", "lon": 106.8, "lat": 10.8},
        {"direction": "outbound", "seq": 1, "name": "One", "lon": 106.75, "lat": 10.8},
        {"direction": "inbound", "seq": 1, "name": "Back", "lon": 106.8, "lat": 10.8,
         "compulsory": False},
    ],
}  # fmt: skip
NOUNS = [("zones", ZONE), ("routes", ROUTE)]


def without_code(body):
    return {name: value for name, value in body.items() if name != "code"}


@pytest.mark.parametrize(("noun", "body"), NOUNS)
def test_a_life_from_making_over_replacing_to_retiring(own_api, noun, body):
    client, path = own_api.inspector, f"/{noun}/{body['code']}"
    made = client.ask("POST", f"/{noun}", json=body)
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1{path}"
    assert made.headers["etag"] == '"1"'
    first = made.json()
    assert (first["version"], first["is_retired"], first["valid_to"]) == (1, False, None)
    assert client.get(path) == first

    name = {**without_code(body), "name": "Better"}
    replaced = client.ask("PUT", path, json=name, headers={"If-Match": '"1"'}).json()
    assert (replaced["version"], replaced["name"]) == (2, "Better")
    new, old = replaced["versions"]
    assert old["valid_to"] == new["valid_from"] == replaced["valid_from"]
    assert client.get(path, version=1)["name"] == ""
    assert client.get(path, version=1)["is_retired"]

    retired = client.ask("DELETE", path).json()
    assert retired["is_retired"]
    assert retired["version"] == 2
    assert client.ask("DELETE", path).json() == retired
    codes = [item["code"] for item in client.get(f"/{noun}")["items"]]
    assert body["code"] not in codes
    assert body["code"] in [i["code"] for i in client.get(f"/{noun}", retired=True)["items"]]
    at = {"at": first["valid_from"]}
    # The first version began within this millisecond; a second later it had been replaced.
    assert (
        body["code"] in [i["code"] for i in client.get(f"/{noun}", retired=True, **at)["items"]]
        or first["valid_from"] != replaced["valid_from"]
    )
    assert client.problem("PUT", path, json=name) == (409, "retired")
    assert client.problem("POST", f"/{noun}", json=body) == (409, "code_taken")


def test_every_change_moves_the_registry_and_workers_can_load_it(own_api):
    version = do(own_api.world.dsn, registry.version)
    own_api.north.ask("POST", "/zones", json=ZONE)
    own_api.north.ask("POST", "/routes", json=ROUTE)
    own_api.north.ask("DELETE", f"/zones/{ZONE['code']}")
    snapshot = do(own_api.world.dsn, registry.load)
    assert snapshot.version >= version + 3
    (zone,) = [z for z in snapshot.zones if z.code == "new-zone"]
    assert zone.operator_id == own_api.world.north
    assert zone.classes == ("truck_over_3_5t",)
    (route,) = [r for r in snapshot.routes if r.code == "R-new"]
    assert [(s.direction, s.seq) for s in route.stops] == [
        ("inbound", 1), ("outbound", 1), ("outbound", 2),
    ]  # fmt: skip


def test_a_zone_is_read_back_as_it_was_sent(own_api):
    sent = {
        **ZONE,
        "name": "Giờ cao điểm",
        "speed_limits": {"*": 40.0, "bus": 30.5},
        "weekly_hours": [["mon", "06:00", "09:00"], ["sun", "22:00", "04:00"]],
        "valid_from": "2026-05-01T07:00:00.123+07:00",
        "valid_to": "2027-01-01T00:00:00Z",
        "max_stay_s": 3600.0,
        "min_duration_s": 60.0,
        "min_gross_kg": 2500.0,
        "overrides_road": True,
        "crossings": True,
    }
    shown = own_api.inspector.ask("POST", "/zones", json=sent).json()
    expected = {**sent, "valid_from": "2026-05-01T00:00:00.123Z",
                "valid_to": "2027-01-01T00:00:00.000Z"}  # fmt: skip
    assert {name: shown[name] for name in expected} == expected


def test_stops_of_a_route_come_by_direction_and_order(own_api):
    shown = own_api.inspector.ask("POST", "/routes", json=ROUTE).json()
    assert [(s["direction"], s["seq"], s["compulsory"]) for s in shown["stops"]] == [
        ("outbound", 1, True), ("outbound", 2, True), ("inbound", 1, False),
    ]  # fmt: skip


@pytest.mark.parametrize(("noun", "body"), NOUNS)
def test_what_an_operator_makes_is_its_own(own_api, noun, body):
    made = own_api.north.ask("POST", f"/{noun}", json=body).json()
    assert made["operator"] == "north"
    path = f"/{noun}/{body['code']}"
    assert own_api.south.problem("GET", path)[0] == 404
    assert own_api.south.problem("PUT", path, json=without_code(body))[0] == 404
    assert own_api.south.problem("DELETE", path)[0] == 404
    assert own_api.south.problem("POST", f"/{noun}", json=body) == (409, "code_taken")
    # An inspector's change leaves it where it belongs.
    kept = own_api.inspector.ask("PUT", path, json=without_code(body)).json()
    assert (kept["operator"], kept["version"]) == ("north", 2)
    assert own_api.north.ask("DELETE", path).status_code == 200


@pytest.mark.parametrize(
    ("noun", "body", "code"), [("zones", ZONE, "depot"), ("routes", ROUTE, "R-1")]
)
def test_what_is_everybodys_is_changed_by_inspectors_only(own_api, noun, body, code):
    path = f"/{noun}/{code}"
    assert own_api.north.ask("GET", path).status_code == 200
    assert own_api.north.problem("PUT", path, json=without_code(body)) == (403, "forbidden")
    assert own_api.north.problem("DELETE", path) == (403, "forbidden")
    assert own_api.inspector.get(path)["version"] == 1
    assert own_api.inspector.ask("PUT", path, json=without_code(body)).status_code == 200


@pytest.mark.parametrize(("noun", "body"), NOUNS)
def test_an_operator_writes_for_nobody_else(own_api, noun, body):
    sent = {**body, "operator": "south"}
    assert own_api.north.problem("POST", f"/{noun}", json=sent) == (403, "forbidden")
    assert own_api.inspector.ask("POST", f"/{noun}", json=sent).json()["operator"] == "south"
    other = {**body, "code": "other", "operator": "nobody"}
    assert own_api.inspector.problem("POST", f"/{noun}", json=other) == (422, "invalid_request")
    own = {**body, "code": "own", "operator": "north"}
    assert own_api.north.ask("POST", f"/{noun}", json=own).status_code == 201
    given = {**without_code(body), "operator": "south"}
    assert own_api.inspector.problem("PUT", f"/{noun}/own", json=given)[0] == 422


@pytest.mark.parametrize(("noun", "body"), NOUNS)
def test_a_change_of_what_somebody_else_changed_is_refused(own_api, noun, body):
    client, path = own_api.inspector, f"/{noun}/{body['code']}"
    client.ask("POST", f"/{noun}", json=body)
    client.ask("PUT", path, json=without_code(body))
    stale = {"If-Match": '"1"'}
    expected = (412, "version_mismatch")
    assert client.problem("PUT", path, json=without_code(body), headers=stale) == expected
    assert client.problem("DELETE", path, headers=stale) == expected
    current = {"If-Match": 'W/"7", "2"'}
    assert client.ask("PUT", path, json=without_code(body), headers=current).status_code == 200


def test_a_version_cannot_begin_before_the_one_it_replaces(own_api):
    client = own_api.inspector
    client.ask("POST", "/zones", json={**ZONE, "valid_from": "2026-06-01T00:00:00Z"})
    early = {**without_code(ZONE), "valid_from": "2026-06-01T00:00:00Z"}
    assert client.problem("PUT", "/zones/new-zone", json=early) == (409, "begins_too_early")
    later = {**without_code(ZONE), "valid_from": "2026-07-01T00:00:00Z"}
    replaced = client.ask("PUT", "/zones/new-zone", json=later).json()
    assert replaced["versions"][1]["valid_to"] == "2026-07-01T00:00:00.000Z"


def test_a_zone_that_has_not_begun_can_be_retired(own_api):
    client = own_api.inspector
    client.ask("POST", "/zones", json={**ZONE, "valid_from": "2099-01-01T00:00:00Z"})
    ended = client.ask("DELETE", "/zones/new-zone").json()
    assert ended["valid_to"] == "2099-01-01T00:00:00.000Z"


def test_of_changes_at_the_same_time_each_makes_a_version(own_api):
    own_api.inspector.ask("POST", "/zones", json=ZONE)
    token = own_api.world.inspector
    answers = []

    def change():
        import httpx

        answers.append(
            httpx.put(
                str(own_api.inspector.http.base_url) + "/api/v1/zones/new-zone",
                json=without_code(ZONE),
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            ).status_code
        )

    threads = [threading.Thread(target=change) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Two within one microsecond cannot both be in force; whoever loses is told.
    assert set(answers) <= {200, 409, 412}
    made = answers.count(200)
    assert own_api.inspector.get("/zones/new-zone")["version"] == 1 + made >= 2


BOWTIE = [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("change", "code", "location"),
    [
        ({"geometry": {"type": "Polygon", "coordinates": [BOWTIE]}}, "geometry_invalid",
         "body.geometry.coordinates[0]"),
        ({"geometry": {"type": "Polygon", "coordinates": [SQUARE[:-1]]}}, "geometry_invalid",
         "body.geometry.coordinates[0]"),
        ({"geometry": {"type": "Polygon", "coordinates": "x"}}, "invalid_request",
         "body.geometry.coordinates"),
        ({"geometry": {"type": "Circle", "coordinates": []}}, "geometry_invalid",
         "body.geometry.type"),
        ({"geometry": {"type": "Point", "coordinates": [106, 10]}}, "geometry_invalid",
         "body.radius_m"),
        ({"geometry": {"type": "Point", "coordinates": [10, 106]}, "radius_m": 5},
         "geometry_invalid", "body.geometry.coordinates"),
        ({"geometry": {"type": "Point", "coordinates": [10**400, 1]}, "radius_m": 5},
         "geometry_invalid", "body.geometry.coordinates"),
        ({"geometry": {}}, "invalid_request", "body.geometry.type"),
        ({"kind": "castle"}, "invalid_request", "body.kind"),
        ({"kind": "speed"}, "invalid_request", "body.speed_limits"),
        ({"speed_limits": {"*": 1000}}, "invalid_request", "body.speed_limits['*']"),
        ({"classes": []}, "invalid_request", "body.classes"),
        ({"weekly_hours": [["xxx", "06:00", "07:00"]]}, "invalid_request",
         "body.weekly_hours[0]"),
        ({"weekly_hours": [["mon", "06:00"]]}, "invalid_request", "body.weekly_hours.0.2"),
        ({"valid_from": "2026-01-02T00:00:00Z", "valid_to": "2026-01-01T00:00:00Z"},
         "invalid_request", "body.valid_to"),
        ({"valid_from": "yesterday"}, "invalid_request", "body.valid_from"),
        ({"valid_from": 1777881600}, "invalid_request", "body.valid_from"),
        ({"min_duration_s": -1}, "invalid_request", "body.min_duration_s"),
        ({"code": "a b"}, "invalid_request", "body.code"),
        ({"code": "x'; DROP TABLE zones; --"}, "invalid_request", "body.code"),
        ({"name": "a\u0000b"}, "invalid_request", "body.name"),
        ({"colour": "red"}, "invalid_request", "body.colour"),
    ],
)  # fmt: skip
def test_a_zone_that_cannot_be_is_refused_with_reason_and_place(api, change, code, location):
    answer = api.inspector.ask("POST", "/zones", json={**ZONE, **change})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert location in [flaw["location"] for flaw in answer.json()["errors"]]


def test_nothing_that_is_not_finite_gets_in(api):
    body = (
        b'{"code": "n", "kind": "watch", "radius_m": %s, '
        b'"geometry": {"type": "Point", "coordinates": [1, %s]}}'
    )
    for values in ((b"NaN", b"1"), (b"Infinity", b"1"), (b"5", b"NaN"), (b"5", b"1e999")):
        answer = api.inspector.ask(
            "POST", "/zones", content=body % values, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422


def test_a_geometry_is_repaired_only_on_request_and_says_so(own_api):
    body = {**ZONE, "geometry": {"type": "Polygon", "coordinates": [BOWTIE]}}
    assert own_api.inspector.problem("POST", "/zones", json=body) == (422, "geometry_invalid")
    made = own_api.inspector.ask("POST", "/zones?repair=true", json=body).json()
    assert made["geometry"]["type"] == "MultiPolygon"
    assert made["repairs"]


@pytest.mark.parametrize(
    ("change", "code", "location"),
    [
        ({"outbound": EVERYBODYS}, "geometry_invalid", "body.outbound"),
        ({"inbound": {"type": "LineString", "coordinates": [[1, 1], [1, 1]]}},
         "geometry_invalid", "body.inbound.coordinates"),
        ({"corridor_m": 0}, "invalid_request", "body.corridor_m"),
        ({"terminal_a": "depot"}, "invalid_request", "body.terminal_a"),
        ({"terminal_b": "nowhere"}, "invalid_request", "body.terminal_b"),
        ({"stops": [ROUTE["stops"][0]] * 2}, "invalid_request", "body.stops"),
        ({"stops": [{**ROUTE["stops"][0], "lat": 91}]}, "invalid_request", "body.stops.0.lat"),
    ],
)  # fmt: skip
def test_a_route_that_cannot_be_is_refused_with_reason_and_place(api, change, code, location):
    answer = api.inspector.ask("POST", "/routes", json={**ROUTE, **change})
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert location in [flaw["location"] for flaw in answer.json()["errors"]]


def test_zones_are_listed_in_pages_by_kind_and_instant(api):
    whole = [z["code"] for z in api.inspector.get("/zones")["items"]]
    assert whole == ["depot", "term-a", "term-b", "z-n", "z-s"]
    page = api.inspector.get("/zones", limit=2)
    codes = [z["code"] for z in page["items"]]
    while page["next_cursor"]:
        page = api.inspector.get("/zones", limit=2, cursor=page["next_cursor"])
        codes += [z["code"] for z in page["items"]]
    assert codes == whole
    assert len(api.inspector.get("/zones", kind="terminal")["items"]) == 2
    assert len(api.inspector.get("/zones", at="2020-01-01T00:00:00Z")["items"]) == 5
    assert len(api.inspector.get("/routes", limit=1)["items"]) == 1


def test_a_zone_is_listed_under_the_kind_that_it_has_now(own_api):
    client = own_api.inspector
    watch = {"code": "yard", "kind": "watch", "geometry": EVERYBODYS}
    banned = {"kind": "banned", "geometry": EVERYBODYS}
    assert client.ask("POST", "/zones", json=watch).status_code == 201
    assert client.ask("PUT", "/zones/yard", json=banned).status_code == 200
    for retired in (False, True):
        listed = {
            kind: [
                zone["version"]
                for zone in client.get("/zones", kind=kind, retired=retired)["items"]
                if zone["code"] == "yard"
            ]
            for kind in ("watch", "banned")
        }
        assert listed == {"watch": [], "banned": [2]}
