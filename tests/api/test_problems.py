"""Errors: each is a problem with a stable code, and none says more than it should."""

import re
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi.exceptions import RequestValidationError
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from structlog.testing import capture_logs

from api.cursors import MOST_INSTANT_US, encode_cursor
from api.options import ApiOptions
from api.problems import CODES, problem_of_database, problem_of_validation, problem_response
from tests.api.server import Client, running
from tests.api.world import build

WINDOW = {"from": "2026-05-04T08:00:00Z", "to": "2026-05-04T09:00:00Z"}


def test_a_name_that_is_not_there_and_a_value_that_is_missing_are_said_in_plain_words():
    errors = [
        {"type": "extra_forbidden", "loc": ("query", "vehcile"), "msg": "Extra inputs are ..."},
        {"type": "missing", "loc": ("body", "code"), "msg": "Field required"},
        {
            "type": "int_parsing",
            "loc": ("query", "limit"),
            "msg": "Input should be a valid integer",
        },
    ]
    said = problem_of_validation(RequestValidationError(errors))
    assert said.detail == (
        "query.vehcile: expected nothing of this name; body.code: expected a value, got none; "
        "query.limit: expected a valid integer"
    )


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/vehicles?limit=0", "query.limit"),
        ("/vehicles?limit=5001", "query.limit"),
        ("/vehicles?limit=x", "query.limit"),
        ("/vehicles?plate=%27;--", "query.plate"),
        ("/vehicles?vehcile=3", "query.vehcile"),
        ("/vehicles/0", "path.vehicle_id"),
        ("/vehicles/99999999999999999999", "path.vehicle_id"),
        ("/vehicles/1%20OR%201=1", "path.vehicle_id"),
        ("/violations/9223372036854775808", "path.violation_id"),
        ("/violations?from=2026-05-04", "query.from"),
        ("/violations?from=2026-05-04T08:00:00", "query.from"),
        ("/violations?from=2026-05-04T08:00:00+07:00", "query.from"),
        ("/violations?from=1777881600", "query.from"),
        ("/violations?to=2026-13-04T08:00:00Z", "query.to"),
        ("/violations?to=0001-01-01T00:00:00%2B14:00", "query.to"),
        ("/violations?status=gone", "query.status.0"),
        ("/violations?min_duration_s=nan", "query.min_duration_s"),
        ("/violations?min_duration_s=-1", "query.min_duration_s"),
        ("/violations?subject=%00", "query.subject"),
        ("/violations?vehicle=-1", "query.vehicle"),
        ("/positions?bbox=1,2,3", "query.bbox"),
        ("/positions?bbox=1,2,3,nan", "query.bbox"),
        ("/positions?bbox=5,2,3,4", "query.bbox"),
        ("/positions?bbox=-181,2,3,4", "query.bbox"),
        ("/positions?format=kml", "query.format"),
        ("/weighings?min_gross_kg=inf", "query.min_gross_kg"),
        ("/zones/%00", "path.code"),
        ("/vehicles/1/journey?to=0001-01-01T00:00:00Z", "query.from"),
        ("/vehicles/1/hours?to=0001-01-01T00:00:00Z", "query.from"),
    ],
)
def test_a_value_that_is_not_what_it_should_be_is_named(api, path, location):
    answer = api.inspector.ask("GET", path)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert location in [flaw["location"] for flaw in answer.json()["errors"]], answer.text


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "W10",
        encode_cursor("zones", "a"),
        encode_cursor("violations", 1),
        encode_cursor("violations", 1, 2, 3),
        encode_cursor("violations", "a", "b"),
        encode_cursor("violations", (1 << 63) - 1, 2),
        "WyJ2aW9sYXRpb25zIiwxZTk5LDFd",
    ],
)
def test_a_cursor_that_is_not_of_the_list_is_refused(api, cursor):
    found = api.inspector.problem("GET", "/violations", params={"cursor": cursor})
    assert found == (422, "cursor_invalid")


@pytest.mark.parametrize("where", ["vehicles", "positions", "weighings", "zones", "routes"])
def test_cursors_of_other_lists_are_refused_everywhere(api, where):
    cursor = encode_cursor("violations", 1, 2)
    found = api.inspector.problem("GET", f"/{where}", params={"cursor": cursor})
    assert found == (422, "cursor_invalid")


