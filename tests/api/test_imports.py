"""Tables sent to the API: what is wrong by row and column, all or nothing, and only one's own."""

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
