"""The audit: nothing of it can be removed, altered or moved without being found."""

import json
import re
import socket
import threading

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.access import audit, audit_lines
from storage.access.audit import Act, Anchor, Row
from storage.database import connect
from storage.errors import AuditError
from tests.hanhtrinh.command import hanhtrinh
from tests.storage.connected import connected

pytestmark = pytest.mark.integration
ROWS = 7


@pytest.fixture
def audited(database):
    async def work(conn):
        for number in range(ROWS):
            act = Act(
                f"person {number}", "10.0.0.1", "put_zone", f"/zones/{number}\0", {"n": number}
            )
            await audit.record(conn, act)

    connected(database, work)
    return database


def tampered(dsn: str, *statements: str) -> None:
    """What the owner of the database can do, who can do anything."""
    with psycopg.connect(dsn) as conn:
        conn.execute("ALTER TABLE audit DISABLE TRIGGER append_only")
        for statement in statements:
            conn.execute(statement.encode())


def test_a_chain_that_nobody_touched_is_whole(audited):
    end = connected(audited, audit.verify)
    assert end.seq == ROWS
    assert connected(audited, lambda conn: audit.verify(conn, end)) == end


def test_rows_that_are_added_while_the_chain_is_walked_are_no_fault_of_it(audited, monkeypatch):
    walk, late = audit.rows, iter(range(2))

    async def work(conn):
        async def walked(conn, after=0):
            async for row in walk(conn, after):
                yield row
            for number in late:  # once each: after the last row was read, before the end is
                async with await connect(audited, name="test") as other:
                    await audit.record(other, Act("person late", "", "list_drivers", str(number)))
                return

        monkeypatch.setattr(audit, "rows", walked)
        async with conn.transaction():
            return await audit.verify(conn)

    assert connected(audited, work).seq == ROWS + 2


TWIN = """INSERT INTO audit SELECT 8, at, actor, address, action, subject, detail, previous, hash
    FROM audit WHERE seq = 7"""


@pytest.mark.parametrize(
    ("statements", "at"),
    [
        (["DELETE FROM audit WHERE seq = 1"], 1),
        (["DELETE FROM audit WHERE seq = 4"], 4),
        ([f"DELETE FROM audit WHERE seq = {ROWS}"], ROWS),
        ([f"UPDATE audit SET actor = 'x' WHERE seq = {ROWS}"], ROWS),
        (["UPDATE audit SET actor = 'person 9' WHERE seq = 3"], 3),
        (["UPDATE audit SET detail = '{}' WHERE seq = 3"], 3),
        (["UPDATE audit SET at = at + interval '1 microsecond' WHERE seq = 3"], 3),
        (["UPDATE audit SET actor = actor || address, address = '' WHERE seq = 3"], 3),
        (["UPDATE audit SET hash = sha256('x') WHERE seq = 3"], 3),
        (["UPDATE audit SET previous = sha256('x') WHERE seq = 3"], 3),
        (
            [
                "UPDATE audit SET seq = 0 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4",
                "UPDATE audit SET seq = 4 WHERE seq = 0",
            ],
            3,
        ),
        ([TWIN], 8),
        (["UPDATE audit_head SET seq = 6"], 8),
        (["DELETE FROM audit_head"], 8),
    ],
)  # fmt: skip
def test_a_row_that_was_removed_altered_moved_or_put_in_is_found(audited, statements, at):
    tampered(audited, *statements)
    with pytest.raises(AuditError, match=f"audit row {at}:"):
        connected(audited, audit.verify)


def test_a_chain_that_was_written_anew_does_not_pass_its_anchor(audited):
    end = connected(audited, audit.verify)
    tampered(
        audited,
        "DELETE FROM audit",
        "UPDATE audit_head SET seq = 0, hash = decode(repeat('00', 32), 'hex')",
    )
    with pytest.raises(AuditError, match="got none"):
        connected(audited, lambda conn: audit.verify(conn, end))

    async def again(conn):
        for _ in range(ROWS):
            await audit.record(conn, Act("somebody", "", "else", ""))
        await audit.verify(conn)
        with pytest.raises(AuditError, match="written anew"):
            await audit.verify(conn, end)

    connected(audited, again)


def test_rows_are_only_ever_added(audited):
    for statement in (b"UPDATE audit SET actor = ''", b"DELETE FROM audit", b"TRUNCATE audit"):
        with psycopg.connect(audited) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)


LATER_US = 4_102_444_800_000_000  # 2100


