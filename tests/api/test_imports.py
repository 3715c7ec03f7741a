"""Tables sent to the API: what is wrong by row and column, all or nothing, and only one's own."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from tests.storage.bulk.tables import workbook

HEADER = "plate,operator,gross_kg,kerb_kg\n"


def send(client, what, content, **query):
    body = content if isinstance(content, bytes) else content.encode()
    answer = client.ask("POST", f"/imports/{what}", params=query, content=body)
    return answer.status_code, answer.json()


def test_a_table_is_imported_after_its_dry_run_was_read(api):
    text = HEADER + "29K-100.01,north,16000,6000\n29K-100.02,north,,\n"
    status, said = send(api.inspector, "vehicles", text, dry_run=True)
    assert (status, said["added"], said["written"], said["places"]) == (200, 2, False, [])
    assert api.inspector.get("/vehicles", plate="29K10001")["items"] == []
    status, said = send(api.inspector, "vehicles", text, reason="delivery")
    assert (status, said["added"], said["written"]) == (200, 2, True)
    (made,) = api.inspector.get("/vehicles", plate="29K10001")["items"]
    history = api.inspector.get(f"/vehicles/{made['id']}/history")["items"]
    assert [one["reason"] for one in history] == ["delivery"]
    assert send(api.inspector, "vehicles", text)[1]["unchanged"] == 2


def test_what_is_wrong_is_said_by_row_and_column_and_nothing_is_written(api):
    rows = [HEADER.strip().split(","), ["29K-200.01", "north", 5, 6], ["29K-200.02", "none", 1]]
    content = workbook(rows)
    status, said = send(api.inspector, "vehicles", content, dry_run=True)
    assert (status, said["problems"]) == (200, 2)
    assert [(one["row"], one["column"]) for one in said["places"]] == [
        (2, "D (kerb_kg)"), (3, "B (operator)"),
    ]  # fmt: skip
    status, said = send(api.inspector, "vehicles", content)
    assert (status, said["code"]) == (422, "invalid_request")
    assert [one["location"] for one in said["errors"]] == [
        "body: row 2: D (kerb_kg)", "body: row 3: B (operator)",
    ]  # fmt: skip
    assert api.inspector.get("/vehicles", plate="29K20001")["items"] == []


def test_an_operator_imports_its_own_devices_and_nobody_elses(api):
    status, said = send(api.north, "devices", "imei,operator\n86777,north\n")
    assert (status, said["added"]) == (200, 1)
    status, said = send(api.north, "devices", "imei,operator\n86778,south\n")
    assert (status, said["code"]) in {(422, "invalid_request"), (403, "forbidden")}
    assert send(api.north, "vehicles", HEADER)[1]["code"] == "forbidden"


def test_what_is_no_table_is_refused(api):
    assert send(api.inspector, "vehicles", b"\xff\xfe\x00")[0] == 422
    assert send(api.inspector, "vehicles", b"PK\x03\x04")[1]["code"] == "invalid_request"


def test_drivers_come_in_for_who_may_know_who_they_are_and_only_ones_own_are_compared(api):
    text = "licence,name,operator,licence_class\n790000000051,Lan,{},FC\n"
    status, said = send(api.north, "drivers", text.format("north"), dry_run=True)
    assert (status, said["added"], said["places"]) == (200, 1, [])
    assert send(api.north, "drivers", text.format("north"))[1]["added"] == 1
    assert send(api.inspector, "drivers", text.format("north"))[1]["unchanged"] == 1
    changed = text.format("north").replace("Lan", "Lan Anh")
    assert send(api.north, "drivers", changed)[1]["changed"] == 1
    # Another operator is told that the licence is somebody's, and learns nothing of whose.
    status, said = send(api.south, "drivers", text.format("south"), dry_run=True)
    assert [one["column"] for one in said["places"]] == ["A (licence)"]
    assert "Lan" not in said["places"][0]["wrong"]
    # Comparing tells names: an administrator, to whom they are masked, cannot ask so.
    boss = api.client(api.world.others["administrator"])
    assert send(boss, "drivers", text.format("north"), dry_run=True)[1]["code"] == "forbidden"


def test_a_row_that_clashes_with_what_the_caller_cannot_see_is_named(api):
    assert send(api.south, "devices", "imei,operator\n86801,south\n")[0] == 200
    status, said = send(api.north, "devices", "imei,operator\n86800,north\n86801,north\n")
    assert (status, [one["location"] for one in said["errors"]]) == (422, ["body: row 3: A (imei)"])
    assert api.inspector.get("/devices", ident="86800")["items"] == []


def test_of_two_clients_that_import_the_same_at_once_one_wins_and_the_other_is_told_rows(api):
    header = "imei,vehicle,from\n"
    idents = [f"8690{n}" for n in range(8)]
    send(api.inspector, "devices", "imei,operator\n" + "".join(f"{i},north\n" for i in idents))
    lines = [f"{ident},51B12345,2026-01-01\n" for ident in idents]
    others = [f"{ident},29C00777,2026-01-01\n" for ident in idents[::-1][:6]]
    together = Barrier(2)

    def bring(client, content):
        together.wait(60)
        return send(client, "assignments", header + "".join(content))

    with ThreadPoolExecutor(2) as at_once:
        done = [
            one.result()
            for one in [
                at_once.submit(bring, api.north, lines),
                at_once.submit(bring, api.inspector, others),
            ]
        ]
    assert sorted(status for status, _ in done) == [200, 422]
    [refused] = [said for status, said in done if status == 422]
    assert len(refused["errors"]) == 6
    assert {one["location"].split(": ")[2] for one in refused["errors"]} == {"A (imei)"}