def test_any_cursor_of_the_right_form_is_only_a_place(api):
    for at_us, number in ((1, 2), (-253_402_300_799_999_999, 5), (MOST_INSTANT_US, (1 << 63) - 1)):
        cursor = encode_cursor("violations", at_us, number)
        answer = api.inspector.ask("GET", "/violations", params={"cursor": cursor})
        assert answer.status_code == (200 if at_us > 0 else 422)


def test_a_journey_is_bounded(api):
    path = f"/vehicles/{api.world.n1}/journey"
    long = {"from": "2026-05-01T00:00:00Z", "to": "2026-06-01T00:00:00.001Z"}
    assert api.north.problem("GET", path, params=long) == (422, "window_too_long")
    long["to"] = "2026-06-01T00:00:00Z"
    assert api.north.ask("GET", path, params=long).status_code == 200
    turned = {"from": WINDOW["to"], "to": WINDOW["from"]}
    assert api.north.problem("GET", path, params=turned) == (422, "invalid_request")
    # Without a window: the last day.
    assert api.north.get(path)["fixes"] == []


def test_a_journey_of_too_many_fixes_asks_for_a_shorter_window(database):
    world = build(database)
    with running(database, ApiOptions(most_track_fixes=100)) as (app, base):
        client = Client(app, base, world.of_north)
        path = f"/vehicles/{world.n1}/journey"
        assert client.problem("GET", path, params=WINDOW) == (422, "window_too_long")
        client.http.close()


def test_unknown_pages_and_methods_are_problems_too(api):
    base = str(api.nobody.http.base_url)
    for path in ("/nonsense", "/api/v1/nonsense", "/api/v2/vehicles", "/api/v1/vehicles/1/2/3"):
        answer = httpx.get(base + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["instance"] == path
    answer = api.inspector.ask("DELETE", "/vehicles")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a": ' * 100_000, b'"' + b"9" * 5000 + b'"']
)
def test_a_body_that_is_not_what_it_should_be_is_a_problem(api, body):
    answer = api.inspector.ask(
        "POST", "/zones", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in {400, 422}


def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length(api):
    big = b" " * ((4 << 20) + 1)
    assert api.inspector.problem("POST", "/zones", content=big) == (413, "body_too_large")

    def pieces():
        for _ in range(5):
            yield b" " * (1 << 20)

    assert api.inspector.problem("POST", "/zones", content=pieces()) == (413, "body_too_large")


def test_secrets_of_the_request_are_not_repeated(api):
    secret = "ht_" + "s" * 43
    answer = api.client(secret).ask("GET", f"/vehicles?plate={secret}&limit={secret}")
    assert secret not in answer.text
    answer = api.inspector.ask("POST", "/zones", json={"code": secret + " ", "x": secret})
    assert secret not in answer.text


def test_answers_are_not_to_be_stored_or_shared(api):
    answer = api.inspector.ask("GET", "/vehicles", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_query_that_takes_too_long_is_cancelled_and_said_so(database):
    world = build(database)
    with running(database, ApiOptions(statement_timeout_s=0.2)) as (app, base):
        client = Client(app, base, world.inspector)
        with psycopg.connect(database) as conn:
            conn.execute("LOCK TABLE violations IN ACCESS EXCLUSIVE MODE")
            answer = client.ask("GET", "/violations")
        assert (answer.status_code, answer.json()["code"]) == (503, "query_timeout")
        assert answer.headers["retry-after"]
        assert client.ask("GET", "/violations").status_code == 200
        client.http.close()


def test_a_fault_is_a_problem_that_tells_nothing_but_the_log(database):
    world = build(database)
    with capture_logs() as logs, running(database) as (app, base):
        with psycopg.connect(database) as conn:
            conn.execute("ALTER TABLE vehicles RENAME COLUMN plate TO sign")
        client = Client(app, base, world.inspector)
        answer = client.ask("GET", "/vehicles")
        client.http.close()
    [told] = [entry for entry in logs if entry["event"] == "request.failed"]
    assert "plate" in str(told["exc_info"])
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "column" not in answer.text
    assert "plate" not in answer.text


def test_every_code_is_explained_in_the_guide():
    guide = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", guide, re.MULTILINE))
    assert {code: str(status) for code, (status, _) in CODES.items()} == rows


@pytest.mark.parametrize("error", [LockNotAvailable, DeadlockDetected, SerializationFailure])
def test_who_has_waited_for_somebody_elses_change_is_told_to_try_again(error):
    found = problem_of_database(error("canceling statement due to lock timeout"))
    assert found is not None
    assert (found.code, found.status) == ("busy", 503)
    assert problem_response(found, "/").headers["Retry-After"] == "5"
