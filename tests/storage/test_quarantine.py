from dataclasses import replace

import pytest

from storage import quarantine
from storage.quarantine import Message, Quarantined
from tests.storage.connected import connected

pytestmark = pytest.mark.integration

ENTRY = Quarantined(
    topic="gsht/v1/json/x",
    payload=b"\x00\xff{",
    received=1_700_000_000_000_000,
    reason="bad_syntax",
    at=2,
    detail="expected an object",
    ident="x",
)


def test_a_message_is_kept_whole_with_its_reason(database):
    async def work(conn):
        await quarantine.insert(conn, [ENTRY])
        return await quarantine.page(conn), await quarantine.messages(conn, [1])

    [waiting], messages = connected(database, work)
    assert waiting == quarantine.Waiting(
        id=waiting.id,
        received=ENTRY.received,
        topic=ENTRY.topic,
        payload_bytes=3,
        reason="bad_syntax",
        at=2,
        detail="expected an object",
        ident="x",
        seen=1,
        last_seen=ENTRY.received,
    )
    assert messages == [Message(waiting.id, ENTRY.topic, ENTRY.payload)]


def test_a_message_that_comes_again_is_counted_and_bears_its_newest_reason(database):
    later = replace(ENTRY, received=ENTRY.received + 9, reason="unknown_device")

    async def work(conn):
        await quarantine.insert(conn, [ENTRY, ENTRY])
        await quarantine.insert(conn, [later, replace(later, topic="gsht/v1/json/y")])
        return await quarantine.page(conn), await quarantine.counts(conn)

    page, counts = connected(database, work)
    assert [(w.topic, w.seen, w.received, w.last_seen, w.reason) for w in page] == [
        ("gsht/v1/json/x", 3, ENTRY.received, later.received, "unknown_device"),
        ("gsht/v1/json/y", 1, later.received, later.received, "unknown_device"),
    ]
    assert counts == [("unknown_device", 2, 4, ENTRY.received, later.received)]


def test_what_was_released_waits_no_more_and_may_come_back(database):
    async def work(conn):
        await quarantine.insert(conn, [ENTRY])
        [waiting] = await quarantine.page(conn)
        released = [await quarantine.release(conn, [waiting.id, 99]) for _ in range(2)]
        left = await quarantine.page(conn), await quarantine.messages(conn, [waiting.id])
        await quarantine.insert(conn, [ENTRY])
        return released, left, len(await quarantine.page(conn))

    assert connected(database, work) == ([1, 0], ([], []), 1)


def test_pages_follow_each_other_and_are_filtered(database):
    entries = [
        replace(ENTRY, payload=bytes([number]), reason=("a", "b")[number % 2])
        for number in range(10)
    ]

    async def work(conn):
        await quarantine.insert(conn, entries)
        found, after = [], 0
        while page := await quarantine.page(conn, reason="b", after=after, limit=2):
            found.append(len(page))
            after = page[-1].id
        return found

    assert connected(database, work) == [2, 2, 1]


def test_text_that_the_database_cannot_hold_is_shown_as_near_as_can_be(database):
    odd = replace(ENTRY, topic="a\0b", detail="\ud800", ident="\udcff", at=2**40)

    async def work(conn):
        await quarantine.insert(conn, [odd])
        return await quarantine.page(conn)

    [waiting] = connected(database, work)
    assert waiting.topic == "a\N{REPLACEMENT CHARACTER}b"
    assert waiting.at == 2**31 - 1


def test_a_payload_beyond_the_limit_is_cut_and_cannot_be_released(database, monkeypatch):
    monkeypatch.setattr(quarantine, "MAX_PAYLOAD_BYTES", 10)

    async def work(conn):
        await quarantine.insert(conn, [replace(ENTRY, payload=bytes(11))])
        [waiting] = await quarantine.page(conn)
        return waiting.payload_bytes, await quarantine.messages(conn, [waiting.id])

    assert connected(database, work) == (11, [])


def test_ten_mebibytes_are_kept_whole(database):
    async def work(conn):
        await quarantine.insert(conn, [replace(ENTRY, payload=bytes(10 << 20))])
        [message] = await quarantine.messages(conn, [1])
        return len(message.payload)

    assert connected(database, work) == 10 << 20


def test_nothing_is_inserted_for_nothing(database):
    async def work(conn):
        await quarantine.insert(conn, [])
        return await quarantine.counts(conn)

    assert connected(database, work) == []
