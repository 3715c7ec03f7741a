"""The pages of the registry: made, changed, retired, with ETags, flaws, tenants and history."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.world import do

LICENCE = "790000000077"
CHANGES = [("DELETE", "/operators/1"), ("DELETE", "/stations/1"), ("POST", "/vehicles")]


def make(client, path, **body):
    answer = client.ask("POST", path, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1{path}/{answer.json()['id']}"
    return answer.json()


def flaws(answer):
    assert answer.status_code == 422, answer.text
    return sorted(flaw["location"] for flaw in answer.json()["errors"])


def truck(api, plate, **facts):
    return make(api.inspector, "/vehicles", plate=plate, operator="north", **facts)


def test_a_plate_is_kept_as_it_was_entered_and_compared_without_separators(api):
    made = truck(api, "59LĐ-123.45", gross_kg=16_000, axles=2)
    assert (made["plate"], made["plate_raw"]) == ("59LD12345", "59LĐ-123.45")
    found = api.north.get("/vehicles", plate="59ld 123-45")["items"]
    assert [one["id"] for one in found] == [made["id"]]


def test_everything_that_is_wrong_is_said_at_once_with_its_field(api):
    truck(api, "29H-000.01", vin="RNKGA7F0001")
    bad = {
        "plate": "29h 000 01", "operator": "nobody", "class": "Ship", "gross_kg": 16_000,
        "kerb_kg": 10_000, "cargo_kg": 7_000, "axles": 0,
    }  # fmt: skip
    # What is wrong by itself is not compared with what is there.
    assert flaws(api.inspector.ask("POST", "/vehicles", json=bad)) == [
        "body.axles", "body.cargo_kg", "body.class",
    ]  # fmt: skip
    bad = {"plate": "29h 000 01", "operator": "nobody", "vin": "RNKGA7F0001"}
    assert flaws(api.inspector.ask("POST", "/vehicles", json=bad)) == [
        "body.operator", "body.plate", "body.vin",
    ]  # fmt: skip
    assert flaws(api.inspector.ask("POST", "/vehicles", json={"plate": 7, "wheels": 4})) == [
        "body.operator", "body.plate", "body.wheels",
    ]  # fmt: skip


def test_of_two_who_read_the_same_version_the_second_is_told(api):
    made = make(api.inspector, "/operators", code="etag", name="Etag")
    page = f"/operators/{made['id']}"
    read = api.inspector.ask("GET", page).headers["etag"]

    def change(name):
        headers = {"If-Match": read}
        return api.inspector.http.put(f"/api/v1{page}", json={"name": name}, headers=headers)

    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(change, ["A", "B", "C", "D"]))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    [won] = [answer for answer in answers if answer.status_code == 200]
    assert won.headers["etag"] == '"2"'
    assert api.inspector.get(page)["name"] == won.json()["name"]


def test_of_two_who_register_one_plate_at_once_one_does(api):
    def register(_):
        body = {"plate": "29H-111.11", "operator": "north"}
        return api.inspector.http.post("/api/v1/vehicles", json=body).status_code

    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(register, range(4)))
    assert answers.count(201) == 1
    assert set(answers) <= {201, 409, 422}


def test_a_change_of_masses_is_a_new_registration_and_the_old_one_stays(api):
    made = truck(api, "29H-222.22", gross_kg=16_000)
    device = make(api.north, "/devices", ident="d-222")
    make(api.north, "/assignments", device="d-222", vehicle="29H22222")
    facts = {"plate": "29H-222.22", "operator": "north", "gross_kg": 18_000}
    page = f"/vehicles/{made['id']}"
    answer = api.inspector.ask("PUT", page, json=facts, params={"reason": "new certificate"})
    heavier = answer.json()
    assert (heavier["first_id"], heavier["gross_kg"]) == (made["id"], 18_000)
    assert heavier["id"] != made["id"]
    before = api.inspector.get(page)
    assert (before["gross_kg"], before["is_retired"]) == (16_000, True)
    assert before["valid_to"] == heavier["valid_from"]
    now = api.inspector.get(f"/vehicles/{heavier['id']}")
    assert [one["ident"] for one in now["devices"]] == ["d-222"]
    assert [one["id"] for one in now["registrations"]] == [heavier["id"], made["id"]]
    assert api.inspector.get(f"/devices/{device['id']}")["vehicle_id"] == heavier["id"]
    assert api.inspector.problem("PUT", page, json=facts) == (409, "retired")
    listed = api.inspector.get("/vehicles", plate="29H22222")["items"]
    assert [one["id"] for one in listed] == [heavier["id"]]
    # The same facts again, and another chassis number, are no new registration.
    facts["vin"] = "RNKGA7F0222"
    again = api.inspector.ask("PUT", f"/vehicles/{heavier['id']}", json=facts)
    assert (again.json()["id"], again.headers["etag"]) == (heavier["id"], '"2"')
    history = api.inspector.get(f"/vehicles/{made['id']}/history")["items"]
    assert [(one["action"], one["reason"]) for one in history] == [
        ("changed", ""), ("changed", "new certificate"), ("made", "new certificate"), ("made", ""),
    ]  # fmt: skip
    assert all(one["actor"].startswith("key ") for one in history)


def test_who_buys_a_vehicle_sees_nothing_of_what_it_was(api):
    made = truck(api, "29H-333.33")
    facts = {"plate": "29H33333", "operator": "south"}
    sold = api.inspector.ask("PUT", f"/vehicles/{made['id']}", json=facts).json()
    assert api.south.problem("GET", f"/vehicles/{made['id']}") == (404, "vehicle_not_found")
    assert api.north.problem("GET", f"/vehicles/{sold['id']}") == (404, "vehicle_not_found")
    shown = api.south.get(f"/vehicles/{sold['id']}")
    assert [one["id"] for one in shown["registrations"]] == [sold["id"]]
    actions = {
        name: [one["after"]["id"] for one in client.get(f"/vehicles/{number}/history")["items"]]
        for name, client, number in (
            ("north", api.north, made["id"]), ("south", api.south, sold["id"]),
        )
    }  # fmt: skip
    assert actions == {"north": [made["id"]] * 2, "south": [sold["id"]]}


def test_a_device_is_in_one_vehicle_at_a_time_and_of_ones_own(api):
    truck(api, "29H-444.44")
    make(api.north, "/devices", ident="d-444")
    given = {"device": "d-444", "vehicle": "29H44444"}
    first = make(api.north, "/assignments", **given, valid_to="2036-01-01T00:00:00Z")
    again = api.north.ask("POST", "/assignments", json={**given, "vehicle": "29C00777"})
    assert flaws(again) == ["body.device"]
    assert flaws(api.south.ask("POST", "/assignments", json=given)) == [
        "body.device", "body.vehicle",
    ]  # fmt: skip
    later = {**given, "vehicle": "29C00777", "valid_from": "2036-01-01T00:00:00Z"}
    second = make(api.north, "/assignments", **later)
    ended = api.north.ask("DELETE", f"/assignments/{first['id']}")
    assert ended.json()["valid_to"] < "2036"
    # What had not begun never holds.
    taken = api.north.ask("DELETE", f"/assignments/{second['id']}").json()
    assert taken["valid_from"] == taken["valid_to"]
    shown = [one["id"] for one in api.north.get("/assignments")["items"]]
    assert first["id"] not in shown
    # Somebody else's tracker, in one's own vehicle.
    borrowed = make(api.inspector, "/devices", ident="d-of-nobody")
    given = {"device": "d-of-nobody", "vehicle": "29C00777"}
    assert api.north.ask("POST", "/assignments", json=given).status_code == 422
    make(api.inspector, "/assignments", **given)
    page = f"/devices/{borrowed['id']}"
    assert api.north.get(page)["operator"] is None
    assert api.north.problem("PUT", page, json={}) == (403, "forbidden")


def test_an_ident_that_somebody_unseen_has_is_refused_without_saying_whose(api):
    make(api.south, "/devices", ident="d-555")
    status, code = api.north.problem("POST", "/devices", json={"ident": "d-555"})
    assert (status, code) == (409, "already_there")


def test_a_retired_device_leaves_its_vehicle_and_is_let_in_no_longer(api):
    device = make(api.north, "/devices", ident="d-666")
    made = make(api.north, "/assignments", device="d-666", vehicle="29C00777")
    assert api.north.ask("DELETE", f"/devices/{device['id']}").json()["retired_at"]
    assert api.north.get(f"/assignments/{made['id']}")["valid_to"]
    assert device["id"] not in [one["id"] for one in api.north.get("/devices")["items"]]

    async def admitted(conn):
        found = await conn.execute("SELECT FROM admitted WHERE ident = 'd-666'")
        return await found.fetchall()

    assert do(api.world.dsn, admitted) == []


def test_badges_do_not_overlap(api):
    truck(api, "29H-777.77")
    badge = {
        "number": "HD-1", "kind": "contract", "vehicle": "29H-777.77",
        "valid_to": "2033-01-01T00:00:00Z",
    }  # fmt: skip
    make(api.inspector, "/badges", **badge)
    other = {**badge, "number": "HD-2"}
    assert flaws(api.inspector.ask("POST", "/badges", json=other)) == ["body.vehicle"]
    make(api.inspector, "/badges", **other, is_extra=True)
    early = {**badge, "number": "HD-3", "valid_to": "1999-01-01T00:00:00Z"}
    assert flaws(api.inspector.ask("POST", "/badges", json=early)) == ["body.valid_to"]


def test_a_driver_is_the_operators_own_and_masked_for_others_in_its_history_too(own_api):
    api = own_api
    body = {"licence": LICENCE, "name": "Nguyen Van Chi", "licence_until": "2030-01-01"}
    made = make(api.north, "/drivers", **body)
    assert made["operator"] == "north"
    page = f"/drivers/{made['id']}"
    api.north.ask("PUT", page, json={"name": "Nguyen Van Che"}, params={"reason": "misspelt"})
    for masked in ("administrator", "reader", "reader_of_north", "reader_of_province"):
        text = api.client(api.world.others[masked]).ask("GET", f"{page}/history").text
        assert LICENCE not in text
        assert "Nguyen" not in text
        assert "misspelt" in text
    shown = api.north.get(f"{page}/history")["items"]
    assert [one["after"]["name"] for one in shown] == ["Nguyen Van Che", "Nguyen Van Chi"]
    assert api.south.problem("GET", f"{page}/history") == (404, "driver_not_found")
    assert LICENCE in str(api.north.get(f"{page}/data")["history"])
    assert api.north.ask("POST", f"{page}/retirement").json()["retired_at"]
    assert api.north.problem("PUT", page, json={}) == (409, "retired")
    for retired in (False, True):
        listed = [one["id"] for one in api.north.get("/drivers", retired=retired)["items"]]
        assert (made["id"] in listed) == retired

    # Who is erased is erased from the history, too; that something was done stays.
    assert api.north.ask("DELETE", page).status_code == 200
    text = api.inspector.ask("GET", f"{page}/history").text
    assert "Nguyen" not in text
    assert LICENCE not in text
    assert len(api.inspector.get(f"{page}/history")["items"]) == 4

    async def held(conn):
        found = await conn.execute(
            "SELECT FROM registry_history h WHERE h::text ~ 'Nguyen|790000000077'"
        )
        return await found.fetchall()

    assert do(api.world.dsn, held) == []


def test_a_station_is_changed_and_calibrated_and_its_history_is_everybodys(api):
    place = {"lon": 105.8, "lat": 21.0}
    made = make(api.inspector, "/stations", code="s-1", tolerance=0.05, **place)
    assert made["is_calibrated"]
    bad = {**place, "weekly_hours": [["someday", "06:00", "22:00"]], "tolerance": 0.5}
    assert flaws(api.inspector.ask("PUT", f"/stations/{made['id']}", json=bad))
    hours = {**place, "weekly_hours": [["mon", "06:00", "22:00"]]}
    changed = api.inspector.ask("PUT", f"/stations/{made['id']}", json=hours).json()
    assert (changed["weekly_hours"], changed["tolerance"]) == ([["mon", "06:00", "22:00"]], 0)
    lapsed = {
        "station": "s-1", "certificate": "C", "valid_from": "2020-01-01T00:00:00Z",
        "valid_to": "2021-01-01T00:00:00Z",
    }  # fmt: skip
    make(api.inspector, "/calibrations", **lapsed)
    assert not api.inspector.get(f"/stations/{made['id']}")["is_calibrated"]
    assert flaws(api.inspector.ask("POST", "/calibrations", json=lapsed)) == ["body.valid_from"]
    last, first = api.south.get(f"/stations/{made['id']}/history")["items"]
    assert (last["action"], first["action"]) == ("changed", "made")
    assert [last[when]["weekly_hours"] for when in ("before", "after")] == [
        None, [["mon", "06:00", "22:00"]],
    ]  # fmt: skip


def test_history_goes_on_page_by_page(api):
    made = make(api.inspector, "/operators", code="pages", name="0")
    page = f"/operators/{made['id']}"
    for name in "123":
        api.inspector.ask("PUT", page, json={"name": name})
    seen, cursor = [], None
    while True:
        params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        part = api.inspector.get(f"{page}/history", **params)
        seen += [one["after"]["name"] for one in part["items"]]
        cursor = part["next_cursor"]
        if cursor is None:
            break
    assert seen == ["3", "2", "1", "0"]
    assert api.inspector.problem("GET", f"/devices/{made['id']}/history?cursor={'x' * 8}")[0] in {
        404, 422,
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_operators_do_not_change_what_is_the_authoritys(api, method, path):
    assert api.north.problem(method, path, json={})[:1] == (403,)