def test_old_rows_that_are_kept_elsewhere_are_taken_out_and_the_chain_holds(audited):
    async def work(conn):
        kept = [row async for row in audit.rows(conn)]
        until = Anchor(4, kept[3].hash.hex())
        for wrong, before_us in (
            (Anchor(4, "0" * 64), LATER_US), (Anchor(9, "0" * 64), LATER_US), (until, 0),
        ):  # fmt: skip
            with pytest.raises(AuditError):
                await audit.remove(conn, wrong, before_us, "x", "")
        async with conn.transaction():
            gone = await audit.remove(conn, until, LATER_US, "command root", "host")
        left = [row async for row in audit.rows(conn)]
        for anchor in (None, until, Anchor(6, kept[5].hash.hex())):
            await audit.verify(conn, anchor)
        with pytest.raises(AuditError, match="expected an anchor from 4 on"):
            await audit.verify(conn, Anchor(2, kept[1].hash.hex()))
        async with conn.transaction():
            again = await audit.remove(conn, Anchor(6, kept[5].hash.hex()), LATER_US, "x", "")
        await audit.verify(conn)
        return gone, left, str(until), again

    gone, left, until, again = connected(audited, work)
    assert (gone, again) == (4, 2)
    assert [row.seq for row in left] == [5, 6, 7, 8]
    assert (left[-1].action, left[-1].subject) == ("remove_audit", until)
    # The owner still cannot, by accident; and who could would be found.
    with psycopg.connect(audited) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("DELETE FROM audit")


def test_rows_that_were_taken_out_without_a_word_are_missed(audited):
    tampered(
        audited,
        "UPDATE audit_start s SET seq = 3, hash = a.hash FROM audit a WHERE a.seq = 3",
        "DELETE FROM audit WHERE seq <= 3",
    )
    with pytest.raises(AuditError, match="audit row 3: has been taken out"):
        connected(audited, audit.verify)


def test_a_change_that_is_not_kept_leaves_no_row_and_no_gap(audited):
    async def work(conn):
        async with conn.transaction(force_rollback=True):
            await audit.record(conn, Act("x", "", "x", ""))
        await audit.record(conn, Act("y", "", "y", ""))
        return (await audit.verify(conn)).seq

    assert connected(audited, work) == ROWS + 1


def test_the_command_says_whether_the_chain_is_whole_and_where_it_is_not(audited):
    settings = {"HANHTRINH_DATABASE__DSN": audited}
    done = hanhtrinh("audit", "verify", settings=settings)
    assert done.data["rows"] == ROWS
    same = hanhtrinh("audit", "verify", "--anchor", done.data["end"], settings=settings)
    assert same.data == done.data
    young = hanhtrinh("audit", "remove", "--until", done.data["end"], settings=settings)
    assert young.returncode == 1
    assert "old enough" in young.stderr
    tampered(audited, "DELETE FROM audit WHERE seq = 2")
    failed = hanhtrinh("audit", "verify", settings=settings)
    assert failed.returncode == 1
    assert "audit row 2" in failed.stderr


def test_rows_go_to_a_syslog_server_and_to_standard_output(audited):
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)

        def take():
            client, _ = server.accept()
            with client:
                while some := client.recv(65536):
                    received.extend(some)

        taking = threading.Thread(target=take)
        taking.start()
        settings = {"HANHTRINH_DATABASE__DSN": audited}
        target = f"127.0.0.1:{server.getsockname()[1]}"
        done = hanhtrinh(
            "audit", "export", "--format", "cef", "--after", "2", "--syslog", target,
            settings=settings,
        )  # fmt: skip
        taking.join(60)
    assert done.data == {"sent": ROWS - 2, "last": ROWS}
    messages, rest = [], bytes(received)
    while rest:
        length, _, rest = rest.partition(b" ")
        messages.append(rest[: int(length)].decode())
        rest = rest[int(length) :]
    assert len(messages) == ROWS - 2
    assert messages[0].startswith("<109>1 2")
    assert "CEF:0|hanhtrinh|hanhtrinh|" in messages[0]
    assert " suser=person 2 " in messages[0]
    lines = hanhtrinh("audit", "export", settings=settings).lines
    assert [line["seq"] for line in lines] == [*range(1, ROWS + 1)]
    assert lines[0]["detail"] == {"n": 0}


TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


@given(TEXT, TEXT, TEXT)
def test_no_text_breaks_out_of_its_line_or_field(actor, action, subject):
    row = Row(1, 0, actor, "a", action, subject, "{}", bytes(32), bytes(32))
    line = audit_lines.as_cef(row, "1")
    assert "\n" not in line
    assert "\r" not in line
    assert len(re.sub(r"\\.", "", line).partition("|rt=")[0].split("|")) == 7
    assert json.loads(audit_lines.as_json(row))["actor"] == actor
    framed = audit_lines.as_syslog(row, line, "host")
    assert framed.startswith(b"<109>1 1970-01-01T00:00:00.000Z host hanhtrinh - ")


@given(TEXT, TEXT, TEXT, TEXT)
def test_no_two_rows_make_the_same_digest(one, two, three, four):
    row = Row(1, 0, one, two, "a", "b", "{}", bytes(32), bytes(32))
    other = row._replace(actor=three, address=four)
    assert (row.digest() == other.digest()) == ((one, two) == (three, four))


def test_an_anchor_is_written_as_it_is_read():
    assert str(Anchor(3, "ab")) == "3:ab"
