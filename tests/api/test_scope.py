"""Who sees what: tokens, and operators that must never see each other."""

import httpx
import pytest

from tests.api.server import matches, models
from tests.api.world import World

WINDOW = "from=2026-05-04T00:00:00Z&to=2026-05-05T00:00:00Z"


def closed_pages(world: World) -> list[str]:
    """Every page that needs a token, asked about what belongs to the south."""
    return [
        "/vehicles",
        f"/vehicles/{world.s1}",
        f"/vehicles/{world.s1}/journey?{WINDOW}",
        f"/vehicles/{world.s1}/journey?{WINDOW}&format=geojson",
        f"/vehicles/{world.s1}/visits",
        f"/vehicles/{world.s1}/hours?{WINDOW}",
        f"/vehicles/{world.s1}/days?month=2026-05",
        f"/operators/{world.south}/month?month=2026-05",
        f"/areas/passages?{WINDOW}&bbox=106.2,10.4,107.1,11.3",
        f"/vehicles/{world.s1}/rate?month=2026-05",
        "/positions",
        "/positions?operator=south",
        "/positions?format=geojson",
        "/violations",
        f"/violations?vehicle={world.s1}",
        "/violations?operator=south",
        f"/violations/{world.of_south_speeding}",
        "/violations?operator=south&flagged=false&proposed=false",
        f"/violations/{world.of_south_speeding}/reviews",
        f"/violations/{world.of_south_speeding}/attachments",
        f"/violations/{world.of_south_speeding}/attachments/{world.of_south_file}",
        "/weighings",
        f"/weighings?vehicle={world.s1}",
        "/weighings?plate=51B99999",
        "/zones",
        "/zones?operator=south&retired=true",
        "/zones/z-s",
        "/routes",
        "/routes/R-S",
        "/routes/R-S/timetable?month=2026-05",
        "/quarantine",
        "/quarantine/groups",
        *registered_pages(world),
    ]


def registered_pages(world: World) -> list[str]:
    """Of the registry; the second device, and the like, is the south's."""
    things = [f"operators/{world.south}", "devices/2", "assignments/2", "badges/1",
              "vehicle-routes/2", "stations/1"]  # fmt: skip
    pages = [f"/vehicles/{world.s1}/history", "/calibrations"]
    for thing in things:
        pages += [f"/{thing.partition('/')[0]}?retired=true", f"/{thing}", f"/{thing}/history"]
    return pages


PAGES = range(52)
OTHERS = {
    "health", "ready", "metrics", "session", "people", "keys", "audit", "drivers", "{driver_id}",
    "data", "{calibration_id}",
}  # fmt: skip
HISTORIES = {
    "/api/v1/drivers/{driver_id}/history", "/api/v1/calibrations/{calibration_id}/history",
}  # fmt: skip
"""Pages of the service itself, and those of tests/api/matrix.csv and test_personal.py."""


def test_no_page_is_left_out_of_these_tests(api):
    asked = {page.partition("?")[0] for page in closed_pages(api.world)}
    for path, method in models(api.inspector.app):
        if method == "GET" and path.rpartition("/")[2] not in OTHERS and path not in HISTORIES:
            assert any(matches(path.removeprefix("/api/v1"), page) for page in asked), path
    assert len(closed_pages(api.world)) == len(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_an_operator_never_sees_what_belongs_to_another(api, page):
    path = closed_pages(api.world)[page]
    answer = api.north.ask("GET", path)
    assert answer.status_code in {200, 403, 404}
    for secret in ("51B99999", "south", "South Lines", "z-s", "R-S", "dev-s1"):
        # A problem repeats what was asked for; nothing else may.
        assert secret not in answer.text or (secret in path and answer.status_code == 404), path


@pytest.mark.parametrize("page", PAGES)
def test_the_other_operator_and_an_inspector_do_see_it(api, page):
    path = closed_pages(api.world)[page]
    if not path.startswith("/quarantine"):
        assert api.south.ask("GET", path).status_code == 200
    assert api.inspector.ask("GET", path).status_code == 200


def test_what_cannot_be_seen_answers_as_what_is_not_there(api):
    for there, absent in (
        (f"/vehicles/{api.world.s1}", "/vehicles/999999"),
        (f"/violations/{api.world.of_south_speeding}", "/violations/999999"),
        ("/zones/z-s", "/zones/zzz"),
        ("/routes/R-S", "/routes/zzz"),
    ):
        one, other = api.north.ask("GET", there), api.north.ask("GET", absent)
        assert one.status_code == other.status_code == 404
        assert one.json()["code"] == other.json()["code"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("who", ["nobody", "unknown", "expired", "revoked", "malformed"])
def test_no_page_answers_without_a_token_in_force(api, who, page):
    path = closed_pages(api.world)[page]
    token = {
        "nobody": None,
        "unknown": "ht_" + "x" * 43,
        "expired": api.world.expired,
        "revoked": api.world.revoked,
        "malformed": "ht_" + "x" * 5000,
    }[who]
    answer = api.client(token).ask("GET", path)
    assert answer.status_code == 401
    assert answer.json()["code"] == ("token_missing" if who == "nobody" else "token_invalid")
    assert answer.headers["www-authenticate"].startswith('Bearer realm="hanhtrinh"')


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/reviews"), ("POST", "/violations/1/reviews"), ("POST", "/violations/1/attachments"),
     ("DELETE", "/violations/1/attachments/1"),
     *((m, f"/{n}{c}") for n in ("zones", "routes") for m, c in
       (("POST", ""), ("PUT", "/x"), ("DELETE", "/x")))],
)  # fmt: skip
def test_no_change_is_made_without_a_token(api, method, path):
    # The body is not even read as JSON before the token is known.
    answer = api.nobody.ask(method, path, content=b"{nonsense")
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "header", ["Basic aHQ6eA==", "Bearer", "Bearer xx_abc", "ht_abc", "Bearer ht_\u00e9"]
)
def test_other_authorizations_are_no_tokens(api, header):
    answer = httpx.get(
        api.nobody.http.base_url.join("/api/v1/vehicles"),
        headers={"Authorization": header.encode("latin-1")},
    )
    assert answer.status_code == 401


def test_the_scheme_is_written_in_any_case(api):
    answer = api.nobody.ask(
        "GET", "/vehicles", headers={"Authorization": f"bEARER {api.world.inspector}"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json", "/docs"])
def test_only_the_service_pages_and_the_documents_are_open(api, path):
    answer = httpx.get(f"{api.nobody.http.base_url}/api/v1{path}".replace("//api", "/api"))
    assert answer.status_code == 200


def test_operators_are_told_that_the_quarantine_is_not_theirs(api):
    for path in ("/quarantine", "/quarantine/groups"):
        assert api.north.problem("GET", path) == (403, "forbidden")


def test_scopes_do_not_leak_from_one_request_to_the_next_on_one_connection(api):
    for _ in range(12):
        assert len(api.inspector.get("/vehicles")["items"]) == 3
        assert len(api.south.get("/vehicles")["items"]) == 1
        assert api.nobody.ask("GET", "/vehicles").status_code == 401
