"""Files beside reviews: added, handed out, taken back or not any more; forgotten with a driver."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from urllib.parse import quote

import psycopg
import pytest

from tests.api.reviewed import OPTIONS, authority
from tests.hanhtrinh.waiting import wait_until
from tests.storage.files import TEXT, WHOLE, png

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def there(postgres, migrated_template):
    with postgres.new_database(migrated_template) as name, authority(postgres.dsn_of(name)) as made:
        yield made


def add(there, who, violation, content=TEXT, name="order.txt", **headers):
    return there.clients[who].ask(
        "POST", f"/violations/{violation}/attachments", params={"name": name}, content=content,
        headers=headers,
    )  # fmt: skip


def added(*asked, **more):
    answer = add(*asked, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(*asked, **more):
    answer = add(*asked, **more)
    assert answer.status_code >= 400, answer.text
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_is_handed_out_byte_for_byte_to_be_saved_as_what_it_is(there, kind):
    one, content = there.new(), WHOLE[kind]
    # What the sender says of it changes nothing.
    kept = added(there, "op", one, content, 'Ảnh "1".bin', **{"Content-Type": "text/html"})
    digest = sha256(content)
    assert (kept["type"], kept["bytes"], kept["sha256"]) == (
        kind, len(content), digest.hexdigest(),
    )  # fmt: skip
    assert there.clients["binh"].get(f"/violations/{one}/attachments")["items"] == [
        kept | {"by": "person op"}
    ]
    answer = there.clients["binh"].ask("GET", f"/violations/{one}/attachments/{kept['id']}")
    assert answer.content == content
    headers = answer.headers
    assert headers["content-type"].split(";")[0] == kind
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].endswith("sandbox")
    assert headers["cache-control"] == "no-store"
    assert headers["repr-digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    saved = headers["content-disposition"]
    assert saved.startswith(f'attachment; filename="attachment-{kept["id"]}.')
    assert saved.endswith("''" + quote(kept["name"]))
    assert kept["name"].startswith('Ảnh "1".bin.')


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_refused"),
        (b"<html><script>alert(1)</script></html>", "file_refused"),
        (b"MZ\x90\0", "file_refused"),
        (png()[:-1], "file_refused"),
        (b"x" * (OPTIONS.most_attachment_bytes + 1), "body_too_large"),
    ],
)
def test_what_is_not_taken_changes_nothing(there, content, code):
    one = there.new()
    assert refused(there, "op", one, content)[1] == code
    assert there.state(one)[1] == 0


@pytest.mark.parametrize(
    "name", ["", "a/b.txt", "..\\b.txt", "a\r\nSet-Cookie: x", "a\0b", "\u202etxt.exe", "x" * 121]
)
def test_a_name_is_no_path_and_has_no_control_characters(there, name):
    assert refused(there, "op", there.new(), TEXT, name) == (422, "invalid_request")


def test_files_of_a_violation_are_so_many_at_most(there):
    one = there.new()
    for _ in range(OPTIONS.most_attachments):
        added(there, "op", one)
    assert refused(there, "op", one) == (409, "too_many_files")
    assert refused(there, "binh", one) == (409, "too_many_files")


def test_files_that_are_added_at_once_are_no_more_than_one_after_the_other(there):
    """All of them are let go at one moment, when each has done what it does before it must wait."""
    # As many as the server has connections.
    one, senders = there.new(), ("op", "op again", "binh", "chi")
    there.clients["op"].get("/vehicles")  # the document, which answers are held against, is made
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with ThreadPoolExecutor(len(senders)) as threads:
        with psycopg.connect(there.world.dsn) as holder:
            holder.execute("SELECT FROM violations WHERE id = %s FOR UPDATE", [one])
            asked = [threads.submit(add, there, who, one) for who in senders]
            wait_until(
                lambda: there.owner.execute(waiting).fetchone() == (len(senders),), "all wait"
            )
        answers = sorted(sent.result().status_code for sent in asked)
    assert answers == [201] * OPTIONS.most_attachments + [409]
    assert there.state(one)[1] == OPTIONS.most_attachments


def test_an_operator_adds_so_much_in_a_day_and_an_authority_is_not_held_up_by_it(there):
    large = b"x" * OPTIONS.most_attachment_bytes
    some = [there.new() for _ in range(2)]
    while (answer := add(there, "op", some[0], large)).status_code == 201:
        some[:] = [there.new(), some[0]]
    assert answer.json()["code"] == "too_many_files"
    added(there, "binh", some[0], large)
    # A day later.
    with there.owner.transaction():
        there.owner.execute("ALTER TABLE violation_attachments DISABLE TRIGGER unchanged")
        there.owner.execute(
            "UPDATE violation_attachments SET added_at = added_at - interval '25 hours'"
        )
        there.owner.execute("ALTER TABLE violation_attachments ENABLE TRIGGER unchanged")
    added(there, "op", some[0], large)


def test_who_added_a_file_takes_it_back_until_a_step_leans_on_it(there):
    one = there.new()
    first, second = (added(there, "op", one, TEXT + name) for name in (b"1", b"2"))
    at = f"/violations/{one}/attachments"
    assert there.clients["binh"].problem("DELETE", f"{at}/{first['id']}") == (409, "must_be_kept")
    assert there.clients["north"].problem("DELETE", f"{at}/{first['id']}") == (409, "must_be_kept")
    # By another key of the same person.
    assert there.clients["op again"].ask("DELETE", f"{at}/{first['id']}").status_code == 200
    assert there.clients["op"].problem("GET", f"{at}/{first['id']}") == (
        404, "attachment_not_found",
    )  # fmt: skip
    there.took("binh", one, "confirm")
    assert there.clients["op"].problem("DELETE", f"{at}/{second['id']}") == (409, "must_be_kept")
    assert there.clients["op"].ask("GET", f"{at}/{second['id']}").content == TEXT + b"2"
    third = added(there, "op", one)
    assert third["number"] == 5
    there.took("op", one, "appeal")
    assert there.clients["op"].problem("DELETE", f"{at}/{third['id']}") == (409, "must_be_kept")


def test_nobody_decides_without_having_seen_what_was_added_or_taken_back(there):
    one = there.new()
    read = there.tag(one)
    kept = added(there, "op", one)
    assert there.refused("binh", one, "confirm", read) == (412, "version_mismatch")
    read = there.tag(one)
    there.clients["op"].ask("DELETE", f"/violations/{one}/attachments/{kept['id']}")
    assert there.refused("binh", one, "confirm", read) == (412, "version_mismatch")
    there.took("binh", one, "confirm")


def test_files_are_for_those_who_take_part_and_see_the_violation(there):
    one = there.new()
    kept = added(there, "binh", one)
    at = f"/violations/{one}/attachments"
    for who in ("reader", "reader_of_north", "provider", "binh reading"):
        for method, path in (("GET", at), ("GET", f"{at}/{kept['id']}"), ("POST", at)):
            given = {"params": {"name": "x"}, "content": TEXT} if method == "POST" else {}
            found = there.clients[who].problem(method, path, **given)
            assert found == (403, "forbidden"), (who, path)
    for path in (at, f"{at}/{kept['id']}"):
        assert there.clients["south"].problem("GET", path) == (404, "violation_not_found")
    assert refused(there, "south", one) == (404, "violation_not_found")
    # The file of another violation has no place under this one.
    other = there.new()
    found = there.clients["binh"].problem("GET", f"/violations/{other}/attachments/{kept['id']}")
    assert found == (404, "attachment_not_found")
    [listed] = there.clients["op"].get(at)["items"]
    assert (listed["by"], listed["role"]) == (None, "inspector")


def test_who_was_handed_a_file_is_written_down_whatever_the_role(there):
    one = there.new()
    before = len(there.audited())
    kept = added(there, "op", one)
    [row] = there.audited()[before:]
    assert row.action == "make_attachment"
    assert json.loads(row.detail) == {
        "query": "name=order.txt", "attachment": kept["id"], "sha256": kept["sha256"],
    }  # fmt: skip
    at = f"/violations/{one}/attachments/{kept['id']}"
    for who in ("boss", "binh", "op"):
        there.clients[who].ask("GET", at)
    rows = there.audited()[before + 1 :]
    assert [(row.action, row.subject) for row in rows] == [("show_attachment", at)] * 3


def driven(there, licence):
    """A driver of the north, three violations that name him, now or once; a drive with a key."""
    [(driver,)] = there.owner.execute(
        "INSERT INTO drivers (licence, name, operator_id) VALUES (%s, 'Hoa', %s) RETURNING id",
        [licence, there.world.north],
    ).fetchall()
    his, once, waiting = there.new(), there.new(), there.new()
    there.owner.execute(
        "UPDATE violations SET driver_id = %s WHERE id = ANY (%s)", [driver, [his, waiting]]
    )
    there.owner.execute(
        "INSERT INTO violation_versions (violation_id, version, facts, superseded_by, reason)"
        " VALUES (%s, 0, jsonb_build_object('driver_id', %s::integer), 'worker', 'late data')",
        [once, driver],
    )
    there.owner.execute(
        "INSERT INTO driving_spans SELECT vehicle_id, min(time), max(time), %s, 'p', false, false,"
        " false, 0, 0, 0, 0, 0, 0, 0 FROM fixes WHERE vehicle_id = %s GROUP BY 1",
        [driver, there.world.n1],
    )
    there.owner.execute(
        "INSERT INTO fix_extras SELECT vehicle_id, min(time),"
        """ '{"driver_key": "0a0b", "power_v": 12, "attributes": {"driverName": "Hoa"}}'"""
        " FROM fixes WHERE vehicle_id = %s GROUP BY 1"
        " ON CONFLICT (vehicle_id, time) DO UPDATE SET extra = excluded.extra",
        [there.world.n1],
    )
    return driver, his, once, waiting


def test_what_people_wrote_and_added_about_a_driver_is_handed_out_and_forgotten_with_him(there):
    driver, his, once, waiting = driven(there, "790000000077")
    op, journey = there.clients["op"], f"/vehicles/{there.world.n1}/journey"
    window = {"from": "2026-05-04T08:00:00Z", "to": "2026-05-04T09:00:00Z"}
    for one in (his, once, waiting):
        kept = added(there, "op", one, TEXT, "hoa.txt")
        there.took("binh", one, "confirm", text=f"Hoa said {one}")
    there.took("op", waiting, "appeal", text="Hoa was ill")

    said = op.get(f"/drivers/{driver}/data")
    assert {one["id"] for one in said["violations"]} == {his, once, waiting}
    assert {one["text"] for one in said["reviews"]} >= {f"Hoa said {his}", "Hoa was ill"}
    [file] = [one for one in said["files"] if one["id"] == kept["id"]]
    assert (file["violation"], file["sha256"]) == (waiting, sha256(TEXT).hexdigest())
    handed = op.ask("GET", f"/violations/{file['violation']}/attachments/{file['id']}")
    assert handed.content == TEXT
    assert [(one["key"], one["value"], one["times"]) for one in said["marks"]] == [
        ("driverName", "Hoa", 1), ("driver_key", "0a0b", 1),
    ]  # fmt: skip
    # Who need not know who drives sees that there is something, and not what.
    assert "0a0b" in op.ask("GET", journey, params=window).text
    masked = there.clients["boss"].get(journey, **window)["fixes"][0]["extra"]
    assert masked == {"driver_key": "***", "power_v": 12, "attributes": {"driverName": "***"}}

    # The law has violations kept; then the one under appeal keeps its words until it is decided.
    assert "kept until" in op.ask("DELETE", f"/drivers/{driver}").json()["detail"]
    there.owner.execute(
        "UPDATE violations SET started_at = started_at - interval '10 years',"
        " ended_at = ended_at - interval '10 years' WHERE id = ANY (%s)",
        [[his, once, waiting]],
    )
    assert "waits for a decision" in op.ask("DELETE", f"/drivers/{driver}").json()["detail"]
    there.took("chi", waiting, "excuse", reason="weather", text="Hoa is excused")
    assert op.ask("DELETE", f"/drivers/{driver}").status_code == 200

    for one in (his, once, waiting):
        assert there.clients["chi"].get(f"/violations/{one}/attachments")["items"] == []
        steps = there.clients["chi"].get(f"/violations/{one}/reviews")["items"]
        assert {step["text"] for step in steps} == {""}
    assert "0a0b" not in op.ask("GET", journey, params=window).text
    erasure = next(r for r in reversed(there.audited()) if r.action == "erase_driver")
    assert json.loads(erasure.detail) == {"texts": 5, "files": 3, "extras": 1}
    # Nobody forgets words otherwise.
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        there.owner.execute("UPDATE violation_reviews SET text = ''")
