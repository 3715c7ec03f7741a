"""Personal data of drivers: masked, written down when it is read, handed out, erased."""

import json
from base64 import b64decode

import pytest

from api.access import PERSONAL
from storage import forgetting, quarantine
from storage.access import audit
from storage.quarantine import Quarantined
from tests.api.server import document
from tests.api.world import T0, do

LICENCE = "790000000001"
WINDOW = "from=2026-05-04T08:00:00Z&to=2026-05-04T09:00:00Z"


def rows(dsn):
    async def look(conn):
        return [row async for row in audit.rows(conn)]

    return do(dsn, look)


async def fetched(conn, query):
    return await (await conn.execute(query.encode())).fetchall()


def pages(world) -> list[str]:
    return [
        "/positions",
        f"/vehicles/{world.n1}",
        f"/vehicles/{world.n1}/journey?{WINDOW}",
        f"/vehicles/{world.n1}/journey?{WINDOW}&format=geojson",
        "/drivers",
        "/drivers/1",
        "/weighings",
    ]


def test_drivers_are_shown_to_those_whose_role_needs_them_and_masked_for_others(api):
    for page in pages(api.world):
        if "geojson" in page or page == "/weighings":  # a line; what a scale said
            continue
        for client in (api.inspector, api.north, api.client(api.world.others["province"])):
            assert LICENCE in client.ask("GET", page).text, page
        for role in ("administrator", "reader", "reader_of_north", "reader_of_province"):
            text = api.client(api.world.others[role]).ask("GET", page).text
            assert LICENCE not in text, (role, page)
            assert "*********001" in text, (role, page)
            assert '"An"' not in text


def test_another_operators_driver_is_nobody(api):
    assert api.south.ask("GET", "/drivers/1").status_code == 404
    assert api.south.get("/drivers")["items"] == []


@pytest.mark.parametrize("index", range(7))
def test_a_read_of_personal_data_is_written_down_before_it_is_sent(api, index):
    page = pages(api.world)[index]
    before = len(rows(api.world.dsn))
    api.client(api.world.others["reader"]).ask("GET", page)
    api.nobody.ask("GET", page)
    assert len(rows(api.world.dsn)) == before
    api.north.ask("GET", page)
    [row] = rows(api.world.dsn)[before:]
    path, _, query = page.partition("?")
    assert row.action in PERSONAL
    assert (row.subject, row.address) == (path, "127.0.0.1")
    assert row.actor.endswith(" operator")
    assert json.loads(row.detail).get("query", "") == query


def test_no_page_that_can_name_a_driver_is_forgotten():
    schemas = document()["components"]["schemas"]

    def names(schema, seen=()):
        """Every property that an answer can have."""
        if isinstance(schema, list):
            return {name for part in schema for name in names(part, seen)}
        if not isinstance(schema, dict):
            return set()
        found = set(schema.get("properties", {}))
        ref = schema.get("$ref", "").rpartition("/")[2]
        if ref and ref not in seen:
            found |= names(schemas[ref], (*seen, ref))
        return found | {name for part in schema.values() for name in names(part, seen)}

    showing = set()
    for operations in document()["paths"].values():
        answer = operations.get("get", {}).get("responses", {}).get("200", {})
        if names(answer.get("content", {})) & {"driver", "licence", "extra"}:
            showing.add(operations["get"]["operationId"].partition("_api_v1")[0])
    assert showing == PERSONAL


def test_a_driver_is_handed_what_is_held_and_erased_when_nothing_has_to_be_kept(own_api):
    world = own_api.world
    text = own_api.north.ask("GET", "/drivers/1/data").text
    assert LICENCE in text
    unread = Quarantined("gsht/v1/json/z", b'{"driver": "790000000001", oops', T0, "bad_syntax")
    do(world.dsn, lambda conn: quarantine.insert(conn, [unread]))
    # Others may be named in such messages: they are for whoever may see the quarantine.
    assert own_api.north.get("/drivers/1/data")["quarantined"] is None
    [found] = own_api.inspector.get("/drivers/1/data")["quarantined"]
    assert (found["topic"], found["payload_bytes"]) == (unread.topic, 31)
    assert b64decode(found["excerpt"]) == unread.payload
    assert own_api.client(world.others["reader"]).ask("GET", "/drivers/1/data").status_code == 403

    do(world.dsn, lambda conn: conn.execute("UPDATE violations SET driver_id = 1"))
    status, code = own_api.north.problem("DELETE", "/drivers/1")
    assert (status, code) == (409, "must_be_kept")
    assert [one["id"] for one in own_api.north.get("/drivers/1/data")["violations"]] != []

    # Three years later.
    do(
        world.dsn,
        lambda conn: conn.execute(
            "UPDATE violations SET started_at = started_at - interval '10 years',"
            " ended_at = ended_at - interval '10 years'"
        ),
    )
    assert own_api.south.problem("DELETE", "/drivers/1") == (404, "driver_not_found")
    assert own_api.inspector.problem("DELETE", "/drivers/1") == (403, "forbidden")
    erased = own_api.north.ask("DELETE", "/drivers/1")
    assert erased.status_code == 200
    assert erased.json()["erased_at"]
    for page in pages(world):
        assert LICENCE not in own_api.inspector.ask("GET", page).text
    assert rows(world.dsn)[-1].action in PERSONAL
    # What nobody could read is emptied by the next round of upkeep, which says so.
    before = len(rows(world.dsn))
    assert do(world.dsn, lambda conn: forgetting.forget(conn, "here")) == 1
    [row] = rows(world.dsn)[before:]
    assert (row.actor, row.action) == ("upkeep", "forget_in_quarantine")
    kept = "SELECT payload, payload_bytes, reason FROM quarantine WHERE emptied_at IS NOT NULL"
    assert do(world.dsn, lambda conn: fetched(conn, kept)) == [(b"", 31, "bad_syntax")]
    assert "erase_driver" in [row.action for row in rows(world.dsn)]
    assert LICENCE not in str(rows(world.dsn))
